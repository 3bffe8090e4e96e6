package shim

import (
	"os"
	"strconv"
	"strings"
	"syscall"
)

// feederWord is the name under which the shim starts itself to feed a message
// that does not fit into a pipe.
const feederWord = "spoor-sendmail-feeder"

// feed lets a feeder copy the rest of the message. Nothing can be said to whoever reads
// a pipe but that it ends, which means that the message is whole. So what may fail
// later is read once before.
func (m *message) feed(to int) error {
	var st syscall.Stat_t
	if err := syscall.Fstat(m.in, &st); err != nil {
		return err
	}
	switch st.Mode & syscall.S_IFMT {
	case syscall.S_IFREG:
		if m.err = readAhead(m.in); m.err != nil {
			return m.err
		}
	case syscall.S_IFSOCK:
		f, err := os.CreateTemp("", Name)
		if err != nil {
			break // no room: whoever sends by a socket has to be believed
		}
		defer func() { _ = f.Close() }()
		_ = os.Remove(f.Name())
		if err := m.keep(int(f.Fd())); err != nil {
			return err
		}
		return startFeeder(int(f.Fd()), to)
	}
	return startFeeder(m.in, to)
}

// readAhead reads a file to its end, and leaves its place in it where it is.
func readAhead(fd int) error {
	const fromHere = 1 // SEEK_CUR
	at, err := syscall.Seek(fd, 0, fromHere)
	if err != nil {
		return nil //nolint:nilerr // it cannot be read twice
	}
	buf := make([]byte, 1<<16)
	for {
		n, err := syscall.Pread(fd, buf, at)
		if err == syscall.EINTR {
			continue
		}
		if n <= 0 || err != nil {
			return err
		}
		at += int64(n)
	}
}

// keep copies the rest of the message into a file, and goes back to its beginning.
func (m *message) keep(to int) error {
	buf := make([]byte, 1<<16)
	for {
		n, err := readOn(m.in, buf)
		m.bytes += int64(n)
		if m.err = err; err != nil {
			return err
		}
		if n == 0 {
			_, err := syscall.Seek(to, 0, 0)
			return err
		}
		if err := write(to, buf[:n]); err != nil {
			return err // a full disk: the sender is told to try again
		}
	}
}

// startFeeder leaves a process behind that copies from one descriptor to the
// other, so that the real sendmail can have this process, with its ID, its
// parent and its exit status. The feeder is no child of it: a mail program that
// waits for its own children would meet a stranger.
func startFeeder(from, to int) error {
	pid, err := forkSelf(os.Args[0], []string{feederWord, strconv.Itoa(os.Getpid()), os.Args[0]}, from, to)
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
// copies standard input to standard output, for the process that is named.
func feederMain(args []string) int {
	switch len(args) {
	case 3:
		_, err := forkSelf(args[2], args[:2], syscall.Stdin, syscall.Stdout)
		return one(err != nil)
	case 2:
		reader, _ := strconv.Atoi(args[1])
		if err := copyAll(syscall.Stdin, syscall.Stdout); err != nil {
			breakOff(reader, syscall.Stdout)
		}
	}
	return 0
}

// copyAll copies until there is no more, or nobody reads any more: the real
// sendmail stops at a line with a dot. The error is one of reading.
func copyAll(from, to int) error {
	buf := make([]byte, 1<<16)
	fds := [2]pollFD{{fd: int32(from), events: pollIn}, {fd: int32(to)}}
	for poll(fds[:], -1) && fds[1].revents&pollErr == 0 {
		n, err := read(from, buf)
		if err == syscall.EAGAIN { //nolint:errorlint // a bare number, of this very call
			continue
		}
		if err != nil {
			return err
		}
		if n == 0 || !taken(to, buf[:n]) {
			break
		}
	}
	return nil
}

// taken writes, and reports whether somebody reads.
func taken(to int, data []byte) bool { return write(to, data) == nil }

// breakOff is for what could be read once and fails the second time, or is a terminal.
// It ends the real sendmail, which has the half of a message: all of them take back what
// they have when they are ended. The pipe stays open as long as anybody reads it, who
// would take its end for that of the message: also where the real one has become another
// user, and only root can end it. It is our parent as long as it lives: its number may be
// somebody else's afterwards.
func breakOff(reader, pipe int) {
	fds := [1]pollFD{{fd: int32(pipe)}}
	if reader > 1 && syscall.Getppid() == reader && !poll(fds[:], 0) {
		_ = syscall.Kill(reader, syscall.SIGTERM)
	}
	for !poll(fds[:], -1) { // until it has an error: that nobody reads
	}
}
