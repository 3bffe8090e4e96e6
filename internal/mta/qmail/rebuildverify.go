package qmail

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"spoor"
	"spoor/internal/disk"
)

// errDiffers is returned where the new tree is not what it should be. It has not
// been put in place then.
var errDiffers = errors.New("it is not what was to be built")

// verify reads the new tree and compares it with the old one: each message once,
// with the same content, envelope and times, and nothing else; and all owners,
// modes and names right.
func (r *Rebuild) verify(ctx context.Context, s *survey, made *disk.Dir) error {
	c, err := takeCensus(made)
	if err != nil {
		return err
	}
	if err := c.incomplete(); err != nil {
		return err
	}
	list := c.messages()
	if err := c.readEnvelopes(list, r.workers()); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	want := s.taken
	if r.options.Empty {
		want = nil
	}
	if err := sameMessages(want, list); err != nil {
		return err
	}
	// A tree with one folder, or without messages, does not show its layout.
	if c.layout != s.after {
		return fmt.Errorf("its layout is %v, not %v: %w", c.layout, s.after, errDiffers)
	}
	return r.verifySound(c, list)
}

// sameMessages compares what was to be carried over with what is there.
func sameMessages(want []*queueMessage, have []queueMessage) error {
	if len(want) != len(have) {
		return fmt.Errorf("it has %d messages, not %d: %w", len(have), len(want), errDiffers)
	}
	byInode := slices.Clone(want)
	slices.SortFunc(byInode, func(a, b *queueMessage) int {
		if a.newID() < b.newID() {
			return -1
		}
		return 1
	})
	for i := range have {
		if err := sameMessage(byInode[i], &have[i]); err != nil {
			return fmt.Errorf("message %d, now %d: %w", byInode[i].id, have[i].id, err)
		}
	}
	return nil
}

func sameMessage(old, made *queueMessage) error {
	switch {
	case made.id != old.newID(), !made.has(pieceMess), made.file[pieceMess].inode != old.newID():
		return fmt.Errorf("its content is not the same file: %w", errDiffers)
	case made.stage() != old.stage(), made.undone != old.undone, made.done != old.done, made.envelope != old.envelope:
		return fmt.Errorf("its envelope is not the same: %w", errDiffers)
	case len(made.extra) > 0:
		return fmt.Errorf("it has a file twice: %w", errDiffers)
	}
	for _, p := range copied(old.stage()) {
		if old.has(p) && old.file[p].modified != made.file[p].modified {
			return fmt.Errorf("%s is not of the same time: %w", made.file[p].path(), errDiffers)
		}
	}
	return nil
}

// verifySound looks for damage that a new tree cannot have.
func (r *Rebuild) verifySound(c *census, list []queueMessage) error {
	k := &checker{census: c, crew: r.crew, now: time.Now(), damages: spoor.NewDamages(damageKinds())}
	if err := k.run(list); err != nil {
		return err
	}
	for _, d := range k.damages.List() {
		switch d.Check {
		case "recipients-damaged", "todo-damaged", "empty-content": // of the message itself
		default:
			return fmt.Errorf("%s: %s: %w", d.Check, d.Examples[0], errDiffers)
		}
	}
	return nil
}
