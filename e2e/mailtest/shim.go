package mailtest

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Where the shim and the real sendmail are.
const (
	shimPath = "/usr/sbin/sendmail"
	realPath = shimPath + ".spoor-real"
)

// Recorder is a running "spoor shim serve" on the server.
type Recorder struct {
	s       *Server
	command *exec.Cmd
	ran     func() Ran
}

// PutShim puts the built shim in front of the server's sendmail, and starts the
// recorder. There is no dpkg in the root: the files are renamed as it would.
func (s *Server) PutShim() *Recorder {
	s.t.Helper()
	s.Install()
	if err := os.Rename(filepath.Join(s.Dir, shimPath), filepath.Join(s.Dir, realPath)); err != nil {
		s.t.Fatal(err)
	}
	built, err := os.ReadFile("../../bin/spoor-sendmail")
	if err != nil {
		s.t.Fatal(err)
	}
	s.Write(shimPath, string(built))
	s.Own(shimPath, 0o755, 0, 0)
	s.Folder("/var/lib", 0o755, 0, 0)
	s.t.Cleanup(s.forgetNotes)
	return s.Record()
}

// Record starts the recorder.
func (s *Server) Record() *Recorder {
	s.t.Helper()
	r := &Recorder{s: s}
	r.command, r.ran = s.operation([]string{"shim", "serve"})
	if err := r.command.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended := false
	ran := r.ran
	r.ran = func() Ran {
		ended = true
		return ran()
	}
	s.t.Cleanup(func() {
		if !ended {
			r.End()
		}
	})
	s.Until("the recorder", func() bool { return strings.Contains(s.Operate("shim", "status").Out, "answers") })
	return r
}

// beside is a program that a user runs where the recorder runs: in the same mount
// namespace, so that its paths mean the same to both.
func (r *Recorder) beside(uid int, program string, args ...string) *exec.Cmd {
	pid, id := strconv.Itoa(r.command.Process.Pid), strconv.Itoa(uid)
	args = append([]string{"-t", pid, "--mount", "--root", "--wdns=/", "--setuid", id, "--setgid", id, "--", program}, args...)
	c := exec.CommandContext(r.s.t.Context(), "nsenter", args...)
	c.Env = []string{"PATH=/usr/sbin:/usr/bin", "LC_ALL=C"}
	return c
}

// Signal sends the recorder a signal.
func (r *Recorder) Signal(signal os.Signal) {
	r.s.t.Helper()
	if err := r.command.Process.Signal(signal); err != nil {
		r.s.t.Fatal(err)
	}
}

// End ends the recorder.
func (r *Recorder) End() {
	_ = r.command.Process.Signal(syscall.SIGCONT)
	_ = r.command.Process.Signal(syscall.SIGTERM)
	if ran := r.ran(); ran.Status != 0 {
		r.s.t.Errorf("the recorder ended with %d\n%s%s", ran.Status, ran.Out, ran.Err)
	}
}

// forgetNotes lets the files of the spool be removed: they can only be appended to.
func (s *Server) forgetNotes() {
	files, _ := filepath.Glob(s.Dir + "/var/spool/spoor/origin/*")
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			continue
		}
		_ = unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, 0)
		_ = f.Close()
	}
}

// sendmail runs one of the two as a user, and returns exit status and output.
func (s *Server) sendmail(program string, uid int, input string, args ...string) (status int, out string) {
	s.t.Helper()
	c := s.Command(uid, program, args...)
	c.Args[0] = shimPath // as the shim calls the real one
	c.Stdin = strings.NewReader(input)
	var all bytes.Buffer
	c.Stdout, c.Stderr = &all, &all
	var exit *exec.ExitError
	if err := c.Run(); err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), all.String()
}

// Shimmed is what has to hold with the shim in front of a real sendmail.
func Shimmed(s *Server) {
	s.t.Helper()
	r := s.PutShim()
	s.sameAnswers()
	s.sameMessages()
	s.hugeMessage()
	s.halfAMessage()
	s.scriptsAreNamed(r)
	s.forgersAreNamed()
	s.recorderMayHang(r)
	s.recorderMayDie(r)
	s.heldUntilReleased()
	s.releaseIsKilled()
}

// sameAnswers wants the same exit status and output with and without the shim.
func (s *Server) sameAnswers() {
	s.t.Helper()
	const letter = "To: r@" + SlowDomain + "\n\nhello\n"
	for _, call := range []struct {
		input string
		args  []string
	}{
		{letter, []string{"-t", "-i"}},
		{letter, []string{"-i", "a@" + SlowDomain}},
		{letter, []string{"-t", "-i", "-f", "me@" + Domain}},
		{letter, nil}, // no recipient
		{"Subject: nobody\n\nhello\n", []string{"-t"}},
		{"", []string{"-t"}},
		{letter, []string{"-bX"}},
		{"QUIT\r\n", []string{"-bs"}},
		{"", []string{"-bp"}},
		{letter, []string{"-i", "not an address <<>"}},
	} {
		status, out := s.sendmail(realPath, Web1, call.input, call.args...)
		shimmed, said := s.sendmail(shimPath, Web1, call.input, call.args...)
		if status != shimmed || len(call.args) > 0 && call.args[0] != "-bp" && call.args[0] != "-bs" && strip(out) != strip(said) {
			s.t.Errorf("sendmail %q: %d %q, with the shim %d %q", call.args, status, out, shimmed, said)
		}
	}
	s.clearQueue()
}

// clearQueue takes away what a part of the scenario has left.
func (s *Server) clearQueue() {
	s.t.Helper()
	s.Until("an empty queue", func() bool {
		s.Operate("queue", "rm", "rcpts:>0", "--yes", "--reason", "next", "--max", "10000")
		return len(s.Messages()) == 0
	})
}

var changing = regexp.MustCompile(`[0-9A-Fa-f]{8,}|[0-9A-Za-z]{6}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4}|\d\d:\d\d:\d\d|\d+`)

// strip takes out of a text what is another each time: IDs, times, numbers.
func strip(text string) string {
	text = strings.NewReplacer(realPath, shimPath, ".shim", ".", ".real", ".").Replace(text)
	return changing.ReplaceAllString(text, "#")
}

// recorderMayHang wants a message to pass soon while the recorder does not move. The
// bound leaves room for a slow machine: without one the shim would wait for ever.
func (s *Server) recorderMayHang(r *Recorder) {
	s.t.Helper()
	r.Signal(syscall.SIGSTOP)
	start := time.Now()
	status, out := s.sendmail(shimPath, Web1, "Subject: hangs\n\nhello\n", "-i", "h@"+SlowDomain)
	if took := time.Since(start); status != 0 || took > patience/2 {
		s.t.Errorf("%d %s after %v", status, out, took)
	}
	r.Signal(syscall.SIGCONT)
	s.clearQueue()
}

// recorderMayDie wants mail to pass without a recorder, and what the shim noted
// meanwhile to be found by the next one.
func (s *Server) recorderMayDie(r *Recorder) {
	s.t.Helper()
	r.End()
	if status, out := s.sendmail(shimPath, Web1, "Subject: dead\n\nhello\n", "-i", "d@"+SlowDomain); status != 0 {
		s.t.Errorf("%d %s", status, out)
	}
	s.Until("the message", func() bool { return len(s.Messages()) == 1 })
	s.Record()
	id := s.Messages()[0].ID
	s.Until("the note", func() bool { return strings.Contains(s.Read("/var/log/spoor/origin.log"), `"from":"spool"`) })
	text := s.Spoor("explain", id)
	for _, want := range []string{"made while the recorder could not be reached", "/var/log/spoor/origin.log"} {
		if !strings.Contains(strings.Join(strings.Fields(text), " "), want) {
			s.t.Errorf("explain does not say %q: %s", want, text)
		}
	}
	s.clearQueue()
}

// recorders are the processes of recorders in the root.
func (s *Server) recorders() (pids []int) {
	for pid, program := range s.Processes() {
		if strings.Contains(program, "shim serve") {
			pids = append(pids, pid)
		}
	}
	return pids
}
