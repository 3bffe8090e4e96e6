package trace

import (
	"bytes"
	"iter"
	"net/netip"
	"strconv"
	"time"

	"spoor"
)

const second = time.Second

// flight is a message on its way, as the log tells it. What each delivery needs
// stands first.
type flight struct {
	key        uint64
	heard      spoor.Stamp // of its last line
	recipients []recipient
	seen       uint64        // bits for the hashes of recipients: most that are logged are new
	index      *table[int32] // of recipients by hash, where there are many; from 1
	alias      string        // an address here that sends it out

	logged     bool // its acceptance is in the log; else the log begins later
	matched    bool // found in the queue
	waits      bool // its session is not looked for yet: book is nil
	inferred   bool // joined to the source by time alone
	nullSender bool
	foreign    bool
	own        bool
	remote     bool

	awaits   bool // a line may follow that tells who handed it over
	received bool // one has
	front    bool // that is of a server in front of the MTA

	// Of MTAs that name the message in each line:
	keyed      bool
	traced     bool // a line of the log tells its origin
	queued     bool // the queue manager has it
	filtered   bool // handed over by a program of this machine that may pass on another's mail
	identified bool // the MTA has logged which user of this machine its client was
	proxied    bool // a filter handed it over for a login, before it was in the queue
	webmail    bool // login is the line in which a webmail tells whose browser it was
	goesOn     bool // it was in the queue before, under another ID
	wentOn     bool // a message was met that was this one before
	handedOn   bool // it goes on under another ID, whatever its deliveries say
	handedBack bool // a program has handed it back: it goes on from what has its Message-ID
	redirected bool // a mailbox sent it on
	mayReply   bool // a mailbox may have sent it by itself, as an answer
	replied    bool // one has
	direct     bool // a recipient elsewhere was written on it
	renamed    bool // alias and direct are of what it was before: its own recipients are what they stand for
	answers    bool // it may be an automatic reply: the name of its source is not known yet

	book        *book
	left        spoor.Stamp   // when it left the queue, while late lines are waited for
	domain      uint32        // of the sender
	failedLocal uint32        // domain of a local recipient that failed
	again       int           // recipients that are waiting or lost
	againBy     *table[int32] // how many of them, by hash, where there are many
	foreseen    int32         // recipients, as the MTA counts them; 0 if unknown
	cursor      int           // where the last of them was found
	deferrals   int32
	bounces     int32
	deferredBy  [spoor.NumAnswers]int32

	name      []byte      // its queue ID
	accepted  spoor.Stamp // by the MTA's line
	submitted spoor.Stamp // when it was handed over, where a wrapper told; else accepted
	size      int64
	qp, uid   int32
	place     spoor.LogPlace // of its acceptance

	pending []byte // its envelope sender, while it waits
	sure    uint8  // of the source, in hundredths
	ambig   uint8  // how many sessions it could have come from, at most 255
	login   spoor.LogPlace
	client  netip.Addr // of the session
	account *book      // of the session
	opened  spoor.Stamp
	cause   spoor.Source

	senderHash uint64
	named      uint64   // hash of its Message-ID
	copyOf     uint64   // the same, where a message before has that
	list       *posting // what it is a copy of, if that is a list's
	answer     uint64   // key of the message that may be an automatic reply to it
	dir        string   // in which the command that queued it was started
	behind
}

// behind is who is behind a program of this machine that handed a message over.
type behind struct {
	via      *book // the account; nil if unknown
	viaPlace spoor.LogPlace
	viaSure  uint8 // in hundredths
}

// recipient is one envelope recipient, known by the hash of its address.
type recipient struct {
	hash   uint64
	domain uint32
	reason uint32 // number in reasons
	place  spoor.LogPlace
	state  recipientState
	answer spoor.Answer
}

type recipientState uint8

const (
	running  recipientState = iota
	waiting                 // the last attempt was put off
	lost                    // the MTA stopped meanwhile, or the message was removed
	passedOn                // goes on under another ID
	delivered
	failed
)

func (j *Journal) newFlight(id []byte) *flight {
	var f *flight
	if n := len(j.free); n > 0 {
		f, j.free = j.free[n-1], j.free[:n-1]
		recipients, pending, name := f.recipients[:0], f.pending[:0], f.name[:0]
		*f = flight{} // a literal with more in it would be copied
		f.recipients, f.pending, f.name = recipients, pending, name
	} else {
		f = &flight{}
	}
	f.name, f.qp, f.uid = append(f.name, id...), -1, -1
	return f
}

// id is the queue ID, which is copied.
func (f *flight) id() spoor.QueueID { return spoor.QueueID(f.name) }

// attempt is a delivery that runs.
type attempt struct {
	number    uint64
	flight    *flight
	recipient int32
	address   string // of a local recipient, which may forward
}

// attempts are the deliveries that run, by their numbers. Numbers count upwards
// and few run at a time, so a number's low bits find it.
type attempts struct {
	slots []attempt
	last  uint64
}

const (
	manyDeliveries = 1000 // after so many, number 1 means that the MTA was started again
	firstAttempts  = 1 << 12
	maxAttempts    = 1 << 20
)

func (a *attempts) slot(number uint64) *attempt { return &a.slots[number&uint64(len(a.slots)-1)] }

// grow doubles the room.
func (a *attempts) grow() {
	old := a.slots
	a.slots = make([]attempt, max(firstAttempts, 2*len(old)))
	for _, one := range old {
		if one.flight != nil {
			*a.slot(one.number) = one
		}
	}
}

// put makes room for a delivery. One that is 2^20 numbers behind has been
// forgotten by the MTA.
func (a *attempts) put(number uint64) *attempt {
	a.last = max(a.last, number)
	for s := a.slot(number); ; s = a.slot(number) {
		if s.flight == nil || s.number == number || len(a.slots) >= maxAttempts {
			s.lose()
			s.number = number
			return s
		}
		a.grow()
	}
}

// lose gives up a delivery whose end was not logged.
func (a *attempt) lose() {
	if a.flight == nil {
		return
	}
	if r := &a.flight.recipients[a.recipient]; r.state == running {
		r.state = lost
		a.flight.tryAgain(r.hash)
	}
}

// take removes a delivery and returns it.
func (a *attempts) take(number uint64) (attempt, bool) {
	s := a.slot(number)
	if s.flight == nil || s.number != number {
		return attempt{}, false
	}
	one := *s
	*s = attempt{}
	return one, true
}

func (a *attempts) each(visit func(*attempt)) {
	for i := range a.slots {
		if a.slots[i].flight != nil {
			visit(&a.slots[i])
		}
	}
}

func (a *attempts) clear() {
	clear(a.slots)
	a.last = 0
}

// attempt begins a delivery.
func (j *Journal) attempt(e *spoor.Event) {
	key := j.messageKey(e)
	f := j.open.get(key)
	if f == nil { // the log begins after the message
		f = j.newFlight(e.ID)
		j.open.put(key, f)
	}
	if e.Delivery == 1 && j.attempts.last > manyDeliveries {
		j.restart() // it was not told that the MTA stopped
	}
	if f.awaits && e.Time.Sub(f.accepted) > disorder {
		j.infer(f)
	}
	if f.book == nil && f.logged && !f.awaits {
		j.resolve(f, mail{flight: f, name: f.senderHash, addressed: true, remote: e.Channel != spoor.ChannelLocal})
	}
	n := j.recipient(f, e)
	a := j.attempts.put(e.Delivery)
	a.flight, a.recipient, a.address = f, int32(n), ""
	if e.Channel == spoor.ChannelLocal {
		a.address = string(e.Address)
	} else {
		f.remote = true
	}
}

// recipient finds the recipient that a delivery is for, or adds one. qmail tries
// a record again only after it was put off, so an address that is delivered or
// being delivered is on the envelope once more.
func (j *Journal) recipient(f *flight, e *spoor.Event) int {
	hash, domain := addressHash(e)
	if i := j.retried(f, hash); i >= 0 {
		return i
	}
	r := recipient{hash: hash}
	if domain != 0 {
		r.domain = j.domains.number(domain, e.Address)
	}
	f.recipients = append(f.recipients, r)
	return len(f.recipients) - 1
}

// retried finds a recipient that was put off before, and begins its next
// delivery. They are tried again in about the order of the first time: the search
// goes on where the last one ended.
func (j *Journal) retried(f *flight, hash uint64) int {
	if f.again == 0 {
		return -1
	}
	if f.againBy == nil && len(f.recipients) > fewRecipients {
		f.countAgain(j.newIndex())
	}
	if f.againBy != nil && f.againBy.get(hash) == 0 { // mostly: there may be a hundred thousand to look through
		return -1
	}
	n := len(f.recipients)
	for k := range n {
		i := f.cursor + k
		if i >= n {
			i -= n
		}
		r := &f.recipients[i]
		if r.hash == hash && (r.state == waiting || r.state == lost) {
			r.state = running
			f.triedAgain(hash)
			f.cursor = i + 1
			return i
		}
	}
	return -1
}

// countAgain begins to count those that are to be tried again by their hashes.
func (f *flight) countAgain(by *table[int32]) {
	f.againBy = by
	for i := range f.recipients {
		if r := &f.recipients[i]; r.state == waiting || r.state == lost {
			by.put(r.hash, by.get(r.hash)+1)
		}
	}
}

// tryAgain counts a recipient that is to be tried again.
func (f *flight) tryAgain(hash uint64) {
	f.again++
	if f.againBy != nil {
		f.againBy.put(hash, f.againBy.get(hash)+1)
	}
}

// triedAgain counts one less.
func (f *flight) triedAgain(hash uint64) {
	f.again--
	if f.againBy == nil {
		return
	}
	if n := f.againBy.get(hash) - 1; n > 0 {
		f.againBy.put(hash, n)
	} else {
		f.againBy.remove(hash)
	}
}

// outcome ends a delivery.
func (j *Journal) outcome(b *spoor.Block, e *spoor.Event) {
	j.lastMTA = e.Time
	a, ok := j.attempts.take(e.Delivery)
	if !ok {
		return // it began before the log
	}
	f, r := a.flight, &a.flight.recipients[a.recipient]
	switch e.Kind {
	case spoor.EventDelivered:
		r.state = delivered
		if a.address != "" {
			j.forwarded(f, a.address, e.Text)
		}
		return
	case spoor.EventDeferred:
		r.state = waiting
		f.tryAgain(r.hash)
		f.deferrals++
		f.deferredBy[e.Answer]++
	default:
		r.state = failed
		if a.address != "" {
			f.failedLocal = r.domain
		}
	}
	r.answer, r.place = e.Answer, b.Place(e)
	r.reason = j.reasons.number(e)
}

// forwarded notes the messages that a local delivery has queued.
func (j *Journal) forwarded(f *flight, address string, text []byte) {
	for pid := range queuedBy(text) {
		if f.awaits {
			j.infer(f)
		}
		o := &origin{via: spoor.ViaForward, source: spoor.Source{
			Kind: spoor.KindForward, Name: lowerDomain(j.tracer.facts.LocalAddress(address)),
		}}
		if f.book != nil {
			o.cause = f.book.named()
		}
		j.announce(pid, o)
	}
}

// queuedBy yields the PIDs of the qmail-queue processes that a local delivery
// tells of: did_0+1+0/qp_1520/.
func queuedBy(text []byte) iter.Seq[int32] {
	return func(yield func(int32) bool) {
		for {
			at := bytes.Index(text, []byte("qp_"))
			if at < 0 {
				return
			}
			text = text[at+len("qp_"):]
			end := 0
			for end < len(text) && '0' <= text[end] && text[end] <= '9' {
				end++
			}
			pid, err := strconv.ParseInt(string(text[:end]), 10, 32)
			if err == nil && !yield(int32(pid)) {
				return
			}
		}
	}
}

// end closes a message.
func (j *Journal) end(e *spoor.Event) {
	key := j.messageKey(e)
	f := j.open.get(key)
	if f == nil {
		return
	}
	if f.keyed {
		j.leaves(f, e)
		return
	}
	j.open.remove(key)
	if _, ok := j.orphans[f.qp]; ok && f.logged {
		delete(j.orphans, f.qp)
	}
	if j.mayBeReceived(f, e.Time) {
		j.ended = append(j.ended, ended{f, e.Time})
		return
	}
	j.settle(f)
	j.forget(f)
}

// forget keeps the memory of a message for the next one, unless something still
// points to it.
func (j *Journal) forget(f *flight) {
	for i := range f.recipients {
		if f.recipients[i].state == running {
			return
		}
	}
	if len(j.free) < 1<<12 && !j.keep {
		for _, index := range [...]*table[int32]{f.index, f.againBy} {
			if index != nil && len(index.slots) <= 1<<11 {
				index.clear()
				j.indexes = append(j.indexes, index)
			}
		}
		j.free = append(j.free, f)
	}
}
