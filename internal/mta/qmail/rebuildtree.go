package qmail

import (
	"errors"
	"io/fs"
	"os"
	"strconv"

	"spoor/internal/disk"
)

func ownUID() int { return os.Geteuid() }

// makeTree makes the folders and locks of an empty queue in home, as hier.c does,
// and returns it. old may give it the table of receivers that are down.
func (r *Rebuild) makeTree(name string, l layout, old *disk.Dir) (*disk.Dir, error) {
	top, err := r.makeFolder(r.home, name, shelfRule{mode: 0o750})
	if err != nil {
		return nil, err
	}
	for _, rule := range shelfRules() {
		if err := r.makeShelf(top, rule, l); err != nil {
			_ = top.Close()
			return nil, err
		}
	}
	pid, err := r.makeFolder(top, "pid", shelfRule{mode: 0o700})
	if err == nil {
		_ = pid.Close()
		err = r.makeLocks(top, old)
	}
	if err != nil {
		_ = top.Close()
		return nil, err
	}
	return top, nil
}

// makeFolder makes a directory with owner and mode, and opens it.
func (r *Rebuild) makeFolder(in *disk.Dir, name string, rule shelfRule) (*disk.Dir, error) {
	dir, err := in.MakeDir(name, rule.mode)
	if err != nil {
		return nil, err
	}
	if err := in.Chown(name, r.crew.owner(rule), r.crew.group); err != nil {
		_ = dir.Close()
		return nil, err
	}
	return dir, nil
}

func (r *Rebuild) makeShelf(top *disk.Dir, rule shelfRule, l layout) error {
	dir, err := r.makeFolder(top, rule.name, rule)
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	if !rule.split && (!rule.todo || !l.bigTodo) {
		return nil
	}
	for i := range l.split {
		folder, err := r.makeFolder(dir, strconv.Itoa(i), rule)
		if err != nil {
			return err
		}
		_ = folder.Close()
	}
	return nil
}

func (r *Rebuild) makeLocks(top, old *disk.Dir) error {
	dir, err := r.makeFolder(top, "lock", shelfRule{mode: 0o750})
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	table, err := tcptoTable(old)
	if err != nil {
		return err
	}
	if err := r.makeLock(dir, "sendmutex", lockRule{r.crew.send, 0o600}, nil); err != nil {
		return err
	}
	if err := r.makeLock(dir, "tcpto", lockRule{r.crew.remote, 0o644}, table); err != nil {
		return err
	}
	if err := dir.MakeFIFO("trigger", 0o622); err != nil {
		return err
	}
	return dir.Chown("trigger", r.crew.send, r.crew.group)
}

type lockRule struct {
	uid  int
	mode uint32
}

func (r *Rebuild) makeLock(dir *disk.Dir, name string, rule lockRule, data []byte) error {
	file, err := dir.Create(name, rule.mode)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	if _, err := file.Write(data); err != nil {
		return err
	}
	return file.Chown(rule.uid, r.crew.group)
}

// tcptoTable is the table of the old tree where it is sound, else an empty one.
func tcptoTable(old *disk.Dir) ([]byte, error) {
	empty := make([]byte, tcptoSize)
	lock, err := old.OpenDir("lock")
	if errors.Is(err, fs.ErrNotExist) {
		return empty, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = lock.Close() }()
	data, err := readSmall(lock, "tcpto")
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, disk.ErrNotRegular), isLoop(err):
		return empty, nil
	case err != nil:
		return nil, err
	case len(data) != tcptoSize:
		return empty, nil
	}
	return data, nil
}

// removeTree removes a directory with all that is in it, following no link. One
// that is not there is removed.
func removeTree(in *disk.Dir, name string) error {
	dir, err := in.OpenDir(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	names, err := dir.Names()
	if err != nil {
		return err
	}
	for _, one := range names {
		if err := removeEntry(dir, one); err != nil {
			return err
		}
	}
	return in.RemoveDir(name)
}

func removeEntry(dir *disk.Dir, name string) error {
	st, err := dir.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if st.Directory {
		return removeTree(dir, name)
	}
	return removeIfThere(dir, name)
}
