// Package disk is the system calls that change files: the queue's, the
// vault's, the journal's. A directory comes in as a path and leaves as a
// descriptor; every name below it is opened from that descriptor and no
// symbolic link is ever followed.
//
// Each call passes a Seam, where tests make it fail or make it the last one
// before a crash.
package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Op is one call that is about to be made.
type Op struct {
	Name  string // of the call: "rename", "write", "fsync", …
	Path  string // that it is about
	Bytes int    // that a write is about to write
}

// Seam is asked before each call. An error is returned in place of making the
// call. For a write it may be a *Torn.
type Seam func(op Op) error

// Torn lets the first Bytes of a write happen before Err is returned.
type Torn struct {
	Bytes int
	Err   error
}

// Error is that of Err.
func (t *Torn) Error() string { return t.Err.Error() }

// Unwrap returns Err.
func (t *Torn) Unwrap() error { return t.Err }

// Dir is an open directory. Errors of its methods are *fs.PathError with the
// whole path. Methods may be called by several goroutines at once, save Names.
type Dir struct {
	fd   int
	name string
	seam Seam
}

const dirFlags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC

// Open opens a directory of this machine. Links on the way to it are followed:
// it is the place that the operator meant. seam may be nil.
func Open(name string, seam Seam) (*Dir, error) {
	d := &Dir{fd: unix.AT_FDCWD, seam: seam}
	fd, err := d.openat("open", name, dirFlags, 0)
	if err != nil {
		return nil, err
	}
	return &Dir{fd: fd, name: name, seam: seam}, nil
}

// Name is the path that the directory was opened under.
func (d *Dir) Name() string { return d.name }

// Close closes the directory.
func (d *Dir) Close() error { return unix.Close(d.fd) }

// OpenDir opens a directory below d. It returns ELOOP or ENOTDIR where a part
// of the name is a symbolic link, and EINVAL for a name with "..".
func (d *Dir) OpenDir(name string) (*Dir, error) {
	here := d
	for part := range strings.SplitSeq(strings.Trim(path.Clean("/"+name), "/"), "/") {
		if part == "" {
			part = "."
		}
		fd, err := here.openat("open", part, dirFlags|unix.O_NOFOLLOW, 0)
		next := &Dir{fd: fd, name: path.Join(here.name, part), seam: d.seam}
		if here != d {
			_ = here.Close()
		}
		if err != nil {
			return nil, err
		}
		here = next
	}
	return here, nil
}

// MakeDir makes a directory in d with exactly this mode, and opens it. One that
// is there is opened as it is.
func (d *Dir) MakeDir(name string, mode uint32) (*Dir, error) {
	err := d.do("mkdir", name, func() error { return unix.Mkdirat(d.fd, name, mode) })
	made := err == nil
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	child, err := d.OpenDir(name)
	if err == nil && made {
		err = child.do("chmod", ".", func() error { return unix.Fchmod(child.fd, mode) })
	}
	return child, err
}

// RemoveDir removes an empty directory.
func (d *Dir) RemoveDir(name string) error {
	return d.do("rmdir", name, func() error { return unix.Unlinkat(d.fd, name, unix.AT_REMOVEDIR) })
}

// Rename moves a file to another directory of the same file system. It returns
// fs.ErrExist, and does nothing, if there is a file of the new name.
func (d *Dir) Rename(name string, to *Dir, newName string) error {
	err := d.do("rename", name, func() error {
		return unix.Renameat2(d.fd, name, to.fd, newName, unix.RENAME_NOREPLACE)
	})
	if !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOSYS) {
		return err
	}
	// A file system without the flag. A file appears under a new name only where
	// the MTA makes one at the same moment.
	if _, err := to.Stat(newName); err == nil {
		return &fs.PathError{Op: "rename", Path: path.Join(to.name, newName), Err: unix.EEXIST}
	}
	return d.Replace(name, to, newName)
}

// Replace moves a file over one that may be there.
func (d *Dir) Replace(name string, to *Dir, newName string) error {
	return d.do("rename", name, func() error { return unix.Renameat(d.fd, name, to.fd, newName) })
}

// Exchange swaps two files or directories in one step (renameat2(2)).
func (d *Dir) Exchange(name string, to *Dir, other string) error {
	return d.do("exchange", name, func() error {
		return unix.Renameat2(d.fd, name, to.fd, other, unix.RENAME_EXCHANGE)
	})
}

// Link gives a file a second name.
func (d *Dir) Link(name string, to *Dir, newName string) error {
	return d.do("link", name, func() error { return unix.Linkat(d.fd, name, to.fd, newName, 0) })
}

// Remove removes a file.
func (d *Dir) Remove(name string) error {
	return d.do("unlink", name, func() error { return unix.Unlinkat(d.fd, name, 0) })
}

// MakeFIFO makes a named pipe with exactly this mode.
func (d *Dir) MakeFIFO(name string, mode uint32) error {
	err := d.do("mkfifo", name, func() error { return unix.Mkfifoat(d.fd, name, mode) })
	if err != nil {
		return err
	}
	return d.Chmod(name, mode)
}

// Chmod sets the permission bits of a file that is no link.
func (d *Dir) Chmod(name string, mode uint32) error {
	return d.do("chmod", name, func() error {
		fd, err := unix.Openat(d.fd, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer func() { _ = unix.Close(fd) }()
		return unix.Fchmodat(unix.AT_FDCWD, procName(fd), mode, 0)
	})
}

// Chown sets owner and group of a file; -1 leaves one as it is.
func (d *Dir) Chown(name string, uid, gid int) error {
	return d.do("chown", name, func() error {
		return unix.Fchownat(d.fd, name, uid, gid, unix.AT_SYMLINK_NOFOLLOW)
	})
}

// SetTimes sets the times of last access and modification.
func (d *Dir) SetTimes(name string, accessed, modified time.Time) error {
	times := timespecs(accessed, modified)
	return d.do("utimes", name, func() error {
		return unix.UtimesNanoAt(d.fd, name, times[:], unix.AT_SYMLINK_NOFOLLOW)
	})
}

// Stat describes a file; of a symbolic link, the link.
func (d *Dir) Stat(name string) (Stat, error) {
	var st unix.Stat_t
	err := d.do("stat", name, func() error { return unix.Fstatat(d.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) })
	return statOf(&st), err
}

// Sync makes the names in the directory durable.
func (d *Dir) Sync() error {
	return d.do("fsync", ".", func() error { return unix.Fsync(d.fd) })
}

// SyncAll makes the whole file system durable that d is on (syncfs(2)): cheaper
// than a call for each of many files.
func (d *Dir) SyncAll() error {
	return d.do("syncfs", ".", func() error { return unix.Syncfs(d.fd) })
}

// Flock takes the exclusive flock(2) of the directory, held until it is closed. It
// returns ErrLocked, and does not wait.
func (d *Dir) Flock() error {
	err := d.do("flock", ".", func() error { return unix.Flock(d.fd, unix.LOCK_EX|unix.LOCK_NB) })
	if errors.Is(err, unix.EAGAIN) {
		return fmt.Errorf("%s: %w", d.name, ErrLocked)
	}
	return err
}

// Free is how much of the file system an unprivileged process could still fill,
// and its size, in bytes.
func (d *Dir) Free() (free, size int64, err error) {
	var st unix.Statfs_t
	err = d.do("statfs", ".", func() error { return unix.Fstatfs(d.fd, &st) })
	return int64(st.Bavail) * st.Bsize, int64(st.Blocks) * st.Bsize, err
}

// do makes one call, through the seam, and names its path in an error.
func (d *Dir) do(op, name string, call func() error) error {
	if d.seam != nil {
		if err := d.seam(Op{Name: op, Path: path.Join(d.name, name)}); err != nil {
			return &fs.PathError{Op: op, Path: path.Join(d.name, name), Err: err}
		}
	}
	for {
		err := call()
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return &fs.PathError{Op: op, Path: path.Join(d.name, name), Err: err}
		}
		return nil
	}
}

func (d *Dir) openat(op, name string, flags int, mode uint32) (fd int, err error) {
	fd = -1
	err = d.do(op, name, func() (err error) {
		fd, err = unix.Openat(d.fd, name, flags, mode)
		return err
	})
	return fd, err
}
