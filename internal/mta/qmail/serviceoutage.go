package qmail

import (
	"context"
	"errors"
	"time"

	"spoor/internal/disk"
	"spoor/internal/guard"
	"spoor/internal/mta"
)

// outage is a qmail-send that spoor has stopped and will start again: it, or its
// guard if it is killed, or the next run, which finds the record.
type outage struct {
	daemon *daemon
	guard  *guard.Guard
	state  *disk.Dir // where the record is; may be nil
}

// interruptDelivery stops qmail-send. The record is durable, and the guard there,
// before. If it cannot be stopped it is started again, and the error is that of
// stopping it, and of starting it if that failed too. state may be nil.
func interruptDelivery(ctx context.Context, d *daemon, state *disk.Dir, plan string) (*outage, error) {
	o := &outage{daemon: d, state: state}
	if state != nil {
		err := guard.WriteStopped(state, guard.Stopped{What: "qmail-send", Start: d.startBy, Plan: plan, Time: time.Now().UTC()})
		if err != nil {
			return nil, err
		}
	}
	var err error
	if o.guard, err = guard.Start(ctx, d.startBy, d.send.pid); err != nil {
		return nil, errors.Join(err, o.forget())
	}
	if err = d.stop(ctx); err == nil {
		return o, nil
	}
	if errors.Is(err, errDown) { // somebody else stopped it, and has reasons
		return nil, errors.Join(err, o.guard.Release(), o.forget())
	}
	// The operator's context may have ended; qmail-send must not stay stopped.
	again, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.settle)
	defer cancel()
	return nil, errors.Join(err, o.end(again))
}

// end starts qmail-send again. If that fails, the guard stays and tries once more
// when this process ends, and the record stays for the next run.
func (o *outage) end(ctx context.Context) error {
	if err := o.daemon.start(ctx); err != nil {
		return err
	}
	return errors.Join(o.guard.Release(), o.forget())
}

func (o *outage) forget() error {
	if o.state == nil {
		return nil
	}
	return guard.RemoveStopped(o.state)
}

// endOutage starts what an earlier run has stopped, as it has recorded it, and
// removes the record. It does nothing to a qmail-send that runs. The caller holds
// the lock of the state directory and not that of the queue.
func endOutage(ctx context.Context, control mta.Control, queueDir string, state *disk.Dir) error {
	stopped, found, err := guard.ReadStopped(state)
	if err != nil || !found || len(stopped.Start) == 0 {
		return err
	}
	if !control.Live {
		return mta.ErrUnsupported
	}
	m, err := openMutex(control.Top, queueDir)
	if err != nil {
		return err
	}
	d := &daemon{mutex: m, run: control.Run, timing: defaultTiming(), keeper: keeper{
		startBy: stopped.Start, spawn: true, hand: byHand(stopped.Start),
	}}
	defer func() { _ = d.close() }()
	if err := d.start(ctx); err != nil {
		return err
	}
	return guard.RemoveStopped(state)
}
