package qmail

import (
	"errors"
	"io/fs"
	"strings"

	"spoor"
	"spoor/internal/disk"
)

// sweepStrays removes from the holding place what an error has left there: second
// names of contents whose messages are in the queue, or have left it. No other
// spoor is at work on this queue.
func (c *controller) sweepStrays() error {
	if c.held.all == nil {
		return nil
	}
	plans, err := c.held.all.Names()
	if err != nil {
		return err
	}
	var errs []error
	for _, plan := range plans {
		below, err := c.held.all.OpenDir(plan)
		if err != nil {
			continue // not made by spoor
		}
		for n := range shardCount {
			errs = append(errs, c.sweepShard(below, shardName(n), c.sweepStray))
		}
		// What was prepared has nothing but its content left once it is published.
		errs = append(errs, c.sweepShard(below, heldNew, func(shard *disk.Dir, name, _ string) error { return shard.Remove(name) }))
		errs = append(errs, below.Close())
		if plan != c.held.plan {
			errs = append(errs, emptied(c.held.all.RemoveDir(plan)))
		}
	}
	return errors.Join(errs...)
}

// sweepShard calls sweep for each content that has nothing beside it.
func (c *controller) sweepShard(below *disk.Dir, name string, sweep func(shard *disk.Dir, name, id string) error) error {
	shard, err := below.OpenDir(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	names, err := shard.Names()
	files := map[string]int{} // by message
	for _, one := range names {
		id, _, _ := strings.Cut(one, ".")
		files[id]++
	}
	for _, one := range names {
		id, role, _ := strings.Cut(one, ".")
		if err == nil && role == roleMess && files[id] == 1 {
			err = sweep(shard, one, id)
		}
	}
	return errors.Join(err, shard.Close(), emptied(below.RemoveDir(name)))
}

// sweepStray removes a content that has nothing beside it: nothing that makes a
// message of it was taken, so that the queue has that. Where the queue has lost the
// content itself, this one stays.
func (c *controller) sweepStray(shard *disk.Dir, name, id string) error {
	m, err := msgOf(spoor.QueueID(id))
	if err != nil {
		return nil //nolint:nilerr // not made by spoor
	}
	st, err := shard.Stat(name)
	if err != nil {
		return err
	}
	it := &item{msg: m, t: &spoor.Target{}, folder: -1}
	if err := c.locate(it); err != nil {
		return err
	}
	if it.folder < 0 || it.mess.Inode != st.Inode {
		if queued, err := c.hasAny(m, c.shelves.info, c.shelves.todo); queued || err != nil {
			return err
		}
	}
	return shard.Remove(name)
}
