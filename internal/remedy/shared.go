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

// inherit gives a step the records of another one: what was there before both.
// beforeRecord, which counts, comes last.
func (s *State) inherit(from *disk.Dir, heir spoor.StepRef) error {
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
