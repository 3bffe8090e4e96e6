package exim

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"spoor/internal/disk"
	"spoor/internal/mta"
)

// move moves a message from one side to the other, under Exim's lock on its -D
// file: held is that file, nil if there is none.
//
// One rename decides: that of the -H file, from whose names Exim makes the list of
// its queue. All other files get a second name before and lose their first one
// after it, as in spool_move_message() of spool_out.c. A crash between can leave a
// -D file without -H in the spool, which Exim may find by a hint about a waiting
// host and delete (transport.c, transport_check_waiting; deliver.c,
// keep_malformed): it then deletes a name, and the message keeps the other.
func move(from, to *side, held *disk.File) error {
	for r := range header {
		if err := link(from[r], to[r], r); err != nil {
			return err
		}
	}
	if held != nil {
		if err := sameFile(held, to[data]); err != nil {
			return err
		}
	}
	h, target := from[header], to[header]
	err := h.dir.Rename(h.name, target.dir, target.name)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s: %w", path.Join(target.dir.Name(), target.name), mta.ErrChanged)
	}
	return err
}

// link gives a file a second name, if it is there. Under the name may be the same
// file, by an earlier run that was interrupted, or another one: then it returns
// mta.ErrChanged.
func link(from, to file, r role) error {
	if from.dir == nil || to.dir == nil {
		return nil
	}
	err := from.dir.Link(from.name, to.dir, to.name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	first, err := from.stat()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	second, err := to.stat()
	if err != nil || first.Inode == second.Inode || r == msglog {
		return err // a log that is there is Exim's, which goes on writing it
	}
	return fmt.Errorf("%s: %w", path.Join(to.dir.Name(), to.name), mta.ErrChanged)
}

// sameFile wants a name to be that of the locked file: a delivery may have ended
// between its opening and its locking.
func sameFile(held *disk.File, name file) error {
	locked, err := held.Stat()
	if err != nil {
		return err
	}
	named, err := name.stat()
	if err == nil && named.Inode != locked.Inode || errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", held.Name(), mta.ErrBusy)
	}
	return err
}

// tidy takes from the side that a message has left the names that it still has
// there: only those of the very files that it has on the other side.
func tidy(left, now *side) error {
	for r := range header {
		st, err := now[r].stat()
		if errors.Is(err, fs.ErrNotExist) || err == nil && st.Links < 2 {
			continue
		}
		if err != nil {
			return err
		}
		old, err := left[r].stat()
		if err == nil && old.Inode == st.Inode {
			err = left[r].remove()
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// clear removes files of a side, all but the -H file, from a role on.
func (s *side) clear(first role) error {
	for r := first; r < header; r++ {
		if err := s[r].remove(); err != nil {
			return err
		}
	}
	return nil
}

// has reports whether the -H file is there, which makes a message of the others.
func (s *side) has() (bool, error) {
	_, err := s[header].stat()
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// lock opens the -D file and takes the lock that Exim takes, on the line
// "ID-D\n" it begins with. It is the open file's own, and conflicts with Exim's,
// which is its process's. held is nil where there is no such file: Exim does not
// touch a message then. It returns disk.ErrLocked where a delivery runs, or
// somebody works on the message.
func (s *side) lock(idLen int) (held *disk.File, err error) {
	held, err = s[data].dir.OpenWrite(s[data].name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // there is nothing to lock
	}
	if err != nil {
		return nil, err
	}
	if err := held.LockRangeOFD(int64(idLen + len("-D\n"))); err != nil {
		_ = held.Close()
		return nil, err
	}
	return held, nil
}

func unlock(held *disk.File) {
	if held != nil {
		_ = held.Close()
	}
}
