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
	Again    spoor.QueueID // under which an operator had it queued again (postsuper -r); "" if none did

	wanted bool
	flight *flight
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

// Wanted is what lives are looked for. A life is found by any of them.
type Wanted struct {
	ID      spoor.QueueID // "" for none
	Address string        // sender or recipient; or @domain; "" for none
	Name    string        // Message-ID; "" for none
}

// Search collects the lives of messages from the events of a log. It joins them
// with a Journal, so that each has its source.
type Search struct {
	journal  *Journal
	wanted   Wanted
	open     map[uint64]*Life // by the key of the message
	attempts map[uint64]*Life
	children map[int32]bool  // PIDs that queued a bounce or forward of a wanted message
	related  map[uint64]bool // keys of such messages, and of what they were before
	found    []*Life
	limit    int
	Dropped  int // lives beyond the limit
}

// NewSearch looks for at most limit lives.
func (t *Tracer) NewSearch(wanted Wanted, limit int) *Search {
	wanted.Address = strings.ToLower(wanted.Address)
	wanted.Name = string(bareName([]byte(wanted.Name)))
	j := t.NewJournal()
	j.keep = true
	return &Search{
		journal: j, wanted: wanted, limit: limit,
		open: map[uint64]*Life{}, attempts: map[uint64]*Life{}, children: map[int32]bool{}, related: map[uint64]bool{},
	}
}

// Journal is what the search has joined.
func (s *Search) Journal() *Journal { return s.journal }

// Add takes the events of a block.
func (s *Search) Add(b *spoor.Block) error {
	for i := range b.Events {
		e := &b.Events[i]
		if e.Kind == spoor.EventEnded || e.Kind == spoor.EventRemoved { // the journal may forget it
			s.step(b, e)
			s.end(s.journal.messageKey(e))
			s.journal.add(b, e)
			continue
		}
		s.journal.add(b, e)
		s.step(b, e)
	}
	return nil
}

func (s *Search) step(b *spoor.Block, e *spoor.Event) {
	l := s.lifeOf(e)
	if l == nil {
		return
	}
	s.relate(l, e)
	l.Steps = append(l.Steps, Step{
		Kind: e.Kind, Time: e.Time, Place: b.Place(e), Delivery: e.Delivery, Address: string(e.Address), Answer: e.Answer,
	})
}

// lifeOf returns the life that an event belongs to, or nil.
func (s *Search) lifeOf(e *spoor.Event) *Life {
	switch e.Kind {
	case spoor.EventAccepted, spoor.EventSubmitted, spoor.EventNamed, spoor.EventQueued:
		l := s.life(e)
		s.accepted(l, e)
		return l
	case spoor.EventAttempt:
		l := s.life(e)
		s.attempts[e.Delivery] = l
		return l
	case spoor.EventDelivered, spoor.EventDeferred, spoor.EventFailed:
		if e.Delivery == 0 {
			return s.life(e)
		}
		l := s.attempts[e.Delivery]
		delete(s.attempts, e.Delivery)
		return l
	case spoor.EventBounced, spoor.EventEnded, spoor.EventRemoved, spoor.EventIdentified:
		return s.open[s.journal.messageKey(e)]
	case spoor.EventReceived:
		return s.receivedLife(e)
	case spoor.EventProxied:
		if l := s.open[s.journal.messageKey(e)]; l != nil {
			return l
		}
		return s.handedOver(e, func(f *flight) bool { return f.proxied })
	case spoor.EventWebmail:
		return s.handedOver(e, func(f *flight) bool { return f.webmail || f.via != nil })
	case spoor.EventStopped:
		clear(s.attempts)
	default:
	}
	return nil
}

// receivedLife returns the life of the message that the line was joined to, which came
// before it.
func (s *Search) receivedLife(e *spoor.Event) *Life {
	if s.journal.receipts == nil {
		return nil
	}
	f := s.journal.receiptOf(e.PID).flight
	if f == nil || !f.received {
		return nil
	}
	if l := s.open[s.journal.key(f.name)]; l != nil && l.flight == f {
		return l
	}
	return nil
}

// handedOver finds the life of a message that a log without a name of a host tells of.
func (s *Search) handedOver(e *spoor.Event, joined func(*flight) bool) *Life {
	for _, origin := range s.journal.origins {
		if l := s.open[spoor.IDHash(e.ID)^origin]; l != nil && l.flight != nil && joined(l.flight) {
			return l
		}
	}
	return nil
}

// life returns the life of the message that the journal has under the ID now.
// IDs are used again: another message has another life.
func (s *Search) life(e *spoor.Event) *Life {
	key := s.journal.messageKey(e)
	f := s.journal.open.get(key)
	if f == nil {
		if f = s.journal.reportedOn(e); f != nil {
			key = f.key
		}
	}
	s.move(e, key, f)
	l, ok := s.open[key]
	if ok && (l.flight == f || f == nil) {
		return l
	}
	s.end(key)
	l = &Life{ID: spoor.QueueID(e.ID), QP: -1, flight: f}
	l.wanted = l.ID == s.wanted.ID || s.related[key]
	s.open[key] = l
	if f != nil && f.login.Line > 0 && (!f.keyed || f.dir != "" || f.webmail || f.identified || f.proxied) {
		step := Step{Kind: spoor.EventLogin, Time: max(f.opened, 0), Place: f.login}
		switch {
		case f.dir != "":
			step.Kind = spoor.EventInvoked
		case f.received:
			step.Kind, step.Time = spoor.EventReceived, f.submitted
		case f.webmail:
			step.Kind, step.Time = spoor.EventWebmail, f.submitted
		case f.proxied:
			step.Kind, step.Time = spoor.EventProxied, f.submitted
		case f.identified:
			step.Kind, step.Time = spoor.EventIdentified, f.submitted
		}
		l.Steps = append(l.Steps, step)
	}
	return l
}

// move follows a message that was begun under another name.
func (s *Search) move(e *spoor.Event, key uint64, f *flight) {
	if f == nil || e.Key == 0 || len(s.journal.origins) < 2 {
		return
	}
	for _, origin := range s.journal.origins {
		before := e.Key ^ origin
		if l := s.open[before]; l != nil && l.flight == f && before != key {
			delete(s.open, before)
			s.open[key] = l
		}
	}
}

// accepted notes what is known of a message when it is queued.
func (s *Search) accepted(l *Life, e *spoor.Event) {
	if e.Kind == spoor.EventAccepted || e.Kind == spoor.EventNamed {
		l.wanted = l.wanted || s.wanted.Name != "" && string(bareName(e.Text)) == s.wanted.Name
	}
	if e.Kind == spoor.EventAccepted && e.UID >= 0 {
		l.QP = int(e.PID)
		l.wanted = l.wanted || s.children[e.PID]
		delete(s.children, e.PID)
	}
}

// bareName is a Message-ID without its brackets: not every MTA logs them.
func bareName(name []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimPrefix(name, []byte("<")), []byte(">"))
}

// relate looks whether an event makes its message wanted, or others because of
// it: bounces, forwards, the same message under another ID.
func (s *Search) relate(l *Life, e *spoor.Event) {
	l.wanted = l.wanted || s.matches(e.Address) || s.matches(e.Parent) || e.Kind == spoor.EventRemoved && s.mentions(e.Text)
	if len(e.Related) > 0 {
		key := s.journal.relatedKey(e)
		other := s.open[key]
		if other != nil && e.Kind == spoor.EventSubmitted && e.UID >= 0 {
			other.Again = spoor.QueueID(e.ID)
		}
		switch {
		case l.wanted && other != nil:
			other.wanted = true
		case l.wanted:
			s.related[key] = true
		case other != nil && e.Kind != spoor.EventBounced:
			l.wanted = other.wanted
		}
	}
	if !l.wanted {
		return
	}
	switch e.Kind {
	case spoor.EventDelivered:
		for pid := range queuedBy(e.Text) {
			s.children[pid] = true
		}
	case spoor.EventBounced:
		if len(e.Related) == 0 {
			s.children[e.PID] = true
		}
	default:
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

// mentions reports whether one of the addresses in angle brackets is wanted. What a
// policy took away before it was queued has its sender and recipient there alone:
// Postfix writes from=<…> to=<…> after the reason.
func (s *Search) mentions(text []byte) bool {
	for s.wanted.Address != "" {
		open := bytes.IndexByte(text, '<')
		if open < 0 {
			return false
		}
		text = text[open+1:]
		if end := bytes.IndexByte(text[:min(len(text), 1024)], '>'); end >= 0 && s.matches(text[:end]) {
			return true
		}
	}
	return false
}

// end closes a life, and forgets it unless it is wanted.
func (s *Search) end(key uint64) {
	l, ok := s.open[key]
	if !ok {
		return
	}
	delete(s.open, key)
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
	s.found = append(s.found, l)
}

// name takes from the journal who a message is from, when all of the log is known.
func (s *Search) name(l *Life) {
	last := l.Steps[len(l.Steps)-1].Kind
	l.Ended = last == spoor.EventEnded || last == spoor.EventRemoved
	f := l.flight
	if f == nil {
		return
	}
	if f.awaits {
		s.journal.decide(f)
	}
	l.Source, l.Cause = f.source(s.journal), f.cause
	if f.isCopy() {
		l.Cause, f.sure = f.list.cause, percent(sureFolder)
	}
	if l.Source.Kind == spoor.KindForward && f.book != nil && f.book.source != l.Source && l.Cause == (spoor.Source{}) {
		l.Cause = f.book.named()
	}
	if f.via != nil {
		f.sure = f.viaSure
	}
	l.Sure, l.Inferred, l.Rivals = float64(f.sure)/100, f.inferred || f.via != nil, int(f.ambig)
}

// Lives closes the search and returns what was found: what has the wanted ID
// first, then in the order of their ends; those that have not ended come last, in
// the order of their beginnings.
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
	clear(s.open)
	for _, l := range s.found {
		s.name(l)
	}
	slices.SortStableFunc(s.found, func(a, b *Life) int { return cmp.Compare(b.rank(s.wanted), a.rank(s.wanted)) })
	return s.found
}

// rank puts the message whose ID was asked for before those that belong to it.
func (l *Life) rank(wanted Wanted) int {
	if wanted.ID != "" && l.ID == wanted.ID {
		return 1
	}
	return 0
}

// sortLives orders lives by their beginning.
func sortLives(list []*Life) {
	slices.SortFunc(list, func(a, b *Life) int {
		return cmp.Or(cmp.Compare(a.Steps[0].Time, b.Steps[0].Time), strings.Compare(string(a.ID), string(b.ID)))
	})
}
