package qmail

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/mta"
)

// Discard implements mta.Controller. The name in the queue goes first, while the
// second one still proves that it is ours; the file that stands for the step goes
// last, so that a run that is broken off is one that was taken.
func (c *controller) Discard(ctx context.Context, batch []spoor.Target) ([]spoor.Outcome, error) {
	c.changed.Store(true)
	live, err := c.held.exists(heldLive)
	if err != nil {
		return failAll(len(batch), err), err
	}
	out, err := c.each(ctx, batch, discardLanes, func(it *item) spoor.Outcome {
		if live {
			if err := c.discardLive(it); err != nil {
				return failed(err)
			}
		}
		return outcomeOf(c.discard(it))
	})
	for i := range out {
		if out[i].Result == spoor.ResultDone {
			c.forget(batch[i].ID)
		}
	}
	return out, err
}

// discardLanes is how many goroutines remove files of one subfolder at once: a file
// system that is mounted with discard, or over a network, lets each of them wait until
// its space is free.
const discardLanes = 4

func (c *controller) discard(it *item) error {
	var k known
	if !it.copies {
		k, _ = c.recall(it)
	}
	if err := c.unlinkQueued(it, k); err != nil {
		return err
	}
	for _, role := range []string{roleLocal, roleRemote, roleBounce, roleIntd, roleStray, heldOrphan, roleMess, roleInfo, roleTodo, heldBack, heldUncertain} {
		if k.absent(role) {
			continue
		}
		if err := it.remove(role); err != nil {
			return err
		}
	}
	return nil
}

// unlinkQueued removes the name that the content still has in mess. Of a message
// that is copied, qmail-send does that.
func (c *controller) unlinkQueued(it *item, k known) error {
	if it.copies || k.absent(roleMess) {
		return nil
	}
	if k.inode != 0 {
		return absent(c.shelves.mess.dirs[k.folder].Remove(it.name)) // its number is not free, so this is it
	}
	st, err := it.held.Stat(it.name + "." + roleMess)
	if ok, err := there(err); !ok {
		return err
	}
	if err := c.locate(it); err != nil {
		return err
	}
	if it.folder < 0 || it.mess.Inode != st.Inode {
		return nil
	}
	return absent(c.dir(it).Remove(it.name))
}

// remove removes files of the message from the holding place, in this order.
func (it *item) remove(roles ...string) error {
	for _, role := range roles {
		if err := absent(it.held.Remove(it.name + "." + role)); err != nil {
			return err
		}
	}
	return nil
}

// PutBack implements mta.Controller. What makes a message visible returns last.
func (c *controller) PutBack(ctx context.Context, batch []spoor.Target) ([]spoor.Outcome, error) {
	c.changed.Store(true)
	c.beside = nil
	out, err := c.each(ctx, batch, 1, c.putBackOne)
	if err != nil {
		return out, err
	}
	if c.running() {
		c.pull()
	}
	return out, c.requeue(ctx, batch, out)
}

// errRequeue marks what can return only as a new message: qmail-send knows of
// messages what it saw at its start and what came through todo.
var errRequeue = errors.New("to be queued anew")

func (c *controller) putBackOne(it *item) spoor.Outcome {
	c.forget(it.t.ID)
	h, err := it.look()
	if err != nil {
		return failed(err)
	}
	if h.back || (h.info && c.running()) {
		return failed(errRequeue)
	}
	live, err := c.heldLive(it)
	switch {
	case err != nil:
		return failed(err)
	case live:
		return failed(errRequeue)
	}
	if !h.stepped() {
		return outcomeOf(c.undoLink(it))
	}
	if h.orphan {
		return outcomeOf(c.putBackOrphan(it))
	}
	return c.putBackMoved(it, h)
}

// undoLink takes back what Take does before its step.
func (c *controller) undoLink(it *item) error {
	waiting, err := c.shelves.todo.has(it.msg)
	if err != nil {
		return err
	}
	if waiting {
		if err := it.back(c.shelves.info, roleStray); absent(err) != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return it.remove(roleStray, roleMess)
}

// back returns a file of the message to its shelf.
func (it *item) back(to *folders, role string) error {
	d := to.of(it.id)
	if d == nil {
		return fs.ErrNotExist
	}
	return it.held.Rename(it.name+"."+role, d, it.name)
}

func (c *controller) putBackOrphan(it *item) error {
	if err := c.backRest(it); err != nil {
		return err
	}
	if err := it.remove(roleMess); err != nil {
		return err
	}
	home, err := c.home(it)
	if err != nil {
		return err
	}
	return it.held.Rename(it.name+"."+heldOrphan, home, it.name)
}

// home is the folder of mess that the content returns to: where it was, even if
// that was the wrong one.
func (c *controller) home(it *item) (*disk.Dir, error) {
	f := c.shelves.mess
	if i := f.number(it.t.Folder); i >= 0 {
		return f.dirs[i], nil
	}
	if d := f.of(it.id); d != nil {
		return d, nil
	}
	return nil, fmt.Errorf("%s: %w", f.path(f.index(it.id)), fs.ErrNotExist)
}

func (c *controller) backRest(it *item) error {
	for _, one := range c.rest() {
		if err := absent(it.back(one.from, one.role)); err != nil {
			return err
		}
	}
	return nil
}

func (c *controller) putBackMoved(it *item, h heldFiles) spoor.Outcome {
	if !h.mess {
		return failed(errDiscarded)
	}
	if err := c.locate(it); err != nil {
		return failed(err)
	}
	switch {
	case it.folder < 0: // qmail-send ran meanwhile, and cleaned up
		if err := c.linkBack(it); err != nil {
			return failed(err)
		}
	case it.mess.Inode != h.inode:
		return spoor.Outcome{Result: spoor.ResultChanged, Err: mta.ErrChanged}
	}
	err := c.backRest(it)
	if h.todo {
		err = errors.Join(err, absent(it.back(c.shelves.info, roleStray)))
	}
	if err != nil {
		return failed(err)
	}
	if h.todo {
		err = it.back(c.shelves.todo, roleTodo)
	} else {
		err = it.back(c.shelves.info, roleInfo)
	}
	if err == nil {
		err = it.remove(roleMess)
	}
	return outcomeOf(err)
}

func (c *controller) linkBack(it *item) error {
	home, err := c.home(it)
	if err != nil {
		return err
	}
	return it.held.Link(it.name+"."+roleMess, home, it.name)
}

var errDiscarded = errors.New("was removed already: it is in the vault only")
