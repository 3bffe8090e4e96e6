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
	vault *vault.Writer // nil after a reopening that failed
	span  span          // of the batch
}

func (r *removal) close() {
	if r.vault != nil {
		_ = r.vault.Close()
	}
}

// do moves one batch: out of the MTA's reach, into the vault, off the disk of the
// queue. Until it is in the vault a message can go back; after that it can be
// discarded. A repeated run finds in the vault what was stored.
func (r *removal) do(ctx context.Context, batch []spoor.Target, span span) ([]spoor.Outcome, error) {
	r.span = span
	outcomes, cause := r.work.Controller.Take(ctx, batch)
	if outcomes == nil {
		return nil, fmt.Errorf("take messages out of the queue: %w", cause)
	}
	// The names in the holding place are on disk before anything rests on them.
	if err := r.work.Controller.Settle(); err != nil {
		return nil, errors.Join(cause, err)
	}
	if err := r.settle(ctx, batch, span, outcomes); err != nil {
		return nil, errors.Join(cause, err)
	}
	taken, err := r.store(ctx, batch, outcomes)
	if err != nil {
		cause = errors.Join(cause, err)
		if taken, err = r.retreat(ctx, batch, outcomes, cause); err != nil {
			return nil, err
		}
	}
	if err := r.work.State.Journal.Write(Record{Time: r.work.Now().UTC(), Plan: r.plan.ID, Event: EventStored, From: span.from, To: span.to}); err != nil {
		return nil, errors.Join(cause, err)
	}
	if err := r.discard(ctx, batch, taken, outcomes); err != nil {
		return nil, errors.Join(cause, err)
	}
	return outcomes, cause
}

// settle makes sure that what could not be taken is in the queue: an error can
// come behind the step that decides, or hide what an earlier run has taken. Where
// that fails, or where nobody can tell whether the copy in the vault is the only
// one, the next run has to go on.
func (r *removal) settle(ctx context.Context, batch []spoor.Target, span span, outcomes []spoor.Outcome) error {
	for i := range batch {
		o := outcomes[i]
		if o.Result != spoor.ResultFailed || !span.begun && !errors.Is(o.Err, spoor.ErrUnsettled) {
			continue
		}
		why := fmt.Errorf("take message %s out of the queue: %w", batch[i].ID, o.Err)
		if _, stored := r.vault.Find(batch[i].ID, batch[i].Arrived); stored {
			return why
		}
		if err := r.putBack(ctx, chosen{batch[i : i+1], []int{i}}, outcomes, why); err != nil {
			return err
		}
	}
	return nil
}

// store puts what was taken into the vault, and returns its places in the batch.
// A message that cannot be read goes back to the queue by itself. The error is
// one of the vault: nothing more can be stored.
func (r *removal) store(ctx context.Context, batch []spoor.Target, outcomes []spoor.Outcome) (taken []int, err error) {
	var fresh []int
	for i := range batch {
		stored, err := r.known(&batch[i], &outcomes[i])
		switch {
		case err != nil:
			return nil, err
		case outcomes[i].Result != spoor.ResultDone:
		case stored:
			taken = append(taken, i)
		default:
			fresh = append(fresh, i)
		}
	}
	results, err := r.storeAll(batch, fresh)
	if err != nil {
		return nil, err
	}
	for n, i := range fresh {
		if results[n] == nil {
			taken = append(taken, i)
		} else if err := r.putBack(ctx, chosen{batch[i : i+1], []int{i}}, outcomes, results[n]); err != nil {
			return nil, err
		}
	}
	return taken, r.vault.Sync()
}

// known reports whether an earlier run has stored a message, and corrects what
// the queue says of it.
func (r *removal) known(t *spoor.Target, o *spoor.Outcome) (stored bool, err error) {
	entry, stored := r.vault.Find(t.ID, t.Arrived)
	if !stored {
		return false, nil
	}
	gone := o.Result == spoor.ResultGone || o.Result == spoor.ResultChanged
	switch {
	case gone && r.span.stored:
		*o = spoor.Outcome{} // the run was cut off after it had discarded it
	case gone, o.Result == spoor.ResultBusy:
		// Nothing was discarded yet, or it is in the queue: somebody has put it back,
		// and it is on its way. What is stored is a copy.
		err = r.vault.Mark(entry.Ref, vault.Mark{Fate: vault.FateVoid, Time: r.work.Now().UTC()})
	}
	return true, err
}

// retreat ends a batch that cannot be stored whole. What is not in the vault for
// sure is first taken out of it, so that it has no copy of what is in the queue,
// and then goes back there. It returns the places of what the vault has.
func (r *removal) retreat(ctx context.Context, batch []spoor.Target, outcomes []spoor.Outcome, cause error) (taken []int, err error) {
	if err := r.reopen(); err != nil {
		return nil, errors.Join(cause, fmt.Errorf("take back what was not stored whole: %w", err))
	}
	var back chosen
	for i := range batch {
		stored, err := r.known(&batch[i], &outcomes[i])
		switch {
		case err != nil:
			return nil, errors.Join(cause, err)
		case outcomes[i].Result != spoor.ResultDone:
		case stored:
			taken = append(taken, i)
		default:
			back.targets, back.places = append(back.targets, batch[i]), append(back.places, i)
		}
	}
	if err := r.vault.Sync(); err != nil {
		return nil, errors.Join(cause, err)
	}
	return taken, r.putBack(ctx, back, outcomes, cause)
}

// reopen goes back to what was in the vault for sure.
func (r *removal) reopen() error {
	v := r.vault
	r.vault = nil
	if err := v.Abandon(); err != nil {
		return err
	}
	v, err := r.work.State.Vault.Append(r.plan.ID)
	if err == nil {
		r.vault = v
	}
	return err
}

// done counts the recipients who have got a message.
func done(envelope []spoor.Recipient) (count int) {
	for i := range envelope {
		if envelope[i].Done {
			count++
		}
	}
	return count
}

// putBack returns messages to the queue that are not in the vault. Where one
// cannot be returned, the next run has to go on.
func (r *removal) putBack(ctx context.Context, back chosen, outcomes []spoor.Outcome, cause error) error {
	if len(back.targets) == 0 {
		return nil
	}
	results, err := r.work.Controller.PutBack(ctx, back.targets)
	if err == nil {
		err = r.work.Controller.Settle()
	}
	if err != nil {
		return errors.Join(cause, fmt.Errorf("put messages back into the queue: %w", err))
	}
	for i, at := range back.places {
		if results[i].Result != spoor.ResultDone && results[i].Result != spoor.ResultGone {
			return errors.Join(cause, fmt.Errorf("put message %s back into the queue: %w", back.targets[i].ID, results[i].Err))
		}
		outcomes[at] = spoor.Outcome{Result: spoor.ResultFailed, NewID: results[i].NewID, Err: cause}
	}
	return nil
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
