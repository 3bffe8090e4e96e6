package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"time"

	"golang.org/x/sys/unix"
)

// ErrNotRegular is returned for a directory, a link, a pipe or a device where a
// file was wanted.
var ErrNotRegular = errors.New("not a regular file")

// File is an open regular file. It implements io.Reader, io.ReaderAt, io.Writer
// and io.WriterAt; a write writes all or returns an error.
type File struct {
	fd   int
	name string
	seam Seam
}

// Create makes a file with exactly this mode, to be read and written. It returns
// fs.ErrExist if the name is taken.
func (d *Dir) Create(name string, mode uint32) (*File, error) {
	fd, err := d.openat("create", name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, mode)
	if err != nil {
		return nil, err
	}
	f := &File{fd: fd, name: path.Join(d.name, name), seam: d.seam}
	if err := f.do("chmod", func() error { return unix.Fchmod(fd, mode) }); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// Open opens a file to read it, without changing its time of last access where
// the caller may ask for that. It returns ErrNotRegular for anything else.
func (d *Dir) Open(name string) (*File, error) {
	f, _, err := d.OpenStat(name)
	return f, err
}

// OpenStat is Open, and describes the file as it was then.
func (d *Dir) OpenStat(name string) (*File, Stat, error) {
	f, st, err := d.openFile(name, unix.O_RDONLY|unix.O_NOATIME)
	if errors.Is(err, unix.EPERM) { // O_NOATIME is for the owner and root only
		return d.openFile(name, unix.O_RDONLY)
	}
	return f, st, err
}

// OpenWrite opens a file that is there, to be read and written in place.
func (d *Dir) OpenWrite(name string) (*File, error) {
	f, _, err := d.openFile(name, unix.O_RDWR)
	return f, err
}

func (d *Dir) openFile(name string, flags int) (*File, Stat, error) {
	fd, err := d.openat("open", name, flags|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, Stat{}, err
	}
	f := &File{fd: fd, name: path.Join(d.name, name), seam: d.seam}
	st, err := f.Stat()
	if err == nil && !st.Regular {
		err = &fs.PathError{Op: "open", Path: f.name, Err: ErrNotRegular}
	}
	if err != nil {
		_ = f.Close()
		return nil, Stat{}, err
	}
	return f, st, nil
}

// Name is the path of the file.
func (f *File) Name() string { return f.name }

// Descriptor is for calls that this package does not have.
func (f *File) Descriptor() int { return f.fd }

// Close closes the file. It does not make it durable.
func (f *File) Close() error { return unix.Close(f.fd) }

// Read implements io.Reader.
func (f *File) Read(buf []byte) (n int, err error) {
	err = f.do("read", func() (err error) { n, err = unix.Read(f.fd, buf); return err })
	if err == nil && n == 0 && len(buf) > 0 {
		return 0, io.EOF
	}
	return max(n, 0), err
}

// ReadAt implements io.ReaderAt.
func (f *File) ReadAt(buf []byte, offset int64) (int, error) {
	for got := 0; ; {
		n := 0
		err := f.do("read", func() (err error) { n, err = unix.Pread(f.fd, buf[got:], offset+int64(got)); return err })
		got += max(n, 0)
		switch {
		case err != nil || got == len(buf):
			return got, err
		case n == 0:
			return got, io.EOF
		}
	}
}

// Write implements io.Writer.
func (f *File) Write(data []byte) (int, error) {
	return f.write(data, func(rest []byte, _ int) (int, error) { return unix.Write(f.fd, rest) })
}

// WriteAt implements io.WriterAt.
func (f *File) WriteAt(data []byte, offset int64) (int, error) {
	return f.write(data, func(rest []byte, done int) (int, error) { return unix.Pwrite(f.fd, rest, offset+int64(done)) })
}

func (f *File) write(data []byte, call func(rest []byte, done int) (int, error)) (done int, err error) {
	end := len(data)
	var torn *Torn
	if f.seam != nil {
		err = f.seam(Op{Name: "write", Path: f.name, Bytes: len(data)})
		if errors.As(err, &torn) {
			end = min(torn.Bytes, end)
		} else if err != nil {
			end = 0
		}
	}
	for done < end {
		n, failed := call(data[done:end], done)
		if errors.Is(failed, unix.EINTR) {
			continue
		}
		if failed != nil {
			err = failed
			break
		}
		done += n
	}
	if err != nil {
		return done, &fs.PathError{Op: "write", Path: f.name, Err: err}
	}
	return done, nil
}

// Truncate cuts the file, or lengthens it with zeros.
func (f *File) Truncate(size int64) error {
	return f.do("truncate", func() error { return unix.Ftruncate(f.fd, size) })
}

// Seek implements io.Seeker.
func (f *File) Seek(offset int64, whence int) (at int64, err error) {
	err = f.do("seek", func() (err error) { at, err = unix.Seek(f.fd, offset, whence); return err })
	return at, err
}

// Sync makes content and size durable.
func (f *File) Sync() error { return f.do("fsync", func() error { return unix.Fsync(f.fd) }) }

// Stat describes the file.
func (f *File) Stat() (Stat, error) {
	var st unix.Stat_t
	err := f.do("stat", func() error { return unix.Fstat(f.fd, &st) })
	return statOf(&st), err
}

// Chown sets owner and group; -1 leaves one as it is.
func (f *File) Chown(uid, gid int) error {
	return f.do("chown", func() error { return unix.Fchown(f.fd, uid, gid) })
}

// Chmod sets the permission bits.
func (f *File) Chmod(mode uint32) error {
	return f.do("chmod", func() error { return unix.Fchmod(f.fd, mode) })
}

// SetTimes sets the times of last access and modification.
func (f *File) SetTimes(accessed, modified time.Time) error {
	times := timespecs(accessed, modified)
	return f.do("utimes", func() error { return futimens(f.fd, &times) })
}

// ErrLocked is returned where another process holds a lock.
var ErrLocked = errors.New("locked by another process")

// Flock takes the exclusive flock(2) of the file, held until it is closed. It
// returns ErrLocked, and does not wait.
func (f *File) Flock() error {
	return f.lock("flock", func() error { return unix.Flock(f.fd, unix.LOCK_EX|unix.LOCK_NB) })
}

// LockRange takes an exclusive POSIX lock (fcntl(2)) on the first n bytes, 0
// meaning all; the process holds it until it closes any descriptor of the file.
// It returns ErrLocked, and does not wait.
func (f *File) LockRange(n int64) error {
	return f.lock("lock", func() error {
		return unix.FcntlFlock(uintptr(f.fd), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Len: n})
	})
}

// LockRangeOFD takes the same lock for this open file, not for the process
// (F_OFD_SETLK): it conflicts with POSIX locks of others.
func (f *File) LockRangeOFD(n int64) error {
	return f.lock("lock", func() error {
		return unix.FcntlFlock(uintptr(f.fd), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Len: n})
	})
}

// LockHolder is the process that holds a POSIX lock on the file; 0 if there is none, or it
// is not known: locks of open files have none.
func (f *File) LockHolder() int {
	lock := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(uintptr(f.fd), unix.F_OFD_GETLK, &lock); err != nil || lock.Type == unix.F_UNLCK {
		return 0
	}
	return max(int(lock.Pid), 0)
}

func (f *File) lock(op string, call func() error) error {
	err := f.do(op, call)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return fmt.Errorf("%s: %w", f.name, ErrLocked)
	}
	return err
}

func (f *File) do(op string, call func() error) error {
	if f.seam != nil {
		if err := f.seam(Op{Name: op, Path: f.name}); err != nil {
			return &fs.PathError{Op: op, Path: f.name, Err: err}
		}
	}
	for {
		err := call()
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return &fs.PathError{Op: op, Path: f.name, Err: err}
		}
		return nil
	}
}
