package exim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"time"

	"spoor"
	"spoor/internal/mta"
)

// Take implements mta.Controller. No lock is kept: a process of Exim's that opened
// the -D file before and locks it afterwards finds no -H file, and gives up.
func (c *Controller) Take(ctx context.Context, batch []spoor.Target) ([]spoor.Outcome, error) {
	return together(ctx, batch, c.take)
}

func (c *Controller) take(t *spoor.Target) spoor.Outcome {
	if err := c.target(t); err != nil {
		return failed(err)
	}
	for _, at := range spots(t) {
		out, found := c.takeFrom(at, t)
		if found {
			return out
		}
	}
	at, ok, err := c.taken(t)
	switch {
	case err != nil:
		return failed(err)
	case !ok:
		return spoor.Outcome{Result: spoor.ResultGone}
	}
	return outcome(c.tidyTaken(at, t.ID))
}

// spots are where a message may be, its own folder first: Exim looks in both,
// however split_spool_directory is set now.
func spots(t *spoor.Target) [2]spot {
	if at := spotOf(t.ID, t.Folder); at != flat {
		return [2]spot{at, flat}
	}
	return [2]spot{flat, splitSpot(t.ID)}
}

// takeFrom takes a message from a spot. found is false if it is not there.
func (c *Controller) takeFrom(at spot, t *spoor.Target) (out spoor.Outcome, found bool) {
	from, ok, err := c.spoolSide(t.ID, at)
	if err != nil {
		return failed(err), true
	}
	if !ok {
		return out, false
	}
	held, err := from.lock(len(t.ID))
	if err != nil {
		return outcome(err), true
	}
	defer unlock(held)
	r := c.reader()
	defer c.readers.Put(r)
	err = r.identify(&from, t)
	if errors.Is(err, fs.ErrNotExist) {
		return out, false
	}
	if err != nil {
		return outcome(err), true
	}
	to, err := c.shelfSide(t.ID, at.shelf(), "")
	if err != nil {
		return failed(err), true
	}
	m := &move{from: &from, to: &to, held: held}
	out = c.shelve(m)
	if out.Result == spoor.ResultDone && out.Err == nil {
		c.known.add(t.ID, m.shelved(at))
	}
	return out, true
}

// shelve moves a message out of the spool.
func (c *Controller) shelve(m *move) spoor.Outcome {
	err := m.link(data)
	if !m.made[data] && (err == nil || errors.Is(err, mta.ErrChanged)) {
		m.both[data] = false
		err = emptyShelf(m.to)
	}
	if err == nil {
		err = m.decide()
	}
	if errors.Is(err, fs.ErrNotExist) { // somebody removed it by hand
		return outcomeGone(emptyShelf(m.to))
	}
	if err != nil {
		return outcome(errors.Join(err, c.retreat(m)))
	}
	return tidied(m.finish())
}

func outcomeGone(err error) spoor.Outcome { return spoor.Outcome{Result: spoor.ResultGone, Err: err} }

// emptyShelf removes what an interrupted run has left on a shelf of a message that
// is in the spool: its journal may be another one by now. Where -D could be put
// there, nothing was left.
func emptyShelf(s *side) error {
	there, err := s.has()
	if there {
		return fmt.Errorf("it is in the holding place and in the spool: %w", mta.ErrChanged)
	}
	if err != nil {
		return err
	}
	return s.clear()
}

// retreat removes what a move that did not come to its end has left at its goal.
func (c *Controller) retreat(m *move) error {
	if there, err := m.from.has(); err != nil || !there {
		return err
	}
	return tidy(m.to, m.from)
}

// tidied is the outcome of a move that is decided: names that could not be removed
// are removed by the next step, and hurt nobody.
func tidied(err error) spoor.Outcome {
	out := done()
	out.Err = err
	return out
}

// identify reads the -H file and compares the message with the target. The size of
// its header can change, by rewriting, and so can the inode, with each attempt.
// IDs are not used again; with the time of arrival, which Exim keeps to the
// microsecond, no other message can be taken for it.
func (r *headerReader) identify(s *side, t *spoor.Target) error {
	text, err := readHeader(s[header], r.text)
	if err != nil {
		return err
	}
	r.text = text
	_ = r.header.parse(text, string(t.ID)) // a damaged one can be taken too
	if !r.header.arrived(t.ID).Equal(t.Arrived) {
		return fmt.Errorf("%s: %w", t.ID, mta.ErrChanged)
	}
	return nil
}

// arrived is the time of arrival, as a scan tells it.
func (h *spoolHeader) arrived(id spoor.QueueID) time.Time {
	if h.received.IsZero() {
		return idTime(string(id))
	}
	return h.received
}

// readHeader reads a -H file into a buffer, which may be nil.
func readHeader(f file, buffer []byte) ([]byte, error) {
	if f.dir == nil {
		return nil, fs.ErrNotExist
	}
	open, err := f.dir.Open(f.name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = open.Close() }()
	if buffer = buffer[:cap(buffer)]; len(buffer) == 0 {
		buffer = make([]byte, headBytes)
	}
	for got := 0; ; {
		n, err := open.ReadAt(buffer[got:], int64(got))
		got += n
		switch {
		case errors.Is(err, io.EOF):
			return buffer[:got], nil
		case err != nil:
			return nil, err
		case got > headerBytes:
			return nil, fmt.Errorf("%s: over %d bytes: no header is as long", open.Name(), headerBytes)
		}
		buffer = slices.Concat(buffer, make([]byte, 3*len(buffer)))
	}
}

// taken finds a message in the holding place.
func (c *Controller) taken(t *spoor.Target) (at spot, ok bool, err error) {
	for _, at := range spots(t) {
		s, err := c.shelfSide(t.ID, at.shelf(), "")
		if err != nil {
			return 0, false, err
		}
		if ok, err := s.has(); ok || err != nil {
			return at, ok, err
		}
	}
	return 0, false, nil
}

// tidyTaken removes the names in the spool of a message that is in the holding
// place.
func (c *Controller) tidyTaken(at spot, id spoor.QueueID) error {
	left, ok, err := c.spoolSide(id, at)
	if err != nil || !ok {
		return err
	}
	now, err := c.shelfSide(id, at.shelf(), "")
	if err != nil {
		return err
	}
	return tidy(&left, &now)
}

// Discard implements mta.Controller.
func (c *Controller) Discard(ctx context.Context, batch []spoor.Target) ([]spoor.Outcome, error) {
	return together(ctx, batch, func(t *spoor.Target) spoor.Outcome { return outcome(c.discard(t)) })
}

func (c *Controller) discard(t *spoor.Target) error {
	if err := valid(t.ID); err != nil {
		return err
	}
	if known, ok := c.known.of(t.ID); ok {
		return c.discardKnown(t.ID, known)
	}
	at, ok, err := c.taken(t)
	if err != nil {
		return err
	}
	if !ok {
		return c.sweep(t)
	}
	s, err := c.shelfSide(t.ID, at.shelf(), "")
	if err != nil {
		return err
	}
	if !s.tidied() {
		if err := c.tidyTaken(at, t.ID); err != nil {
			return err
		}
	}
	if err := s.clear(); err != nil {
		return err
	}
	return s[header].remove()
}

// discardKnown removes what this run has put on the shelf.
func (c *Controller) discardKnown(id spoor.QueueID, known shelved) error {
	s, err := c.shelfSide(id, known.at.shelf(), "")
	if err != nil {
		return err
	}
	for _, r := range append(lastData[:], header) {
		if !known.has[r] {
			continue
		}
		if err := s[r].remove(); err != nil {
			return err
		}
	}
	c.known.forget(id)
	return nil
}

// sweep removes what is left in the holding place of a message whose -H file is
// not there: names of files that the spool has, or had when the message was
// delivered.
func (c *Controller) sweep(t *spoor.Target) error {
	for _, at := range spots(t) {
		s, err := c.shelfSide(t.ID, at.shelf(), "")
		if err != nil {
			return err
		}
		queued, ok, err := c.spoolSide(t.ID, at)
		if err != nil {
			return err
		}
		if ok {
			if ok, err = queued.has(); err != nil {
				return err
			}
		}
		if ok {
			err = tidy(&s, &queued)
		} else {
			err = s.clear()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// PutBack implements mta.Controller.
func (c *Controller) PutBack(ctx context.Context, batch []spoor.Target) ([]spoor.Outcome, error) {
	return together(ctx, batch, c.putBack)
}

func (c *Controller) putBack(t *spoor.Target) spoor.Outcome {
	if err := valid(t.ID); err != nil {
		return failed(err)
	}
	c.known.forget(t.ID)
	at, ok, err := c.taken(t)
	if err != nil {
		return failed(err)
	}
	if !ok {
		return c.wasPutBack(t)
	}
	s, err := c.shelfSide(t.ID, at.shelf(), "")
	if err != nil {
		return failed(err)
	}
	return c.queue(&s, t.ID, at)
}

// wasPutBack ends what an earlier run has begun.
func (c *Controller) wasPutBack(t *spoor.Target) spoor.Outcome {
	if err := c.sweep(t); err != nil {
		return failed(err)
	}
	for _, at := range spots(t) {
		queued, ok, err := c.spoolSide(t.ID, at)
		if err != nil {
			return failed(err)
		}
		if !ok {
			continue
		}
		if ok, err = queued.has(); err != nil {
			return failed(err)
		}
		if ok {
			return done()
		}
	}
	return spoor.Outcome{Result: spoor.ResultGone}
}

// queue moves a message from a shelf into the spool. The lock keeps Exim from
// deleting, for want of a -H file, what is there already.
func (c *Controller) queue(from *side, id spoor.QueueID, at spot) spoor.Outcome {
	if err := c.build(at); err != nil {
		return failed(err)
	}
	to, ok, err := c.spoolSide(id, at)
	if err != nil {
		return failed(err)
	}
	if !ok {
		return failed(fmt.Errorf("%s: %w", at.within("input"), fs.ErrNotExist))
	}
	held, err := from.lock(len(id))
	if err != nil {
		return outcome(err)
	}
	defer unlock(held)
	m := &move{from: from, to: &to, held: held}
	if err := m.decide(); err != nil {
		return outcome(errors.Join(err, c.retreat(m)))
	}
	return tidied(m.finish())
}
