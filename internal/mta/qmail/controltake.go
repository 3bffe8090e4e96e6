package qmail

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"syscall"
	"time"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/mta"
)

// orphanAge is when a message that was never queued is no longer being written:
// qmail-queue(8) gives up after a day (DEATH in qmail-queue.c).
const orphanAge = 24 * time.Hour

// item is one message that is worked on.
type item struct {
	msg
	t      *spoor.Target
	held   *disk.Dir // where its files are put
	folder int       // of mess that holds its content; -1 where that is not found
	mess   disk.Stat // of the content
	same   bool      // the content is that of the target
	copies bool      // held is the folder for copies
	moved  roleSet   // into the holding place, in this call
}

// Take implements mta.Controller.
//
// With qmail-send stopped: a second name in the holding place keeps the content
// from being removed by qmail-clean(8), and its inode, which is the ID, from being
// used again; then todo/ID or else info/ID is moved there, which is the step after
// which qmail-send does not see the message any more; then its other files.
func (c *controller) Take(ctx context.Context, batch []spoor.Target) ([]spoor.Outcome, error) {
	c.changed.Store(true)
	if c.running() {
		return c.takeLive(ctx, batch)
	}
	if err := c.listCompanions(); err != nil {
		return failAll(len(batch), err), err
	}
	return c.each(ctx, batch, 1, c.takeOne)
}

// parallelFrom is the size of a batch that two goroutines are worth.
const parallelFrom = 64

// each handles the targets of a batch, those of each subfolder by as many goroutines
// of its own as there are lanes.
func (c *controller) each(ctx context.Context, batch []spoor.Target, lanes int, do func(it *item) spoor.Outcome) ([]spoor.Outcome, error) {
	r := &round{ctx: ctx, c: c, batch: batch, out: failAll(len(batch), errNotReached), do: do}
	if len(batch) < parallelFrom {
		r.work(-1, 0, 1)
		return r.out, r.stopped
	}
	var group sync.WaitGroup
	for n := range shardCount {
		for lane := range lanes {
			group.Go(func() { r.work(n, lane, lanes) })
		}
	}
	group.Wait()
	return r.out, r.stopped
}

var errNotReached = errors.New("not reached")

// round is one walk over a batch.
type round struct {
	ctx   context.Context //nolint:containedctx // it lives as long as one call
	c     *controller
	batch []spoor.Target
	out   []spoor.Outcome
	do    func(it *item) spoor.Outcome

	mu      sync.Mutex
	stopped error
}

// work handles the targets of one subfolder, -1 is all, and of them those of one
// lane.
func (r *round) work(only, lane, lanes int) {
	for i := lane; i < len(r.batch); i += lanes {
		it, err := r.c.item(&r.batch[i], only)
		if it == nil && err == nil {
			continue
		}
		if r.stop(r.ctx.Err()) {
			return
		}
		if err != nil {
			r.out[i] = failed(err)
		} else {
			r.out[i] = r.do(it)
		}
		if r.stop(lasting(r.out[i].Err)) {
			return
		}
	}
}

// stop remembers the first error that stops all, and reports whether there is one.
func (r *round) stop(err error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped == nil {
		r.stopped = err
	}
	return r.stopped != nil
}

// lasting returns the errors that the next message would meet as well.
func lasting(err error) error {
	for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS} {
		if errors.Is(err, errno) {
			return err
		}
	}
	return nil
}

// item begins work on a target. It is nil for one of another subfolder.
func (c *controller) item(t *spoor.Target, only int) (*item, error) {
	m, err := msgOf(t.ID)
	n := 0
	if err == nil {
		n = shard(c.shelves.mess, m.id)
	}
	if only >= 0 && n != only {
		return nil, nil //nolint:nilnil // it is another goroutine's
	}
	if err != nil {
		return nil, err
	}
	held, err := c.held.dir(shardName(n))
	if err != nil {
		return nil, err
	}
	return &item{msg: m, t: t, held: held, folder: -1}, nil
}

// locate finds the content of a message: where the target says, where it belongs,
// or anywhere. Then same tells whether it is the target's.
func (c *controller) locate(it *item) error {
	f := c.shelves.mess
	for _, i := range append([]int{f.number(it.t.Folder), f.index(it.id)}, indices(len(f.dirs))...) {
		if i < 0 || f.dirs[i] == nil {
			continue
		}
		st, err := f.dirs[i].Stat(it.name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		it.folder, it.mess, it.same = i, st, sameAs(it.t, st)
		return nil
	}
	return nil
}

// sameAs reports whether a file is the content of a target.
func sameAs(t *spoor.Target, st disk.Stat) bool {
	return st.Regular && st.SizeBytes == t.SizeBytes && st.Modified.Equal(t.Arrived) && (t.Inode == 0 || t.Inode == st.Inode)
}

// dir is the folder of mess that holds the content.
func (c *controller) dir(it *item) *disk.Dir { return c.shelves.mess.dirs[it.folder] }

func (c *controller) takeOne(it *item) spoor.Outcome {
	if err := c.locate(it); err != nil {
		return failed(err)
	}
	if !it.same {
		return c.takeAgain(it)
	}
	err := c.dir(it).Link(it.name, it.held, it.name+"."+roleMess)
	switch {
	case errors.Is(err, fs.ErrExist):
		return c.takeAgain(it)
	case err != nil:
		return failed(err)
	}
	it.moved = bitOf(roleMess)
	out := c.step(it)
	if out.Result == spoor.ResultDone {
		c.remember(it)
	}
	return out
}

// step makes a message invisible whose content has its second name.
func (c *controller) step(it *item) spoor.Outcome {
	waiting, err := c.waits(it.msg)
	if err != nil {
		return failed(err)
	}
	if waiting {
		// Without todo this info would make the message visible again.
		if err := absent(it.move(c.shelves.info, roleStray)); err != nil {
			return failed(err)
		}
		err = it.move(c.shelves.todo, roleTodo)
	} else {
		err = it.move(c.shelves.info, roleInfo)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return c.takeOrphan(it)
	}
	if err != nil {
		return failed(err)
	}
	return outcomeOf(unsettled(c.moveRest(it)))
}

// waits reports whether a message is to be preprocessed.
func (c *controller) waits(m msg) (bool, error) {
	if c.lacks(m, roleTodo) {
		return false, nil
	}
	return c.shelves.todo.has(m)
}

// unsettled marks an error that came behind the step.
func unsettled(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", spoor.ErrUnsettled, err)
}

func outcomeOf(err error) spoor.Outcome {
	if err != nil {
		return failed(err)
	}
	return spoor.Outcome{Result: spoor.ResultDone}
}

// move brings a file of the message into the holding place.
func (it *item) move(from *folders, role string) error {
	d := from.of(it.id)
	if d == nil {
		return fs.ErrNotExist
	}
	err := d.Rename(it.name, it.held, it.name+"."+role)
	if err == nil {
		it.moved |= bitOf(role)
	}
	return err
}

// moveRest brings what a message has beside its content and the file that makes
// it visible.
func (c *controller) moveRest(it *item) error {
	for _, one := range c.rest() {
		if c.lacks(it.msg, one.role) {
			continue
		}
		if err := absent(it.move(one.from, one.role)); err != nil {
			return err
		}
	}
	return nil
}

// shelfRole is a shelf and the role of its files.
type shelfRole struct {
	from *folders
	role string
}

func (c *controller) rest() [4]shelfRole {
	s := c.shelves
	return [...]shelfRole{{s.local, roleLocal}, {s.remote, roleRemote}, {s.bounce, roleBounce}, {s.intd, roleIntd}}
}

// takeOrphan takes a message that has neither todo nor info: qmail-send does not
// see it, but an hour ago qmail-queue may have been writing it. The step is that
// its content leaves mess.
func (c *controller) takeOrphan(it *item) spoor.Outcome {
	unlink := func() error { return absent(it.held.Remove(it.name + "." + roleMess)) }
	if c.now().Sub(it.mess.Modified) < orphanAge {
		return busyWith(unlink(), errYoung)
	}
	// A caller may let qmail-queue wait for the recipients for a day. The list of
	// companions can be older than the end of that.
	if queued, err := c.shelves.todo.has(it.msg); queued || err != nil {
		return busyWith(errors.Join(err, unlink()), errJustQueued)
	}
	if c.running() {
		known, err := c.hasAny(it.msg, c.shelves.local, c.shelves.remote)
		if known || err != nil {
			return busyWith(errors.Join(err, unlink()), errRemembered)
		}
	}
	if err := c.dir(it).Rename(it.name, it.held, it.name+"."+heldOrphan); err != nil {
		return failed(err)
	}
	it.moved = bitOf(heldOrphan)
	return outcomeOf(unsettled(errors.Join(c.moveRest(it), unlink())))
}

var (
	errOnlyHere   = errors.New("is queued, but its content is in the holding place only")
	errYoung      = errors.New("is not queued yet: qmail-queue may be writing it")
	errJustQueued = errors.New("was not queued yet and is now: select it again")
	errRemembered = errors.New("has lost its sender, and qmail-send may remember it: stop qmail-send first")
)

func busyWith(err, why error) spoor.Outcome {
	if err != nil {
		return failed(err)
	}
	return spoor.Outcome{Result: spoor.ResultBusy, Err: why}
}

func (c *controller) hasAny(m msg, shelves ...*folders) (bool, error) {
	for _, f := range shelves {
		if ok, err := f.has(m); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// takeAgain goes on where an earlier run of the plan stopped, or tells that the
// message is gone or another one.
func (c *controller) takeAgain(it *item) spoor.Outcome {
	h, err := it.look()
	if err != nil {
		return failed(err)
	}
	switch {
	case h.stepped():
		return outcomeOf(unsettled(c.finishTake(it, h)))
	case h.mess && it.same && h.inode == it.mess.Inode:
		return c.step(it)
	}
	queued, err := c.hasAny(it.msg, c.shelves.info, c.shelves.todo)
	if err == nil && h.mess && (it.same || it.folder < 0 && queued) {
		err = errOnlyHere
	}
	if err != nil {
		return failed(err)
	}
	// It went on by itself between our two runs, and what we hold is nobody's.
	for _, role := range []string{roleStray, roleMess} {
		if err := absent(it.held.Remove(it.name + "." + role)); err != nil {
			return failed(err)
		}
	}
	if it.folder < 0 || it.same {
		return spoor.Outcome{Result: spoor.ResultGone}
	}
	return spoor.Outcome{Result: spoor.ResultChanged, Err: mta.ErrChanged}
}

// finishTake moves what a run that was broken off left in the queue. Where the
// content is not held any more it was broken off in Discard, and a new message may
// have the ID.
func (c *controller) finishTake(it *item, h heldFiles) error {
	if !h.mess && !h.orphan {
		return nil
	}
	if h.orphan && h.mess {
		if err := it.held.Remove(it.name + "." + roleMess); err != nil {
			return err
		}
	}
	other, err := c.hasAny(it.msg, c.shelves.info, c.shelves.todo)
	if err != nil || other || (it.folder >= 0 && it.mess.Inode != h.inode) {
		return err
	}
	return c.moveRest(it)
}
