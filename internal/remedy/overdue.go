package remedy

import (
	"cmp"
	"time"

	"spoor"
)

// Try is an undo of a plan that has left something of it.
type Try struct {
	Time time.Time           // when it began
	Why  string              // for people: of the first step that is left
	Left []spoor.StepOutcome // steps that could not be taken back; none if it came to none
}

// LastTry is the last undo of a plan, since a point in time, that has left steps of it;
// nil where there was none.
func (j *Journal) LastTry(past *Past, since time.Time) *Try {
	var last *Past
	for _, one := range j.Plans() {
		if one.Record.Undoes == past.Plan && !one.Start.Before(since) {
			last = one
		}
	}
	if last == nil {
		return nil
	}
	try := &Try{Time: last.Start, Why: last.Failure}
	for _, step := range last.stepOutcomes() {
		if step.Result != spoor.ResultDone {
			try.Left = append(try.Left, step)
		}
	}
	if len(try.Left) > 0 {
		try.Why = try.Left[0].Why
	}
	try.Why = cmp.Or(try.Why, "it was cut off")
	return try
}

// Overdue is a plan whose time is over, and of which the undo has left something.
type Overdue struct {
	*Past
	Last Try
}

// Overdue are these plans, oldest first.
func (j *Journal) Overdue(now time.Time) []Overdue {
	var list []Overdue
	for _, past := range j.Left() {
		if past.Record.Expires.IsZero() || past.Record.Expires.After(now) {
			continue
		}
		if try := j.LastTry(past, past.Record.Expires); try != nil {
			list = append(list, Overdue{past, *try})
		}
	}
	return list
}

// RetryAfter is between two undos of a plan whose time is over and of which the first
// one has left something.
const RetryAfter = time.Hour

// Due are the plans in force whose time is over and that are to be taken back now, oldest
// first: those of which that was not tried yet, or not in the last hour.
func (j *Journal) Due(now time.Time) []*Past {
	var due []*Past
	for _, past := range j.InForce() {
		if past.Record.Expires.IsZero() || past.Record.Expires.After(now) {
			continue
		}
		try := j.LastTry(past, past.Record.Expires)
		if try == nil || now.Before(try.Time) || now.Sub(try.Time) >= RetryAfter { // a clock may have been set back
			due = append(due, past)
		}
	}
	return due
}

// LetGo ends a plan that is finished and of which an undo has left something: what is left
// is not taken back any more, by nobody.
func (w *Work) LetGo(plan, by, reason string) error {
	return w.State.Journal.Write(Record{Time: w.Now().UTC(), Plan: plan, Event: EventGivenUp, By: by, Reason: reason})
}
