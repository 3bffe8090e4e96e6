package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/measure"
	"spoor/internal/remedy"
)

// steps changes the server outside its queue.
func (s *server) steps(top *disk.Dir, now func() time.Time) *measure.Server {
	return &measure.Server{Top: top, Live: s.root.Live(), Run: programs{}, Now: now}
}

// inverseSteps is the plan that takes back one with steps, or does again what
// another one has taken back.
func (o *options) inverseSteps(ctx context.Context, s *server, state *remedy.State, past *remedy.Past, p *spoor.Plan) (*spoor.Plan, error) {
	var err error
	if p.Action == spoor.ActionUndo {
		return o.again(ctx, s, state, past, p)
	}
	back := state.Inverse(past, p)
	if len(p.Targets) > 0 {
		back.Targets, err = storedOf(state, p.ID)
	}
	sumUp(back)
	return back, err
}

// again is the plan that does once more what an undo has taken back. It is planned anew:
// what the first one rested on may not be there any more, and its time begins now.
func (o *options) again(ctx context.Context, s *server, state *remedy.State, past *remedy.Past, undo *spoor.Plan) (*spoor.Plan, error) {
	first, err := state.Plan(undo.Undoes)
	if err != nil {
		return nil, fmt.Errorf("what %s has taken back: %w", undo.ID, err)
	}
	var p *spoor.Plan
	switch first.Action {
	case spoor.ActionStop, spoor.ActionFix:
		p, err = o.stopAgain(ctx, s, first)
	case spoor.ActionAuditFix:
		p, err = o.mendAgain(ctx, s, first)
	default:
		p = sameSteps(first, undo)
	}
	if err != nil {
		return nil, o.cannotRepeat(first, err)
	}
	p.Targets, err = s.restoredBy(ctx, past, undo)
	sumUp(p)
	return p, err
}

// sameSteps are those of a plan that an undo has taken back.
func sameSteps(first, undo *spoor.Plan) *spoor.Plan {
	p := &spoor.Plan{Action: first.Action, Selector: first.Selector, Open: first.Open, ByHand: first.ByHand}
	taken := map[int]bool{}
	for _, step := range undo.Steps {
		taken[step.Of.Number] = true
	}
	for i := range first.Steps {
		if taken[i] {
			p.Steps = append(p.Steps, first.Steps[i])
		}
	}
	return p
}

// stopAgain plans a stop anew. Of its messages those go that the undo has put back.
func (o *options) stopAgain(ctx context.Context, s *server, first *spoor.Plan) (*spoor.Plan, error) {
	f := &stopFlags{}
	source, err := f.parse(first.Selector)
	if err != nil {
		return nil, err
	}
	if err := o.notStopped(s, source); err != nil {
		return nil, err
	}
	return o.stopSteps(ctx, s, first.Action, source, f)
}

// mendAgain plans anew what has mended a weakness.
func (o *options) mendAgain(ctx context.Context, s *server, first *spoor.Plan) (*spoor.Plan, error) {
	f := &mendFlags{}
	words := slices.DeleteFunc(slices.Clone(first.Selector), func(word string) bool { return word == allFlag })
	f.all = len(words) < len(first.Selector)
	return o.mendPlan(ctx, s, words, f)
}

// cannotRepeat says why what a plan has done cannot be done again, and what shows that
// without a plan that was taken back.
func (o *options) cannotRepeat(first *spoor.Plan, err error) error {
	anew := *first
	anew.Undoes = ""
	status, problem := exitRefused, &spoor.Problem{What: err.Error(), So: "nothing was changed", Err: err}
	var known *statusError
	var told *spoor.Problem
	if errors.As(err, &known) {
		status = known.status
	}
	if errors.As(err, &told) {
		copied := *told
		problem = &copied
	}
	problem.What = "what " + first.ID + " did cannot be done again: " + problem.What
	if problem.Try == "" {
		problem.Try = o.spoor(strings.TrimPrefix(o.command(&anew), "spoor ") + " -n")
	}
	return &statusError{status: status, err: problem}
}
