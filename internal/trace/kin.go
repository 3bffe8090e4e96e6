package trace

import (
	"bytes"
	"cmp"
	"net/netip"
	"time"

	"spoor"
)

// Messages that the MTA made because of another one, and messages that go on
// under another ID: bounces, forwards, what a content filter hands back, what an
// operator queued again.

// maxAnnounced bounds the messages that are announced and have not come.
const maxAnnounced = 1 << 15

// relatedKey is that of the other message of an event.
func (j *Journal) relatedKey(e *spoor.Event) uint64 {
	return spoor.IDHash(e.Related) ^ j.origin(e.Origin)
}

// kin gives a message the source that its origin implies, or remembers that for
// when it comes.
func (j *Journal) kin(key uint64, f *flight, o *origin) {
	if f == nil {
		if len(j.announced) >= maxAnnounced {
			clear(j.announced)
		}
		j.announced[key] = o
		return
	}
	j.inherit(f, o)
}

// bounceFor is the origin of a bounce for a message, which may be nil.
func (j *Journal) bounceFor(parent *flight) *origin {
	o := &origin{via: spoor.ViaBounce, source: spoor.Source{Kind: spoor.KindBounce, Name: "unknown"}}
	if parent == nil || parent.book == nil {
		return o
	}
	parent.bounces++
	cause := parent.source(j)
	o.cause, o.sure, o.place = cause, parent.sure, parent.place
	o.source.Name = bounceName(cause, parent.failedLocal != 0, j.domains.name(parent.failedLocal))
	return o
}

// source is what a message is to blame on, as far as is known now.
func (f *flight) source(j *Journal) spoor.Source {
	switch {
	case f.isCopy():
		return f.list.source()
	case f.alias != "" && f.forwards():
		return spoor.Source{Kind: spoor.KindForward, Name: lowerDomain(j.tracer.facts.LocalAddress(f.alias))}
	case f.via != nil:
		return f.via.named()
	case f.book == nil:
		return spoor.Source{Kind: spoor.KindUnknown}
	}
	return f.book.named()
}

// forwards reports whether all that goes out does so because of an alias: mail
// from outside that no recipient elsewhere was written on.
func (f *flight) forwards() bool {
	return !f.direct && f.book != nil && f.book.source.Kind == spoor.KindNetwork
}

// notified notes which bounce was queued for a message.
func (j *Journal) notified(e *spoor.Event) {
	key := j.relatedKey(e)
	j.kin(key, j.open.get(key), j.bounceFor(j.open.get(j.messageKey(e))))
}

// passed notes under which ID a delivered message goes on. It is false where
// nothing more is known of that.
func (j *Journal) passed(f *flight, e *spoor.Event) bool {
	key := j.relatedKey(e)
	next := j.related(e)
	if e.Channel == spoor.ChannelLocal {
		name := lowerDomain(j.tracer.facts.LocalAddress(string(e.Address)))
		o := &origin{via: spoor.ViaForward, cause: f.source(j), place: f.place, source: spoor.Source{Kind: spoor.KindForward, Name: name}}
		j.kin(key, next, o)
		return false
	}
	if next == nil || next == f || f.wentOn && !next.goesOn {
		return f.wentOn // it has left, and its ID may be in use again
	}
	if !next.goesOn {
		past := pastOf(f)
		j.goOnFrom(next, &past)
	}
	if f.remote {
		next.alias, next.direct, next.renamed = f.alias, f.direct, true
	}
	return true
}

// goesOn joins a message to the one that its line of origin names. It is false
// where the log has nothing of that.
func (j *Journal) goesOn(f *flight, e *spoor.Event) bool {
	before := j.related(e)
	if before == nil || before == f {
		f.filtered = true
		return false
	}
	past := pastOf(before)
	j.goOnFrom(f, &past)
	before.wentOn = true
	if e.UID >= 0 { // queued again: the one before does not go on
		for i := range before.recipients {
			if before.recipients[i].state == waiting {
				before.recipients[i].state = passedOn
			}
		}
		j.close(before)
	}
	return true
}

func pastOf(f *flight) pastOrigin {
	past := pastOrigin{key: f.key, book: f.book, client: f.client, login: f.place, sure: f.sure}
	past.setBehind(f.behind)
	if f.list != nil {
		past.kinship().list = f.list
	}
	if f.proxied {
		past.login = f.login
	}
	return past
}

// goOnFrom gives a message the source of the one that it was before. The two
// count as one message, and its recipients as one message's.
func (j *Journal) goOnFrom(f *flight, past *pastOrigin) {
	if f.goesOn || past.book == nil {
		return
	}
	f.goesOn, f.filtered, f.behind = true, false, behind{}
	f.book, f.client, f.login, f.sure = past.book, past.client, past.login, past.sure
	if kin := past.kin; kin != nil {
		f.behind = kin.behind
		f.list = cmp.Or(kin.list, f.list)
	}
	j.recount(past, -past.delivered)
	past.delivered = 0
}

// recount changes how many recipients of a message that was summed up count as
// delivered.
func (j *Journal) recount(past *pastOrigin, change int32) {
	if past.countedBy != nil {
		past.countedBy.delivered += change
		j.Rates.Delivered += int(change)
	}
}

// settleKin sums a message up, and notes how many of its recipients count as delivered,
// in case that it goes on.
func (j *Journal) settleKin(f *flight) {
	past := j.remembered(f)
	if past == nil {
		j.settle(f)
		return
	}
	past.book, past.sure, past.heard = f.book, f.sure, f.heard
	past.setBehind(f.behind)
	count := &past.delivered
	if f.handedOn {
		count = &past.taken
	}
	for i := range f.recipients {
		if f.recipients[i].state == delivered {
			*count++
		}
	}
	j.settle(f)
	past.countedBy = f.book
}

// pastOrigin is what is kept of the messages that were named last, for those that
// go on under another ID.
type pastOrigin struct {
	name      uint64 // hash of the Message-ID
	key       uint64
	next      uint64 // key of the one that it went on as
	book      *book
	client    netip.Addr
	login     spoor.LogPlace
	heard     spoor.Stamp
	countedBy *book // under which it was summed up
	delivered int32 // recipients that count as that
	taken     int32 // those that count for the next one
	sure      uint8
	passed    int32    // deliveries to programs of this machine that have not handed it back yet; below 0 where they have and are not logged yet
	kin       *kinship // nil for most: there are many of these, and each is looked at
}

// kinship is what few messages have.
type kinship struct {
	behind
	list     *posting
	programs []uint64   // listKey of the addresses for which programs that are no filters got it, as far as is known
	postings []*posting // that its copies name
}

func (p *pastOrigin) kinship() *kinship {
	if p.kin == nil {
		p.kin = &kinship{}
	}
	return p.kin
}

// setBehind notes who is behind the program that handed the message over.
func (p *pastOrigin) setBehind(who behind) {
	if who.via != nil || p.kin != nil {
		p.kinship().behind = who
	}
}

// forgetPrograms forgets which programs got the message: they have handed it back, so
// that they are filters.
func (p *pastOrigin) forgetPrograms() {
	if p.kin != nil {
		p.kin.programs = p.kin.programs[:0]
	}
}

// remembered is what is kept of a message under its Message-ID, or nil.
func (j *Journal) remembered(f *flight) *pastOrigin {
	past := &j.past[f.named&(maxNamed-1)]
	if f.named == 0 || past.name != f.named || past.key != f.key {
		return nil
	}
	return past
}

// setSource notes whose message it was, which is known now: it may go on to another instance,
// or behind a filter, or a list may have made copies of it.
func (p *pastOrigin) setSource(f *flight) {
	p.book, p.sure, p.login = f.book, f.sure, f.login
	if p.kin == nil {
		return
	}
	for _, list := range p.kin.postings {
		list.cause, list.place = f.book.named(), f.login
	}
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
			if to := &j.redirects[hash&(maxRedirects-1)]; to.name == hash && f.heard.Sub(to.time) <= disorder && j.redirect(f, past, to) {
				return
			}
			f.copyOf = hash
			switch {
			case !f.client.IsLoopback(): // a user of the mail system, mostly before it is logged that he got it
				past.passed--
			case past.passed > 0:
				past.passed--
			default:
				if j.open.get(past.next) == nil {
					past.next = f.key
				}
				return
			}
			j.comesBack(f, past, before)
			return
		}
	}
	f.named = hash
	kin := past.kin
	if kin != nil {
		*kin = kinship{programs: kin.programs[:0]}
	}
	*past = pastOrigin{name: hash, key: f.key, book: f.book, client: f.client, login: f.place, sure: f.sure, heard: f.heard, kin: kin}
}

// comesBack joins a message that a program of this machine has handed back to the one
// that it got, which may have left.
func (j *Journal) comesBack(f *flight, past *pastOrigin, before *flight) {
	past.next = f.key
	if f.handedBack = !f.goesOn && past.book != nil; f.handedBack {
		past.taken += past.delivered
	}
	if before != nil {
		past.setBehind(before.behind)
		before.handedOn = true
	}
	j.goOnFrom(f, past)
}

// cameBack does so when the MTA logs that a program has got a message, which it mostly
// does when the program has handed it back. Until then a Message-ID proves nothing: who
// has read a message can write its Message-ID on another, and hand that over here.
func (j *Journal) cameBack(f *flight) {
	past := j.remembered(f)
	if past == nil {
		return
	}
	next := j.open.get(past.next)
	if next != nil && next.isCopy() {
		return
	}
	if past.next == 0 || next == nil || next == f || next.goesOn || !next.filtered || !next.logged || next.named != 0 {
		past.passed++
		return
	}
	j.comesBack(next, past, f)
	if next.queued { // and is no list's: the program is a filter
		past.forgetPrograms()
	}
}

// filterReach is how long a filter may have a message, counted from the last that
// was heard of it. A Message-ID that others have seen proves nothing later.
const filterReach = 10 * time.Minute

// proxied gives a message the login of the client who handed it to a filter before
// the queue. The line of origin names the filter's own connection, which has none.
func (j *Journal) proxied(b *spoor.Block, e *spoor.Event) {
	j.proxies = true
	f := j.open.get(j.messageKey(e))
	if f == nil {
		f = j.reportedOn(e)
	}
	if f == nil {
		f = j.handedOver(e, func(f *flight) bool {
			return f.book != nil && f.book.source.Kind == spoor.KindNetwork && e.Time.Sub(f.submitted) <= longestData
		})
	}
	if f == nil {
		if j.handedOver(e, func(*flight) bool { return true }) == nil {
			j.foretell(b, e)
		}
		return
	}
	if f.goesOn || f.book == nil || f.book.source.Kind != spoor.KindNetwork || e.Time.Sub(f.submitted) > longestData {
		return
	}
	j.isOf(f, j.account(e.Account), b.Place(e))
	if past := j.remembered(f); past != nil {
		past.setSource(f)
	}
}

// isOf blames a login for a message that a program handed over for it.
func (j *Journal) isOf(f *flight, account *book, place spoor.LogPlace) {
	f.proxied, f.filtered, f.via = true, false, nil
	f.book, f.sure, f.login = account, percent(sureAuth), place
}

// handedOver finds the message of an ID that a server in front of the MTA names, such
// as Dovecot's submission service. Its own log has no name of a host, and it may run
// on another one; of several hosts' messages with that ID it is the one that fits.
func (j *Journal) handedOver(e *spoor.Event, fits func(*flight) bool) *flight {
	for i, origin := range j.origins {
		if i == maxServices {
			break
		}
		if f := j.open.get(e.Key ^ origin); f != nil && f.logged && f.keyed && bytes.Equal(f.name, e.ID) && fits(f) {
			return f
		}
	}
	return nil
}

// foretold is whose login a message has, which the log tells before the message: two
// files of one second.
type foretold struct {
	key     uint64
	account *book
	time    spoor.Stamp
	place   spoor.LogPlace
}

// maxForetold bounds those that are waited for, by the low bits of the ID's key.
const maxForetold = 1 << 8

func (j *Journal) foretell(b *spoor.Block, e *spoor.Event) {
	j.foretold[e.Key&(maxForetold-1)] = foretold{key: e.Key, account: j.account(e.Account), time: e.Time, place: b.Place(e)}
}

// asForetold blames the login that the log has told of just before.
func (j *Journal) asForetold(f *flight, e *spoor.Event) {
	told := &j.foretold[e.Key&(maxForetold-1)]
	if told.account != nil && told.key == e.Key && e.Time.Sub(told.time) <= 2*second {
		j.isOf(f, told.account, told.place)
		*told = foretold{}
	}
}

// mayBeProxied reports whether the line of the filter before the queue, which
// follows the message's own, may still come.
func (j *Journal) mayBeProxied(f *flight) bool {
	return j.proxies && !f.proxied && f.book.source.Kind == spoor.KindNetwork
}

// redirect is what the Sieve script of a mailbox has sent on.
type redirect struct {
	name    uint64 // hash of the Message-ID
	mailbox *book
	time    spoor.Stamp
	place   spoor.LogPlace
}

// maxRedirects bounds those that are waited for, by the low bits of the hash.
const maxRedirects = 1 << 8

// redirected notes that a mailbox has sent a message on. That one is taken in by the
// MTA at about the same time.
func (j *Journal) redirected(b *spoor.Block, e *spoor.Event) {
	hash := spoor.IDHash(e.Text)
	to := &j.redirects[hash&(maxRedirects-1)]
	source := spoor.Source{Kind: spoor.KindForward, Name: lowerDomain(string(e.Address))}
	*to = redirect{name: hash, mailbox: j.book(source, -1), time: e.Time, place: b.Place(e)}
	past := &j.past[hash&(maxNamed-1)]
	if past.name != hash {
		return
	}
	f := j.open.get(past.next)
	if f == nil || !f.goesOn && !f.filtered || f.named != 0 || e.Time.Sub(f.submitted) > disorder {
		return
	}
	joined := f.goesOn
	if j.redirect(f, past, to) && joined {
		j.notBack(past)
	}
}

// notBack takes back that a message was handed back.
func (j *Journal) notBack(past *pastOrigin) {
	j.recount(past, past.taken)
	past.delivered, past.taken = past.delivered+past.taken, 0
	if before := j.open.get(past.key); before != nil {
		before.handedOn = false
	}
}

// redirect makes a message of its own of what a mailbox sends on. It is false where
// somebody had logged in: who did is to blame, whatever is between.
func (j *Journal) redirect(f *flight, past *pastOrigin, to *redirect) bool {
	to.name = 0
	if past.book.source.Kind != spoor.KindNetwork {
		return false
	}
	f.goesOn, f.filtered, f.via, f.redirected, f.cause = false, false, nil, true, past.book.named()
	f.book, f.client, f.sure, f.login = to.mailbox, past.client, percent(sureFolder), to.place
	return true
}
