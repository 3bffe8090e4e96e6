package disk

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// ACLName is the extended attribute that holds the access control list of a file
// (acl(5)).
const ACLName = "system.posix_acl_access"

// Attrs are the extended attributes of a file (xattr(7)), by name.
type Attrs map[string][]byte

// Attrs reads all extended attributes; none where the file system has no such
// thing.
func (f *File) Attrs() (Attrs, error) {
	names, err := f.attrNames()
	if errors.Is(err, unix.ENOTSUP) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	attrs := Attrs{}
	for _, name := range names {
		value, ok, err := f.Attr(name)
		if err != nil {
			return nil, err
		}
		if ok {
			attrs[name] = value
		}
	}
	return attrs, nil
}

// maxAttr is XATTR_SIZE_MAX and XATTR_LIST_MAX of linux/limits.h.
const maxAttr = 64 << 10

func (f *File) attrNames() (names []string, err error) {
	buf, n := make([]byte, maxAttr), 0
	if err := f.do("listxattr", func() (err error) { n, err = unix.Flistxattr(f.fd, buf); return err }); err != nil {
		return nil, err
	}
	for name := range strings.SplitSeq(string(buf[:max(n, 0)]), "\x00") {
		if name != "" {
			names = append(names, name)
		}
	}
	return names, nil
}

// Attr reads one extended attribute. ok is false where the file has none of that
// name, or its file system has no such thing.
func (f *File) Attr(name string) (value []byte, ok bool, err error) {
	buf, n := make([]byte, maxAttr), 0
	err = f.do("getxattr", func() (err error) { n, err = unix.Fgetxattr(f.fd, name, buf); return err })
	if errors.Is(err, unix.ENODATA) || errors.Is(err, unix.ENOTSUP) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	return slices.Clone(buf[:n]), true, nil
}

// SetAttr sets an extended attribute.
func (f *File) SetAttr(name string, value []byte) error {
	return f.do("setxattr", func() error { return unix.Fsetxattr(f.fd, name, value, 0) })
}

// RemoveAttr removes an extended attribute, if it is there.
func (f *File) RemoveAttr(name string) error {
	err := f.do("removexattr", func() error { return unix.Fremovexattr(f.fd, name) })
	if errors.Is(err, unix.ENODATA) || errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	return err
}

// SetAttrs gives the file these extended attributes and no others.
func (f *File) SetAttrs(want Attrs) error {
	have, err := f.Attrs()
	if err != nil {
		return err
	}
	for name := range have {
		if _, keep := want[name]; !keep {
			if err := f.RemoveAttr(name); err != nil {
				return err
			}
		}
	}
	for name, value := range want {
		if slices.Equal(have[name], value) && have[name] != nil {
			continue
		}
		if err := f.SetAttr(name, value); err != nil {
			return err
		}
	}
	return nil
}

// Immutable is the flag of a file that nobody can change, rename or remove
// (FS_IMMUTABLE_FL of ioctl_iflags(2)).
const Immutable = 0x10

// Flags are the inode flags of the file. ok is false where its file system has
// none.
func (f *File) Flags() (flags uint32, ok bool, err error) {
	err = f.do("getflags", func() (err error) {
		flags, err = unix.IoctlGetUint32(f.fd, unix.FS_IOC_GETFLAGS)
		return err
	})
	if noFlags(err) {
		return 0, false, nil
	}
	return flags, err == nil, err
}

// SetFlags sets the inode flags. ok is false where the file system has none.
func (f *File) SetFlags(flags uint32) (ok bool, err error) {
	err = f.do("setflags", func() error { return unix.IoctlSetPointerInt(f.fd, unix.FS_IOC_SETFLAGS, int(flags)) })
	if noFlags(err) {
		return false, nil
	}
	return err == nil, err
}

func noFlags(err error) bool {
	return errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS)
}

// OpenBelow opens a regular file for reading by a path below the directory.
// Symbolic links on the way are followed where they stay below it, but none is
// the last part of the path (openat2(2)). It returns EXDEV where the path leads
// out, ELOOP where a link is its last part, and ErrNotRegular.
func (d *Dir) OpenBelow(name string) (*File, error) {
	fd := -1
	how := unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC | unix.O_NOATIME,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS,
	}
	open := func() (err error) { fd, err = unix.Openat2(d.fd, name, &how); return err }
	err := d.do("open", name, open)
	if errors.Is(err, unix.EPERM) { // O_NOATIME is for the owner and root only
		how.Flags &^= unix.O_NOATIME
		err = d.do("open", name, open)
	}
	if err != nil {
		return nil, err
	}
	f := &File{fd: fd, name: path.Join(d.name, name), seam: d.seam}
	st, err := f.Stat()
	if err == nil && !st.Regular {
		err = &fs.PathError{Op: "open", Path: f.name, Err: ErrNotRegular}
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}
