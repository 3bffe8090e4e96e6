package exim

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"spoor/internal/disk"
	"spoor/internal/mta"
)

// move is a message on its way from one side to the other, under Exim's lock on its
// -D file: held is that file, nil if there is none.
//
// One rename decides: that of the -H file, from whose names Exim makes the list of
// its queue. All other files get a second name before and lose their first one
// after it, as in spool_move_message() of spool_out.c. A crash between can leave a
// -D file without -H in the spool, which Exim may find by a hint about a waiting
// host and delete (transport.c, transport_check_waiting; deliver.c,
// keep_malformed): it then deletes a name, and the message keeps the other.
//
// -D gets its second name first, and loses a name last: where it has one name
// alone, the others have too.
type move struct {
	from, to *side
	held     *disk.File
	made     [header]bool // a second name was given now
	both     [header]bool // there are two names, or the one at the goal counts
}

// decide does all up to the rename, with what already has its second name left as
// it is.
func (m *move) decide() error {
	for r := range header {
		if m.both[r] {
			continue
		}
		if err := m.link(r); err != nil {
			return err
		}
	}
	if m.held != nil {
		if err := sameFile(m.held, m.to[data]); err != nil {
			return err
		}
	}
	h, goal := m.from[header], m.to[header]
	err := h.dir.Rename(h.name, goal.dir, goal.name)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s: %w", path.Join(goal.dir.Name(), goal.name), mta.ErrChanged)
	}
	return err
}

// link gives a file a second name, if it is there. Under the name may be the same
// file, by an earlier run that was interrupted, or another one: then it returns
// mta.ErrChanged.
func (m *move) link(r role) error {
	from, to := m.from[r], m.to[r]
	if from.dir == nil || to.dir == nil {
		return nil
	}
	err := from.dir.Link(from.name, to.dir, to.name)
	m.made[r] = err == nil
	m.both[r] = err == nil
	if err == nil || errors.Is(err, fs.ErrNotExist) {
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
	// A log that is there is Exim's, which goes on writing it.
	m.both[r] = err == nil && (first.Inode == second.Inode || r == msglog)
	if err != nil || m.both[r] {
		return err
	}
	return fmt.Errorf("%s: %w", path.Join(to.dir.Name(), to.name), mta.ErrChanged)
}

// finish removes the first names, when it is decided.
func (m *move) finish() error {
	for _, r := range lastData {
		if !m.both[r] {
			continue
		}
		if err := m.from[r].remove(); err != nil {
			return err
		}
	}
	return nil
}

// lastData is the order in which names are removed.
var lastData = [...]role{msglog, journal, data}

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

// tidy takes from the side that a message has left, in an earlier run, the names
// that it still has there: only those of the very files that it has on the other
// side.
func tidy(left, now *side) error {
	for _, r := range lastData {
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

// tidied reports whether -D shows that nothing is left to tidy.
func (s *side) tidied() bool {
	st, err := s[data].stat()
	return err == nil && st.Links < 2
}

// clear removes all files of a side but the -H file.
func (s *side) clear() error {
	for _, r := range lastData {
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
