package panel

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"spoor/internal/host"
)

// ErrOutside is returned for a path whose symbolic links lead out of the folder
// that it must lie in.
var ErrOutside = errors.New("leads out of its folder")

// Folder is a directory that customers can write to. What is read through it
// lies in it after all symbolic links are followed, even when a link is planted
// in the middle of the reading.
type Folder struct {
	root *host.Root
	real string // relative to the root, without links; "." is the root itself
}

// OpenFolder finds the folder called name below the root. Links on the way to
// it are followed: it is the administrator who made those. It holds no
// descriptor, so it need not be closed.
func OpenFolder(root *host.Root, name string) (Folder, error) {
	resolved, err := root.Resolve(name)
	if err != nil {
		return Folder{}, err
	}
	return Folder{root: root, real: resolved}, nil
}

// Name is the folder's path below the root, with a leading slash and without
// links.
func (f Folder) Name() string { return path.Clean(host.Abs(f.real)) }

// Resolve returns name, which is a path below the root, without symbolic links
// and with a leading slash. It returns ErrOutside where that is not in f; other
// errors are those of host.Root.Resolve.
func (f Folder) Resolve(name string) (string, error) {
	if f.root == nil {
		return "", fmt.Errorf("%s: %w", host.Abs(name), ErrOutside)
	}
	resolved, err := f.root.Resolve(name)
	if err != nil {
		return "", err
	}
	if f.real != "." && resolved != f.real && !strings.HasPrefix(resolved, f.real+"/") {
		return "", fmt.Errorf("%s: %w %s", host.Abs(name), ErrOutside, f.Name())
	}
	return path.Clean(host.Abs(resolved)), nil
}

// IsDir reports whether name is a directory in f.
func (f Folder) IsDir(name string) bool {
	resolved, err := f.Resolve(name)
	if err != nil {
		return false
	}
	info, err := f.root.Stat(resolved)
	return err == nil && info.IsDir()
}

// IsFile reports whether name is a regular file in f.
func (f Folder) IsFile(name string) bool {
	resolved, err := f.Resolve(name)
	if err != nil {
		return false
	}
	info, err := f.root.Stat(resolved)
	return err == nil && info.Mode().IsRegular()
}

// OpenDir opens a directory in f. The caller closes it.
func (f Folder) OpenDir(name string) (*host.Dir, error) {
	resolved, err := f.Resolve(name)
	if err != nil {
		return nil, err
	}
	return f.walk(resolved)
}

// walk opens a path without links part by part, and refuses links that
// appeared since it was resolved.
func (f Folder) walk(resolved string) (*host.Dir, error) {
	dir, err := f.root.OpenDir("/")
	if err != nil {
		return nil, err
	}
	for part := range strings.SplitSeq(resolved, "/") {
		if part == "" {
			continue
		}
		next, err := dir.OpenDir(part)
		_ = dir.Close()
		if err != nil {
			return nil, fmt.Errorf("open %s: %w", resolved, err)
		}
		dir = next
	}
	return dir, nil
}

// OpenFile opens a regular file in f for reading. It returns
// host.ErrNotRegular for anything else, and never blocks on a FIFO. The caller
// closes it.
func (f Folder) OpenFile(name string) (*os.File, error) {
	resolved, err := f.Resolve(name)
	if err != nil {
		return nil, err
	}
	dir, err := f.walk(path.Dir(resolved))
	if err != nil {
		return nil, err
	}
	defer func() { _ = dir.Close() }()
	fd, err := dir.Open([]byte(path.Base(resolved)))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", resolved, err)
	}
	stat, err := fd.Stat()
	if err == nil && !stat.Regular {
		err = fmt.Errorf("%s: %w", resolved, host.ErrNotRegular)
	}
	if err != nil {
		fd.Close()
		return nil, err
	}
	return os.NewFile(uintptr(fd), resolved), nil
}

// Sub is the folder called name, which is a path below the root and must lie in
// f. Errors are those of Resolve.
func (f Folder) Sub(name string) (Folder, error) {
	resolved, err := f.Resolve(name)
	if err != nil {
		return Folder{}, err
	}
	return OpenFolder(f.root, resolved)
}
