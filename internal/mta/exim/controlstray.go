package exim

import (
	"errors"
	"io/fs"
	"strings"

	"spoor"
	"spoor/internal/disk"
)

// sweepAll removes from the holding place what an error has left there: second names
// of files that are in the spool, and files of messages that have left it. No other
// spoor is at work on this spool.
func (c *Controller) sweepAll() error {
	plans, err := c.homes[0].Names()
	if err != nil {
		return err
	}
	var errs []error
	for _, plan := range plans {
		below, err := c.homes[0].OpenDir(plan)
		if err != nil {
			continue // not made by spoor
		}
		for _, shelf := range [...]string{flat.shelf(), splitSpotName, ready} {
			errs = append(errs, c.sweepShelf(below, shelf))
		}
		errs = append(errs, below.Close())
	}
	return errors.Join(errs...)
}

// splitSpotName is the shelf of messages from folders of a split spool.
const splitSpotName = "split"

func (c *Controller) sweepShelf(below *disk.Dir, name string) error {
	shelf, err := below.OpenDir(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = shelf.Close() }()
	names, err := shelf.Names()
	if err != nil {
		return err
	}
	whole := map[string]bool{}
	for _, one := range names {
		if stem, ok := strings.CutSuffix(one, "-H"); ok {
			whole[stem] = true
		}
	}
	var errs []error
	for _, one := range names {
		if stem, r, ok := heldRole(one); ok && !whole[stem] {
			errs = append(errs, c.sweepStray(file{shelf, one}, stem, r))
		}
	}
	return errors.Join(errs...)
}

// heldRole tells what a file on a shelf is, if it is not a -H file.
func heldRole(name string) (stem string, r role, ok bool) {
	for r, suffix := range [...]string{data: "-D", journal: "-J", msglog: "-log"} {
		if stem, ok := strings.CutSuffix(name, suffix); ok {
			return stem, role(r), true
		}
	}
	return "", 0, false
}

// sweepStray removes a file that is no part of a message of the holding place, since
// there is no -H file beside it, and none that the spool could miss: the spool has
// it under its own name, or has no message of that ID.
func (c *Controller) sweepStray(stray file, stem string, r role) error {
	id := spoor.QueueID(stem[strings.LastIndexByte(stem, '.')+1:])
	if valid(id) != nil {
		return nil //nolint:nilerr // not made by spoor
	}
	st, err := stray.stat()
	if err != nil {
		return err
	}
	for _, at := range [...]spot{flat, splitSpot(id)} {
		s, ok, err := c.spoolSide(id, at)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		queued, err := s[r].stat()
		if err == nil && queued.Inode == st.Inode {
			return stray.remove()
		}
		if there, err := s.has(); there || err != nil {
			return err
		}
	}
	return stray.remove()
}
