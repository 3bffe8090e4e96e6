package remedy

import (
	"cmp"
	"slices"
	"time"

	"spoor"
)

// Past is what the journal knows of one plan.
type Past struct {
	Plan     string
	Action   string
	Planned  bool // it has begun
	Finished bool // nothing is left to do: finished or failed
	Failure  string
	Start    time.Time
	End      time.Time
	Record   Record // the first
	UndoneBy string // the plan that took it back; ""
	Purged   int    // messages that left the vault for good
	Resumed  bool
	GivenUp  bool // somebody has ended it before its end
	LetGo    bool // somebody has ended it behind its end: what an undo has left of it stays

	begun []span // batches that were begun and not done
	done  []span
	total spoor.Receipt

	steps       map[int]*stepPast // by number, from 0
	rollback    bool              // the steps that were done are being taken back
	rollbackWhy string

	putBack []spoor.QueueID
	left    map[spoor.QueueID]bool // that were not handled as planned
}

// span is a batch: the targets from to before to.
type span struct {
	from, to int
	begun    bool // an earlier run has begun it
	stored   bool // and had put what it took into the vault
}

// Of gathers what is known of one plan.
func (j *Journal) Of(plan string) *Past {
	p := &Past{Plan: plan}
	for i := range j.records {
		if j.records[i].Plan == plan {
			p.add(&j.records[i])
		}
	}
	return p
}

// Plans are all plans that have begun, oldest first.
func (j *Journal) Plans() []*Past {
	index := map[string]*Past{}
	var plans []*Past
	for i := range j.records {
		r := &j.records[i]
		p := index[r.Plan]
		if p == nil {
			p = &Past{Plan: r.Plan}
			index[r.Plan] = p
			plans = append(plans, p)
		}
		p.add(r)
	}
	return slices.DeleteFunc(plans, func(p *Past) bool { return !p.Planned })
}

// Unfinished are the plans whose run was cut off, oldest first.
func (j *Journal) Unfinished() []*Past {
	return slices.DeleteFunc(j.Plans(), func(p *Past) bool { return p.Finished })
}

func (p *Past) add(r *Record) {
	switch r.Event {
	case EventPlanned:
		p.Planned, p.Record, p.Action, p.Start = true, *r, r.Action, r.Time
	case EventResumed:
		p.Resumed = true
	case EventBegin:
		p.begun = append(p.begun, span{from: r.From, to: r.To, begun: true})
	case EventStored:
		for i := range p.begun {
			if p.begun[i].from == r.From {
				p.begun[i].stored = true
			}
		}
	case EventDone:
		p.begun = slices.DeleteFunc(p.begun, func(s span) bool { return s.from == r.From })
		p.done = append(p.done, span{from: r.From, to: r.To})
		r.addTo(&p.total)
		for _, skipped := range r.Skipped {
			if p.left == nil {
				p.left = map[spoor.QueueID]bool{}
			}
			p.left[spoor.QueueID(skipped.ID)] = true
		}
		for _, id := range r.PutBack {
			p.putBack = append(p.putBack, spoor.QueueID(id))
		}
	case EventStep, EventStepDone, EventStepUndone:
		p.step(r.Step - 1).add(r)
	case EventRollback:
		p.rollback, p.rollbackWhy = true, r.Error
	case EventFinished, EventFailed:
		p.Finished, p.End, p.Failure = true, r.Time, r.Error
	case EventRetention:
		p.Planned, p.Finished, p.Record, p.Action, p.Start, p.End = true, true, *r, r.Action, r.Time, r.Time
	case EventGivenUp:
		if p.Finished && !p.GivenUp {
			p.LetGo = true
			return
		}
		p.Finished, p.GivenUp, p.End, p.Failure = true, true, r.Time, "given up by "+r.By+": "+r.Reason
	case EventUndone:
		p.UndoneBy = r.UndoneBy
	case EventPurged:
		p.Purged += r.Messages
	}
}

// Receipt is what the plan has done so far.
func (p *Past) Receipt(action spoor.Action) *spoor.Receipt {
	r := p.total
	r.Plan, r.Action, r.Time, r.Failure, r.Resumed = p.Plan, action, p.End, p.Failure, p.Planned && !p.Finished || p.Resumed
	r.Undoable = undoable(action) && p.UndoneBy == ""
	r.Skipped, r.Moved = slices.Clone(r.Skipped), slices.Clone(r.Moved)
	r.Steps = p.stepOutcomes()
	return &r
}

// spans are the batches of a plan of n messages that are not done: first those
// that were begun, as they were begun, then the rest.
func (p *Past) spans(n, size int) []span {
	taken := slices.Concat(p.begun, p.done)
	slices.SortFunc(taken, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	spans := slices.Clone(p.begun)
	at := 0
	for _, t := range append(taken, span{from: n, to: n}) {
		for at < t.from {
			next := min(at+size, t.from)
			spans = append(spans, span{from: at, to: next})
			at = next
		}
		at = max(at, t.to)
	}
	return spans
}

// Undoable reports whether the plan can be taken back.
func (p *Past) Undoable() bool {
	action, ok := spoor.ParseAction(p.Action)
	return ok && undoable(action)
}

// Done is how many messages were handled as planned.
func (p *Past) Done() int { return p.total.Done }

// Handled are those targets of the plan that were handled as planned. Batches
// that it did not come to were not.
func (p *Past) Handled(targets []spoor.Target) []spoor.Target {
	var handled []spoor.Target
	for _, batch := range p.done {
		for i := max(batch.from, 0); i < min(batch.to, len(targets)); i++ {
			if !p.left[targets[i].ID] {
				handled = append(handled, targets[i])
			}
		}
	}
	return handled
}

// PutBack are the queue IDs that messages have now which the plan has put into
// the queue.
func (p *Past) PutBack() []spoor.QueueID { return p.putBack }
