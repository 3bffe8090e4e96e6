package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/mta"
	"spoor/internal/remedy"
)

// finished is a plan that was cut off, and what came of it.
type finished struct {
	plan    *spoor.Plan
	receipt *spoor.Receipt
}

// finishCutOff finishes the plans whose runs were cut off, before another one is
// made: it has to see the queue and the vault as they will be, and what is beside
// the queue no selector finds. A plan that is only to be shown finishes nothing.
func (o *options) finishCutOff(ctx context.Context, s *server, f *changeFlags) ([]finished, error) {
	cut, err := o.cutOff(s)
	if err != nil || len(cut) == 0 {
		return nil, err
	}
	if f.dryRun {
		for _, plan := range cut {
			fmt.Fprintf(o.env.Err, "spoor: %s is not finished: the next command that changes something finishes it first\n", plan)
		}
		return nil, nil
	}
	if err := o.answerable(f); err != nil {
		return nil, err
	}
	var list []finished
	err = o.underLock(s, func(state *remedy.State, top *disk.Dir) (err error) {
		list, err = o.finishOld(ctx, s, state, top)
		return err
	})
	return list, err
}

// cutOff are the plans whose runs were cut off, or still go on: that is known only
// once the lock is taken.
func (o *options) cutOff(s *server) ([]string, error) {
	top, err := disk.Open(s.root.Dir(), nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = top.Close() }()
	parent, name, err := o.statePlace(top)
	if err != nil {
		return nil, err
	}
	if parent != top {
		defer func() { _ = parent.Close() }()
	}
	state, err := remedy.LookState(parent, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, unusable(err)
	}
	defer state.Close()
	var plans []string
	for _, past := range state.Journal.Unfinished() {
		plans = append(plans, past.Plan)
	}
	return plans, nil
}

// finishOld finishes the plans whose runs were cut off, with the lock taken, and
// starts what they have left stopped.
func (o *options) finishOld(ctx context.Context, s *server, state *remedy.State, top *disk.Dir) (list []finished, err error) {
	if s.adapter.Recover != nil {
		defer func() {
			err = errors.Join(err, s.adapter.Recover(ctx, s.mtaServer(), mta.Control{Top: top, Live: s.root.Live(), Run: programs{}, State: state.Dir()}))
		}()
	}
	for _, past := range state.Journal.Unfinished() {
		p, err := state.Plan(past.Plan)
		if err != nil {
			return nil, err
		}
		if err := o.sameServer(s, p.Root, "plan "+p.ID+" was cut off"); err != nil {
			return nil, err
		}
		if p.MTA != s.adapter.Name {
			return nil, refuse("plan "+p.ID+" was cut off and is of "+p.MTA, "it has to be finished first", o.spoor("--mta "+p.MTA+" undo "+p.ID))
		}
		fmt.Fprintf(o.env.Err, "spoor: finishing %s, which was cut off\n", p.ID)
		receipt, err := o.finish(ctx, s, state, top, p)
		if err != nil {
			return nil, o.unfinished(p, err)
		}
		fmt.Fprintf(o.env.Err, "spoor: %s is finished: %s\n", p.ID, cameTo(p, receipt))
		list = append(list, finished{p, receipt})
	}
	return list, nil
}

// shownDone is how many steps were done, of those with words.
func shownDone(receipt *spoor.Receipt) (done int) {
	for i := range receipt.Steps {
		if receipt.Steps[i].What != "" && receipt.Steps[i].Result == spoor.ResultDone {
			done++
		}
	}
	return done
}

// cameTo says how much of a plan was done.
func cameTo(p *spoor.Plan, receipt *spoor.Receipt) string {
	words := fmt.Sprintf("%d of %d messages", receipt.Done, receipt.Total())
	switch {
	case p.Action.Stepwise() && len(p.Targets) == 0:
		return fmt.Sprintf("%d of %d steps", shownDone(receipt), spoor.Shown(p.Steps))
	case p.Action.Stepwise():
		return fmt.Sprintf("%d of %d steps, %s", shownDone(receipt), spoor.Shown(p.Steps), words)
	}
	return words
}

// unfinished is the problem that a plan cannot be finished, which every later change
// waits for.
func (o *options) unfinished(p *spoor.Plan, err error) error {
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("finish %s: %w", p.ID, err)
	}
	problem := &spoor.Problem{
		What: fmt.Sprintf("finish %s: %v", p.ID, err), Err: err,
		So: "nothing else was changed: every message of it is in the queue, in the vault or beside the queue, and the next run goes on",
	}
	problem.Try = o.spoor("journal abandon -n " + p.ID)
	if oneStep(p.Action.String()) {
		problem.So = "nothing else was changed, and the next run goes on with it"
	}
	return problem
}

// finish does the rest of one plan.
func (o *options) finish(ctx context.Context, s *server, state *remedy.State, top *disk.Dir, p *spoor.Plan) (*spoor.Receipt, error) {
	switch p.Action {
	case spoor.ActionFreeze, spoor.ActionThaw:
		return o.finishOnce(ctx, s, state, top, p)
	case spoor.ActionRebuild:
		return o.finishRebuild(ctx, s, state, top, p)
	default:
		return o.work(ctx, s, &remedy.Work{State: state, Now: o.env.Now}, top, p)
	}
}

// sameServer refuses work on a plan of another tree: there its messages look as if
// they had gone, and what it was about to put back as if that were done. Only a
// state folder that was named can be of several trees; the default one moves with
// its own.
func (o *options) sameServer(s *server, root, what string) error {
	if o.state == "" || root == s.root.Dir() {
		return nil
	}
	return refuse(what+" and is of the server below "+root, "nothing was changed", "")
}

// tookBack is the receipt of a plan that was finished just now and is what undo was
// asked for: to take it back in turn would be to do again what it undid.
func tookBack(list []finished, args []string) *spoor.Receipt {
	for _, one := range list {
		if one.plan.Undoes != "" && (len(args) == 0 || one.plan.Undoes == args[0]) {
			return one.receipt
		}
	}
	return nil
}
