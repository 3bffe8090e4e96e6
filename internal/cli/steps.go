package cli

import (
	"context"
	"fmt"
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
func (s *server) inverseSteps(ctx context.Context, state *remedy.State, past *remedy.Past, p *spoor.Plan) (*spoor.Plan, error) {
	var err error
	if p.Action == spoor.ActionUndo {
		return s.again(ctx, state, past, p)
	}
	back := state.Inverse(past, p)
	if len(p.Targets) > 0 {
		back.Targets, err = storedOf(state, p.ID)
	}
	sumUp(back)
	return back, err
}

// again is the plan that does once more what an undo has taken back.
func (s *server) again(ctx context.Context, state *remedy.State, past *remedy.Past, undo *spoor.Plan) (*spoor.Plan, error) {
	first, err := state.Plan(undo.Undoes)
	if err != nil {
		return nil, fmt.Errorf("what %s has taken back: %w", undo.ID, err)
	}
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
	p.Targets, err = s.restoredBy(ctx, past, undo)
	sumUp(p)
	return p, err
}
