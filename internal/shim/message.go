package shim

import (
	"io"
	"syscall"
	"unsafe"
)

const (
	// bufferBytes is how much of a message is read before anything is decided. With
	// the field it fits into a pipe, which takes 64 KB (pipe(7)).
	bufferBytes = 60 << 10
	// pipeBytes is how large a pipe is made for a longer message, and pipeRoom how
	// much of any pieces fits in for sure: a page may be half empty.
	pipeBytes = 1 << 20
	pipeRoom  = pipeBytes / 2
	// idle is how long a writer may pause before the real sendmail is started
	// without waiting for the end of the message.
	idle = 10 // milliseconds
)

// message is what stands on standard input. It is read once, and no more of it is
// kept than its beginning.
type message struct {
	in    int
	head  []byte // the beginning
	field string // the line that is added; "" for none
	where place
	whole bool  // head is all of it
	bytes int64 // that were read
	err   error // of reading: what follows is not known
}

// fill reads the beginning of the message: all of its header, and what there is
// of its body without waiting for it.
func (m *message) fill() {
	buf := make([]byte, bufferBytes)
	n := 0
	for headSeen := false; n < len(buf); {
		if headSeen && !ready(m.in) {
			break
		}
		got, err := readOn(m.in, buf[n:])
		n += got
		if m.err = err; got == 0 || err != nil {
			m.whole = err == nil
			break
		}
		if !headSeen {
			_, headSeen = headEnd(buf[:n])
		}
	}
	m.head, m.bytes = buf[:n], int64(n)
	m.where = findPlace(m.head)
}

// mark decides on the field that the message gets. There is none without an ID.
func (m *message) mark(id string) {
	if id != "" && m.where.ok {
		m.field = Field + ": " + id + m.where.lineEnd
	}
}

// pieces are the beginning with the field in its place.
func (m *message) pieces() [3][]byte {
	at := m.where.at
	if m.field == "" {
		at = 0
	}
	return [3][]byte{m.head[:at], []byte(m.field), m.head[at:]}
}

// summary tells of the header.
func (m *message) summary() summary {
	end, _ := headEnd(m.head)
	return summarise(m.head[:end])
}

// pipe returns the end of a pipe that has the message: all of it if it fits in,
// else a feeder goes on filling it.
func (m *message) pipe() (end int, err error) {
	var ends [2]int
	if err := syscall.Pipe2(ends[:], syscall.O_CLOEXEC); err != nil {
		return -1, err
	}
	whole, err := m.fillPipe(ends[1])
	if err == nil && !whole {
		err = m.feed(ends[1])
	}
	_ = syscall.Close(ends[1])
	if err != nil {
		_ = syscall.Close(ends[0])
	}
	return ends[0], err
}

// fillPipe writes what is certain to fit, so that it never waits for a reader:
// there is none yet.
func (m *message) fillPipe(to int) (whole bool, err error) {
	for _, piece := range m.pieces() {
		if err := write(to, piece); err != nil {
			return false, err
		}
	}
	if m.whole || !enlarge(to) {
		return m.whole, nil
	}
	buf := m.head[:cap(m.head)]
	for room := int64(pipeRoom); m.bytes < room && ready(m.in); {
		n, err := readOn(m.in, buf[:min(int64(len(buf)), room-m.bytes)])
		if m.err = err; err != nil {
			return false, err
		}
		if n == 0 {
			m.whole = true
			return true, nil
		}
		if err := write(to, buf[:n]); err != nil {
			return false, err
		}
		m.bytes += int64(n)
	}
	return false, nil
}

func enlarge(pipe int) bool {
	const setPipeSize = 1031 // F_SETPIPE_SZ, fcntl(2)
	_, _, e := syscall.Syscall(syscall.SYS_FCNTL, uintptr(pipe), setPipeSize, pipeBytes)
	return e == 0
}

// rest reads on behind the beginning, for a message that the recorder keeps.
func (m *message) rest(buf []byte) (int, error) {
	if m.whole {
		return 0, io.EOF
	}
	n, err := readOn(m.in, buf)
	m.bytes += int64(n)
	m.err = err
	if n == 0 && err == nil {
		m.whole, err = true, io.EOF
	}
	return n, err
}

// read is read(2), again when a signal interrupts it.
func read(fd int, buf []byte) (int, error) {
	for {
		n, err := syscall.Read(fd, buf)
		if err != syscall.EINTR {
			return max(n, 0), err
		}
	}
}

// readOn is read on standard input, which somebody else may have made one that does
// not wait (O_NONBLOCK): that there is nothing yet is not the end of a message.
func readOn(fd int, buf []byte) (int, error) {
	for {
		n, err := read(fd, buf)
		if err != syscall.EAGAIN { //nolint:errorlint // a bare number, of this very call
			return n, err
		}
		poll([]pollFD{{fd: int32(fd), events: pollIn}}, -1)
	}
}

// write writes all of data.
func write(fd int, data []byte) error {
	for len(data) > 0 {
		n, err := syscall.Write(fd, data)
		if err != nil && err != syscall.EINTR {
			return err
		}
		data = data[max(n, 0):]
	}
	return nil
}

// pollFD is struct pollfd, poll(2).
type pollFD struct {
	fd      int32
	events  int16
	revents int16
}

const (
	pollIn  = 1
	pollErr = 8
)

// ready reports whether a read would not wait, now or within idle.
func ready(fd int) bool {
	fds := [1]pollFD{{fd: int32(fd), events: pollIn}}
	return poll(fds[:], idle) && fds[0].revents != 0
}

// poll waits until something is known of a descriptor, for at most so many
// milliseconds, for ever if that is negative. It is ppoll(2), which all
// architectures have.
func poll(fds []pollFD, milliseconds int) bool {
	var limit *syscall.Timespec
	if milliseconds >= 0 {
		t := syscall.NsecToTimespec(int64(milliseconds) * 1e6)
		limit = &t
	}
	for {
		n, _, e := syscall.Syscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&fds[0])), uintptr(len(fds)), uintptr(unsafe.Pointer(limit)), 0, 0, 0)
		if e != syscall.EINTR {
			return e == 0 && n > 0
		}
	}
}
