package qmail

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"spoor/internal/disk"
)

// watcher tells of channel files that somebody has written to and closed, as
// qmail-send does when it marks a recipient: inotify(7).
type watcher struct{ fd int }

// lostEvents stands for all files: the kernel could not keep all events.
const lostEvents = -1

func newWatcher() (*watcher, error) {
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		return nil, err
	}
	return &watcher{fd: fd}, nil
}

func (w *watcher) close() error { return unix.Close(w.fd) }

// add watches a file that is open, whatever its name leads to now. That it is open
// with us adds no event until we close it.
func (w *watcher) add(f *disk.File) (int, error) {
	wd, err := unix.InotifyAddWatch(w.fd, fmt.Sprintf("/proc/thread-self/fd/%d", f.Descriptor()), unix.IN_CLOSE_WRITE)
	if err != nil {
		return 0, fmt.Errorf("watch %s: %w", f.Name(), err)
	}
	return wd, nil
}

// drain returns the files that were written to since.
func (w *watcher) drain() (map[int]bool, error) {
	written := map[int]bool{}
	buf := make([]byte, 64<<10)
	for {
		n, err := unix.Read(w.fd, buf)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return written, nil
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return nil, fmt.Errorf("read events: %w", err)
		}
		for rest := buf[:n]; len(rest) >= unix.SizeofInotifyEvent; {
			mask := binary.NativeEndian.Uint32(rest[4:])
			if mask&unix.IN_CLOSE_WRITE != 0 {
				written[int(int32(binary.NativeEndian.Uint32(rest)))] = true
			}
			if mask&unix.IN_Q_OVERFLOW != 0 {
				written[lostEvents] = true
			}
			size := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(rest[12:]))
			rest = rest[min(size, len(rest)):]
		}
	}
}
