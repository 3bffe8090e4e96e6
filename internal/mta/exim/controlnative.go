package exim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/mta"
)

const (
	// markAtOnce is how many messages one exim -Mf or -Mt gets: thousands of IDs
	// would fit on a command line, but nothing is seen before it has ended.
	markAtOnce = 500
	// retryAtOnce is how many one exim -M gets. It delivers one after another and
	// waits for each, for minutes where a host does not answer, and must not be
	// killed: between two calls an operator can stop it.
	retryAtOnce = 20
)

// errNoProgram is returned where there is no exim to be asked.
var errNoProgram = errors.New("no exim in " + strings.Join(programs[:], ", ") + " or exim_path")

// sighting is how a message is found in the spool.
type sighting struct {
	at     spot
	frozen bool
}

// look reads a message of the spool. It returns mta.ErrGone or mta.ErrChanged.
func (c *Controller) look(t *spoor.Target) (sighting, error) {
	if err := c.target(t); err != nil {
		return sighting{}, err
	}
	r := c.reader()
	defer c.readers.Put(r)
	for _, at := range spots(t) {
		s, ok, err := c.spoolSide(t.ID, at)
		if err != nil {
			return sighting{}, err
		}
		if !ok {
			continue
		}
		err = r.identify(&s, t)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return sighting{at, r.header.frozen}, err
	}
	return sighting{}, gone(t.ID)
}

// busy reports whether somebody holds the lock of a message.
func (c *Controller) busy(t *spoor.Target, at spot) bool {
	s, ok, err := c.spoolSide(t.ID, at)
	if err != nil || !ok {
		return false
	}
	held, err := s.lock(len(t.ID))
	unlock(held)
	return errors.Is(err, disk.ErrLocked)
}

// Hold implements mta.Controller: exim -Mf. Exim has no other way to hold.
func (c *Controller) Hold(ctx context.Context, batch []spoor.Target) ([]spoor.Outcome, error) {
	return c.mark(ctx, batch, true)
}

// Release implements mta.Controller: exim -Mt, which attempts no delivery.
func (c *Controller) Release(ctx context.Context, batch []spoor.Target) ([]spoor.Outcome, error) {
	return c.mark(ctx, batch, false)
}

func (c *Controller) mark(ctx context.Context, batch []spoor.Target, frozen bool) ([]spoor.Outcome, error) {
	if !c.control.Live {
		return each(ctx, batch, func(t *spoor.Target) spoor.Outcome { return c.rewrite(t, frozen) })
	}
	order := native{option: "-Mt", atOnce: markAtOnce}
	if frozen {
		order.option = "-Mf"
	}
	order.before = func(t *spoor.Target) (spoor.Outcome, bool) {
		now, err := c.look(t)
		return sought(err), err == nil && now.frozen != frozen
	}
	order.after = func(t *spoor.Target, a answer) spoor.Outcome {
		now, err := c.look(t)
		switch {
		case err != nil || now.frozen == frozen:
			return sought(err)
		case strings.Contains(a.of(t.ID), " is locked") || c.busy(t, now.at):
			return outcome(mta.ErrBusy)
		}
		return failed(fmt.Errorf("exim %s: %w: %s", order.option, cmp.Or(a.err, errLeft), a.of(t.ID)))
	}
	return c.ask(ctx, batch, order)
}

// errHeld is why a frozen message is not sent: exim -M would thaw it.
var errHeld = errors.New("is held: release it first")

// Retry implements mta.Controller: exim -M. Done is what Exim attempted; the log
// says what came of it.
func (c *Controller) Retry(ctx context.Context, batch []spoor.Target) ([]spoor.Outcome, error) {
	if !c.control.Live {
		return nil, errCopy
	}
	order := native{option: "-M", atOnce: retryAtOnce}
	order.before = func(t *spoor.Target) (spoor.Outcome, bool) {
		now, err := c.look(t)
		switch {
		case err != nil:
			return sought(err), false
		case now.frozen:
			return failed(errHeld), false
		case c.busy(t, now.at):
			return outcome(mta.ErrBusy), false
		}
		return done(), true
	}
	order.after = func(t *spoor.Target, a answer) spoor.Outcome {
		now, err := c.look(t)
		switch {
		case err == nil && c.busy(t, now.at):
			return outcome(mta.ErrBusy)
		case err == nil && a.err != nil:
			return failed(fmt.Errorf("exim -M: %w: %s", a.err, a.of("")))
		case errors.Is(err, mta.ErrGone):
			return done()
		}
		return sought(err)
	}
	return c.ask(ctx, batch, order)
}

// sought is the outcome of looking for a message.
func sought(err error) spoor.Outcome {
	if errors.Is(err, mta.ErrGone) {
		return spoor.Outcome{Result: spoor.ResultGone}
	}
	return outcome(err)
}

// native is what exim is to do with messages.
type native struct {
	option string
	atOnce int // how many messages one call gets
	// before decides whether exim is asked; out is the outcome if it is not.
	before func(t *spoor.Target) (out spoor.Outcome, wanted bool)
	// after looks what has come of it.
	after func(t *spoor.Target, a answer) spoor.Outcome
}

// answer is what a call of exim wrote, and how it ended: also with an error where
// one message of many was not as wanted.
type answer struct {
	output string
	err    error
}

// errLeft is said where exim says nothing and nothing has changed.
var errLeft = errors.New("it was left as it was")

// of is the line about a message, or the first one of all.
//
//	Message 1xWX71-0007GU-1z is locked
func (a answer) of(id spoor.QueueID) string {
	for line := range strings.Lines(a.output) {
		if strings.Contains(line, string(id)) {
			return strings.TrimSpace(line[:min(len(line), quotedBytes)])
		}
	}
	return ""
}

// ask runs exim for a batch, some messages in each call.
func (c *Controller) ask(ctx context.Context, batch []spoor.Target, order native) ([]spoor.Outcome, error) {
	outcomes := make([]spoor.Outcome, len(batch))
	for start := 0; start < len(batch); start += order.atOnce {
		err := ctx.Err()
		if err == nil && c.program == "" {
			err = errNoProgram
		}
		if err != nil {
			for i := start; i < len(batch); i++ {
				outcomes[i] = failed(err)
			}
			return outcomes, err
		}
		end := min(start+order.atOnce, len(batch))
		c.askOnce(ctx, batch[start:end], outcomes[start:end], order)
	}
	return outcomes, nil
}

func (c *Controller) askOnce(ctx context.Context, part []spoor.Target, outcomes []spoor.Outcome, order native) {
	args := []string{order.option}
	wanted := make([]bool, len(part))
	for i := range part {
		if outcomes[i], wanted[i] = order.before(&part[i]); wanted[i] {
			args = append(args, string(part[i].ID))
		}
	}
	if len(args) == 1 {
		return
	}
	// A delivery that is killed between the receiver's answer and the note of it is
	// made again: what has begun goes on to its end.
	output, err := c.control.Run.Run(context.WithoutCancel(ctx), nil, c.program, args...)
	for i := range part {
		if wanted[i] {
			outcomes[i] = order.after(&part[i], answer{string(output), err})
		}
	}
}
