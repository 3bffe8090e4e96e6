package recorder

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"spoor/internal/origin"
	"spoor/internal/shim"
)

// inDir names the variable under which this test binary is the shim, and waiting how
// long it waits for the recorder: a slow machine must not let messages pass.
const (
	inDir   = "SPOOR_RECORDER_TEST"
	waiting = "SPOOR_RECORDER_WAIT"
)

func TestMain(m *testing.M) {
	dir := os.Getenv(inDir)
	if dir != "" {
		wait, _ := time.ParseDuration(os.Getenv(waiting))
		os.Exit(shim.Main(os.Args, shim.Places{Socket: dir + "/run/socket", Spool: dir + "/spool/origin", Wait: wait, Real: []string{dir + "/sendmail"}}))
	}
	if filepath.Base(os.Args[0]) == os.Args[0] && os.Args[0] != "recorder.test" {
		os.Exit(shim.Main(os.Args, shim.Places{})) // a feeder, which has no environment
	}
	os.Exit(m.Run())
}

// stand is a recorder with a shim in front of a sendmail that keeps what it gets.
type stand struct {
	t     *testing.T
	dir   string
	stop  func()
	wait  time.Duration // of the shim; 0 is the usual
	fault func(error)   // what the recorder complains of
	*Recorder
}

const sendmail = "#!/bin/sh\ncat > \"$SPOOR_RECORDER_TEST/message\"\nexit ${STATUS:-0}\n"

func newStand(t *testing.T, config string) *stand {
	t.Helper()
	s := &stand{t: t, dir: t.TempDir(), wait: time.Minute}
	s.fault = func(err error) { t.Error("recorder:", err) }
	if err := os.Chmod(s.dir, 0o711); err != nil {
		t.Fatal(err)
	}
	s.write("sendmail", sendmail, 0o755)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	s.write("shim", string(program), 0o755) // where every user reaches it
	s.write("message", "", 0o666)
	s.write("shim.toml", config, 0o600)
	s.start()
	t.Cleanup(func() {
		s.stop()
		s.forget()
	})
	return s
}

func (s *stand) places() Places {
	return Places{
		Socket: s.dir + "/run/socket", Spool: s.dir + "/spool/origin", Log: s.dir + "/log/origin.log",
		State: s.dir + "/state", Config: s.dir + "/shim.toml", Shims: []string{s.dir + "/shim"}, Proc: "/proc",
	}
}

func (s *stand) start() {
	s.t.Helper()
	r, err := Open(s.places(), time.Now, func(err error) { s.fault(err) })
	if err != nil {
		s.t.Fatal(err)
	}
	l, err := Listen(s.places().Socket)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Serve(ctx, l) }()
	s.Recorder = r
	s.stop = func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Error(err)
		}
		r.Close()
		s.stop = func() {}
	}
}

func (s *stand) write(name, text string, mode os.FileMode) {
	s.t.Helper()
	name = filepath.Join(s.dir, name)
	if err := errors.Join(os.WriteFile(name, []byte(text), mode), os.Chmod(name, mode)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stand) read(name string) string {
	data, _ := os.ReadFile(filepath.Join(s.dir, name))
	return string(data)
}

// forget lets the files of the spool be removed.
func (s *stand) forget() {
	files, _ := filepath.Glob(s.dir + "/spool/origin/*")
	for _, name := range files {
		if f, err := os.Open(name); err == nil {
			setAppendOnly(f, false)
			_ = f.Close()
		}
	}
}

// send sends a message as a user, and returns the exit status and what was said.
func (s *stand) send(uid int, text string, args ...string) (status int, said string) {
	s.t.Helper()
	return s.sendFrom(uid, strings.NewReader(text), args...)
}

// sendSeen is send, again if need be, until the recorder has seen all of the process: on
// a busy machine it may have ended before.
func (s *stand) sendSeen(uid int, text string, args ...string) origin.Record {
	s.t.Helper()
	had := strings.Count(s.read("log/origin.log"), "\n")
	for range 100 {
		if status, said := s.send(uid, text, args...); status != 0 || said != "" {
			s.t.Fatalf("%d: %s", status, said)
		}
		had++
		if r := s.records(had)[had-1]; !r.Facts.Gone {
			return r
		}
	}
	s.t.Fatal("no process was seen whole")
	return origin.Record{}
}

// sendFrom is send for a message that comes from elsewhere.
func (s *stand) sendFrom(uid int, in io.Reader, args ...string) (status int, said string) {
	s.t.Helper()
	c := exec.CommandContext(s.t.Context(), s.dir+"/shim")
	c.Args = append([]string{"sendmail"}, args...)
	c.Env = append(os.Environ(), inDir+"="+s.dir, waiting+"="+s.wait.String(), "SCRIPT_FILENAME=/srv/claimed.php", "SECRET=hunter2")
	c.Dir = "/"
	if uid != os.Getuid() {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	}
	c.Stdin = in
	var problems bytes.Buffer
	c.Stderr = &problems
	var exit *exec.ExitError
	if err := c.Run(); err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), problems.String()
}

// records waits for so many lines of the log.
func (s *stand) records(n int) []origin.Record {
	s.t.Helper()
	var list []origin.Record
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); <-time.After(time.Millisecond) {
		list = nil
		for line := range strings.Lines(s.read("log/origin.log")) {
			r, err := origin.ParseRecord([]byte(line))
			if err != nil {
				s.t.Fatalf("%v in %s", err, line)
			}
			list = append(list, r)
		}
		if len(list) >= n {
			return list
		}
	}
	s.t.Fatalf("%d lines of %d", len(list), n)
	return nil
}

// marked splits a message that went through into its ID and the rest.
func marked(t *testing.T, text string) (id, rest string) {
	t.Helper()
	line, rest, ok := strings.Cut(text, "\n")
	id, found := strings.CutPrefix(line, "X-Spoor-Origin: ")
	if !ok || !found {
		t.Fatalf("no field in %q", text[:min(len(text), 200)])
	}
	return id, rest
}

func TestMessageIsSignedAndRecorded(t *testing.T) {
	s := newStand(t, "")
	const text = "To: a@x.test, b@x.test\nMessage-ID: <1@x.test>\n\nhello"
	r := s.sendSeen(os.Getuid(), text, "-t", "-fweb@x.test")
	id, rest := marked(t, s.read("message"))
	if rest != text {
		t.Errorf("came as %q", rest)
	}
	known, err := s.key.Verify(id)
	if err != nil || known.UID != os.Getuid() || time.Since(known.Issued) > time.Minute {
		t.Errorf("%v: %+v", err, known)
	}
	f, c := r.Facts, r.Claims
	if r.ID != id || f.UID != os.Getuid() || !f.Shim || f.Dir != "/" || len(f.Parents) == 0 || f.Parents[0].PID != os.Getpid() || f.Start == 0 {
		t.Errorf("facts %+v", f)
	}
	if !c.Told || *c.Sender != "web@x.test" || !c.FromTop || c.To != 2 || c.MessageID != "<1@x.test>" || c.SizeBytes != int64(len(text)) || c.Script != "/srv/claimed.php" || !c.Marked {
		t.Errorf("claims %+v", c)
	}
	if strings.Contains(s.read("log/origin.log"), "hunter2") {
		t.Error("the log has a secret of the environment")
	}
}

func TestTheKeyStays(t *testing.T) {
	s := newStand(t, "")
	before := s.key
	s.stop()
	s.start()
	if s.key != before {
		t.Error("another key after a restart")
	}
	s.stop()
	if err := os.Chmod(s.dir+"/state/origin.key", 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(s.places(), time.Now, nil); !errors.Is(err, errShared) {
		t.Errorf("a key that all can read: %v", err)
	}
}

// A recorder that is dead, or hangs, costs no message and little time. The bound is
// the sum of what the shim waits for, and is measured with room for a slow machine.
func TestMessagePassesWhateverTheRecorderDoes(t *testing.T) {
	s := newStand(t, "")
	s.stop()
	s.wait = 0
	const text = "To: a\n\nhello"
	hang := func(full bool) func() {
		l, err := net.ListenUnix("unixpacket", &net.UnixAddr{Net: "unixpacket", Name: s.places().Socket})
		if err != nil {
			t.Fatal(err)
		}
		var held []net.Conn
		for full {
			c, err := dial(s.places().Socket, 50*time.Millisecond) // or an error where it would wait
			if err != nil {
				break
			}
			held = append(held, c)
		}
		return func() {
			for _, c := range held {
				_ = c.Close()
			}
			_ = l.Close()
		}
	}
	for what, prepare := range map[string]func() func(){
		"dead":             func() func() { return func() {} },
		"hangs":            func() func() { return hang(false) },
		"has a full queue": func() func() { return hang(true) },
	} {
		undo := prepare()
		start := time.Now()
		status, said := s.send(os.Getuid(), text, "-t")
		if took := time.Since(start); took > shim.MaxWait+10*time.Second {
			t.Errorf("%s: %v", what, took)
		}
		undo()
		if got := s.read("message"); status != 0 || !strings.HasSuffix(got, text) {
			t.Errorf("%s: %d %s %q", what, status, said, got)
		}
	}
}

// TestFullDisk wants a message to pass, signed, while nothing can be written.
func TestFullDisk(t *testing.T) {
	s := newStand(t, "")
	faults := make(chan error, 10)
	s.fault = func(err error) { faults <- err }
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	s.log.mu.Lock()
	_ = s.log.file.Close()
	s.log.file = full
	s.log.mu.Unlock()
	if status, said := s.send(os.Getuid(), "To: a\n\nhello", "-t"); status != 0 || said != "" {
		t.Errorf("%d %s", status, said)
	}
	id, _ := marked(t, s.read("message"))
	if _, err := s.key.Verify(id); err != nil {
		t.Error(err)
	}
	select {
	case err := <-faults:
		if !errors.Is(err, syscall.ENOSPC) {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Error("the recorder says nothing of the full disk")
	}
}

// dial connects, or returns an error where that takes longer.
func dial(name string, patience time.Duration) (net.Conn, error) {
	d := net.Dialer{Timeout: patience}
	return d.Dial("unixpacket", name)
}
