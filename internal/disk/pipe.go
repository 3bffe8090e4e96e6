package disk

import (
	"errors"
	"io/fs"
	"path"

	"golang.org/x/sys/unix"
)

// ErrNotPipe is returned where a named pipe was wanted.
var ErrNotPipe = errors.New("not a named pipe")

// WritePipe writes into a named pipe without waiting. Nothing to write only asks
// whether anybody reads it: ENXIO if not. A pipe that is full already is no error.
func (d *Dir) WritePipe(name string, data []byte) error {
	fd, err := d.openat("open", name, unix.O_WRONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFIFO {
		return &fs.PathError{Op: "open", Path: path.Join(d.name, name), Err: errors.Join(ErrNotPipe, err)}
	}
	if len(data) == 0 {
		return nil
	}
	err = d.do("write", name, func() error { _, err := unix.Write(fd, data); return err })
	if errors.Is(err, unix.EAGAIN) {
		return nil
	}
	return err
}

// Listened reports whether a process has the named pipe open to read it: an open
// that does not wait fails otherwise (fifo(7)).
func (d *Dir) Listened(name string) (bool, error) {
	err := d.WritePipe(name, nil)
	if unheard(err) {
		return false, nil
	}
	return err == nil, err
}

// Poke writes one byte into a named pipe, if a process reads it.
func (d *Dir) Poke(name string) error {
	if err := d.WritePipe(name, []byte{0}); !unheard(err) {
		return err
	}
	return nil
}

// unheard is the error of a pipe that nobody reads, or that is not there.
func unheard(err error) bool { return errors.Is(err, unix.ENXIO) || errors.Is(err, fs.ErrNotExist) }
