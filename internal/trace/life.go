package trace

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"spoor"
)

// Life is all that the log tells of one message.
type Life struct {
	ID       spoor.QueueID
	Source   spoor.Source
	Sure     float64 // of Source, from 0 to 1
	Inferred bool    // Source follows from order and time, not from a record
	Rivals   int     // sessions that it could have come from, where inferred
	Cause    spoor.Source
	QP       int // PID of the process that queued it; -1 where not logged
	Steps    []Step
	Ended    bool

	wanted bool
}

// Step is one line of a life.
type Step struct {
	Kind     spoor.EventKind
	Time     spoor.Stamp
	Place    spoor.LogPlace
	Delivery uint64 // number of the delivery it belongs to; 0 for none
	Address  string // sender or recipient
	Answer   spoor.Answer
}

// Wanted is what lives are looked for. A life is found by either.
type Wanted struct {
	ID      spoor.QueueID // "" for none
	Address string        // sender or recipient; or @domain; "" for none
}

// Search collects the lives of messages from the events of a log. It joins them
// with a Journal, so that each has its source.
type Search struct {
	journal  *Journal
	wanted   Wanted
	open     map[spoor.QueueID]*Life
	attempts map[uint64]*Life
	children map[int32]bool // PIDs that queued a bounce or forward of a wanted message
	found    []*Life
	limit    int
	Dropped  int // lives beyond the limit
}

// NewSearch looks for at most limit lives.
func (t *Tracer) NewSearch(wanted Wanted, limit int) *Search {
	wanted.Address = strings.ToLower(wanted.Address)
	return &Search{
		journal: t.NewJournal(), wanted: wanted, limit: limit,
		open: map[spoor.QueueID]*Life{}, attempts: map[uint64]*Life{}, children: map[int32]bool{},
	}
}

// Journal is what the search has joined.
func (s *Search) Journal() *Journal { return s.journal }

// Add takes the events of a block.
func (s *Search) Add(b *spoor.Block) error {
	for i := range b.Events {
		e := &b.Events[i]
		if e.Kind == spoor.EventEnded {
			s.step(b, e)
			s.end(spoor.QueueID(e.ID))
		}
		s.journal.add(b, e)
		if e.Kind != spoor.EventEnded {
			s.step(b, e)
		}
	}
	return nil
}

func (s *Search) step(b *spoor.Block, e *spoor.Event) {
	var l *Life
	switch e.Kind {
	case spoor.EventAccepted:
		s.end(spoor.QueueID(e.ID))
		l = s.life(e.ID)
		s.accepted(l, e)
	case spoor.EventAttempt:
		l = s.life(e.ID)
		s.attempts[e.Delivery] = l
		l.wanted = l.wanted || s.matches(e.Address)
	case spoor.EventDelivered, spoor.EventDeferred, spoor.EventFailed:
		l = s.attempts[e.Delivery]
		delete(s.attempts, e.Delivery)
		if l != nil && l.wanted && e.Kind == spoor.EventDelivered {
			s.childrenOf(e.Text)
		}
	case spoor.EventBounced:
		l = s.open[spoor.QueueID(e.ID)]
		if l != nil && l.wanted {
			s.children[e.PID] = true
		}
	case spoor.EventEnded:
		l = s.open[spoor.QueueID(e.ID)]
	case spoor.EventStopped:
		clear(s.attempts)
	default:
	}
	if l == nil {
		return
	}
	l.Steps = append(l.Steps, Step{
		Kind: e.Kind, Time: e.Time, Place: b.Place(e), Delivery: e.Delivery, Address: string(e.Address), Answer: e.Answer,
	})
}

func (s *Search) life(id []byte) *Life {
	l, ok := s.open[spoor.QueueID(id)]
	if !ok {
		l = &Life{ID: spoor.QueueID(id), QP: -1}
		l.wanted = l.ID == s.wanted.ID
		s.open[l.ID] = l
	}
	return l
}

// accepted notes who the journal says the message is from.
func (s *Search) accepted(l *Life, e *spoor.Event) {
	l.QP = int(e.PID)
	l.wanted = l.wanted || s.matches(e.Address) || s.children[e.PID]
	delete(s.children, e.PID)
	if f := s.journal.open[s.journal.messageKey(e)]; f != nil && f.login.Line > 0 {
		l.Steps = append(l.Steps, Step{Kind: spoor.EventLogin, Time: f.opened, Place: f.login})
	}
}

// childrenOf notes the messages that a local delivery queued.
func (s *Search) childrenOf(text []byte) {
	for pid := range queuedBy(text) {
		s.children[pid] = true
	}
}

func (s *Search) matches(address []byte) bool {
	want := s.wanted.Address
	if want == "" {
		return false
	}
	if want[0] == '@' {
		return len(address) >= len(want) && bytes.EqualFold(address[len(address)-len(want):], []byte(want))
	}
	return bytes.EqualFold(address, []byte(want))
}

// end closes a life, and forgets it unless it is wanted.
func (s *Search) end(id spoor.QueueID) {
	l, ok := s.open[id]
	if !ok {
		return
	}
	delete(s.open, id)
	s.close(l)
}

func (s *Search) close(l *Life) {
	if !l.wanted {
		return
	}
	if len(s.found) == s.limit {
		s.Dropped++
		return
	}
	if f := s.journal.open[s.journal.key([]byte(l.ID))]; f != nil && f.book != nil && (l.QP < 0 || int(f.qp) == l.QP) {
		l.Source, l.Sure, l.Inferred, l.Rivals, l.Cause = f.book.named(), float64(f.sure)/100, f.inferred, int(f.ambig), f.cause
	}
	last := l.Steps[len(l.Steps)-1]
	l.Ended = last.Kind == spoor.EventEnded
	s.found = append(s.found, l)
}

// Lives closes the search and returns what was found, in the order of their
// ends; those that have not ended come last, in the order of their beginnings.
func (s *Search) Lives() []*Life {
	var open []*Life
	for _, l := range s.open {
		if l.wanted {
			open = append(open, l)
		}
	}
	sortLives(open)
	for _, l := range open {
		s.close(l)
	}
	s.open = map[spoor.QueueID]*Life{}
	return s.found
}

// sortLives orders lives by their beginning.
func sortLives(list []*Life) {
	slices.SortFunc(list, func(a, b *Life) int {
		return cmp.Or(cmp.Compare(a.Steps[0].Time, b.Steps[0].Time), strings.Compare(string(a.ID), string(b.ID)))
	})
}
