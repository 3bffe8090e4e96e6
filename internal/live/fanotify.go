package live

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"spoor"
)

// notifier sees execs by fanotify(7): Linux 5.0 and root. The programs' inodes
// are marked, never a mount: a mark on a mount would hold up the whole server.
// Marks belong to the descriptor of this process and go with it.
//
// Before Linux 5.0 each opening of a program is told, and one that is no exec is
// left out: its process does not become the program.
type notifier struct {
	file     *os.File
	observed *Watch
	mask     uint64       // FAN_OPEN_EXEC, or FAN_OPEN
	overflow atomic.Int64 // times that the kernel's queue was full
	gone     atomic.Int64 // callers that had ended before they could be looked at
}

func newNotifier(w *Watch) (sensor, error) {
	if w.config.Permission {
		return newGatekeeper(w)
	}
	fd, err := unix.FanotifyInit(unix.FAN_CLASS_NOTIF|unix.FAN_CLOEXEC|unix.FAN_NONBLOCK|unix.FAN_UNLIMITED_QUEUE, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_LARGEFILE)
	if err != nil {
		return nil, fmt.Errorf("fanotify: %w", err)
	}
	return &notifier{file: os.NewFile(uintptr(fd), "fanotify"), observed: w, mask: unix.FAN_OPEN_EXEC}, nil
}

// watch implements sensor. The mark of a file that was replaced goes with the
// file.
func (n *notifier) watch(files []program) error {
	for _, file := range files {
		err := n.mark(file)
		if errors.Is(err, unix.EINVAL) && n.mask == unix.FAN_OPEN_EXEC {
			n.mask = unix.FAN_OPEN
			err = n.mark(file)
		}
		if err != nil {
			return fmt.Errorf("mark %s: %w", file.path, err)
		}
	}
	return nil
}

func (n *notifier) mark(file program) error {
	raw, err := n.file.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = unix.FanotifyMark(int(fd), unix.FAN_MARK_ADD, n.mask, unix.AT_FDCWD, file.full)
	})
	return errors.Join(err, failed)
}

// drainEmpty is how long the queue must be empty, once ctx has ended, to be read to
// its end.
const drainEmpty = 20 * time.Millisecond

// run implements sensor. What is in the kernel's queue when ctx ends is told too.
func (n *notifier) run(ctx context.Context, out chan<- *spoor.Sighting) error {
	stop := context.AfterFunc(ctx, func() { _ = n.file.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	buf := make([]byte, 64<<10)
	for ctx.Err() == nil {
		if err := n.take(buf, out); err != nil && ctx.Err() == nil {
			return fmt.Errorf("read fanotify: %w", err)
		}
	}
	stop() // or it may come after the next deadline
	for ended := time.Now(); time.Since(ended) < drainTime; {
		if n.file.SetReadDeadline(time.Now().Add(drainEmpty)) != nil || n.take(buf, out) != nil {
			break
		}
	}
	return nil
}

// take reads some events and tells of them.
func (n *notifier) take(buf []byte, out chan<- *spoor.Sighting) error {
	got, err := n.file.Read(buf)
	if err != nil {
		return err
	}
	for _, event := range parseNotices(buf[:got]) {
		n.event(event, out)
	}
	return nil
}

func (n *notifier) event(event notice, out chan<- *spoor.Sighting) {
	if event.mask&unix.FAN_Q_OVERFLOW != 0 {
		n.overflow.Add(1)
		return
	}
	if event.fd < 0 {
		return
	}
	found, ok := n.observed.programs.behind(int(event.fd))
	_ = unix.Close(int(event.fd))
	if !ok || int(event.pid) == os.Getpid() {
		return
	}
	if n.mask == unix.FAN_OPEN && !n.becomes(int(event.pid), found) {
		return
	}
	s, alive := callerOf(n.observed, int(event.pid), found)
	if !alive {
		n.gone.Add(1)
	}
	if s != nil {
		out <- s
	}
}

// becomes waits until a process runs the program that it has opened. One that has
// ended meanwhile may have, and is counted; one that goes on otherwise has not.
func (n *notifier) becomes(pid int, found program) bool {
	const looks, apart = 10, time.Millisecond
	exe := theProc.name(pid, "exe")
	for range looks {
		if running, ok := n.observed.programs.running(exe); ok && running.id == found.id {
			return true
		}
		if _, err := os.Readlink(exe); err != nil {
			n.gone.Add(1)
			return false
		}
		time.Sleep(apart)
	}
	return false
}

// lost implements sensor.
func (n *notifier) lost() []spoor.Gap {
	return fanotifyGaps(n.overflow.Load(), n.gone.Load())
}

func fanotifyGaps(overflow, gone int64) []spoor.Gap {
	var gaps []spoor.Gap
	if overflow > 0 {
		gaps = append(gaps, spoor.Gap{File: "(fanotify)", Reason: "the kernel's queue was full: an unknown number was lost", Count: int(overflow)})
	}
	if gone > 0 {
		gaps = append(gaps, spoor.Gap{File: "(fanotify)", Reason: "seen, but the caller had ended before it could be looked at", Count: int(gone)})
	}
	return gaps
}

// close implements sensor.
func (n *notifier) close() error { return n.file.Close() }

// callerOf tells of a process that executes a program which takes mail, or did a
// moment ago. One that has ended has a PID alone, and is not alive; one that does
// something else with the program gives nil.
func callerOf(w *Watch, pid int, found program) (s *spoor.Sighting, alive bool) {
	s = &spoor.Sighting{
		Time: w.config.Now(), Mechanism: Fanotify, Program: found.path,
		Process: spoor.Process{PID: pid, UID: -1, GID: -1},
	}
	process, parent, err := theProc.process(pid)
	if err != nil {
		return s, false
	}
	s.Process, s.Parents = process, theProc.parents(parent)
	environ, _ := theProc.read(pid, "environ", environLimit)
	s.Claims = parseEnviron(environ, len(environ) < environLimit)
	s.Files = openFiles(w, &process)
	s.Process.Dir = below(w.top, process.Dir)
	if running, ok := w.programs.running(theProc.name(pid, "exe")); ok && running.id == found.id {
		args, _ := theProc.read(pid, "cmdline", argsLimit)
		s.Args = parseArgs(args)
		c := parseCommand(found.path, s.Args)
		s.Recipients = c.recipients
		if len(args) > 0 && !c.submits {
			return nil, true
		}
	}
	return s, process.UID >= 0
}

// notice is one event of fanotify(7).
type notice struct {
	mask uint64
	fd   int32
	pid  int32
}

// parseNotices reads what read(2) gave: struct fanotify_event_metadata, one after
// another. What is not of the form that was asked for ends the list.
func parseNotices(buf []byte) []notice {
	const size = int(unsafe.Sizeof(unix.FanotifyEventMetadata{}))
	var list []notice
	for len(buf) >= size {
		length := int(binary.NativeEndian.Uint32(buf))
		if version := buf[4]; version != unix.FANOTIFY_METADATA_VERSION || length < size || length > len(buf) {
			break
		}
		list = append(list, notice{
			mask: binary.NativeEndian.Uint64(buf[8:]),
			fd:   int32(binary.NativeEndian.Uint32(buf[16:])),
			pid:  int32(binary.NativeEndian.Uint32(buf[20:])),
		})
		buf = buf[length:]
	}
	return list
}
