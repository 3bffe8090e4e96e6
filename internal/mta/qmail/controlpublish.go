package qmail

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"time"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/mta"
)

// errPrepared is returned where a message was prepared for a queue whose
// qmail-send is stopped, and it runs now.
var errPrepared = errors.New("was prepared while qmail-send was stopped: prepare it again")

// Publish implements mta.Controller.
func (c *controller) Publish(ctx context.Context, batch []spoor.Prepared) ([]spoor.Outcome, error) {
	c.changed.Store(true)
	out := failAll(len(batch), errNotReached)
	dir, err := c.held.dir(heldNew)
	if err != nil {
		return out, err
	}
	for i, p := range batch {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		out[i] = outcomeOf(c.publish(dir, p))
		out[i].NewID = p.NewID
		if err := lasting(out[i].Err); err != nil {
			return out, err
		}
	}
	if c.running() {
		c.pull()
		err = c.keepBirths(ctx, batch)
	}
	return out, err
}

func (c *controller) publish(dir *disk.Dir, p spoor.Prepared) error {
	if p.NewID == "" { // no recipient was left
		return nil
	}
	m, err := msgOf(p.NewID)
	if err != nil {
		return err
	}
	if !isWord(p.Tag, "") {
		return fmt.Errorf("tag %q: %w", p.Tag, errPlan)
	}
	n := &entry{msg: m, c: c, dir: dir, tag: p.Tag}
	step, err := n.step()
	switch {
	case err != nil:
	case step == "": // it was published before
		n.tidy()
	case step == roleTodo:
		err = n.queue()
	case step == roleInfo:
		err = n.insert()
	default:
		err = n.leave()
	}
	if err != nil {
		return fmt.Errorf("publish message %s as %s: %w", p.OldID, p.NewID, err)
	}
	return nil
}

// entry is a prepared message on its way into the queue.
type entry struct {
	msg
	c   *controller
	dir *disk.Dir
	tag string
}

// step is the role of the file that will make the message visible, "" if it was
// made so already.
func (n *entry) step() (string, error) {
	for _, role := range []string{roleTodo, roleInfo, heldOrphan} {
		_, err := n.dir.Stat(n.tag + "." + role)
		if ok, err := there(err); ok || err != nil {
			return role, err
		}
	}
	return "", nil
}

// queue does what qmail-queue.c does: mess, intd, todo.
func (n *entry) queue() error {
	s := n.c.shelves
	if err := n.link(roleMess, s.mess); err != nil {
		return err
	}
	if err := n.link(roleTodo, s.intd); err != nil {
		return err
	}
	if err := absent(n.move(roleBounce, s.bounce)); err != nil {
		return err
	}
	if err := n.move(roleTodo, s.todo); err != nil {
		return err
	}
	n.tidy()
	return nil
}

// tidy removes the second name of a content that is in the queue. That this fails
// says nothing of the message: whoever took it for unpublished would queue it twice.
func (n *entry) tidy() { _ = n.drop(roleMess) }

// insert puts a preprocessed message where qmail-send finds it when it starts.
func (n *entry) insert() error {
	if n.c.running() {
		return fmt.Errorf("%w: %w", mta.ErrRunning, errPrepared)
	}
	s := n.c.shelves
	if err := n.link(roleMess, s.mess); err != nil {
		return err
	}
	for _, one := range []shelfRole{{s.bounce, roleBounce}, {s.local, roleLocal}, {s.remote, roleRemote}} {
		if err := absent(n.move(one.role, one.from)); err != nil {
			return err
		}
	}
	if err := n.move(roleInfo, s.info); err != nil {
		return err
	}
	n.tidy()
	return nil
}

// leave returns a message that was never queued.
func (n *entry) leave() error {
	if err := absent(n.move(roleIntd, n.c.shelves.intd)); err != nil {
		return err
	}
	return n.move(heldOrphan, n.c.shelves.mess)
}

// link gives a file its name in the queue, or finds that it has it.
func (n *entry) link(role string, to *folders) error {
	d, err := to.place(n.id)
	if err != nil {
		return err
	}
	name := n.tag + "." + role
	if err = n.dir.Link(name, d, n.name); !errors.Is(err, fs.ErrExist) {
		return err
	}
	same, other := n.sameFile(role, to)
	if other == nil && !same {
		return err
	}
	return other
}

// sameFile reports whether the file of the queue is the one that was prepared.
func (n *entry) sameFile(role string, to *folders) (bool, error) {
	mine, err := n.dir.Stat(n.tag + "." + role)
	if ok, err := there(err); !ok {
		return false, err
	}
	theirs, err := to.stat(n.msg)
	if ok, err := there(err); !ok {
		return false, err
	}
	return mine.Inode == theirs.Inode, nil
}

func (n *entry) move(role string, to *folders) error {
	d, err := to.place(n.id)
	if err != nil {
		return err
	}
	return n.dir.Rename(n.tag+"."+role, d, n.name)
}

// place is the folder in which the file of a new message belongs.
func (f *folders) place(id uint64) (*disk.Dir, error) {
	if d := f.of(id); d != nil {
		return d, nil
	}
	return nil, fmt.Errorf("%s: %w", f.path(f.index(id)), errNoFolder)
}

// errNoFolder is not fs.ErrNotExist: that a queue lacks a folder is not forgiven.
var errNoFolder = errors.New("the queue lacks this folder")

// drop removes prepared files, those that are there.
func (n *entry) drop(roles ...string) error {
	for _, role := range roles {
		if err := absent(n.dir.Remove(n.tag + "." + role)); err != nil {
			return err
		}
	}
	return nil
}

// Withdraw implements mta.Controller.
func (c *controller) Withdraw(ctx context.Context, batch []spoor.Prepared) error {
	c.changed.Store(true)
	dir, err := c.held.dir(heldNew)
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range batch {
		if err := ctx.Err(); err != nil {
			return errors.Join(append(errs, err)...)
		}
		if !isWord(p.Tag, "") {
			errs = append(errs, fmt.Errorf("tag %q: %w", p.Tag, errPlan))
		} else if err := c.withdraw(dir, p.Tag); err != nil {
			errs = append(errs, fmt.Errorf("withdraw message %s: %w", p.OldID, err))
		}
	}
	return errors.Join(errs...)
}

// withdraw removes what was prepared under a tag, first from the queue, where a
// Publish that was broken off may have put some of it.
func (c *controller) withdraw(dir *disk.Dir, tag string) error {
	n := &entry{c: c, dir: dir, tag: tag}
	step, err := n.step()
	if err != nil {
		return err
	}
	if step != "" {
		if err := n.identify(); err != nil {
			return err
		}
	}
	if (step == roleTodo || step == roleInfo) && n.name != "" {
		if err := n.retract(step); err != nil {
			return err
		}
	}
	if step == heldOrphan {
		if err := n.retractIntd(); err != nil {
			return err
		}
	}
	if err := n.dropReserved(); err != nil {
		return err
	}
	return n.drop(roleBounce, roleLocal, roleRemote, roleIntd, roleTodo, roleInfo, heldOrphan, roleMess)
}

// identify finds the number of the message from its content.
func (n *entry) identify() error {
	for _, role := range []string{roleMess, heldOrphan} {
		st, err := n.dir.Stat(n.tag + "." + role)
		ok, err := there(err)
		if err != nil {
			return err
		}
		if ok {
			n.msg = msg{id: st.Inode, name: strconv.FormatUint(st.Inode, 10)}
			return nil
		}
	}
	return nil
}

// retract removes names from the queue. They are ours: as long as we hold the
// content, no other message gets its number.
func (n *entry) retract(step string) error {
	s := n.c.shelves
	same, err := n.sameFile(roleMess, s.mess)
	if err != nil {
		return err
	}
	if other, err := s.mess.has(n.msg); err != nil || other && !same {
		return err
	}
	gone := []*folders{s.bounce, s.local, s.remote}
	if step == roleTodo {
		gone = []*folders{s.bounce, s.intd}
	}
	for _, f := range append(gone, s.mess) {
		if d := f.of(n.id); d != nil {
			if err := absent(d.Remove(n.name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// retractIntd removes the envelope of a message that was never queued. Its
// content is not in the queue, so no other message has the number.
func (n *entry) retractIntd() error {
	if d := n.c.shelves.intd.of(n.id); d != nil && n.name != "" {
		return absent(d.Remove(n.name))
	}
	return nil
}

// dropReserved removes what a Prepare that was broken off while it looked for a
// free number has left.
func (n *entry) dropReserved() error {
	for i := 0; ; i++ {
		err := n.dir.Remove(n.tag + ".taken" + strconv.Itoa(i))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// keepBirths gives messages the time back at which they were preprocessed first:
// qmail-send counts their lifetime from it. It waits a bounded time for them to be
// preprocessed again.
func (c *controller) keepBirths(ctx context.Context, batch []spoor.Prepared) error {
	until := time.Now().Add(c.preprocess)
	for _, p := range batch {
		birth, ok := c.births[p.Tag]
		delete(c.births, p.Tag)
		m, err := msgOf(p.NewID)
		if !ok || err != nil {
			continue
		}
		for {
			waiting, err := c.shelves.todo.has(m)
			if err != nil || !waiting || time.Now().After(until) {
				break
			}
			if err := sleep(ctx, c.pause); err != nil {
				return err
			}
		}
		if err := c.setBirth(m, birth); err != nil {
			return err
		}
	}
	return nil
}

func (c *controller) setBirth(m msg, birth time.Time) error {
	waiting, err := c.shelves.todo.has(m)
	d := c.shelves.info.of(m.id)
	if err != nil || waiting || d == nil {
		return err
	}
	return absent(d.SetTimes(m.name, birth, birth))
}
