package remedy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"spoor"
)

// recordSuffix ends the name of what a plan has to remember beside its messages.
const recordSuffix = ".record"

// SaveRecord puts what a plan has to remember on disk, whole or not at all.
func (s *State) SaveRecord(plan string, record []byte) error {
	name := plan + recordSuffix
	temporary := "new-" + name
	if err := s.plans.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("write record: %w", err)
	}
	f, err := s.plans.Create(temporary, 0o600)
	if err != nil {
		return fmt.Errorf("write record: %w", err)
	}
	if _, err = f.Write(record); err == nil {
		err = f.Sync()
	}
	_ = f.Close()
	if err == nil {
		err = s.plans.Rename(temporary, s.plans, name)
	}
	if err == nil {
		err = s.plans.Sync()
	}
	if err != nil {
		return fmt.Errorf("write record: %w", err)
	}
	return nil
}

// Record reads back what a plan has to remember. It returns ErrNoPlan where there
// is nothing.
func (s *State) Record(plan string) ([]byte, error) {
	if !ValidPlanID(plan) {
		return nil, fmt.Errorf("%q: %w", plan, ErrNoPlan)
	}
	f, err := s.plans.Open(plan + recordSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s has no record: %w", plan, ErrNoPlan)
	}
	if err != nil {
		return nil, fmt.Errorf("read record: %w", err)
	}
	defer func() { _ = f.Close() }()
	record, err := io.ReadAll(f)
	if err != nil {
		return nil, fmt.Errorf("read record: %w", err)
	}
	return record, nil
}

// Once carries out a plan that is one step, not one for each message. do must be
// idempotent: it is called again where an earlier run was cut off.
func (w *Work) Once(ctx context.Context, p *spoor.Plan, do func(ctx context.Context) error) (*spoor.Receipt, error) {
	past := w.State.Journal.Of(p.ID)
	receipt := past.Receipt(p.Action)
	receipt.Plan, receipt.Undoable = p.ID, undoable(p.Action)
	if past.Finished {
		return receipt, nil
	}
	if err := w.announce(p, past); err != nil {
		return receipt, err
	}
	if err := do(ctx); err != nil {
		// Whether it was done in part is for the next run to find out.
		receipt.Failure = err.Error()
		return receipt, err
	}
	receipt.Time = w.Now().UTC()
	if err := w.State.Journal.Write(Record{Time: receipt.Time, Plan: p.ID, Event: EventFinished}); err != nil {
		return receipt, err
	}
	return receipt, w.undone(p, receipt)
}

// Abandon ends a plan of which nothing was done.
func (w *Work) Abandon(p *spoor.Plan, cause error) error {
	return w.State.Journal.Write(Record{Time: w.Now().UTC(), Plan: p.ID, Event: EventFailed, Error: cause.Error()})
}
