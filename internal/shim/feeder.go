package shim

import (
	"os"
	"strings"
	"syscall"
)

// feederWord is the name under which the shim starts itself to feed a message
// that does not fit into a pipe.
const feederWord = "spoor-sendmail-feeder"

// startFeeder leaves a process behind that copies from one descriptor to the
// other, so that the real sendmail can have this process, with its ID, its
// parent and its exit status. The feeder is no child of it: a mail program that
// waits for its own children would meet a stranger.
func startFeeder(from, to int) error {
	pid, err := forkSelf(os.Args[0], []string{feederWord, os.Args[0]}, from, to)
	if err != nil {
		return err
	}
	for {
		var status syscall.WaitStatus
		_, err = syscall.Wait4(pid, &status, 0, nil)
		switch {
		case err == syscall.EINTR: //nolint:errorlint // a bare number, of this very call
			continue
		case err == nil && status.ExitStatus() != 0:
			return syscall.EAGAIN
		}
		return err
	}
}

// forkSelf starts this program again, with two descriptors. Where there is no
// /proc, as in a chroot, the name by which it was called has to do.
func forkSelf(name string, args []string, in, out int) (pid int, err error) {
	with := &syscall.ProcAttr{Files: []uintptr{uintptr(in), uintptr(out)}}
	if pid, err = syscall.ForkExec("/proc/self/exe", args, with); err != nil && strings.HasPrefix(name, "/") { //nolint:gosec // it is this program
		pid, err = syscall.ForkExec(name, args, with) //nolint:gosec // by the name that its caller gave it: it runs as that user
	}
	return pid, err
}

// feederMain is the feeder: first it starts itself once more and goes, then it
// copies standard input to standard output.
func feederMain(args []string) int {
	if len(args) > 1 {
		_, err := forkSelf(args[1], []string{feederWord}, syscall.Stdin, syscall.Stdout)
		return one(err != nil)
	}
	copyAll(syscall.Stdin, syscall.Stdout)
	return 0
}

// copyAll copies until there is no more, or nobody reads any more: the real
// sendmail stops at a line with a dot.
func copyAll(from, to int) {
	buf := make([]byte, 1<<16)
	fds := [2]pollFD{{fd: int32(from), events: pollIn}, {fd: int32(to)}}
	for poll(fds[:], -1) && fds[1].revents&pollErr == 0 {
		n, err := read(from, buf)
		if err == syscall.EAGAIN { //nolint:errorlint // a bare number, of this very call
			continue
		}
		if n == 0 || err != nil || write(to, buf[:n]) != nil {
			return
		}
	}
}
