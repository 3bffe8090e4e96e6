package remedy

import (
	"maps"
	"slices"

	"spoor"
)

// stepPast is what the journal knows of one step of a plan.
type stepPast struct {
	begun  bool
	done   bool // there is nothing more to do about it: see outcome
	undone bool // taken back, since another step could not be done
	stuck  bool // that was tried, and could not be done

	outcome spoor.StepOutcome
}

// step is the one of a number, from 0.
func (p *Past) step(number int) *stepPast {
	if p.steps == nil {
		p.steps = map[int]*stepPast{}
	}
	s := p.steps[number]
	if s == nil {
		s = &stepPast{outcome: spoor.StepOutcome{Number: number}}
		p.steps[number] = s
	}
	return s
}

func (s *stepPast) add(r *Record) {
	result, _ := spoor.ParseResult(r.Result)
	s.outcome.What = r.What
	switch {
	case r.Event == EventStep:
		s.begun = true
	case r.Event == EventStepDone:
		s.begun, s.done = true, true
		s.outcome.Result, s.outcome.Why = result, r.Error+r.Remark
	case result == spoor.ResultDone:
		s.undone = true
	default:
		s.stuck = true
		s.outcome.Result, s.outcome.Why = result, "it could not be taken back: "+r.Error
	}
}

// stays reports whether something of the step may be there.
func (s *stepPast) stays() bool {
	return s.begun && !s.undone && (s.stuck || !s.done || s.outcome.Result == spoor.ResultDone)
}

// stepOutcomes are those of steps that were tried, save those that were taken back.
func (p *Past) stepOutcomes() []spoor.StepOutcome {
	var list []spoor.StepOutcome
	for _, number := range slices.Sorted(maps.Keys(p.steps)) {
		if s := p.steps[number]; (s.done || s.stuck) && !s.undone {
			list = append(list, s.outcome)
		}
	}
	return list
}

// StepsLeft are the numbers of the steps of a plan that can be taken back, in its
// order: those that were done or begun, and that no other plan has taken back.
func (j *Journal) StepsLeft(past *Past) []int {
	left := map[int]bool{}
	for number, s := range past.steps {
		if s.stays() {
			left[number] = true
		}
	}
	for i := range j.records {
		if r := &j.records[i]; r.Event == EventStepDone && r.Of != nil && r.Of.Plan == past.Plan && r.Result == spoor.ResultDone.String() {
			delete(left, r.Of.Number)
		}
	}
	return slices.Sorted(maps.Keys(left))
}

// overtaken reports whether the last undo of a step has found that somebody else had
// changed what it did.
func (j *Journal) overtaken(plan string, number int) bool {
	for i := len(j.records) - 1; i >= 0; i-- {
		if r := &j.records[i]; r.Event == EventStepDone && r.Of != nil && r.Of.Plan == plan && r.Of.Number == number {
			return r.Result == spoor.ResultChanged.String()
		}
	}
	return false
}

// StepsDone is how many steps were done as planned, of those with words.
func (p *Past) StepsDone() (done int) {
	for _, s := range p.steps {
		if s.done && !s.undone && s.outcome.Result == spoor.ResultDone && s.outcome.What != "" {
			done++
		}
	}
	return done
}
