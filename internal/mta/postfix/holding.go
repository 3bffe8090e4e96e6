package postfix

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"spoor/internal/disk"
)

// The holding place is a folder in the queue directory that nothing of Postfix
// looks into:
//
//	spoor/PLAN/taken/FOLDER/ID   taken from FOLDER, below the queue directory
//	spoor/PLAN/new/TAG.ROLE      prepared, to be published
//
// Each folder of it is root's, mode 0700, and removed when it is empty.
const (
	holdingPlace = "spoor"
	takenFiles   = "taken"
	newFiles     = "new"
)

// errHolding is returned where something else is in the place of the holding
// place.
var errHolding = errors.New("the holding place is not a folder of ours alone")

// holdingName is a folder of the holding place, below the queue directory.
func (s *spool) holdingName(name string) string { return path.Join(holdingPlace, s.plan, name) }

// holding opens a folder of the holding place, which it makes where it is missing.
func (s *spool) holding(name string) (*disk.Dir, error) {
	full := s.holdingName(name)
	s.opening.Lock()
	defer s.opening.Unlock()
	return s.openHolding(full)
}

func (s *spool) openHolding(full string) (*disk.Dir, error) {
	if d, ok := s.folders[full]; ok {
		return d, nil
	}
	in := s.queue
	if above := path.Dir(full); above != "." {
		var err error
		if in, err = s.openHolding(above); err != nil {
			return nil, err
		}
	}
	d, err := in.MakeDir(path.Base(full), 0o700)
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOTDIR) {
		return nil, fmt.Errorf("%s: %w: %w", full, errHolding, err)
	}
	if err != nil {
		return nil, err
	}
	if err := ours(d, full); err != nil {
		_ = d.Close()
		return nil, err
	}
	s.folders[full] = d
	delete(s.missing, full)
	return d, nil
}

// ours refuses a folder that somebody else could change.
func ours(d *disk.Dir, name string) error {
	st, err := d.Stat(".")
	if err == nil && (st.UID != os.Geteuid() || st.Mode&0o077 != 0) {
		err = fmt.Errorf("%s (owner %d, mode %04o): %w", name, st.UID, st.Mode, errHolding)
	}
	return err
}

// loadTaken lists what the plan has taken before, once. Several goroutines may
// call it.
func (s *spool) loadTaken() error {
	s.taken.mu.Lock()
	defer s.taken.mu.Unlock()
	if s.taken.all != nil {
		return nil
	}
	taken := map[string]kept{}
	if _, err := s.queue.Stat(holdingPlace); errors.Is(err, fs.ErrNotExist) {
		s.taken.all = taken
		return nil
	}
	for _, queue := range messageQueues {
		if err := s.listTaken(queue, 0, taken); err != nil {
			return fmt.Errorf("list %s: %w", s.holdingName(takenFiles), err)
		}
	}
	s.taken.all = taken
	return nil
}

func (s *spool) listTaken(name string, depth int, taken map[string]kept) error {
	d, err := s.folder(s.takenName(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	names, err := d.Names()
	if err != nil {
		return err
	}
	for _, one := range names {
		if len(one) == 1 && depth < maxDepth {
			if err := s.listTaken(path.Join(name, one), depth+1, taken); err != nil {
				return err
			}
			continue
		}
		taken[one] = kept{folder: name}
	}
	return nil
}

// removeHolding removes the folders of the holding place that are empty.
func (s *spool) removeHolding(used bool) error {
	top, err := s.queue.OpenDir(holdingPlace)
	if err != nil {
		return stays(err)
	}
	if ours(top, holdingPlace) != nil {
		return top.Close()
	}
	err = s.sweep(top, used)
	if err = errors.Join(err, top.Close()); err != nil {
		return err
	}
	return stays(s.queue.RemoveDir(holdingPlace))
}

// sweep removes what is empty of the plan, and of earlier ones where this one has
// used the holding place, which it does only while no other spoor is at work: a
// run that was killed when all was done has left its folders.
func (s *spool) sweep(top *disk.Dir, used bool) error {
	plans := []string{s.plan}
	if used {
		all, err := top.Names()
		if err != nil {
			return err
		}
		plans = all
	}
	var errs []error
	for _, plan := range plans {
		errs = append(errs, stays(removeEmpty(top, plan, 0)))
	}
	return errors.Join(errs...)
}

// stays is no error for what is not there, not empty, or not ours.
func stays(err error) error {
	for _, ok := range []error{unix.ENOTEMPTY, unix.ENOENT, unix.ENOTDIR, unix.ELOOP} {
		if errors.Is(err, ok) {
			return nil
		}
	}
	return err
}

// removeEmpty removes a folder and those below it. It returns ENOTEMPTY if there
// are files in them.
func removeEmpty(in *disk.Dir, name string, depth int) error {
	if depth > maxDepth+2 {
		return unix.ENOTEMPTY
	}
	d, err := in.OpenDir(name)
	if err != nil {
		return err
	}
	names, err := d.Names()
	for _, one := range names {
		if err == nil {
			err = removeEmpty(d, one, depth+1) // ENOTDIR: a file
		}
	}
	if err = errors.Join(err, d.Close()); err != nil {
		return err
	}
	return in.RemoveDir(name)
}
