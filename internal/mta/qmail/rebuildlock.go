package qmail

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"syscall"

	"spoor/internal/disk"
	"spoor/internal/mta"
)

// lock keeps qmail-send from working on a tree, until unlock: it takes the
// exclusive flock on lock/sendmutex, as qmail-send itself does, and looks whether
// somebody reads lock/trigger, in case that the mutex was removed under a running
// one. It returns mta.ErrRunning.
func (r *Rebuild) lock(tree *disk.Dir) error {
	dir, err := tree.OpenDir("lock")
	if errors.Is(err, fs.ErrNotExist) {
		return nil // qmail-send cannot start without it
	}
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	switch file, err := dir.OpenWrite("sendmutex"); {
	case err == nil:
		if err := file.Flock(); err != nil {
			_ = file.Close()
			if errors.Is(err, disk.ErrLocked) {
				err = fmt.Errorf("%s/lock/sendmutex is locked: %w", tree.Name(), mta.ErrRunning)
			}
			return err
		}
		r.locks = append(r.locks, file)
	case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, disk.ErrNotRegular) && !isLoop(err) && !errors.Is(err, syscall.EISDIR):
		return err
	}
	return r.noReader(dir)
}

// noReader returns mta.ErrRunning if a process reads the trigger.
func (r *Rebuild) noReader(dir *disk.Dir) error {
	st, err := dir.Stat("trigger")
	if errors.Is(err, fs.ErrNotExist) || err == nil && !st.FIFO {
		return nil
	}
	if err != nil {
		return err
	}
	listened, err := dir.Listened("trigger")
	if err == nil && listened {
		err = fmt.Errorf("%s/trigger is read: %w", dir.Name(), mta.ErrRunning)
	}
	return err
}

func (r *Rebuild) unlock() {
	for _, file := range r.locks {
		_ = file.Close()
	}
	r.locks = nil
}

// running reports whether qmail-send works on the tree of a name.
func (r *Rebuild) running(name string) (bool, error) {
	tree, err := r.home.OpenDir(name)
	if err != nil {
		return false, err
	}
	defer func() { _ = tree.Close() }()
	probe := &Rebuild{}
	defer probe.unlock()
	err = probe.lock(tree)
	if errors.Is(err, mta.ErrRunning) {
		return true, nil
	}
	return false, err
}

// writers counts the processes whose working directory is a tree: qmail-queue
// goes into the queue first of all, and stays in the tree that it found there. A
// process that may not be looked at is not counted.
func writers(tree disk.Stat) int {
	processes, err := os.ReadDir("/proc")
	if err != nil {
		return 0
	}
	n := 0
	for _, process := range processes {
		if _, err := strconv.Atoi(process.Name()); err != nil {
			continue
		}
		info, err := os.Stat("/proc/" + process.Name() + "/cwd")
		if err != nil {
			continue
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if ok && st.Ino == tree.Inode && uint64(st.Dev) == tree.Device { //nolint:unconvert // not 64 bits wide everywhere
			n++
		}
	}
	return n
}
