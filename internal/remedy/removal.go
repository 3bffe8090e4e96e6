package remedy

import (
	"context"
	"errors"
	"fmt"

	"spoor"
	"spoor/internal/vault"
)

// removal moves messages from the queue to the vault.
type removal struct {
	work  *Work
	plan  *spoor.Plan
	vault *vault.Writer
}

func (r *removal) close() { _ = r.vault.Close() }

// do moves one batch: out of the MTA's reach, into the vault, off the disk of the
// queue. Until it is in the vault a message can go back; after that it can be
// discarded. A repeated run finds in the vault what was stored.
func (r *removal) do(ctx context.Context, batch []spoor.Target, span span) ([]spoor.Outcome, error) {
	outcomes, cause := r.work.Controller.Take(ctx, batch)
	if outcomes == nil {
		return nil, fmt.Errorf("take messages out of the queue: %w", cause)
	}
	// The names in the holding place are on disk before anything rests on them.
	if err := r.work.Controller.Settle(); err != nil {
		return nil, errors.Join(cause, err)
	}
	taken, err := r.store(ctx, batch, outcomes)
	if err != nil {
		return r.putBack(ctx, batch, outcomes, errors.Join(cause, err))
	}
	if err := r.work.State.Journal.Write(Record{Time: r.work.Now().UTC(), Plan: r.plan.ID, Event: EventStored, From: span.from, To: span.to}); err != nil {
		return nil, errors.Join(cause, err)
	}
	if err := r.discard(ctx, batch, taken, outcomes); err != nil {
		return nil, errors.Join(cause, err)
	}
	return outcomes, cause
}

// store puts what was taken into the vault, and returns its places in the batch.
// A message that cannot be read goes back to the queue by itself. The error is
// one of the vault: nothing more can be stored.
func (r *removal) store(ctx context.Context, batch []spoor.Target, outcomes []spoor.Outcome) (taken []int, err error) {
	for i := range batch {
		t := &batch[i]
		_, stored := r.vault.Find(t.ID, t.Arrived)
		switch {
		case outcomes[i].Result == spoor.ResultGone && stored:
			outcomes[i] = spoor.Outcome{} // an earlier run was cut off after it had discarded it
			continue
		case outcomes[i].Result != spoor.ResultDone:
			continue
		case !stored:
			unreadable, err := r.storeOne(t)
			if err != nil {
				return nil, err
			}
			if unreadable != nil {
				if _, err := r.putBack(ctx, batch[i:i+1], outcomes[i:i+1], unreadable); !errors.Is(err, unreadable) || outcomes[i].Result == spoor.ResultDone {
					return nil, err
				}
				continue
			}
		}
		taken = append(taken, i)
	}
	return taken, r.vault.Sync()
}

// storeOne tells an error of the message from one of the vault.
func (r *removal) storeOne(t *spoor.Target) (unreadable, err error) {
	parcel, err := r.work.Controller.Pack(t)
	if err != nil {
		return fmt.Errorf("read message %s: %w", t.ID, err), nil
	}
	if parcel.CallerUID < 0 {
		parcel.CallerUID = t.UID
	}
	parcel.Target, parcel.MTA, parcel.StoredTime = *t, r.plan.MTA, r.work.Now().UTC()
	_, err = r.vault.Add(parcel)
	if errors.Is(err, vault.ErrSource) {
		return fmt.Errorf("read message %s: %w", t.ID, err), nil
	}
	if err != nil {
		return nil, fmt.Errorf("store message %s in the vault: %w", t.ID, err)
	}
	return nil, nil
}

// putBack returns a batch to the queue that could not be stored. What cannot be
// returned is left for the next run.
func (r *removal) putBack(ctx context.Context, batch []spoor.Target, outcomes []spoor.Outcome, cause error) ([]spoor.Outcome, error) {
	back := subset(batch, outcomes)
	results, err := r.work.Controller.PutBack(ctx, back.targets)
	if err == nil {
		err = r.work.Controller.Settle()
	}
	if err != nil {
		return nil, errors.Join(cause, fmt.Errorf("put messages back into the queue: %w", err))
	}
	for i, at := range back.places {
		if results[i].Result != spoor.ResultDone && results[i].Result != spoor.ResultGone {
			return nil, errors.Join(cause, fmt.Errorf("put message %s back into the queue: %w", batch[at].ID, results[i].Err))
		}
		outcomes[at] = spoor.Outcome{Result: spoor.ResultFailed, NewID: results[i].NewID, Err: cause}
		if err := r.void(&batch[at]); err != nil {
			return nil, errors.Join(cause, err)
		}
	}
	if err := r.vault.Sync(); err != nil {
		return nil, errors.Join(cause, err)
	}
	return outcomes, cause
}

// void tells the vault that a message stayed in the queue.
func (r *removal) void(t *spoor.Target) error {
	entry, ok := r.vault.Find(t.ID, t.Arrived)
	if !ok {
		return nil
	}
	return r.vault.Mark(entry.Ref, vault.Mark{Fate: vault.FateVoid, Time: r.work.Now().UTC()})
}

// discard removes from the queue's file system what is in the vault.
func (r *removal) discard(ctx context.Context, batch []spoor.Target, taken []int, outcomes []spoor.Outcome) error {
	targets := make([]spoor.Target, len(taken))
	for i, at := range taken {
		targets[i] = batch[at]
	}
	results, err := r.work.Controller.Discard(ctx, targets)
	if err == nil {
		err = r.work.Controller.Settle()
	}
	if err != nil {
		return fmt.Errorf("remove what is in the vault: %w", err)
	}
	for i, at := range taken {
		if results[i].Result != spoor.ResultDone {
			return fmt.Errorf("remove message %s, which is in the vault: %w", batch[at].ID, results[i].Err)
		}
		outcomes[at] = results[i]
	}
	return nil
}

// chosen are some targets of a batch, with their places in it.
type chosen struct {
	targets []spoor.Target
	places  []int
}

// subset are the targets that were handled as planned.
func subset(batch []spoor.Target, outcomes []spoor.Outcome) chosen {
	var c chosen
	for i := range batch {
		if outcomes[i].Result == spoor.ResultDone {
			c.targets, c.places = append(c.targets, batch[i]), append(c.places, i)
		}
	}
	return c
}
