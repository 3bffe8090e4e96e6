package qmail

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"spoor/internal/disk"
)

// places are the names under which the two trees are now; "" for one that is not
// there.
type places struct{ old, new string }

// locate finds the trees of a record by their inodes.
func (r *Rebuild) locate(rec *rebuildRecord) (p places, err error) {
	for _, name := range []string{r.name, r.name + newInfix + r.plan, r.name + oldInfix + r.plan} {
		st, err := r.home.Stat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return p, err
		}
		switch {
		case st.Directory && st.Inode == rec.OldInode:
			p.old = name
		case st.Directory && st.Inode == rec.NewInode:
			p.new = name
		case name == r.name:
			return p, fmt.Errorf("%s is neither the tree before plan %s nor the one after it: %w", r.place, r.plan, ErrUnfit)
		}
	}
	return p, nil
}

// swap puts the tree called name in the place of the queue. The one that was
// there gets the name away. Where the file system can do it in one step, it does.
// Once it is done, it does nothing; so it does where an interrupted run of two
// steps has done the first.
func (r *Rebuild) swap(name, away string) error {
	if name == r.name {
		return nil
	}
	_, err := r.home.Stat(r.name)
	switch {
	case errors.Is(err, fs.ErrNotExist): // the first of two steps was the last
	case err != nil:
		return err
	default:
		err = r.home.Exchange(name, r.home, r.name)
		if err == nil {
			return r.home.Sync()
		}
		if !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOSYS) {
			return err
		}
		if err := r.home.Rename(r.name, r.home, away); err != nil {
			return err
		}
	}
	if err := r.home.Rename(name, r.home, r.name); err != nil {
		return err
	}
	return r.home.Sync()
}

// settleNames gives a tree that is out of place the name that it should have.
func (r *Rebuild) settleNames(name, want string) error {
	if name == "" || name == want || name == r.name {
		return nil
	}
	if err := r.home.Rename(name, r.home, want); err != nil {
		return err
	}
	return r.home.Sync()
}

// openTrees opens both trees. A tree that is not there is nil.
func (r *Rebuild) openTrees(p places) (old, made *disk.Dir, err error) {
	if p.old != "" {
		if old, err = r.home.OpenDir(p.old); err != nil {
			return nil, nil, err
		}
	}
	if p.new == "" {
		return old, nil, nil
	}
	made, err = r.home.OpenDir(p.new)
	if err != nil && old != nil {
		_ = old.Close()
		old = nil
	}
	return old, made, err
}

func closeTrees(trees ...*disk.Dir) {
	for _, tree := range trees {
		if tree != nil {
			_ = tree.Close()
		}
	}
}
