package postfix

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/mta"
)

// controller changes the queues of one server. Of an instance that is stopped,
// or that is another machine's, it moves the files, while it holds the lock of
// master(8) so that Postfix cannot start. Of one that runs it lets postsuper(1)
// do it, and believes only what it then finds in the queue.
//
// A message that is taken is in the holding place, where nothing of Postfix looks.
// Of an instance that runs, postsuper has put it on hold before: what it does is to
// rename the file (hold_one() of postsuper.c), and no daemon looks into hold, so
// that it can be moved on from there.
//
// It implements mta.Controller.
type controller struct {
	control mta.Control
	spools  []*spool
	readers sync.Pool // of *reader
}

var (
	errUnreached = errors.New("not reached")
	errNotOurs   = errors.New("is not below a queue of Postfix here")
	errNotTaken  = errors.New("is in the queue: it was not taken, or somebody released it")
)

// openControl opens the queues to change them.
func openControl(s *mta.Server, conf Config, control mta.Control) (mta.Controller, error) {
	c := &controller{control: control}
	q := LogOnly(s.Root, conf)
	c.readers.New = func() any { return newReader(q, mta.Want{Addresses: true}, &spoor.Gaps{}) }
	for _, main := range conf.Mains {
		dir := path.Clean(main.Get("queue_directory"))
		if slices.ContainsFunc(c.spools, func(s *spool) bool { return s.dir == dir }) {
			continue
		}
		one, err := openSpool(s, main, control)
		if errors.Is(err, mta.ErrNoQueue) {
			continue
		}
		if err != nil {
			_ = c.Close()
			return nil, fmt.Errorf("%s: %w", dir, err)
		}
		c.spools = append(c.spools, one)
	}
	if len(c.spools) == 0 {
		return nil, mta.ErrNoQueue
	}
	return c, nil
}

// Close gives the locks back and removes what is empty of the holding places.
func (c *controller) Close() error {
	var errs []error
	for _, s := range c.spools {
		errs = append(errs, s.close())
	}
	c.spools = nil
	return errors.Join(errs...)
}

// Settle makes durable what was renamed and written.
func (c *controller) Settle() error {
	for _, s := range c.spools {
		if err := s.queue.SyncAll(); err != nil {
			return fmt.Errorf("%s: %w", s.dir, err)
		}
	}
	return nil
}

// task is a target with what becomes of it.
type task struct {
	*spoor.Target
	outcome *spoor.Outcome
}

func (t task) is(result spoor.Result, err error) {
	*t.outcome = spoor.Outcome{Result: result, Err: err}
}

// failed sorts an error into the outcome that it means.
func (t task) failed(err error) { *t.outcome = outcomeOf(err) }

func outcomeOf(err error) spoor.Outcome {
	result := spoor.ResultFailed
	switch {
	case err == nil:
		result = spoor.ResultDone
	case errors.Is(err, mta.ErrGone):
		result = spoor.ResultGone
	case errors.Is(err, mta.ErrChanged):
		result = spoor.ResultChanged
	case errors.Is(err, mta.ErrBusy):
		result = spoor.ResultBusy
	}
	return spoor.Outcome{Result: result, Err: err}
}

// stops reports whether an error is one that the next message would meet too.
func stops(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EROFS)
}

// act is one action on targets of one queue. Its error is one that stops all.
type act func(ctx context.Context, s *spool, tasks []task) error

// each divides a batch among the queues.
func (c *controller) each(ctx context.Context, batch []spoor.Target, do act) ([]spoor.Outcome, error) {
	outcomes := make([]spoor.Outcome, len(batch))
	tasks := make(map[*spool][]task, len(c.spools))
	for i := range batch {
		t := task{&batch[i], &outcomes[i]}
		s := c.spoolOf(t.Folder)
		switch {
		case s == nil:
			t.failed(fmt.Errorf("%s: %w", t.Folder, errNotOurs))
		case !isQueueID([]byte(t.ID)):
			t.failed(fmt.Errorf("%q is no queue ID: %w", t.ID, mta.ErrGone))
		default:
			t.failed(errUnreached)
			tasks[s] = append(tasks[s], t)
		}
	}
	for _, s := range c.spools {
		if len(tasks[s]) == 0 {
			continue
		}
		if err := do(ctx, s, tasks[s]); err != nil {
			return outcomes, err
		}
	}
	return outcomes, nil
}

// spoolOf is the queue that a folder belongs to, or nil.
func (c *controller) spoolOf(folder string) *spool {
	for _, s := range c.spools {
		if strings.HasPrefix(folder, s.dir+"/") {
			return s
		}
	}
	return nil
}

// divided acts on what lies in the holding place by moving files, and on the rest
// as the queue demands.
func divided(files, native act) act {
	return func(ctx context.Context, s *spool, tasks []task) error {
		if err := s.loadTaken(); err != nil {
			return err
		}
		var here, there []task
		for _, t := range tasks {
			if _, ok := s.taken.of(string(t.ID)); ok || !s.running {
				here = append(here, t)
			} else {
				there = append(there, t)
			}
		}
		if err := files(ctx, s, here); err != nil || len(there) == 0 {
			return err
		}
		return native(ctx, s, there)
	}
}

// Take implements mta.Controller.
func (c *controller) Take(ctx context.Context, batch []spoor.Target) ([]spoor.Outcome, error) {
	return c.each(ctx, batch, divided(oneByOne((*spool).takeFile), takeNative))
}

// Discard implements mta.Controller.
func (c *controller) Discard(ctx context.Context, batch []spoor.Target) ([]spoor.Outcome, error) {
	return c.each(ctx, batch, func(ctx context.Context, s *spool, tasks []task) error {
		if err := s.loadTaken(); err != nil {
			return err
		}
		return oneByOne((*spool).discardFile)(ctx, s, tasks)
	})
}

// PutBack implements mta.Controller.
func (c *controller) PutBack(ctx context.Context, batch []spoor.Target) ([]spoor.Outcome, error) {
	return c.each(ctx, batch, divided(oneByOne((*spool).putBackFile), putBackNative))
}

// Hold implements mta.Controller.
func (c *controller) Hold(ctx context.Context, batch []spoor.Target) ([]spoor.Outcome, error) {
	return c.each(ctx, batch, whereRunning(holdNative, oneByOne((*spool).holdFile)))
}

// Release implements mta.Controller.
func (c *controller) Release(ctx context.Context, batch []spoor.Target) ([]spoor.Outcome, error) {
	return c.each(ctx, batch, whereRunning(releaseNative, oneByOne((*spool).releaseFile)))
}

// Retry implements mta.Controller. A queue that is stopped attempts nothing.
func (c *controller) Retry(ctx context.Context, batch []spoor.Target) ([]spoor.Outcome, error) {
	return c.each(ctx, batch, whereRunning(retryNative, func(context.Context, *spool, []task) error {
		return errStopped
	}))
}

func whereRunning(native, files act) act {
	return func(ctx context.Context, s *spool, tasks []task) error {
		if s.running {
			return native(ctx, s, tasks)
		}
		return files(ctx, s, tasks)
	}
}

// pause waits, and reports whether the context lasts.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// disown makes an error of a name that is not there ErrGone, and one of a name that
// is no file ErrChanged.
func disown(err error) error {
	switch {
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%w: %w", mta.ErrGone, err)
	case errors.Is(err, syscall.ELOOP), errors.Is(err, disk.ErrNotRegular), errors.Is(err, syscall.ENXIO):
		return fmt.Errorf("%w: %w", mta.ErrChanged, err)
	}
	return err
}
