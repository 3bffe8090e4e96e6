package shim

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// errorBehind is a standard input that can be read for so many bytes, and then is an
// input/output error: the memory of this process, with nothing behind the text.
func errorBehind(t *testing.T, text string) *os.File {
	t.Helper()
	page := os.Getpagesize()
	size := (len(text)+page-1)/page*page + page
	area, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANONYMOUS)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Munmap(area) })
	end := size - page
	copy(area[end-len(text):end], text)
	if _, _, e := syscall.Syscall(syscall.SYS_MUNMAP, uintptr(unsafe.Pointer(&area[end])), uintptr(page), 0); e != 0 {
		t.Fatal(e)
	}
	f, err := os.Open("/proc/self/mem")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	start := int64(uintptr(unsafe.Pointer(&area[end-len(text)])))
	if _, err := f.Seek(start, 0); err != nil {
		t.Fatal(err)
	}
	return f
}

// resetBehind is one that cannot be read again: a connection that breaks behind the
// text.
func resetBehind(t *testing.T, text string) *os.File {
	t.Helper()
	ends, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	in, out := os.NewFile(uintptr(ends[0]), "in"), os.NewFile(uintptr(ends[1]), "out")
	t.Cleanup(func() { _ = in.Close() })
	if _, err := in.WriteString("nobody reads this"); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := out.WriteString(text)
		done <- errors.Join(err, out.Close())
	}()
	t.Cleanup(func() {
		select {
		case err := <-done:
			if err != nil && !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
				t.Error(err)
			}
		case <-time.After(time.Minute):
			t.Error("nobody reads the message")
		}
	})
	return in
}

// A sendmail that takes nothing unless it has read the end of the message.
const carefulOne = `#!/bin/sh
echo "$*" > "$SPOOR_SHIM_TEST/args"
exec python3 -c '
import os, sys
d = os.environ["SPOOR_SHIM_TEST"]
try:
    text = sys.stdin.buffer.read()
except OSError as e:
    open(d + "/failed", "w").write(os.strerror(e.errno))
    sys.exit(33)
open(d + "/message", "wb").write(text)
'
`

// TestHalfAMessageIsNotSent lets the standard input fail at several places: in the
// header, in what is read ahead, in what a pipe holds, and when a second process
// copies.
func TestHalfAMessageIsNotSent(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip(err)
	}
	for _, n := range []int{0, 5, 100, bufferBytes, bufferBytes + 5000, pipeRoom + 100_000, 3 << 20} {
		text := ("To: a@x.test\n\n" + noise(n))[:max(n, 5)]
		if n == 0 {
			text = ""
		}
		fed := n > pipeRoom

		r := newRun(t)
		r.become(carefulOne)
		status, said := r.sendFile(errorBehind(t, text))
		if r.read("message") != "" {
			t.Errorf("%d bytes that can be read again: the half was sent", n)
		}
		if !fed && (status != 33 || r.read("failed") != "input/output error" && r.read("failed") != "Input/output error") {
			t.Errorf("%d bytes that can be read again: %d %q %q", n, status, said, r.read("failed"))
		}
		if fed && status == 0 {
			t.Errorf("%d bytes that can be read again: said to be sent", n)
		}

		r = newRun(t)
		r.become(carefulOne)
		status, said = r.sendFile(resetBehind(t, text))
		if r.read("message") != "" {
			t.Errorf("%d bytes of a connection: the half was sent", n)
		}
		switch {
		case fed && status == 0:
			t.Errorf("%d bytes of a connection: said to be sent", n)
		case !fed && n > 0 && (status != exitDataErr || !strings.Contains(said, "error reading input: connection reset") || r.read("args") != ""):
			t.Errorf("%d bytes of a connection: %d %q, args %q", n, status, said, r.read("args"))
		case n == 0 && r.read("args") == "": // the real one meets whatever there is
			t.Error("the real sendmail was not called")
		}
	}
}

// sendFile runs the shim with a file as its standard input.
func (r *run) sendFile(in *os.File) (status int, said string) {
	r.t.Helper()
	c := r.command()
	c.Stdin = in
	var problems bytes.Buffer
	c.Stderr = &problems
	var exit *exec.ExitError
	if err := c.Run(); err != nil && !errors.As(err, &exit) {
		r.t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), problems.String()
}

// A standard input that is none is for the real sendmail too.
func TestClosedInput(t *testing.T) {
	folder, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = folder.Close() }()
	r := newRun(t, "-t")
	r.become("#!/bin/sh\necho \"$*\" > \"$SPOOR_SHIM_TEST/args\"\nexec cat > \"$SPOOR_SHIM_TEST/message\"\n")
	if status, said := r.sendFile(folder); status != 1 || !strings.Contains(said, "Is a directory") || r.read("args") != "-t\n" {
		t.Errorf("%d %q %q", status, said, r.read("args"))
	}
}
