package qmail

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/host"
)

// shelves is the directories of a queue, open to be changed.
type shelves struct {
	queue, lock *disk.Dir

	mess, info, local, remote, todo, intd, bounce *folders
}

// folders is one directory of the queue: the numbered subdirectories, or where it
// is flat itself. Those that are not there are nil.
type folders struct {
	name string // path below the root
	flat bool
	dirs []*disk.Dir
}

// errOtherDisk is returned for a queue that is spread over file systems: nothing
// can be renamed from one to another.
var errOtherDisk = errors.New("is on another file system than the queue")

// openShelves opens the directories that the reader found. An administrator may
// have moved some and left links: they are resolved once, below the root.
func openShelves(root *host.Root, top *disk.Dir, t *tree) (s *shelves, err error) {
	s = &shelves{}
	o := &shelfOpener{root: root, top: top}
	s.queue = o.dir(t.name)
	s.lock = o.dir(t.name + "/lock")
	if o.err == nil {
		o.device, o.err = s.queue.Stat(".")
	}
	for _, one := range []struct {
		to   **folders
		from *shelf
	}{
		{&s.mess, t.mess},
		{&s.info, t.info},
		{&s.local, t.local},
		{&s.remote, t.remote},
		{&s.todo, t.todo},
		{&s.intd, t.intd},
		{&s.bounce, t.bounce},
	} {
		*one.to = o.folders(one.from)
	}
	if o.err != nil {
		return nil, errors.Join(o.err, s.close())
	}
	return s, nil
}

// shelfOpener opens directories until one fails.
type shelfOpener struct {
	root   *host.Root
	top    *disk.Dir
	device disk.Stat // of the queue
	err    error
}

func (o *shelfOpener) dir(name string) *disk.Dir {
	if o.err != nil {
		return nil
	}
	resolved, err := o.root.Resolve(name)
	if err != nil {
		o.err = err
		return nil
	}
	d, err := o.top.OpenDir(resolved)
	if err != nil {
		o.err = err
		return nil
	}
	return d
}

func (o *shelfOpener) folders(from *shelf) *folders {
	f := &folders{name: from.name, flat: len(from.folders) == 1 && from.folders[0] == from.top, dirs: make([]*disk.Dir, len(from.folders))}
	for i, folder := range from.folders {
		if folder != nil {
			f.dirs[i] = o.checked(f.path(i))
		}
	}
	return f
}

func (o *shelfOpener) checked(name string) *disk.Dir {
	d := o.dir(name)
	if d == nil {
		return nil
	}
	st, err := d.Stat(".")
	if err == nil && st.Device != o.device.Device {
		err = fmt.Errorf("%s %w", name, errOtherDisk)
	}
	o.err = err
	return d
}

func (s *shelves) close() error {
	var errs []error
	for _, d := range []*disk.Dir{s.queue, s.lock} {
		if d != nil {
			errs = append(errs, d.Close())
		}
	}
	for _, f := range []*folders{s.mess, s.info, s.local, s.remote, s.todo, s.intd, s.bounce} {
		if f == nil {
			continue
		}
		for _, d := range f.dirs {
			if d != nil {
				errs = append(errs, d.Close())
			}
		}
	}
	return errors.Join(errs...)
}

// path is the name of one of the folders.
func (f *folders) path(i int) string {
	if f.flat {
		return f.name
	}
	return f.name + "/" + strconv.Itoa(i)
}

func (f *folders) index(id uint64) int { return int(id % uint64(len(f.dirs))) }

// of is the folder in which a message's file belongs, or nil.
func (f *folders) of(id uint64) *disk.Dir { return f.dirs[f.index(id)] }

// number is the folder of a path, or -1.
func (f *folders) number(name string) int {
	for i := range f.dirs {
		if f.dirs[i] != nil && f.path(i) == name {
			return i
		}
	}
	return -1
}

// stat describes the file of a message. It returns fs.ErrNotExist where there is
// none.
func (f *folders) stat(m msg) (disk.Stat, error) {
	d := f.of(m.id)
	if d == nil {
		return disk.Stat{}, fs.ErrNotExist
	}
	return d.Stat(m.name)
}

// has reports whether a message has a file here.
func (f *folders) has(m msg) (bool, error) {
	_, err := f.stat(m)
	return there(err)
}

// there turns the error of a look at a file into an answer.
func there(err error) (bool, error) {
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// absent forgives that there is no such file.
func absent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// msg is the number of a message and the name of its files.
type msg struct {
	id   uint64
	name string
}

// errNoID is returned for a word that is no queue ID.
var errNoID = errors.New("no queue ID of qmail")

// msgOf checks an ID, of which names of files are made.
func msgOf(id spoor.QueueID) (msg, error) {
	number, ok := parseID([]byte(id))
	if !ok {
		return msg{}, fmt.Errorf("%q: %w", string(id), errNoID)
	}
	return msg{id: number, name: string(id)}, nil
}
