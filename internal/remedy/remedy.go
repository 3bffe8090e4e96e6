package remedy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"spoor"
	"spoor/internal/vault"
)

// Controller is what this package needs of an MTA; mta.Controller, which says
// what each method promises.
type Controller interface {
	Take(ctx context.Context, batch []spoor.Target) ([]spoor.Outcome, error)
	Pack(t *spoor.Target) (*spoor.Parcel, error)
	Discard(ctx context.Context, batch []spoor.Target) ([]spoor.Outcome, error)
	PutBack(ctx context.Context, batch []spoor.Target) ([]spoor.Outcome, error)
	Prepare(ctx context.Context, tag string, p *spoor.Parcel) (spoor.Prepared, error)
	Settle() error
	Publish(ctx context.Context, batch []spoor.Prepared) ([]spoor.Outcome, error)
	Withdraw(ctx context.Context, batch []spoor.Prepared) error
	Hold(ctx context.Context, batch []spoor.Target) ([]spoor.Outcome, error)
	Release(ctx context.Context, batch []spoor.Target) ([]spoor.Outcome, error)
	Retry(ctx context.Context, batch []spoor.Target) ([]spoor.Outcome, error)
}

// Work carries plans out.
type Work struct {
	State      *State
	Controller Controller
	Steps      Steps  // of plans that have some; nil for others
	Sender     Sender // of plans that hand messages to sendmail; nil for others
	Now        func() time.Time
	// Progress is told how many messages are finished, of how many; nil for nobody.
	Progress func(done, total int)
	// BatchSize is how many messages are between two records of the journal; 0 means
	// DefaultBatch.
	BatchSize int
}

// DefaultBatch makes the syncs of a batch cost little beside its messages. An
// interrupt has to wait for the end of a batch: some seconds, on a slow disk.
const DefaultBatch = 4000

// Propose gives a plan its ID and puts it on disk. Nothing else is changed, and
// it is in the journal only when Apply begins.
func (w *Work) Propose(p *spoor.Plan) error {
	id, err := w.State.newID(p.Time, p.Action)
	if err != nil {
		return err
	}
	p.ID = id
	return w.State.savePlan(p)
}

// Apply carries out a plan that was proposed, or does the rest of one that was
// cut off. The receipt counts what earlier runs did, too. The error is what
// stopped the plan before its end; then every message is in the queue or in the
// vault, or, where even that could not be done, the plan stays unfinished in the
// journal and Apply can be called again.
func (w *Work) Apply(ctx context.Context, p *spoor.Plan) (*spoor.Receipt, error) {
	past := w.State.Journal.Of(p.ID)
	if past.Finished {
		return past.Receipt(p.Action), nil
	}
	receipt := past.Receipt(p.Action)
	receipt.Plan, receipt.Undoable = p.ID, undoable(p.Action)
	if err := w.announce(p, past); err != nil {
		return receipt, err
	}
	err := w.carryOut(ctx, p, past, receipt)
	receipt.Time = w.Now().UTC()
	if err != nil {
		return receipt, w.fail(p, receipt, err)
	}
	end := Record{Time: receipt.Time, Plan: p.ID, Event: EventFinished}
	end.words(&spoor.Receipt{Done: receipt.Done, SkippedBy: receipt.SkippedBy})
	if err := w.State.Journal.Write(end); err != nil {
		return receipt, err
	}
	return receipt, w.undone(p, receipt)
}

// undone tells of the plan that this one has taken back.
func (w *Work) undone(p *spoor.Plan, receipt *spoor.Receipt) error {
	if p.Undoes == "" || p.StepsOnly || !takenBack(receipt) {
		return nil
	}
	return w.State.Journal.Write(Record{Time: receipt.Time, Plan: p.Undoes, Event: EventUndone, UndoneBy: p.ID})
}

// takenBack reports whether an undo has left nothing to be tried again.
func takenBack(r *spoor.Receipt) bool {
	return r.SkippedBy[spoor.ResultFailed]+r.SkippedBy[spoor.ResultBusy]+r.SkippedBy[spoor.ResultChanged] == 0 &&
		r.StepsDone() == len(r.Steps)
}

// undoable reports whether an action has an inverse. What retry causes is a
// delivery, and nobody can call that back.
func undoable(action spoor.Action) bool { return action != spoor.ActionRetry }

// announce writes the first record of a plan, or of another run of it.
func (w *Work) announce(p *spoor.Plan, past *Past) error {
	if past.Planned {
		return w.State.Journal.Write(Record{Time: w.Now().UTC(), Plan: p.ID, Event: EventResumed})
	}
	return w.State.Journal.Write(Record{
		Time: w.Now().UTC(), Plan: p.ID, Event: EventPlanned, Action: p.Action.String(), MTA: p.MTA, Host: p.Host,
		Root: p.Root, By: p.By, Reason: p.Reason, Selector: p.Selector, Undoes: p.Undoes, Messages: len(p.Targets),
		Steps: spoor.Shown(p.Steps), Expires: p.Expires,
	})
}

// stopped is an error that leaves a batch unfinished: the next run has to go on.
type stopped struct{ err error }

func (s *stopped) Error() string { return s.err.Error() }
func (s *stopped) Unwrap() error { return s.err }

// fail ends a plan whose error left nothing half-done.
func (w *Work) fail(p *spoor.Plan, receipt *spoor.Receipt, cause error) error {
	receipt.Failure = cause.Error()
	var half *stopped
	if errors.As(cause, &half) {
		return cause
	}
	end := Record{Time: receipt.Time, Plan: p.ID, Event: EventFailed, Error: cause.Error()}
	end.words(&spoor.Receipt{Done: receipt.Done, SkippedBy: receipt.SkippedBy})
	return errors.Join(cause, w.State.Journal.Write(end))
}

// carryOut does steps and messages: first nothing more may come, then what has come
// is taken away; on the way back the other way round.
func (w *Work) carryOut(ctx context.Context, p *spoor.Plan, past *Past, receipt *spoor.Receipt) error {
	if p.Action != spoor.ActionUndo {
		if err := w.doSteps(ctx, p, past, receipt); err != nil {
			return err
		}
	}
	if len(p.Targets) > 0 || !p.Action.Stepwise() {
		if err := w.batches(ctx, p, past, receipt); err != nil {
			return err
		}
	}
	if p.Action == spoor.ActionUndo {
		return w.undoSteps(ctx, p, past, receipt)
	}
	return nil
}

// batches goes through the targets that no earlier run has finished.
func (w *Work) batches(ctx context.Context, p *spoor.Plan, past *Past, receipt *spoor.Receipt) error {
	step, err := w.stepOf(p)
	if err != nil {
		return err
	}
	defer step.close()
	for _, span := range past.spans(len(p.Targets), w.batchSize(p)) {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("interrupted after %d of %d messages: %w", receipt.Total(), len(p.Targets), err)
		}
		if err := w.batch(ctx, p, step, span, receipt); err != nil {
			return err
		}
		w.tell(span.to, len(p.Targets))
	}
	return nil
}

func (w *Work) batchSize(p *spoor.Plan) int {
	if p.Action == spoor.ActionShimRelease {
		return 1 // each is journalled before it is sent and after that
	}
	if w.BatchSize > 0 {
		return w.BatchSize
	}
	return DefaultBatch
}

func (w *Work) tell(done, total int) {
	if w.Progress != nil {
		w.Progress(done, total)
	}
}

// batch does one batch between its records.
func (w *Work) batch(ctx context.Context, p *spoor.Plan, step step, span span, receipt *spoor.Receipt) error {
	targets := p.Targets[span.from:span.to]
	if !span.begun {
		if err := w.State.Journal.Write(Record{Time: w.Now().UTC(), Plan: p.ID, Event: EventBegin, From: span.from, To: span.to}); err != nil {
			return err // nothing was touched
		}
	}
	// An interrupt does not cut a batch in two: what was begun is finished.
	outcomes, cause := step.do(context.WithoutCancel(ctx), targets, span)
	if outcomes == nil {
		return &stopped{cause}
	}
	part := &spoor.Receipt{}
	for i := range targets {
		part.Count(&targets[i], outcomes[i])
		receipt.Count(&targets[i], outcomes[i])
	}
	done := Record{Time: w.Now().UTC(), Plan: p.ID, Event: EventDone, From: span.from, To: span.to}
	done.words(part)
	if effective(p) == spoor.ActionRestore {
		done.PutBack = putBack(targets, outcomes)
	}
	if err := w.State.Journal.Write(done); err != nil {
		return &stopped{errors.Join(cause, err)}
	}
	return cause
}

// putBack are the IDs that restored messages have in the queue.
func putBack(targets []spoor.Target, outcomes []spoor.Outcome) []string {
	var ids []string
	for i := range targets {
		if outcomes[i].Result == spoor.ResultDone {
			ids = append(ids, string(cmp.Or(outcomes[i].NewID, targets[i].ID)))
		}
	}
	return ids
}

// step is what an action does to a batch. outcomes is nil where the batch was left
// in a state that the next run has to resolve; else it has one for each target,
// and err is what keeps later batches from being done.
type step interface {
	do(ctx context.Context, batch []spoor.Target, span span) (outcomes []spoor.Outcome, err error)
	close()
}

func (w *Work) stepOf(p *spoor.Plan) (step, error) {
	switch action := effective(p); action {
	case spoor.ActionRemove:
		out, err := w.State.Vault.Append(p.ID)
		if err != nil {
			return nil, fmt.Errorf("open the vault: %w", err)
		}
		return &removal{work: w, plan: p, vault: out}, nil
	case spoor.ActionRestore:
		return &restoration{work: w, plan: p.ID, vaults: map[string]*vault.Writer{}}, nil
	case spoor.ActionHold:
		return native(w.Controller.Hold), nil
	case spoor.ActionRelease:
		return native(w.Controller.Release), nil
	case spoor.ActionRetry:
		return native(w.Controller.Retry), nil
	case spoor.ActionShimRelease:
		return &handover{restoration: restoration{work: w, plan: p.ID, vaults: map[string]*vault.Writer{}}, again: p.Again}, nil
	default:
		return nil, fmt.Errorf("%s is not done message by message", p.Action)
	}
}

// effective is what an action comes to on an MTA that has none of that name.
func effective(p *spoor.Plan) spoor.Action {
	switch {
	case p.ThroughVault && p.Action == spoor.ActionHold:
		return spoor.ActionRemove
	case p.ThroughVault && p.Action == spoor.ActionRelease:
		return spoor.ActionRestore
	case p.Action == spoor.ActionUndo:
		return spoor.ActionRestore
	case p.Action.Stepwise():
		return spoor.ActionRemove
	}
	return p.Action
}

// native is an action that the MTA itself does, atomically and idempotently.
type native func(ctx context.Context, batch []spoor.Target) ([]spoor.Outcome, error)

// do leaves nothing half-done: where the MTA refuses as a whole, the plan ends, and
// no later one has to wait for it.
func (n native) do(ctx context.Context, batch []spoor.Target, _ span) ([]spoor.Outcome, error) {
	outcomes, err := n(ctx, batch)
	if outcomes == nil && err != nil {
		outcomes = make([]spoor.Outcome, len(batch))
		for i := range outcomes {
			outcomes[i] = failed(err)
		}
	}
	return outcomes, err
}

func (n native) close() {}
