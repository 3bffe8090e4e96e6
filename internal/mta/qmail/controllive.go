package qmail

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/mta"
)

// liveBatch is how many messages are watched at once: two descriptors each.
const liveBatch = 250

// liveItem is a message that is taken from a running qmail-send.
type liveItem struct {
	*item
	again    bool // an earlier run had begun to mark it
	channels []*channelFile
	doubtful []string // recipients that may have got it
}

// takeLive takes messages while qmail-send runs. It remembers their numbers, so
// their files stay: it finds that no recipient is left to do, and ends them itself
// (job_close and messdone of qmail-send.c). For that, every T is made a D, as
// markdone does, and the bounce that is due is removed. Before that, copies of the
// envelope are made durable in the holding place: with them the message is taken,
// and they are what it is restored from.
func (c *controller) takeLive(ctx context.Context, batch []spoor.Target) ([]spoor.Outcome, error) {
	out := failAll(len(batch), errNotReached)
	if err := c.awaitTodo(ctx, batch); err != nil {
		return out, err
	}
	for from := 0; from < len(batch); from += liveBatch {
		to := min(from+liveBatch, len(batch))
		if err := c.takeSome(ctx, batch[from:to], out[from:to]); err != nil {
			return out, err
		}
	}
	return out, nil
}

// awaitTodo gives qmail-send the time to preprocess the messages of a batch.
func (c *controller) awaitTodo(ctx context.Context, batch []spoor.Target) error {
	until, pulled := time.Now().Add(c.preprocess), false
	for i := range batch {
		m, err := msgOf(batch[i].ID)
		for err == nil {
			waiting, err := c.shelves.todo.has(m)
			if err != nil || !waiting || time.Now().After(until) {
				break
			}
			if !pulled {
				pulled = true
				c.pull()
			}
			if err := sleep(ctx, c.pause); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// takeSome takes messages in steps that all of them pass together.
func (c *controller) takeSome(ctx context.Context, batch []spoor.Target, out []spoor.Outcome) (err error) {
	w, err := newWatcher()
	if err != nil {
		return fmt.Errorf("watch the queue: %w", err)
	}
	defer func() { err = errors.Join(err, w.close()) }()
	items := make([]*liveItem, len(batch))
	defer func() { err = errors.Join(err, closeItems(items)) }()
	for i := range batch {
		if items[i], out[i] = c.copyLive(&batch[i]); lasting(out[i].Err) != nil {
			return out[i].Err
		}
	}
	steps := []func(it *liveItem) error{ // each is durable before the next begins
		c.commitCopies,
		func(it *liveItem) error {
			if err := c.openChannels(it, w); err != nil {
				return err
			}
			return c.mark(it)
		},
	}
	for _, step := range steps {
		if err := c.settleAgain(); err != nil {
			return err
		}
		c.eachLive(items, out, step)
	}
	return c.settleDeliveries(ctx, items, out, w)
}

// eachLive does one step; a message whose step fails is left as it is.
func (c *controller) eachLive(items []*liveItem, out []spoor.Outcome, step func(it *liveItem) error) {
	for i, it := range items {
		if it == nil || out[i].Result == spoor.ResultFailed {
			continue
		}
		if err := step(it); err != nil {
			out[i] = failed(c.halfway(it, err))
		}
	}
}

// halfway tells whether a message whose step failed has its copies already: then
// recipients may be marked, and qmail-send may end it.
func (c *controller) halfway(it *liveItem, err error) error {
	if taken, looked := it.has(roleInfo); !taken && looked == nil {
		return err
	}
	return unsettled(err)
}

func closeItems(items []*liveItem) error {
	var errs []error
	for _, it := range items {
		if it == nil {
			continue
		}
		for _, f := range it.channels {
			if f.file != nil {
				errs = append(errs, f.file.Close())
			}
		}
	}
	return errors.Join(errs...)
}

// copyLive checks a message and copies its envelope. The item is nil for one that
// needs no more.
func (c *controller) copyLive(t *spoor.Target) (*liveItem, spoor.Outcome) {
	base, err := c.item(t, -1)
	if err == nil {
		err = c.locate(base)
	}
	if err != nil {
		return nil, failed(err)
	}
	h, err := base.look()
	if err != nil {
		return nil, failed(err)
	}
	if h.stepped() { // by a run that had stopped qmail-send
		return nil, c.takeAgain(base)
	}
	it, err := c.liveItem(base)
	if err != nil {
		return nil, failed(err)
	}
	if h, err = it.look(); err != nil {
		return nil, failed(err)
	}
	done, err := it.has(heldUncertain)
	switch {
	case err != nil:
		return nil, failed(err)
	case h.back || h.info && done:
		return nil, spoor.Outcome{Result: spoor.ResultDone}
	case h.info:
		return &liveItem{item: it, again: true}, spoor.Outcome{Result: spoor.ResultDone}
	}
	return c.copyFirst(base, it)
}

// liveItem is the same message with its files in the folder for copies.
func (c *controller) liveItem(it *item) (*item, error) {
	dir, err := c.held.dir(heldLive)
	if err != nil {
		return nil, err
	}
	live := *it
	live.held, live.copies = dir, true
	return &live, nil
}

// heldLive reports whether a message was taken from a running qmail-send.
func (c *controller) heldLive(it *item) (bool, error) {
	if ok, err := c.held.exists(heldLive); !ok {
		return false, err
	}
	live, err := c.liveItem(it)
	if err != nil {
		return false, err
	}
	h, err := live.look()
	return h.info || h.back, err
}

func (it *item) has(role string) (bool, error) {
	_, err := it.held.Stat(it.name + "." + role)
	return there(err)
}

var errWaiting = errors.New("waits to be preprocessed, and qmail-send does not do it")

// copyFirst copies the envelope of a message that no earlier run has copied. todo
// is looked at before info: preprocessing makes info before it removes todo.
func (c *controller) copyFirst(base, it *item) (*liveItem, spoor.Outcome) {
	if err := it.remove(liveRoles()...); err != nil { // of a run that was broken off
		return nil, failed(err)
	}
	switch {
	case it.folder < 0:
		return nil, spoor.Outcome{Result: spoor.ResultGone}
	case !it.same:
		return nil, spoor.Outcome{Result: spoor.ResultChanged, Err: mta.ErrChanged}
	}
	waiting, err := c.shelves.todo.has(it.msg)
	if waiting || err != nil {
		return nil, busyWith(err, errWaiting)
	}
	queued, err := c.shelves.info.has(it.msg)
	if err != nil {
		return nil, failed(err)
	}
	if !queued {
		return nil, c.takeOrphan(base)
	}
	err = c.dir(it).Link(it.name, it.held, it.name+"."+roleMess)
	for _, one := range c.copied() {
		if err == nil {
			err = absent(c.copyOne(it, one))
		}
	}
	if err == nil {
		err = c.copyOne(it, shelfRole{c.shelves.info, heldPart})
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, c.gone(it)
	}
	return &liveItem{item: it}, outcomeOf(err)
}

// gone tells of a message that qmail-send ended while it was copied.
func (c *controller) gone(it *item) spoor.Outcome {
	if err := it.remove(liveRoles()...); err != nil {
		return failed(err)
	}
	return spoor.Outcome{Result: spoor.ResultGone}
}

// liveRoles are the names that a message has in the folder for copies, in the
// order in which they are removed.
func liveRoles() []string {
	return []string{roleLocal, roleRemote, roleBounce, roleMess, roleInfo, heldBack, heldUncertain, heldPart}
}

func (c *controller) copied() [3]shelfRole {
	s := c.shelves
	return [...]shelfRole{{s.bounce, roleBounce}, {s.local, roleLocal}, {s.remote, roleRemote}}
}

// copyOne copies a file of the envelope, with its owner and its times.
func (c *controller) copyOne(it *item, one shelfRole) error {
	d := one.from.of(it.id)
	if d == nil {
		return fs.ErrNotExist
	}
	from, err := d.Open(it.name)
	if err != nil {
		return err
	}
	data, st, err := readOpen(from)
	if err = errors.Join(err, from.Close()); err != nil {
		return err
	}
	return it.write(one.role, data, st)
}

// write makes a file in the holding place.
func (it *item) write(role string, data []byte, like disk.Stat) error {
	f, err := it.held.Create(it.name+"."+role, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Chown(like.UID, like.GID)
	}
	if err == nil {
		err = f.Chmod(like.Mode)
	}
	if err == nil {
		err = f.SetTimes(like.Accessed, like.Modified)
	}
	return errors.Join(err, f.Close())
}

// commitCopies makes the copies what the message is restored from.
func (c *controller) commitCopies(it *liveItem) error {
	if it.again {
		return nil
	}
	return it.held.Rename(it.name+"."+heldPart, it.held, it.name+"."+roleInfo)
}

// packLive reads the copies. It returns fs.ErrNotExist where there are none.
func (c *controller) packLive(it *item) (*spoor.Parcel, error) {
	live, err := c.liveItem(it)
	if err != nil {
		return nil, err
	}
	if ok, err := live.has(roleInfo); !ok {
		return nil, errors.Join(err, fs.ErrNotExist)
	}
	p, err := c.pack(live)
	if err != nil {
		return nil, err
	}
	p.Uncertain, err = live.uncertain()
	return p, err
}

// discardLive removes the copies. In the queue there is nothing to remove:
// qmail-send does that, and until it has, the name in mess keeps the number from
// being used again.
func (c *controller) discardLive(it *item) error {
	live, err := c.liveItem(it)
	if err != nil {
		return err
	}
	return live.remove(liveRoles()...)
}
