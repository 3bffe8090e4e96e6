package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/spf13/cobra"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/mta"
	"spoor/internal/remedy"
	"spoor/internal/vault"
)

func undoCommand(o *options) *cobra.Command {
	f := &changeFlags{}
	cmd := &cobra.Command{
		Use:   "undo [PLAN]",
		Short: "take back what was changed",
		Long: `undo takes back a plan, by default the last one that was not taken back:
removed messages return to the queue with the marks of what was delivered, held
ones are released and released ones held. Of what "spoor shim release" has given to
sendmail it takes out of the queue what waits there still. What it does is a plan of
its own, with its own entry in the journal, and can be undone too, but by its name only:
without a PLAN, undo never does again what an undo has taken back. A stop that is done
again is planned anew, with the means that there are now.`,
		Example: `  spoor journal
  spoor undo
  spoor undo 20261126T101500-rm`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.undo(cmd.Context(), args, f) },
	}
	f.add(cmd)
	return cmd
}

func (o *options) undo(ctx context.Context, args []string, f *changeFlags) error {
	s, err := o.examine(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	before, err := o.finishCutOff(ctx, s, f)
	if err != nil {
		return err
	}
	if receipt := tookBack(before, args); receipt != nil {
		return o.finishedUndo(s, receipt)
	}
	past, p, err := o.inverseOf(ctx, s, args)
	if err != nil {
		return err
	}
	if p == nil {
		return o.undoOnce(ctx, s, past, f)
	}
	p.Host, p.Root, p.MTA, p.Undoes = s.host, s.root.Dir(), s.adapter.Name, past.Plan
	if len(p.Targets) == 0 && len(p.Steps) == 0 {
		return nothing("nothing of "+past.Plan+" is left to take back", o.spoor("journal show "+past.Plan))
	}
	if f.most == 0 {
		f.most = len(p.Targets) // what was confirmed once may go back at once
	}
	return o.carryOut(ctx, s, p, f)
}

// undoOnce takes back a plan that was one step.
func (o *options) undoOnce(ctx context.Context, s *server, past *remedy.Past, f *changeFlags) error {
	switch past.Action {
	case spoor.ActionFreeze.String():
		return o.thawPlan(ctx, s, past.Plan, &freezeFlags{changeFlags: *f})
	case spoor.ActionThaw.String():
		return o.freeze(ctx, &freezeFlags{changeFlags: *f})
	}
	stop := "no"
	if f.stop == "yes" {
		stop = f.stop
	}
	back := &rebuildFlags{changeFlags: *f, undo: past.Plan}
	back.stop = stop
	return o.queueRebuild(ctx, back)
}

// inverseOf is the plan to be taken back, and what does that. Plans that were cut
// off are finished before: what is still to be taken back shows then.
func (o *options) inverseOf(ctx context.Context, s *server, args []string) (*remedy.Past, *spoor.Plan, error) {
	state, top, err := o.lookState(s)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = top.Close() }()
	defer func() { state.Close() }()
	past, err := pastOf(state, args)
	if err != nil {
		return nil, nil, err
	}
	if past.Action == string(remedy.EventRetention) {
		return nil, nil, refuse("a retention is not taken back, but set anew", "nothing was changed", o.spoor("vault retention --help"))
	}
	if !past.Finished {
		return nil, nil, refuse(past.Plan+" was cut off: it has to be finished before it can be seen what there is to take back", "nothing was changed", "")
	}
	if err := o.sameServer(s, past.Record.Root, past.Plan); err != nil {
		return nil, nil, err
	}
	if past.Record.MTA != s.adapter.Name {
		return nil, nil, refuse("plan "+past.Plan+" is of "+past.Record.MTA, "nothing was changed", o.spoor("--mta "+past.Record.MTA+" undo "+past.Plan))
	}
	if oneStep(past.Action) {
		return past, nil, nil
	}
	p, err := o.inverse(ctx, s, state, past)
	return past, p, err
}

// oneStep reports whether an action is not one for each message.
func oneStep(action string) bool {
	return slices.Contains([]string{spoor.ActionFreeze.String(), spoor.ActionThaw.String(), spoor.ActionRebuild.String()}, action)
}

// finishedUndo tells what an undo has done that was cut off before.
func (o *options) finishedUndo(s *server, receipt *spoor.Receipt) error {
	format, err := o.format("table", "wide", "json")
	if err != nil {
		return err
	}
	return errors.Join(o.showReceipt(s, receipt, format), outcomeOf(receipt, nil))
}

// lookState opens the state folder to read it.
func (o *options) lookState(s *server) (*remedy.State, *disk.Dir, error) {
	top, err := disk.Open(s.root.Dir(), nil)
	if err != nil {
		return nil, nil, err
	}
	parent, name, err := o.statePlace(top)
	if err == nil {
		var state *remedy.State
		if state, err = remedy.LookState(parent, name); err == nil {
			return state, top, nil
		}
	}
	_ = top.Close()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nothing("nothing was ever changed here", "")
	}
	return nil, nil, err
}

// pastOf is the plan that was named, or the last one that can be taken back.
func pastOf(state *remedy.State, args []string) (*remedy.Past, error) {
	plans := state.Journal.Plans()
	if len(args) > 0 {
		i := slices.IndexFunc(plans, func(p *remedy.Past) bool { return p.Plan == args[0] })
		if i < 0 {
			return nil, nothing(fmt.Sprintf("there is no plan %q in the journal", args[0]), "spoor journal")
		}
		if plans[i].UndoneBy != "" {
			return nil, nothing(args[0]+" was taken back already, by "+plans[i].UndoneBy, "spoor journal")
		}
		return plans[i], nil
	}
	for _, past := range slices.Backward(plans) {
		if past.UndoneBy == "" && !past.LetGo && past.Undoable() && !takesBack(plans, past) {
			return past, nil
		}
	}
	for _, past := range slices.Backward(plans) {
		if past.UndoneBy != "" && !takesBack(plans, past) {
			return nil, nothing("nothing is left to take back: the last plan, "+past.Plan+", was taken back already, by "+past.UndoneBy, "spoor journal")
		}
	}
	return nil, nothing("there is nothing to take back", "spoor journal")
}

// takesBack reports whether a plan is an undo. One that takes back an undo is none: it
// does again what was done.
func takesBack(plans []*remedy.Past, past *remedy.Past) (undo bool) {
	for past.Record.Undoes != "" {
		undo = !undo
		i := slices.IndexFunc(plans, func(p *remedy.Past) bool { return p.Plan == past.Record.Undoes })
		if i < 0 {
			break
		}
		past = plans[i]
	}
	return undo
}

// inverse is the plan that takes another one back.
func (o *options) inverse(ctx context.Context, s *server, state *remedy.State, past *remedy.Past) (*spoor.Plan, error) {
	p, err := state.Plan(past.Plan)
	if err != nil {
		return nil, err
	}
	if p.Action.Stepwise() {
		return o.inverseSteps(ctx, s, state, past, p)
	}
	if p.Action == spoor.ActionShimRelease {
		back, err := s.undoRelease(ctx, past, p)
		if back != nil {
			sumUp(back)
		}
		return back, err
	}
	back := &spoor.Plan{ThroughVault: p.ThroughVault}
	switch {
	case p.Action == spoor.ActionRemove || p.Action == spoor.ActionHold && p.ThroughVault:
		back.Action = spoor.ActionRestore
		back.ThroughVault = false
		back.Targets, err = storedOf(state, past.Plan)
	case p.Action == spoor.ActionHold:
		back.Action, back.Targets = spoor.ActionRelease, past.Handled(p.Targets)
	case p.Action == spoor.ActionRelease && !p.ThroughVault:
		back.Action, back.Targets = spoor.ActionHold, past.Handled(p.Targets)
	case p.Action == spoor.ActionRelease:
		back.Action = spoor.ActionHold
		back.Targets, err = s.restoredBy(ctx, past, p)
	case p.Action == spoor.ActionRestore:
		back.Action = spoor.ActionRemove
		back.Targets, err = s.restoredBy(ctx, past, p)
	default:
		return nil, refuse(p.Action.String()+" cannot be taken back: what was delivered is delivered", "nothing was changed", "")
	}
	sumUp(back)
	return back, err
}

// storedOf are the messages that a plan has put into the vault, and that are
// there still.
func storedOf(state *remedy.State, plan string) ([]spoor.Target, error) {
	var targets []spoor.Target
	for entry, err := range state.Vault.Entries(plan) {
		if errors.Is(err, vault.ErrDamaged) {
			continue // told by vault ls
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil // it has put nothing there
		}
		if err != nil {
			return nil, err
		}
		if waits(&entry) {
			targets = append(targets, targetOf(&entry))
		}
	}
	return targets, nil
}

// waits reports whether a message can be put back into the queue.
func waits(e *vault.Entry) bool {
	return e.Mark.Fate == vault.FateStored || e.Mark.Fate == vault.FateRestoring
}

func targetOf(e *vault.Entry) spoor.Target {
	t := e.Target
	t.Vault = e.Plan
	return t
}

// restoredBy finds in the queue what a plan has put back. Those that have left
// since may have given their IDs to others.
func (s *server) restoredBy(ctx context.Context, past *remedy.Past, p *spoor.Plan) ([]spoor.Target, error) {
	known := map[content]bool{}
	for i := range p.Targets {
		known[contentOf(&p.Targets[i])] = true
	}
	var targets []spoor.Target
	for _, id := range past.PutBack() {
		m, err := s.queue.Find(ctx, id)
		if errors.Is(err, mta.ErrGone) {
			continue
		}
		if err != nil {
			return nil, err
		}
		t := spoor.TargetOf(m)
		if !known[contentOf(&t)] {
			continue
		}
		name := s.tracer.Name(m)
		t.Source = name.Source
		targets = append(targets, t)
	}
	return targets, nil
}

// content is what of a message's identity stays when it is put back under another
// ID.
type content struct {
	arrived int64 // in nanoseconds of Unix time
	sender  string
}

func contentOf(t *spoor.Target) content {
	return content{arrived: t.Arrived.UnixNano(), sender: t.Sender}
}
