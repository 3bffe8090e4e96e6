package mailtest

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// halfAMessage breaks the connection that a message comes from, in what the shim reads
// before it calls the real sendmail and behind that. Neither may be sent.
func (s *Server) halfAMessage() {
	s.t.Helper()
	for _, size := range []int{1000, 100_000, 4 << 20} {
		in := s.broken("To: half@" + SlowDomain + "\nSubject: half\n\n" + strings.Repeat("0123456789abcdef\n", size/17))
		c := s.Command(Web1, shimPath, "-t", "-i")
		c.Args[0] = shimPath
		c.Stdin = in
		var out bytes.Buffer
		c.Stdout, c.Stderr = &out, &out
		var exit *exec.ExitError
		if err := c.Run(); err != nil && !errors.As(err, &exit) {
			s.t.Fatal(err)
		}
		_ = in.Close()
		s.t.Logf("%d bytes and an error: %v %s", size, c.ProcessState, out.String())
		if c.ProcessState.ExitCode() == 0 {
			s.t.Errorf("%d bytes and an error are said to be sent", size)
		}
	}
	s.Until("the end of every sendmail", func() bool {
		for _, program := range s.Processes() {
			if strings.HasPrefix(program, shimPath) || strings.Contains(program, "feeder") {
				return false
			}
		}
		return true
	})
	if _, out := s.sendmail(shimPath, Web1, "Subject: whole\n\nhello\n", "-i", "whole@"+SlowDomain); out != "" {
		s.t.Error(out)
	}
	s.Until("the whole message", func() bool { return len(s.Messages()) > 0 })
	for _, m := range s.Messages() {
		if m.Subject != "whole" {
			s.t.Errorf("in the queue: %+v", m)
		}
	}
	s.clearQueue()
}

// broken is a standard input with a text and an error behind it: a connection whose
// other end is closed with something unread.
func (s *Server) broken(text string) *os.File {
	s.t.Helper()
	ends, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	in, out := os.NewFile(uintptr(ends[0]), "in"), os.NewFile(uintptr(ends[1]), "out")
	if _, err := in.WriteString("nobody reads this"); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		_, _ = out.WriteString(text) // as far as somebody reads
		_ = out.Close()
	}()
	return in
}
