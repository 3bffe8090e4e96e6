package qmail

import (
	"context"
	"errors"
	"io/fs"
	"strconv"

	"spoor"
)

// requeued is a message of PutBack that returns as a new one.
type requeued struct {
	it       *item
	index    int // in the batch
	prepared spoor.Prepared
}

// requeue returns messages that qmail-send has forgotten, or that it is about to
// end. That a message was prepared is written down before it is published, so that
// a run that is broken off does not queue it twice.
func (c *controller) requeue(ctx context.Context, batch []spoor.Target, out []spoor.Outcome) error {
	var todo []*requeued
	for i := range batch {
		if !errors.Is(out[i].Err, errRequeue) {
			continue
		}
		one, err := c.prepareBack(ctx, &batch[i])
		if err != nil {
			out[i] = failed(err)
			continue
		}
		one.index = i
		todo = append(todo, one)
	}
	if len(todo) == 0 {
		return nil
	}
	return c.publishBack(ctx, todo, out)
}

func backTag(m msg) string { return "B" + m.name }

// prepareBack prepares a message, unless an earlier run has.
func (c *controller) prepareBack(ctx context.Context, t *spoor.Target) (*requeued, error) {
	it, err := c.item(t, -1)
	if err != nil {
		return nil, err
	}
	live, err := c.heldLive(it)
	if err != nil {
		return nil, err
	}
	if live {
		if it, err = c.finished(ctx, it); err != nil {
			return nil, err
		}
	}
	one := &requeued{it: it}
	h, err := it.look()
	if err != nil {
		return nil, err
	}
	if h.back {
		one.prepared, err = c.preparedAs(it)
		return one, err
	}
	pack := c.pack
	if live {
		pack = c.packLive
	}
	p, err := pack(it)
	if err != nil {
		return nil, err
	}
	one.prepared, err = c.Prepare(ctx, backTag(it.msg), p)
	return one, err
}

// finished is a message that was taken from a running qmail-send. All of its
// recipients must be marked before it is queued again.
func (c *controller) finished(ctx context.Context, it *item) (*item, error) {
	live, err := c.liveItem(it)
	if err != nil {
		return nil, err
	}
	done, err := live.hasAny(heldUncertain, heldBack)
	if done || err != nil {
		return live, err
	}
	out := make([]spoor.Outcome, 1)
	if err := c.takeSome(ctx, []spoor.Target{*it.t}, out); err != nil {
		return nil, err
	}
	return live, out[0].Err
}

func (it *item) hasAny(roles ...string) (bool, error) {
	for _, role := range roles {
		if ok, err := it.has(role); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// preparedAs finds what was prepared for a message. Where it is not there any more
// it was published.
func (c *controller) preparedAs(it *item) (spoor.Prepared, error) {
	p := spoor.Prepared{Tag: backTag(it.msg), OldID: it.t.ID}
	dir, err := c.held.dir(heldNew)
	if err != nil {
		return p, err
	}
	for _, role := range []string{roleMess, heldOrphan} {
		st, err := dir.Stat(p.Tag + "." + role)
		if err == nil {
			p.NewID = spoor.QueueID(strconv.FormatUint(st.Inode, 10))
		} else if !errors.Is(err, fs.ErrNotExist) {
			return p, err
		}
	}
	return p, nil
}

func (c *controller) publishBack(ctx context.Context, todo []*requeued, out []spoor.Outcome) error {
	if err := c.settleAgain(); err != nil {
		return err
	}
	batch := make([]spoor.Prepared, len(todo))
	for i, one := range todo {
		if err := one.it.markBack(); err != nil {
			out[one.index] = failed(err)
			continue
		}
		batch[i] = one.prepared
	}
	if err := c.settleAgain(); err != nil {
		return err
	}
	results, err := c.Publish(ctx, batch)
	if err = errors.Join(err, c.settleAgain()); err != nil {
		return err
	}
	for i, one := range todo {
		if batch[i].Tag == "" {
			continue
		}
		if out[one.index] = results[i]; results[i].Result == spoor.ResultDone {
			if err := c.discard(one.it); err != nil {
				out[one.index].Err = err
			}
		}
	}
	return nil
}

func (c *controller) settleAgain() error {
	c.changed.Store(true)
	return c.Settle()
}

// markBack writes down that the message was prepared.
func (it *item) markBack() error {
	h, err := it.look()
	if err != nil || h.back {
		return err
	}
	return it.held.Rename(it.name+"."+roleInfo, it.held, it.name+"."+heldBack)
}
