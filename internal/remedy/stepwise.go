package remedy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"spoor"
	"spoor/internal/disk"
)

// Steps is what this package needs to change a server outside its queue;
// measure.Server, which says what each method promises. records is a folder of the
// step's own in the state folder.
type Steps interface {
	Do(ctx context.Context, step *spoor.Step, records *disk.Dir) (remark string, err error)
	Undo(ctx context.Context, step *spoor.Step, records *disk.Dir) (remark string, err error)
	Renew(ctx context.Context, step *spoor.Step, records *disk.Dir) (remark string, err error)
	Retime(step *spoor.Step, records *disk.Dir) (same bool, err error)
}

// doSteps does what no earlier run has done. Where a step cannot be done that the
// others need, all are taken back, so that the server is as it was.
func (w *Work) doSteps(ctx context.Context, p *spoor.Plan, past *Past, receipt *spoor.Receipt) error {
	if past.rollback {
		return w.rollBack(ctx, p, past, receipt, errors.New(past.rollbackWhy))
	}
	for i := range p.Steps {
		if past.step(i).done {
			continue
		}
		err := ctx.Err() // an interrupt does not cut a step in two
		if err == nil {
			err = w.doStep(context.WithoutCancel(ctx), p, past, i)
		}
		var half *stopped
		if errors.As(err, &half) {
			return err
		}
		if err != nil {
			return w.rollBack(ctx, p, past, receipt, err)
		}
		receipt.Steps = past.stepOutcomes()
	}
	return nil
}

// doStep does one step between its records.
func (w *Work) doStep(ctx context.Context, p *spoor.Plan, past *Past, i int) error {
	step := &p.Steps[i]
	if !past.step(i).begun {
		if err := w.note(past, Record{Plan: p.ID, Event: EventStep, Step: i + 1, What: step.What}); err != nil {
			return err // nothing was touched
		}
	}
	remark, err := w.withRecords(p.ID, i, func(records *disk.Dir) (string, error) { return w.Steps.Do(ctx, step, records) })
	done := Record{Plan: p.ID, Event: EventStepDone, Step: i + 1, What: step.What, Result: spoor.ResultDone.String(), Remark: remark}
	if err != nil {
		if !step.Optional {
			return fmt.Errorf("%s: %w", step.What, err)
		}
		if _, back := w.withRecords(p.ID, i, func(records *disk.Dir) (string, error) { return w.Steps.Undo(ctx, step, records) }); back != nil {
			return fmt.Errorf("%s: %w", step.What, errors.Join(err, back))
		}
		done.Result, done.Error = spoor.ResultFailed.String(), err.Error()
	}
	if err := w.note(past, done); err != nil {
		return &stopped{err}
	}
	return nil
}

// note writes a record, and lets past know of it.
func (w *Work) note(past *Past, r Record) error {
	r.Time = w.Now().UTC()
	if err := w.State.Journal.Write(r); err != nil {
		return err
	}
	past.add(&r)
	return nil
}

// withRecords opens the folder in which a step keeps what was there before.
func (w *Work) withRecords(plan string, number int, do func(records *disk.Dir) (string, error)) (string, error) {
	records, err := w.State.stepRecords(plan, number)
	if err != nil {
		return "", fmt.Errorf("open the records of the step: %w", err)
	}
	defer func() { _ = records.Close() }()
	return do(records)
}

func (s *State) stepRecords(plan string, number int) (*disk.Dir, error) {
	here := s.dir
	for _, name := range []string{stepsName, plan, strconv.Itoa(number)} {
		next, err := here.MakeDir(name, 0o700)
		if err == nil {
			err = here.Sync()
		}
		if here != s.dir {
			_ = here.Close()
		}
		if err != nil {
			return nil, err
		}
		here = next
	}
	return here, nil
}

// rollBack takes back what was begun, the last first. What cannot be taken back is
// told, and can be by an undo later. It returns cause.
func (w *Work) rollBack(ctx context.Context, p *spoor.Plan, past *Past, receipt *spoor.Receipt, cause error) error {
	if !past.rollback {
		if err := w.note(past, Record{Plan: p.ID, Event: EventRollback, Error: cause.Error()}); err != nil {
			return &stopped{errors.Join(cause, err)}
		}
	}
	for i := len(p.Steps) - 1; i >= 0; i-- {
		if s := past.step(i); !s.begun || s.undone {
			continue
		}
		back := Record{Plan: p.ID, Event: EventStepUndone, Step: i + 1, What: p.Steps[i].What}
		if err := w.undoStep(ctx, &p.Steps[i], spoor.StepRef{Plan: p.ID, Number: i}, &back); err != nil {
			return &stopped{errors.Join(cause, err)}
		}
		past.add(&back)
	}
	receipt.Steps = past.stepOutcomes()
	return cause
}

// undoStep takes one step back, and writes what came of it. The error is one of the
// journal.
func (w *Work) undoStep(ctx context.Context, step *spoor.Step, of spoor.StepRef, record *Record) error {
	remark, err := w.withRecords(of.Plan, of.Number, func(records *disk.Dir) (string, error) {
		heir, err := w.State.heir(step, of)
		switch {
		case err != nil:
			return "", err
		case heir != nil:
			return "it stays, since " + heir.Plan + " needs it too", w.State.inherit(records, of, *heir)
		}
		return w.Steps.Undo(context.WithoutCancel(ctx), step, records)
	})
	if err == nil && step.Edit != nil {
		err = w.retime(step, of)
	}
	record.Time, record.Result, record.Remark = w.Now().UTC(), spoor.ResultDone.String(), remark
	switch {
	case errors.Is(err, spoor.ErrConflict):
		record.Result, record.Error = spoor.ResultChanged.String(), err.Error()
	case err != nil:
		record.Result, record.Error = spoor.ResultFailed.String(), err.Error()
	}
	return w.State.Journal.Write(*record)
}

// retime gives a file its times from before the first of several plans that have changed
// it and were taken back in another order, if it has the content from before that too.
func (w *Work) retime(step *spoor.Step, of spoor.StepRef) error {
	this := w.State.Journal.Of(of.Plan)
	plans := w.State.Journal.Plans()
	meanwhile := map[string]bool{} // was taken back: what was before this one began has no part in it
	for _, past := range plans {
		meanwhile[past.Record.Undoes] = meanwhile[past.Record.Undoes] || !past.Start.Before(this.Start)
	}
	for _, past := range slices.Backward(plans) {
		if past.Plan == of.Plan || past.Record.Root != this.Record.Root || !meanwhile[past.Plan] {
			continue
		}
		p, err := w.State.Plan(past.Plan)
		if errors.Is(err, ErrNoPlan) || errors.Is(err, ErrPlanDamaged) {
			continue
		}
		if err != nil {
			return err
		}
		for i := range p.Steps {
			if other := &p.Steps[i]; other.Edit == nil || other.Edit.Path != step.Edit.Path || !past.step(i).begun {
				continue
			}
			same := false
			_, err := w.withRecords(p.ID, i, func(records *disk.Dir) (_ string, err error) {
				same, err = w.Steps.Retime(&p.Steps[i], records)
				return "", err
			})
			if err != nil || same {
				return err
			}
		}
	}
	return nil
}

// undoSteps takes back steps of another plan. One that cannot be taken back does
// not stop the others: the undo can be called for again.
func (w *Work) undoSteps(ctx context.Context, p *spoor.Plan, past *Past, receipt *spoor.Receipt) error {
	for i := range p.Steps {
		if past.step(i).done {
			continue
		}
		step := &p.Steps[i]
		if step.Of == nil {
			return fmt.Errorf("%s: %w: it is not said which step is taken back", p.ID, ErrPlanDamaged)
		}
		if !past.step(i).begun {
			if err := w.note(past, Record{Plan: p.ID, Event: EventStep, Step: i + 1, What: step.What}); err != nil {
				return &stopped{err}
			}
		}
		done := Record{Plan: p.ID, Event: EventStepDone, Step: i + 1, What: step.What, Of: step.Of}
		if err := w.undoStep(ctx, step, *step.Of, &done); err != nil {
			return &stopped{err}
		}
		past.add(&done)
		receipt.Steps = past.stepOutcomes()
	}
	return nil
}

// Inverse is a plan that takes back the steps of another one which are not taken
// back yet, the last first. It has no targets.
func (s *State) Inverse(past *Past, p *spoor.Plan) *spoor.Plan {
	back := &spoor.Plan{Action: spoor.ActionUndo, Undoes: p.ID}
	for _, i := range slices.Backward(s.Journal.StepsLeft(past)) {
		if i >= len(p.Steps) {
			continue
		}
		step := p.Steps[i]
		step.Of = &spoor.StepRef{Plan: p.ID, Number: i}
		if subject := step.Subject(); step.What != "" && step.Inverse != "" {
			step.What = step.Inverse
			if subject != "" {
				step.What = subject + ": " + step.Inverse
			}
		}
		back.Steps = append(back.Steps, step)
	}
	return back
}

// Renew does again what other things than spoor may have ended of plans that are in
// force: firewalls are empty after a restart, upgrades replace programs. The error
// tells what could not be done; nothing is changed by half. Plans of another root than
// this one are another server's.
func (w *Work) Renew(ctx context.Context, root string) error {
	var problems error
	for _, past := range w.State.Journal.InForce() {
		left := w.State.Journal.StepsLeft(past)
		p, err := w.State.Plan(past.Plan)
		if err != nil {
			problems = errors.Join(problems, err)
			continue
		}
		if p.Root != root {
			continue
		}
		for _, i := range left {
			if i >= len(p.Steps) {
				continue
			}
			_, err := w.withRecords(p.ID, i, func(records *disk.Dir) (string, error) { return w.Steps.Renew(ctx, &p.Steps[i], records) })
			if err != nil {
				problems = errors.Join(problems, fmt.Errorf("%s of %s: %w", p.Steps[i].What, p.ID, err))
			}
		}
	}
	return problems
}

// InForce are the plans whose steps are still done, oldest first. One is not of which
// nothing is left but steps that an undo has found changed by somebody else: what they
// did is not there any more, and to try again is for people (see Left).
func (j *Journal) InForce() []*Past {
	return slices.DeleteFunc(j.Left(), func(p *Past) bool {
		return !slices.ContainsFunc(j.StepsLeft(p), func(number int) bool { return !j.overtaken(p.Plan, number) })
	})
}

// Left are the plans of which steps are not taken back, oldest first: those in force,
// and those that somebody else has overtaken, whose undo can be tried again. What was
// let go is not of them.
func (j *Journal) Left() []*Past {
	return slices.DeleteFunc(j.Plans(), func(p *Past) bool {
		action, ok := spoor.ParseAction(p.Action)
		return !ok || !action.Stepwise() || action == spoor.ActionUndo || !p.Finished || p.LetGo || p.UndoneBy != "" || len(j.StepsLeft(p)) == 0
	})
}
