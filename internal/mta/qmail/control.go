package qmail

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"sync/atomic"
	"time"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/mta"
)

// controller changes a queue. It implements mta.Controller.
//
// There are two ways. With qmail-send stopped it holds lock/sendmutex, the lock
// without which qmail-send does not start, and moves files. With qmail-send
// running it does what qmail-send itself does or expects of others: it marks
// recipients as done, and queues messages as qmail-queue(8) does. Envelope files
// are never removed under a running qmail-send: it remembers the number of the
// message, and would deliver the next one of that number twice.
type controller struct {
	queue   *Queue // control files, split
	shelves *shelves
	held    *holding
	mutex   *disk.File // lock/sendmutex, locked; nil where qmail-send runs
	live    bool       // /proc tells of the processes that work on the queue
	service *daemon    // the running qmail-send; nil where it does not run, or is not to be asked
	outage  *outage    // of a qmail-send that was stopped
	halt    bool       // it is to be stopped
	alone   bool       // no other spoor is at work on the queue
	users   systemUsers
	births  map[string]time.Time // of what Prepare wrote, by tag: when it was preprocessed
	known   [shardCount]map[uint64]known
	beside  companions  // nil where there is no list
	changed atomic.Bool // since the last Settle
	now     func() time.Time
	patience
}

// patience is how long a running qmail-send is waited for.
type patience struct {
	preprocess time.Duration // until it has preprocessed what waits in todo
	deliveries time.Duration // between the two looks at deliveries under way
	pause      time.Duration // between two questions
}

// systemUsers are the numbers of the users of files in the queue.
type systemUsers struct {
	queue, send int // UIDs of qmailq and qmails
	group       int // GID of both
	network     int // UIDs of callers that qmail-queue names instead of numbering them
	alias       int
}

// errNoUser is returned where passwd lacks a user of qmail.
var errNoUser = errors.New("passwd has no such user, and files of the queue must belong to it")

// openControl is Adapter.Control.
func openControl(s *mta.Server, c mta.Control) (mta.Controller, error) {
	q, err := Open(s.Root, s.Passwd, optionsOf(s))
	if errors.Is(err, ErrNoQueue) {
		return nil, errors.Join(err, mta.ErrNoQueue)
	}
	if err != nil {
		return nil, err
	}
	ctl := &controller{
		queue: q, live: c.Live, alone: c.State != nil, now: time.Now, births: map[string]time.Time{},
		patience: patience{preprocess: 5 * time.Second, deliveries: 400 * time.Millisecond, pause: 20 * time.Millisecond},
	}
	for i := range ctl.known {
		ctl.known[i] = map[uint64]known{}
	}
	if err := ctl.open(s, c); err != nil {
		return nil, errors.Join(err, ctl.closeAll())
	}
	return ctl, nil
}

func (c *controller) open(s *mta.Server, with mta.Control) (err error) {
	if c.users, err = usersOf(s); err != nil {
		return err
	}
	if c.shelves, err = openShelves(s.Root, with.Top, c.queue.tree); err != nil {
		return fmt.Errorf("open queue to change it: %w", err)
	}
	if c.held, err = newHolding(c.shelves.queue, with.Plan); err != nil {
		return err
	}
	if err := c.lock(); err != nil {
		return err
	}
	return c.serve(s, with)
}

// serve finds what runs qmail-send, and stops it if that is wanted.
func (c *controller) serve(s *mta.Server, with mta.Control) error {
	if !c.running() || !with.Live {
		return nil
	}
	dir, err := s.Root.Resolve(c.queue.tree.name)
	if err != nil {
		return fmt.Errorf("open queue to change it: %w", err)
	}
	ctx := context.Background() // an operator's interrupt must not leave it stopped
	if c.service, err = findService(ctx, with, dir); err != nil && with.Stop {
		return err
	}
	c.halt = with.Stop
	if !with.Stop || with.State == nil {
		return nil
	}
	if c.outage, err = interruptDelivery(ctx, c.service, with.State, with.Plan); err != nil {
		return err
	}
	return c.lock()
}

func usersOf(s *mta.Server) (u systemUsers, err error) {
	for login, uid := range map[string]*int{"qmailq": &u.queue, "qmails": &u.send, "qmaild": &u.network, "alias": &u.alias} {
		account, ok := s.Passwd.ByLogin(login)
		if !ok {
			return u, fmt.Errorf("%s: %w", login, errNoUser)
		}
		if *uid = account.UID; login == "qmails" {
			u.group = account.GID
		}
	}
	return u, nil
}

// lock takes lock/sendmutex as qmail-send.c does. Where qmail-send has it, it
// must be qmail-send that reads lock/trigger: another program with the mutex is
// moving files.
func (c *controller) lock() error {
	f, err := c.shelves.lock.OpenWrite("sendmutex")
	if err != nil {
		return fmt.Errorf("the mutex of qmail-send: %w", err)
	}
	err = f.Flock()
	if err == nil {
		c.mutex = f
		return nil
	}
	_ = f.Close()
	if !errors.Is(err, disk.ErrLocked) {
		return err
	}
	if !c.live {
		return fmt.Errorf("%w: lock/sendmutex is locked", mta.ErrRunning)
	}
	if err := c.shelves.lock.WritePipe("trigger", nil); err != nil {
		return fmt.Errorf("%w: lock/sendmutex is locked, but nobody reads lock/trigger: %w", mta.ErrRunning, err)
	}
	return nil
}

// pull tells qmail-send to look into todo, as triggerpull.c does. It looks there
// every 25 minutes anyway.
func (c *controller) pull() { _ = c.shelves.lock.WritePipe("trigger", []byte{0}) }

// running reports whether qmail-send works on the queue.
func (c *controller) running() bool { return c.mutex == nil }

// Settle implements mta.Controller.
func (c *controller) Settle() error {
	if !c.changed.Load() {
		return nil
	}
	if err := c.shelves.queue.SyncAll(); err != nil {
		return fmt.Errorf("sync the queue: %w", err)
	}
	c.changed.Store(false)
	return nil
}

// Hold implements mta.Controller: qmail has no such thing.
func (c *controller) Hold(context.Context, []spoor.Target) ([]spoor.Outcome, error) {
	return nil, mta.ErrUnsupported
}

// Release implements mta.Controller: qmail has no such thing.
func (c *controller) Release(context.Context, []spoor.Target) ([]spoor.Outcome, error) {
	return nil, mta.ErrUnsupported
}

// Retry implements mta.Controller. qmail-send can be told to try all messages, not
// some.
func (c *controller) Retry(ctx context.Context, batch []spoor.Target) ([]spoor.Outcome, error) {
	if err := c.Able(spoor.ActionRetry); err != nil {
		return nil, err
	}
	if err := c.service.alarm(ctx); err != nil {
		return failAll(len(batch), err), err
	}
	return make([]spoor.Outcome, len(batch)), nil
}

// Close implements mta.Controller.
func (c *controller) Close() error {
	var err error
	if c.alone {
		err = c.sweepStrays()
	}
	return errors.Join(err, c.held.tidy(), c.closeAll())
}

// resume starts a qmail-send that was stopped. The mutex is free by now.
func (c *controller) resume() error {
	var err error
	if c.outage != nil {
		err = c.outage.end(context.Background())
		c.outage = nil
	}
	if c.service != nil {
		err = errors.Join(err, c.service.close())
		c.service = nil
	}
	return err
}

func (c *controller) closeAll() error {
	var errs []error
	if c.held != nil {
		errs = append(errs, c.held.close())
	}
	if c.shelves != nil {
		errs = append(errs, c.shelves.close())
	}
	if c.mutex != nil {
		errs = append(errs, c.mutex.Close())
	}
	errs = append(errs, c.resume())
	return errors.Join(append(errs, c.queue.Close())...)
}

// messageOf is Adapter.Message: mess holds the message as it is.
func messageOf(p *spoor.Parcel) (io.ReadCloser, error) {
	f, ok := p.File(roleMess)
	if !ok {
		return nil, fmt.Errorf("message %s: %w", p.ID, errNoContent)
	}
	content, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("message %s: %w", p.ID, err)
	}
	return content, nil
}

var errNoContent = errors.New("its content is not there")

// errIdle is why a queue that nobody works on attempts nothing.
var errIdle = fmt.Errorf("qmail-send does not run here, and nothing can be tried: %w", mta.ErrUnsupported)

// Able implements mta.Controller.
func (c *controller) Able(action spoor.Action) error {
	if action == spoor.ActionRetry && (c.service == nil || !c.running()) {
		return errIdle
	}
	return nil
}

// Explain implements mta.Controller.
func (c *controller) Explain(action spoor.Action) []string {
	if err := c.Able(action); err != nil {
		return []string{err.Error()}
	}
	if c.halt {
		return append(c.service.explain(), c.explainStopped(action)...)
	}
	switch action {
	case spoor.ActionRemove:
		if c.running() {
			return []string{
				"qmail-send runs: recipients are marked as done, and qmail-send ends the messages itself at their next attempt, without a bounce",
				"what can be undone is in " + c.held.name() + " until it is in the vault; an undo queues the messages anew, with new numbers",
				"deliveries under way go on: an undo leaves their recipients out",
			}
		}
		return append([]string{"qmail-send does not run, and is kept from starting meanwhile"}, c.explainStopped(action)...)
	case spoor.ActionRestore:
		if c.running() {
			return []string{"qmail-send runs: messages are queued as qmail-queue does, for the recipients that were not done, with new numbers"}
		}
		return append([]string{"qmail-send does not run, and is kept from starting meanwhile"}, c.explainStopped(action)...)
	case spoor.ActionRetry:
		return []string{"qmail-send can be told to try every message now, not some of them"}
	case spoor.ActionHold, spoor.ActionRelease:
		return []string{"qmail cannot hold a message in its queue: it is kept in the vault instead"}
	default:
		return nil
	}
}

// explainStopped is how it is done while qmail-send does not run.
func (c *controller) explainStopped(action spoor.Action) []string {
	switch action {
	case spoor.ActionRemove, spoor.ActionHold:
		return []string{"the files of the messages are moved beside the queue, to " + path.Dir(c.held.name()) + ", and stored in the vault; nothing is bounced"}
	case spoor.ActionRestore, spoor.ActionRelease:
		return []string{"messages return with all their files, under new numbers"}
	default:
		return nil
	}
}

// failAll is one outcome for each element of a batch that was not reached.
func failAll(n int, err error) []spoor.Outcome {
	all := make([]spoor.Outcome, n)
	for i := range all {
		all[i] = failed(err)
	}
	return all
}

func failed(err error) spoor.Outcome { return spoor.Outcome{Result: spoor.ResultFailed, Err: err} }
