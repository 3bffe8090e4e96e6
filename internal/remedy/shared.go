package remedy

import (
	"errors"
	"slices"

	"spoor"
	"spoor/internal/disk"
)

// heir is the same step of another plan that is in force: it needs what this one
// has done. nil if there is none.
func (s *State) heir(step *spoor.Step, of spoor.StepRef) (*spoor.StepRef, error) {
	if step.Shared == "" {
		return nil, nil
	}
	root := s.Journal.Of(of.Plan).Record.Root
	for _, past := range s.Journal.InForce() {
		if past.Plan == of.Plan || past.Record.Root != root {
			continue // of another one, it may be another server's
		}
		p, err := s.Plan(past.Plan)
		if errors.Is(err, ErrNoPlan) || errors.Is(err, ErrPlanDamaged) {
			continue // it cannot be taken back either
		}
		if err != nil {
			return nil, err
		}
		for _, i := range s.Journal.StepsLeft(past) {
			if i < len(p.Steps) && p.Steps[i].Shared == step.Shared && !s.Journal.overtaken(past.Plan, i) {
				return &spoor.StepRef{Plan: past.Plan, Number: i}, nil
			}
		}
	}
	return nil, nil
}

// inherit gives a step the records of another one: what was there before both. Those of
// an older plan stay, since they tell of that already: what the younger one has found was
// its work. beforeRecord, which counts, comes last.
func (s *State) inherit(from *disk.Dir, of, heir spoor.StepRef) error {
	if s.Journal.older(heir.Plan, of.Plan) {
		return nil
	}
	to, err := s.stepRecords(heir.Plan, heir.Number)
	if err != nil {
		return err
	}
	defer func() { _ = to.Close() }()
	names, err := from.Names()
	if err != nil {
		return err
	}
	slices.SortFunc(names, func(a, b string) int {
		if (a == beforeRecord) != (b == beforeRecord) {
			if a == beforeRecord {
				return 1
			}
			return -1
		}
		return 0
	})
	for _, name := range names {
		content, err := from.Get(name, 1<<30)
		if err != nil {
			return err
		}
		if err := to.Put(name, 0o600, content); err != nil {
			return err
		}
	}
	return nil
}

// beforeRecord is the record of a step that says what was there; see package
// measure.
const beforeRecord = "before"

// older reports whether a plan was begun before another one.
func (j *Journal) older(plan, other string) bool {
	i := slices.IndexFunc(j.records, func(r Record) bool {
		return r.Event == EventPlanned && (r.Plan == plan || r.Plan == other)
	})
	return i >= 0 && j.records[i].Plan == plan
}
