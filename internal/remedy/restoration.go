package remedy

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"spoor"
	"spoor/internal/vault"
)

// restoration moves messages from the vault to the queue.
type restoration struct {
	work   *Work
	vaults map[string]*vault.Writer // by the plan that filled them
}

func (r *restoration) close() {
	for _, v := range r.vaults {
		_ = v.Close()
	}
}

// waiting is a message of a batch that is ready to be put into the queue.
type waiting struct {
	place    int // in the batch
	entry    vault.Entry
	prepared spoor.Prepared
}

// do moves one batch. What is prepared is recorded in the vault before it is
// published: a repeated run publishes the same files again, never others, so that
// no recipient gets a second copy.
func (r *restoration) do(ctx context.Context, batch []spoor.Target, span span) ([]spoor.Outcome, error) {
	outcomes := make([]spoor.Outcome, len(batch))
	list, err := r.prepare(ctx, batch, span, outcomes)
	if err == nil {
		err = r.settle()
	}
	if err != nil {
		return nil, err
	}
	if err := r.publish(ctx, list, outcomes); err != nil {
		return nil, err
	}
	return outcomes, nil
}

func (r *restoration) prepare(ctx context.Context, batch []spoor.Target, span span, outcomes []spoor.Outcome) ([]waiting, error) {
	var list []waiting
	for i := range batch {
		one, outcome, err := r.prepareOne(ctx, &batch[i], "m"+strconv.Itoa(span.from+i))
		if err != nil {
			return nil, err
		}
		outcomes[i] = outcome
		if one != nil {
			one.place = i
			list = append(list, *one)
		}
	}
	return list, nil
}

// prepareOne makes one message ready, or says what became of it. The error is one
// of the vault.
func (r *restoration) prepareOne(ctx context.Context, t *spoor.Target, tag string) (*waiting, spoor.Outcome, error) {
	v, err := r.vault(t.Vault)
	if err != nil {
		return nil, spoor.Outcome{}, err
	}
	entry, ok := v.Find(t.ID, t.Arrived)
	switch {
	case !ok || entry.Mark.Fate == vault.FateVoid || entry.Mark.Fate == vault.FatePurged:
		return nil, spoor.Outcome{Result: spoor.ResultGone, Err: errors.New("it is not in the vault")}, nil
	case entry.Mark.Fate == vault.FateRestored:
		return nil, spoor.Outcome{NewID: entry.Mark.NewID}, nil
	case entry.Mark.Fate == vault.FateRestoring:
		return &waiting{entry: entry, prepared: entry.Mark.Prepared}, spoor.Outcome{}, nil
	}
	parcel, err := r.work.State.Vault.Parcel(entry)
	if err != nil {
		return nil, failed(err), nil
	}
	prepared, err := r.work.Controller.Prepare(ctx, tag, parcel)
	if err != nil {
		return nil, failed(err), nil
	}
	if err := v.Mark(entry.Ref, vault.Mark{Fate: vault.FateRestoring, Prepared: prepared, Time: r.work.Now().UTC()}); err != nil {
		return nil, spoor.Outcome{}, err
	}
	return &waiting{entry: entry, prepared: prepared}, spoor.Outcome{}, nil
}

func failed(err error) spoor.Outcome { return spoor.Outcome{Result: spoor.ResultFailed, Err: err} }

func (r *restoration) vault(plan string) (*vault.Writer, error) {
	if v, ok := r.vaults[plan]; ok {
		return v, nil
	}
	v, err := r.work.State.Vault.Append(plan)
	if err != nil {
		return nil, fmt.Errorf("open the vault: %w", err)
	}
	r.vaults[plan] = v
	return v, nil
}

// settle makes durable what was prepared, and what the vault says of it.
func (r *restoration) settle() error {
	if err := r.work.Controller.Settle(); err != nil {
		return fmt.Errorf("write messages beside the queue: %w", err)
	}
	for _, v := range r.vaults {
		if err := v.Sync(); err != nil {
			return fmt.Errorf("write the vault: %w", err)
		}
	}
	return nil
}

func (r *restoration) publish(ctx context.Context, list []waiting, outcomes []spoor.Outcome) error {
	prepared := make([]spoor.Prepared, len(list))
	for i := range list {
		prepared[i] = list[i].prepared
	}
	results, err := r.work.Controller.Publish(ctx, prepared)
	if err != nil {
		return fmt.Errorf("put messages into the queue: %w", err)
	}
	if err := r.work.Controller.Settle(); err != nil {
		return fmt.Errorf("put messages into the queue: %w", err)
	}
	var back []spoor.Prepared
	for i := range list {
		one := &list[i]
		mark := vault.Mark{Fate: vault.FateRestored, NewID: one.prepared.NewID, Time: r.work.Now().UTC()}
		outcomes[one.place] = results[i]
		if results[i].Result == spoor.ResultDone {
			outcomes[one.place].NewID = one.prepared.NewID
		} else {
			mark = vault.Mark{Fate: vault.FateStored, Time: mark.Time}
			back = append(back, one.prepared)
		}
		if err := r.vaults[one.entry.Plan].Mark(one.entry.Ref, mark); err != nil {
			return fmt.Errorf("write the vault: %w", err)
		}
	}
	// What is withdrawn must be known to the vault as stored before: else the next
	// run would take it for published.
	if err := r.settle(); err != nil {
		return err
	}
	return r.work.Controller.Withdraw(ctx, back)
}
