package shim

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// inDir names the variable under which this test binary is the shim itself.
const inDir = "SPOOR_SHIM_TEST"

func TestMain(m *testing.M) {
	if dir := os.Getenv(inDir); dir != "" || os.Args[0] == feederWord { // a feeder has no environment
		os.Exit(Main(os.Args, placesIn(dir)))
	}
	os.Exit(m.Run())
}

func placesIn(dir string) Places {
	return Places{Socket: dir + "/socket", Spool: dir + "/spool", Real: []string{dir + "/none", dir + "/sendmail"}}
}

// realOne is a sendmail that keeps what it gets, and its arguments.
const realOne = `#!/bin/sh
echo "$0 $* pid=$$ ppid=$PPID" > "$SPOOR_SHIM_TEST/args"
cat > "$SPOOR_SHIM_TEST/message"
exit ${STATUS:-0}
`

type run struct {
	t    *testing.T
	dir  string
	args []string
	env  []string
}

func newRun(t *testing.T, args ...string) *run {
	t.Helper()
	r := &run{t: t, dir: t.TempDir(), args: args}
	r.become(realOne)
	return r
}

// become is what the real sendmail does.
func (r *run) become(script string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, "sendmail"), []byte(script), 0o755); err != nil {
		r.t.Fatal(err)
	}
}

func (r *run) read(name string) string {
	data, _ := os.ReadFile(filepath.Join(r.dir, name))
	return string(data)
}

// command is the shim, called as sendmail.
func (r *run) command() *exec.Cmd {
	exe, err := os.Executable()
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	r.t.Cleanup(cancel)
	c := exec.CommandContext(ctx, exe)
	c.Args = append([]string{"sendmail"}, r.args...)
	c.Env = append(os.Environ(), append(r.env, inDir+"="+r.dir)...)
	return c
}

func (r *run) send(in io.Reader) int {
	r.t.Helper()
	c := r.command()
	c.Stdin = in
	var problems bytes.Buffer
	c.Stderr = &problems
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		r.t.Fatal(err)
	}
	if problems.Len() > 0 {
		r.t.Log(problems.String())
	}
	return c.ProcessState.ExitCode()
}

// noise is text that repeats at no power of two.
func noise(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		b.WriteString(strconv.Itoa(i * i))
	}
	return b.String()[:n]
}

func TestMessagePassesWithoutRecorder(t *testing.T) {
	for _, n := range []int{0, 1, 100, bufferBytes - 20, bufferBytes, bufferBytes + 1, 1 << 16, pipeRoom - 10, pipeRoom + 100, 3 << 20} {
		text := noise(n)
		if n > 10 {
			text = "To: a\n\n" + text
		}
		for _, in := range []io.Reader{strings.NewReader(text), regular(t, text)} {
			r := newRun(t, "-t", "-i")
			if status := r.send(in); status != 0 {
				t.Errorf("%d bytes: status %d", n, status)
			}
			if got := r.read("message"); got != text {
				t.Errorf("%d bytes came as %d", len(text), len(got))
			}
			if args := r.read("args"); !strings.Contains(args, " -t -i ") {
				t.Errorf("called with %s", args)
			}
		}
	}
}

// regular is standard input that is a file.
func regular(t *testing.T, text string) *os.File {
	t.Helper()
	name := filepath.Join(t.TempDir(), "in")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// The real sendmail has the process of the shim: its parent waits for it, and sees
// its exit status or its signal.
func TestTheShimBecomesTheRealOne(t *testing.T) {
	for _, n := range []int{10, 3 << 20} {
		r := newRun(t)
		r.env = []string{"STATUS=67"}
		c := r.command()
		c.Stdin = strings.NewReader("To: a\n\n" + noise(n))
		_ = c.Run()
		if got := c.ProcessState.ExitCode(); got != 67 {
			t.Errorf("status %d", got)
		}
		if args := r.read("args"); !strings.Contains(args, " pid="+strconv.Itoa(c.ProcessState.Pid())+" ppid="+strconv.Itoa(os.Getpid())) {
			t.Errorf("process %d of %d: %s", c.ProcessState.Pid(), os.Getpid(), args)
		}
		r = newRun(t)
		r.become("#!/bin/sh\nkill -USR1 $$\n")
		c = r.command()
		c.Stdin = strings.NewReader("To: a\n\n" + noise(n))
		_ = c.Run()
		if status, ok := c.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGUSR1 {
			t.Errorf("ended with %v", c.ProcessState)
		}
	}
}

func TestOtherCallsReadNothing(t *testing.T) {
	in, out, err := os.Pipe() // nobody ever writes
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = out.Close() }()
	defer func() { _ = in.Close() }()
	r := newRun(t, "-bp")
	r.become("#!/bin/sh\necho \"$*\" > $SPOOR_SHIM_TEST/args\n")
	if status := r.send(in); status != 0 || r.read("args") != "-bp\n" {
		t.Errorf("status %d, called with %q", status, r.read("args"))
	}
}

// A writer that goes on after the dot that ends the message is not waited for.
func TestTheRealOneMayStopReading(t *testing.T) {
	r := newRun(t)
	r.become("#!/bin/sh\nread line; echo \"$line\" > $SPOOR_SHIM_TEST/message\n")
	c := r.command()
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(in, "To: a\n\nhello\n.\n"); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil { // and standard input is open still
		t.Fatal(err)
	}
	if got := r.read("message"); got != "To: a\n" {
		t.Errorf("read %q", got)
	}
	closed(t, in)
}

// closed waits until what reads a pipe has gone.
func closed(t *testing.T, in io.Writer) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		if _, err := io.WriteString(in, "more\n"); err != nil {
			return
		}
	}
	t.Error("somebody still reads")
}

func TestSlowWriter(t *testing.T) {
	r := newRun(t)
	c := r.command()
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(in, "To: a\n\nhello\n")
	for deadline := time.Now().Add(time.Minute); r.read("args") == "" && time.Now().Before(deadline); <-time.After(time.Millisecond) { // it runs, and the message is not over
	}
	_, _ = io.WriteString(in, "world\n")
	_ = in.Close()
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := r.read("message"); got != "To: a\n\nhello\nworld\n" {
		t.Errorf("got %q", got)
	}
}

// Without a real sendmail the sender is told to try again, never that all is well;
// and the shim never calls itself.
func TestNoRealSendmail(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r := newRun(t)
	if err := os.Remove(r.dir + "/sendmail"); err != nil {
		t.Fatal(err)
	}
	if status := r.send(strings.NewReader("To: a\n\n")); status != exitTempFail {
		t.Errorf("status %d", status)
	}
	if err := os.Symlink(exe, r.dir+"/sendmail"); err != nil {
		t.Fatal(err)
	}
	if status := r.send(strings.NewReader("To: a\n\n")); status != exitTempFail {
		t.Errorf("status %d", status)
	}
}

// A standard input that does not wait has no end where there is nothing yet.
func TestInputThatDoesNotWait(t *testing.T) {
	r := newRun(t)
	var ends [2]int
	if err := syscall.Pipe2(ends[:], syscall.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	in, out := os.NewFile(uintptr(ends[0]), "in"), os.NewFile(uintptr(ends[1]), "out")
	defer func() { _ = errors.Join(in.Close(), out.Close()) }()
	c := r.command()
	c.Stdin = in
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.SetNonblock(ends[0], true); err != nil {
		t.Fatal(err)
	}
	for _, piece := range []string{"To: a\n", "Subject: b\n", "\nhello\n"} {
		_, _ = io.WriteString(out, piece)
		for deadline := time.Now().Add(time.Minute); !r.waits(c, ends[0]) && r.read("args") == "" && time.Now().Before(deadline); <-time.After(time.Millisecond) { // it has read all there is
		}
	}
	_ = out.Close()
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := r.read("message"); got != "To: a\nSubject: b\n\nhello\n" {
		t.Errorf("got %q", got)
	}
}

// waits reports whether the shim has read all of a pipe, and sleeps.
func (r *run) waits(c *exec.Cmd, pipe int) bool {
	var left int32
	_, _, e := syscall.Syscall(syscall.SYS_IOCTL, uintptr(pipe), syscall.TIOCINQ, uintptr(unsafe.Pointer(&left)))
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(c.Process.Pid) + "/stat")
	return e == 0 && left == 0 && err == nil && strings.Contains(string(stat), ") S ")
}
