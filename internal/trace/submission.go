package trace

import (
	"net/netip"
	"slices"
	"time"

	"spoor"
)

// Postfix and Exim name the message in each of their lines, and log where it came
// from. Their daemons log side by side, so that lines about one message come in
// nearly any order, and short IDs are used again within seconds.

const (
	// disorder is how far lines of one message may be out of order.
	disorder = 5 * time.Second
	// unfinished is how long a client may take for a message: after that, one that
	// was begun and is not in the queue never will be.
	unfinished = time.Hour
)

// submitted notes where a message comes from.
func (j *Journal) submitted(b *spoor.Block, e *spoor.Event) {
	f := j.begin(e, true)
	f.place, f.uid = b.Place(e), e.UID
	if len(e.Related) > 0 && j.goesOn(f, e) {
		return
	}
	j.entered(f, e)
}

// begin returns the flight of a message that enters the queue now. One with the
// same ID whose origin is known, or that was heard of long ago, is another: its
// end is lost, or its ID was used again.
func (j *Journal) begin(e *spoor.Event, origin bool) *flight {
	key := j.messageKey(e)
	f := j.open.get(key)
	if f != nil && (origin && f.traced || f.left != 0 || e.Time.Sub(f.heard) > disorder) {
		j.settle(f)
		f = nil
	}
	if f == nil {
		if f = j.begun(e, origin); f == nil {
			f = j.newFlight(e.ID)
			f.key, f.accepted, f.submitted = key, e.Time, e.Time
			j.open.put(key, f)
			j.sweep(e.Time)
		}
	}
	f.keyed, f.logged, f.heard = true, true, e.Time
	f.traced = f.traced || origin
	return f
}

// flight returns the flight that a line is about, which may have begun before
// the log.
func (j *Journal) flight(e *spoor.Event) *flight {
	key := j.messageKey(e)
	f := j.open.get(key)
	if f == nil {
		f = j.reportedOn(e)
	}
	if f == nil {
		f = j.newFlight(e.ID)
		f.key, f.accepted, f.submitted = key, e.Time, e.Time
		f.keyed = true
		j.open.put(key, f)
	}
	f.heard = e.Time
	return f
}

// entered decides on what the MTA logged of the origin.
func (j *Journal) entered(f *flight, e *spoor.Event) {
	f.client = parseClient(e.Client)
	switch {
	case len(e.Account) > 0:
		f.book, f.sure = j.account(e.Account), percent(sureAuth)
	case e.UID >= 0:
		j.fromUser(f, e.UID)
	case len(e.Login) > 0:
		j.fromLogin(f, e.Login)
	case f.client.IsValid():
		f.book, f.sure = j.networks.of(f.client), percent(sureClient)
		f.filtered = f.client.IsLoopback()
	}
}

func percent(confidence float64) uint8 { return uint8(100*confidence + 0.5) }

// fromUser blames the owner of a UID. A user of the mail system hands over what
// others wrote: a content filter, or the MTA for a requeued message.
func (j *Journal) fromUser(f *flight, uid int32) {
	f.uid = uid
	if j.tracer.facts.Via(int(uid)) == spoor.ViaUnknown { // the MTA's own
		f.filtered = true
		return
	}
	f.book = j.user(uid)
	f.sure = percent(f.book.confidence)
	f.filtered = f.book.owner.Role == spoor.RoleMailSystem
}

// fromLogin does the same where the login is logged instead of the UID.
func (j *Journal) fromLogin(f *flight, login []byte) {
	if uid, ok := j.tracer.facts.UID(string(login)); ok {
		j.fromUser(f, int32(uid))
		return
	}
	f.book, f.sure = j.book(spoor.Source{Kind: spoor.KindUser, Name: string(login)}, -1), percent(sureRecord)
}

// acceptSubmitted takes a line that tells of origin and envelope at once, as
// Exim's does.
func (j *Journal) acceptSubmitted(b *spoor.Block, e *spoor.Event) {
	f := j.begin(e, true)
	f.place = b.Place(e)
	switch {
	case len(e.Related) > 0 && len(e.Address) == 0:
		j.inherit(f, j.bounceFor(j.open.get(j.relatedKey(e))))
	default:
		j.entered(f, e)
		j.invoked(f, e)
		j.inFolder(f)
	}
	j.name(f, e.Text)
	j.queued(e)
}

// named notes that a message was written to the queue. Without a line about its
// origin the MTA has made it itself.
func (j *Journal) named(b *spoor.Block, e *spoor.Event) {
	f := j.open.get(j.messageKey(e))
	if f == nil || f.left != 0 || e.Time.Sub(f.heard) > disorder && (f.queued || !f.traced) {
		if f = j.begin(e, false); !f.traced {
			f.place = b.Place(e)
		}
	}
	f.heard = e.Time
	if o, ok := j.announced[f.key]; ok {
		delete(j.announced, f.key)
		j.inherit(f, o)
	}
	j.name(f, e.Text)
}

// queued notes envelope and size. The MTA says so again at each try.
func (j *Journal) queued(e *spoor.Event) {
	f := j.flight(e)
	j.lastMTA = e.Time
	if f.queued {
		return
	}
	f.queued, f.size = true, e.Size
	f.recipients = slices.Grow(f.recipients, int(min(e.Count, mostForeseen)))
	j.sender(f, e)
	switch {
	case f.book == nil, f.filtered, f.book.source.Kind == spoor.KindNetwork:
		f.waits, f.pending = true, append(f.pending[:0], e.Address...) // it may turn out to be another's
	default:
		f.book.sender(f, e.Address)
	}
	j.webmail(f, e)
}

// mostForeseen bounds the recipients that room is made for before they are
// delivered to.
const mostForeseen = 256

// reported ends a delivery of a message that the line names.
func (j *Journal) reported(b *spoor.Block, e *spoor.Event) {
	j.lastMTA = e.Time
	f := j.flight(e)
	if e.Kind == spoor.EventFailed && len(e.Address) == 0 {
		j.expired(b, f, e)
		return
	}
	hash, domain := addressHash(e)
	r := j.recipientOf(f, hash)
	if domain != 0 && r.domain == 0 {
		r.domain = j.domains.number(domain, e.Address)
	}
	j.direction(f, r, e)
	switch e.Kind {
	case spoor.EventDelivered:
		r.state = delivered
		if len(e.Related) > 0 && j.passed(f, e) {
			r.state = passedOn
		}
		return
	case spoor.EventDeferred:
		if e.Idle {
			j.idle(b, r, e)
			return
		}
		times := max(1, e.Repeat)
		r.state = waiting
		f.deferrals += int32(times)
		f.deferredBy[e.Answer] += int32(times)
	default:
		r.state = failed
		if e.Channel == spoor.ChannelLocal || r.domain != 0 && j.serves(r.domain) {
			f.failedLocal = r.domain
		}
	}
	r.answer, r.place = e.Answer, b.Place(e)
	r.reason = j.reasons.number(e)
}

// idle notes a recipient that waits for its time. What was said at the last try is
// why it waits.
func (j *Journal) idle(b *spoor.Block, r *recipient, e *spoor.Event) {
	if r.state == running {
		r.state, r.answer = waiting, spoor.AnswerNoConnection
		r.place, r.reason = b.Place(e), j.reasons.number(e)
	}
}

// direction notes whether a message goes out, and whether an alias here sends it
// out: then that is what the mail comes from.
func (j *Journal) direction(f *flight, r *recipient, e *spoor.Event) {
	switch {
	case e.Channel != spoor.ChannelRemote:
		return
	case len(e.Related)+len(e.Parent) > 0 && r.domain != 0 && j.serves(r.domain): // to a filter on this machine, and then to a mailbox
		return
	}
	f.remote = true
	_, domain := spoor.AddressHash(e.Parent)
	if domain == 0 || !j.serves(j.domains.number(domain, e.Parent)) {
		f.direct = true
	} else if f.alias == "" {
		f.alias = string(e.Parent)
	}
}

// recipientOf finds a recipient by the hash of its address, or adds it.
func (j *Journal) recipientOf(f *flight, hash uint64) *recipient {
	if i := f.position(hash); i >= 0 {
		return &f.recipients[i]
	}
	f.recipients = append(f.recipients, recipient{hash: hash})
	n := len(f.recipients)
	switch {
	case f.index != nil:
		f.index[hash] = int32(n - 1)
	case n > fewRecipients:
		f.index = j.newIndex()
		for i := range f.recipients {
			f.index[f.recipients[i].hash] = int32(i)
		}
	}
	return &f.recipients[n-1]
}

// newIndex returns an empty index of recipients.
func (j *Journal) newIndex() map[uint64]int32 {
	n := len(j.indexes)
	if n == 0 {
		return make(map[uint64]int32, 2*fewRecipients)
	}
	index := j.indexes[n-1]
	j.indexes = j.indexes[:n-1]
	return index
}

// fewRecipients is how many are looked through one by one.
const fewRecipients = 32

func (f *flight) position(hash uint64) int {
	if f.index != nil {
		if i, ok := f.index[hash]; ok {
			return int(i)
		}
		return -1
	}
	for i := range f.recipients {
		if f.recipients[i].hash == hash {
			return i
		}
	}
	return -1
}

// expired gives up all that wait.
func (j *Journal) expired(b *spoor.Block, f *flight, e *spoor.Event) {
	for i := range f.recipients {
		if r := &f.recipients[i]; r.state == waiting {
			r.state, r.answer, r.place = failed, e.Answer, b.Place(e)
		}
	}
}

// leaves notes that a message has left the queue. What is not known yet of its
// origin may follow.
func (j *Journal) leaves(f *flight, e *spoor.Event) {
	if e.Kind == spoor.EventRemoved {
		for i := range f.recipients {
			if f.recipients[i].state == waiting {
				f.recipients[i].state = lost
			}
		}
	}
	if f.logged && (f.book == nil || f.filtered) {
		f.left = e.Time
		j.leaving = append(j.leaving, departure{f.key, e.Time})
		return
	}
	j.close(f)
}

// departure is a message that has left, and waits for a late line.
type departure struct {
	key uint64
	at  spoor.Stamp
}

// depart closes the messages that have left for longer than lines are late.
func (j *Journal) depart(now spoor.Stamp) {
	n := 0
	for ; n < len(j.leaving) && now.Sub(j.leaving[n].at) > disorder; n++ {
		if f := j.open.get(j.leaving[n].key); f != nil && f.left == j.leaving[n].at {
			j.close(f)
		}
	}
	if n > 0 {
		j.leaving = append(j.leaving[:0], j.leaving[n:]...)
	}
}

// close sums a message up and forgets it.
func (j *Journal) close(f *flight) {
	j.open.remove(f.key)
	j.closed(f)
	j.settle(f)
	j.forget(f)
}

// sweep forgets messages that were begun and never queued: the client went, or
// was refused at the end. It looks when there are twice as many as the last time.
func (j *Journal) sweep(now spoor.Stamp) {
	if j.open.n < j.sweepAt {
		return
	}
	var stale []*flight
	for _, f := range j.open.all() {
		if f.keyed && f.logged && !f.queued && now.Sub(f.heard) > unfinished {
			stale = append(stale, f)
		}
	}
	for _, f := range stale {
		j.open.remove(f.key)
		j.forget(f)
	}
	j.sweepAt = max(firstSweep, 2*j.open.n)
}

const firstSweep = 1 << 14

// webmail looks for the account behind a message that a program on this machine
// handed over by SMTP without a login: who had opened the sender's mailbox from
// here, as a webmail does for its user.
func (j *Journal) webmail(f *flight, e *spoor.Event) {
	if !f.filtered || !f.client.IsLoopback() || f.domain == 0 || !j.serves(f.domain) {
		return
	}
	if found, ok := j.mailboxes[f.senderHash]; ok && f.submitted.Sub(found.time) < webmailReach {
		f.via, f.viaPlace = j.account(e.Address), found.place
	}
}

// webmailReach is how long a webmail's session may last.
const webmailReach = 12 * time.Hour

// maxMailboxes bounds the mailboxes that are remembered as opened from here.
const maxMailboxes = 1 << 16

// access remembers the mailboxes that programs on this machine opened.
func (j *Journal) access(b *spoor.Block, e *spoor.Event) {
	client := parseClient(e.Client)
	if !client.IsLoopback() || len(e.Address) == 0 {
		return
	}
	if len(j.mailboxes) >= maxMailboxes {
		clear(j.mailboxes)
	}
	hash, _ := addressHash(e)
	j.mailboxes[hash] = opened{time: e.Time, place: b.Place(e)}
}

// opened is when a mailbox was opened from this machine.
type opened struct {
	time  spoor.Stamp
	place spoor.LogPlace
}

// invocation is a start of a command of the MTA.
type invocation struct {
	time  spoor.Stamp
	place spoor.LogPlace
	dir   string
}

// invoke remembers in which folder a command of the MTA was started: the line
// about the message follows, with the same PID where that is logged.
func (j *Journal) invoke(b *spoor.Block, e *spoor.Event) {
	j.invocations[uint32(e.PID)&(maxInvocations-1)] = invocation{time: e.Time, place: b.Place(e), dir: string(e.Text)}
}

const maxInvocations = 1 << 10 // by the low bits of the PID

// invoked takes the folder in which the command that queued a message was
// started.
func (j *Journal) invoked(f *flight, e *spoor.Event) {
	if len(e.Login) == 0 {
		return
	}
	at := &j.invocations[uint32(e.PID)&(maxInvocations-1)]
	if at.dir != "" && e.Time.Sub(at.time) <= 2*second {
		f.dir, f.login, f.opened = at.dir, at.place, at.time
	}
	*at = invocation{}
}

// inFolder blames the site in whose folder the web server's user called the MTA:
// all sites have that user.
func (j *Journal) inFolder(f *flight) {
	if f.dir == "" || f.book == nil || f.book.owner == nil || f.book.owner.Role != spoor.RoleWebServer {
		return
	}
	site := j.tracer.facts.SiteAt(f.dir)
	if site == "" {
		return
	}
	b := j.book(spoor.Source{Kind: spoor.KindSite, Name: site}, int(f.uid))
	if b.owner == nil {
		owner := *f.book.owner
		owner.Site = site
		b.owner = &owner
	}
	f.book, f.sure = b, percent(sureFolders)
}

// pastOrigin is what is kept of the messages that were named last, for those that
// go on under another ID.
type pastOrigin struct {
	name      uint64 // hash of the Message-ID
	key       uint64
	book      *book
	client    netip.Addr
	login     spoor.LogPlace
	heard     spoor.Stamp
	delivered int32 // recipients, when it was closed
	sure      uint8
}

const maxNamed = 1 << 12 // by the low bits of the hash

// name remembers a message by its Message-ID. One that a filter hands over has
// that of the message that went in.
func (j *Journal) name(f *flight, messageID []byte) {
	if len(messageID) < 3 { // none, or <>
		return
	}
	hash := spoor.IDHash(messageID)
	past := &j.past[hash&(maxNamed-1)]
	if f.filtered && past.name == hash && past.key != f.key && past.book != nil {
		before, heard := j.open.get(past.key), past.heard
		if before != nil {
			heard = max(heard, before.heard)
		}
		if f.heard.Sub(heard) <= filterReach {
			j.goOnFrom(f, past)
			if before != nil {
				before.handedOn = true
			}
			return
		}
	}
	f.name = hash
	*past = pastOrigin{name: hash, key: f.key, book: f.book, client: f.client, login: f.place, sure: f.sure, heard: f.heard}
}

// filterReach is how long a filter may have a message, counted from the last that
// was heard of it. A Message-ID that others have seen proves nothing later.
const filterReach = 10 * time.Minute
