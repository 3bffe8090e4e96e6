// Package host is the file system under examination: the live server's, or a
// directory that holds a captured or mounted one. Queue files, logs, passwd and
// panel configuration enter the program through it, and only from below its
// root.
package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"spoor"
)

// ErrEscapes is returned for a path that would leave the root by "..".
var ErrEscapes = errors.New("path leaves the root")

// ErrLinkLoop is returned for a path with more than maxLinks symbolic links.
var ErrLinkLoop = errors.New("too many levels of symbolic links")

// ErrNotRegular is returned where a regular file was wanted and something else
// was found.
var ErrNotRegular = errors.New("not a regular file")

// maxLinks is the kernel's own limit, see path_resolution(7).
const maxLinks = 40

// Root is the examined file system. Names are slash-separated; a leading slash
// means the root itself, as after chroot(2). Symbolic links are followed where
// they stay below the root, absolute ones from the root. All opens go through
// os.Root, so that a link planted in a race cannot lead outside either.
type Root struct {
	dir     string
	root    *os.Root
	handle  *os.File // of the same directory, for openat2(2)
	refused spoor.Gaps
	seen    atomic.Pointer[func(name, target string)]
}

// Observe has every path that is found from now on told to seen: without symbolic
// links and relative to the root, and each link on the way with its target, which
// is "" for all else. Files that are opened by a Dir are not told. seen is called
// by several goroutines at once; nil ends it.
func (r *Root) Observe(seen func(name, target string)) {
	if seen == nil {
		r.seen.Store(nil)
		return
	}
	r.seen.Store(&seen)
}

func (r *Root) tell(name, target string) {
	if seen := r.seen.Load(); seen != nil {
		(*seen)(name, target)
	}
}

// Open opens the file system below dir. The caller closes it.
func Open(dir string) (*Root, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open root: %w", err)
	}
	handle, err := root.Open(".")
	if err != nil {
		_ = root.Close()
		return nil, fmt.Errorf("open root: %w", err)
	}
	return &Root{dir: dir, root: root, handle: handle}, nil
}

// Close releases the root.
func (r *Root) Close() error { return errors.Join(r.handle.Close(), r.root.Close()) }

// Dir is the directory that Open was given.
func (r *Root) Dir() string { return r.dir }

// Live reports whether r is the running machine's own file system.
func (r *Root) Live() bool { return path.Clean(r.dir) == "/" }

// Refused lists the paths that were not opened because they leave the root.
func (r *Root) Refused() []spoor.Gap { return r.refused.List() }

// Resolve returns name without symbolic links, relative to the root. It returns
// ErrEscapes or ErrLinkLoop, and counts both as refused; other errors are those
// of lstat(2).
func (r *Root) Resolve(name string) (string, error) {
	if linkFree, ok, err := r.resolveAtOnce(name); ok {
		if err == nil {
			r.tell(linkFree, "")
		}
		return linkFree, err
	}
	done := []string{}
	todo := strings.Split(name, "/")
	for links := 0; len(todo) > 0; {
		part := todo[0]
		todo = todo[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			if len(done) == 0 {
				return "", r.refuse(name, ErrEscapes)
			}
			done = done[:len(done)-1]
			continue
		}
		here := path.Join(path.Join(done...), part)
		info, err := r.root.Lstat(here)
		if err != nil {
			return "", err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			done = append(done, part)
			continue
		}
		if links++; links > maxLinks {
			return "", r.refuse(name, ErrLinkLoop)
		}
		target, err := r.root.Readlink(here)
		if err != nil {
			return "", err
		}
		r.tell(here, target)
		if strings.HasPrefix(target, "/") {
			done = done[:0]
		}
		todo = append(strings.Split(target, "/"), todo...)
	}
	if len(done) == 0 {
		return ".", nil
	}
	linkFree := path.Join(done...)
	r.tell(linkFree, "")
	return linkFree, nil
}

// resolveAtOnce asks the kernel whether a name is free of symbolic links, in one
// call where the walk needs some for each part of the name. ok is false if it
// has to be walked: there is a link or "..", or the kernel is older than 5.6.
func (r *Root) resolveAtOnce(name string) (linkFree string, ok bool, err error) {
	linkFree = path.Clean("./" + strings.TrimLeft(name, "/"))
	if strings.Contains(name, "..") {
		return "", false, nil
	}
	fd, err := unix.Openat2(int(r.handle.Fd()), linkFree, &unix.OpenHow{
		Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS,
	})
	switch {
	case err == nil:
		_ = unix.Close(fd)
		return linkFree, true, nil
	case errors.Is(err, fs.ErrNotExist):
		return "", true, &fs.PathError{Op: "openat2", Path: linkFree, Err: err}
	}
	return "", false, nil
}

func (r *Root) refuse(name string, why error) error {
	r.refused.Add(Abs(name), why.Error())
	return fmt.Errorf("%s: %w", Abs(name), why)
}

// Abs writes name as users see it: with one leading slash, below the root.
func Abs(name string) string { return "/" + strings.TrimLeft(name, "/") }

// OpenFile opens a regular file for reading, without touching its access time
// where the caller may ask for that (O_NOATIME, open(2)). It returns
// ErrNotRegular for anything else, and never blocks on a FIFO.
func (r *Root) OpenFile(name string) (*os.File, error) {
	f, err := r.open(name, syscall.O_NONBLOCK)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: %w", Abs(name), ErrNotRegular)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

func (r *Root) open(name string, flags int) (*os.File, error) {
	resolved, err := r.Resolve(name)
	if err != nil {
		return nil, err
	}
	f, err := r.root.OpenFile(resolved, os.O_RDONLY|syscall.O_NOATIME|flags, 0)
	if errors.Is(err, fs.ErrPermission) { // O_NOATIME is for the owner and root only
		f, err = r.root.OpenFile(resolved, os.O_RDONLY|flags, 0)
	}
	return f, err
}

// ErrTooLarge is returned by ReadFile for a file over its limit.
var ErrTooLarge = errors.New("file is too large")

// ReadFile reads a whole regular file of at most limit bytes.
func (r *Root) ReadFile(name string, limit int64) ([]byte, error) {
	f, err := r.OpenFile(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s: %w (over %d bytes)", Abs(name), ErrTooLarge, limit)
	}
	return data, err
}

// Stat is stat(2) below the root.
func (r *Root) Stat(name string) (fs.FileInfo, error) {
	resolved, err := r.Resolve(name)
	if err != nil {
		return nil, err
	}
	return r.root.Lstat(resolved)
}

// Exists reports whether name is there. A path that may not be looked at does
// not exist for us.
func (r *Root) Exists(name string) bool {
	_, err := r.Stat(name)
	return err == nil
}

// DialUnix connects to a Unix-domain socket below the root. The socket is
// reached through a descriptor of its directory, so the path cannot lead
// elsewhere meanwhile.
func (r *Root) DialUnix(ctx context.Context, name string) (net.Conn, error) {
	resolved, err := r.Resolve(name)
	if err != nil {
		return nil, err
	}
	info, err := r.root.Lstat(resolved)
	if err != nil {
		return nil, err
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return nil, fmt.Errorf("%s: not a socket", Abs(name))
	}
	folder, err := r.root.Open(path.Dir(resolved))
	if err != nil {
		return nil, err
	}
	defer func() { _ = folder.Close() }()
	runtime.LockOSThread() // a thread may have descriptors of its own: OwnDescriptors
	defer runtime.UnlockOSThread()
	var dialer net.Dialer
	return dialer.DialContext(ctx, "unix", fmt.Sprintf("/proc/self/task/%d/fd/%d/%s", unix.Gettid(), folder.Fd(), path.Base(resolved)))
}

// List returns the names in a directory, limit at most, in the order of the
// directory.
func (r *Root) List(name string, limit int) ([]string, error) {
	dir, err := r.OpenDir(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = dir.Close() }()
	var names []string
	for entry, err := range dir.Entries() {
		if err != nil {
			return names, err
		}
		if len(names) == limit {
			break
		}
		names = append(names, string(entry.Name))
	}
	return names, nil
}
