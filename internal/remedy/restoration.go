package remedy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	"spoor"
	"spoor/internal/vault"
)

// restoration moves messages from the vault to the queue.
type restoration struct {
	work   *Work
	plan   string
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
	fresh    bool // prepared by this run: the vault does not know of it
}

// do moves one batch. What is prepared is recorded in the vault before it is
// published: a repeated run publishes the same files again, never others, so that
// no recipient gets a second copy.
func (r *restoration) do(ctx context.Context, batch []spoor.Target, span span) ([]spoor.Outcome, error) {
	outcomes := make([]spoor.Outcome, len(batch))
	list, err := r.prepare(ctx, batch, span, outcomes)
	if err == nil {
		err = r.record(list)
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
	ready := map[stored]spoor.Prepared{}
	for i := range batch {
		entry, outcome, err := r.look(&batch[i])
		if err != nil {
			return nil, err
		}
		outcomes[i] = outcome
		if entry == nil {
			continue
		}
		one := waiting{place: i, entry: *entry, prepared: entry.Mark.Prepared}
		key := stored{entry.Plan, entry.Sequence}
		if prepared, twice := ready[key]; twice {
			one.prepared = prepared
		} else if entry.Mark.Fate != vault.FateRestoring {
			one.fresh = true
			if one.prepared, err = r.prepareOne(ctx, entry, tagOf(span.from+i)); err != nil {
				outcomes[i] = failed(err)
				continue
			}
		}
		ready[key] = one.prepared
		list = append(list, one)
	}
	return list, nil
}

// stored names a message of the vault.
type stored struct {
	plan     string
	sequence uint64
}

// errMark is returned for a message of which it is not known any more under which
// ID it was to return: it may be in the queue.
var errMark = errors.New("what the vault noted when it was put back is damaged: it may be in the queue already")

// errGivenUp is returned for a message that another plan has begun to put back: its
// files are in that plan's holding place, or in the queue.
var errGivenUp = errors.New("was given up: the message may be in the queue already")

// look finds a message in the vault. The entry is nil for one that needs no more,
// or cannot be put back. The error is one of the vault.
func (r *restoration) look(t *spoor.Target) (*vault.Entry, spoor.Outcome, error) {
	v, err := r.vault(t.Vault)
	if err != nil {
		return nil, spoor.Outcome{}, err
	}
	entry, ok, err := v.Look(t.ID, t.Arrived)
	switch {
	case errors.Is(err, vault.ErrBroken):
		return nil, spoor.Outcome{}, err
	case err != nil:
		return nil, failed(err), nil
	case !ok || entry.Mark.Fate == vault.FateVoid || entry.Mark.Fate == vault.FatePurged:
		return nil, spoor.Outcome{Result: spoor.ResultGone, Err: errors.New("it is not in the vault")}, nil
	case entry.Mark.Fate == vault.FateRestored:
		return nil, spoor.Outcome{NewID: entry.Mark.NewID}, nil
	case entry.Mark.Fate == vault.FateRestoring && entry.Mark.By != "" && entry.Mark.By != r.plan:
		return nil, failed(fmt.Errorf("plan %s was putting it back and %w", entry.Mark.By, errGivenUp)), nil
	case entry.Mark.Fate == vault.FateRestoring && entry.Mark.Prepared.Tag == "":
		return nil, failed(errMark), nil
	}
	return &entry, spoor.Outcome{}, nil
}

func (r *restoration) prepareOne(ctx context.Context, entry *vault.Entry, tag string) (spoor.Prepared, error) {
	parcel, err := r.work.State.Vault.Parcel(*entry)
	if err != nil {
		return spoor.Prepared{}, err
	}
	prepared, err := r.work.Controller.Prepare(ctx, tag, parcel)
	if err != nil {
		// A disk that refused one call may take the next ones: nothing is to be left.
		prepared.Tag = tag
		err = errors.Join(err, r.work.Controller.Withdraw(ctx, []spoor.Prepared{half(entry, prepared)}))
	}
	return prepared, err
}

// tagOf names what is prepared of a message of the plan.
func tagOf(index int) string { return "m" + strconv.Itoa(index) }

// half is what may have been prepared of a message.
func half(entry *vault.Entry, known spoor.Prepared) spoor.Prepared {
	return spoor.Prepared{Tag: known.Tag, OldID: entry.ID, NewID: cmp.Or(known.NewID, entry.ID), Folder: cmp.Or(known.Folder, entry.Folder)}
}

// record notes in the vault what is prepared, and only when that is on disk:
// whoever finds the note publishes, and takes what is not there for published.
func (r *restoration) record(list []waiting) error {
	if err := r.work.Controller.Settle(); err != nil {
		return fmt.Errorf("write messages beside the queue: %w", err)
	}
	for i := range list {
		one := &list[i]
		if !one.fresh {
			continue
		}
		mark := vault.Mark{Fate: vault.FateRestoring, Prepared: one.prepared, Time: r.work.Now().UTC(), By: r.plan}
		if err := r.vaults[one.entry.Plan].Mark(one.entry.Ref, mark); err != nil {
			return fmt.Errorf("write the vault: %w", err)
		}
	}
	return r.syncVaults()
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

// syncVaults makes durable what the vault says of the messages.
func (r *restoration) syncVaults() error {
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
	var unknown error
	for i := range list {
		one := &list[i]
		if results[i].Result == spoor.ResultFailed && one.maybeThere(results[i].Err) {
			unknown = errors.Join(unknown, fmt.Errorf("put message %s into the queue: %w", one.prepared.OldID, results[i].Err))
			continue
		}
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
	if err := r.syncVaults(); err != nil {
		return err
	}
	return errors.Join(unknown, r.work.Controller.Withdraw(ctx, back))
}

// maybeThere reports whether a message may be in the queue although publishing it
// failed: an earlier run may have published it, and the disk does not tell. The
// next run asks again.
func (w *waiting) maybeThere(err error) bool {
	var disk *fs.PathError
	return !w.fresh && errors.As(err, &disk)
}
