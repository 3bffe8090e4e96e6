package trace

import (
	"bytes"
	"cmp"
	"math"
	"net/netip"
	"slices"
	"time"

	"spoor"
)

// book sums up what the log tells of one source. There may be very many of them,
// most with one message: what few need is behind pointers.
type book struct {
	source     spoor.Source // of a network the name is its client, see named
	client     netip.Addr   // of a network
	relation   *[4]int32    // of an account's mail to its sender: see relationOf
	owner      *spoor.Owner // of a UID
	uid        int32
	confidence float64 // of a UID's source

	accepted, recipients, remote int32
	delivered, failed, waiting   int32
	deferrals, bounces           int32
	null, own, foreign           int32
	logins, inferred             int32
	sureness                     int64 // the sum over accepted, in hundredths
	bytes                        int64
	first, last                  spoor.Stamp
	places                       []logged // at most maxEvidence
	listed                       bool     // the queue has mail of it too
	firstOwn                     bool     // the first of senders belongs to the source
	senders                      census[string]
	clients                      *census[netip.Addr]  // of an account
	causes                       map[spoor.Source]int // at most spoor.MaxDistinct
	answers                      *answers
	hours                        []hour
	arrivals                     []spoor.Stamp // of late, of a UID that runs scripts
}

// named is the source with its name. There may be very many networks, and most
// are never shown.
func (b *book) named() spoor.Source {
	if b.source.Kind == spoor.KindNetwork {
		return spoor.Source{Kind: spoor.KindNetwork, Name: b.client.String()}
	}
	return b.source
}

// logged is a message that can be quoted.
type logged struct {
	id            spoor.QueueID
	info, session spoor.LogPlace
}

// answers are what receivers said of a source's mail.
type answers struct {
	failed, deferred [spoor.NumAnswers]int32
	receivers        map[receiver]*verdictOf
}

type receiver struct {
	domain uint32
	answer spoor.Answer
}

type verdictOf struct {
	count int32
	place spoor.LogPlace
	id    spoor.QueueID
}

// hour is the volume of one hour since 1970.
type hour struct {
	number               int32
	messages, recipients int32
}

// maxHours bounds the hours that are kept: two weeks.
const maxHours = 14 * 24

// maxReceivers bounds the receivers that are told apart for one source.
const maxReceivers = 256

// sender counts an envelope sender.
func (b *book) sender(f *flight, address []byte) {
	if b.senders.count > 0 && string(address) == b.senders.first { // mostly
		f.own = b.firstOwn && !f.nullSender
		b.senders.count++
		return
	}
	own := b.source.Kind != spoor.KindNetwork && b.owns(string(address), !f.foreign)
	f.own = own && !f.nullSender
	if b.senders.count == 0 {
		b.firstOwn = own
	}
	addSender(&b.senders, address)
}

// addSender counts a sender, which is copied if it is new. Of one that is too long its
// end is told.
func addSender(c *census[string], address []byte) {
	address = address[max(0, len(address)-longestAddress):]
	if n, ok := c.others[string(address)]; ok {
		c.others[string(address)] = n + 1
		return
	}
	c.add(string(address), 1)
}

// owns reports whether a sender is one that the source may use, as the ledger has
// it: an account's own domain need not be served here.
func (b *book) owns(sender string, served bool) bool {
	r := ruling{source: b.source}
	if b.owner != nil {
		r.owner = *b.owner
	}
	return owns(r, sender, domainOf(sender), served)
}

// loggedIn counts a login in order to send.
func (b *book) loggedIn(client netip.Addr, place spoor.LogPlace) {
	b.logins++
	if client.IsValid() {
		b.cameFrom(client)
	}
	if len(b.places) == 0 {
		b.quote(logged{session: place})
	}
}

// relations are the account's own habits.
func (b *book) relations() *[4]int32 {
	if b.relation == nil {
		b.relation = &[4]int32{}
	}
	return b.relation
}

// quote keeps a message as evidence. Most sources have one, the others soon three.
func (b *book) quote(l logged) {
	if len(b.places) == 1 {
		b.places = append(make([]logged, 0, maxEvidence), b.places...)
	}
	b.places = append(b.places, l)
}

// cameFrom counts a client of an account.
func (b *book) cameFrom(client netip.Addr) {
	if b.clients == nil {
		b.clients = &census[netip.Addr]{}
	}
	b.clients.add(client, 1)
}

// settle sums a message up under its source.
func (j *Journal) settle(f *flight) {
	if f.keyed {
		j.settleKeyed(f)
		return
	}
	if j.receipts != nil {
		j.closeReceipt(f)
	}
	j.decide(f)
	f.sourceFound()
	b := f.book
	if b == nil {
		b = j.book(spoor.Source{Kind: spoor.KindUnknown}, -1)
	}
	j.settleUnder(f, b, len(f.recipients))
}

// decide names the source of a message that still waits for it.
func (j *Journal) decide(f *flight) {
	if f.awaits {
		j.infer(f)
	}
	if f.book == nil && f.logged {
		j.resolve(f, mail{flight: f, name: f.senderHash, addressed: j.receipts != nil && len(f.recipients) > 0, remote: f.remote})
	}
}

// settleKeyed does so for MTAs that log the origin of a message. What was begun
// and never queued does not count.
func (j *Journal) settleKeyed(f *flight) {
	if f.logged && !f.queued {
		return
	}
	switch {
	case f.isCopy():
		f.book, f.cause, f.login = j.book(f.list.source(), -1), f.list.cause, f.list.place
		f.sure, f.via, f.inferred = percent(sureFolder), nil, false
	case f.alias != "" && f.forwards():
		source := f.source(j)
		f.cause, f.sure = f.book.named(), percent(sureFolder)
		f.book = j.book(source, -1)
	case f.via != nil:
		f.book, f.sure, f.inferred, f.login = f.via, f.viaSure, true, f.viaPlace
	case f.book == nil && f.logged && (f.nullSender || bytes.HasPrefix(f.pending, []byte("double-bounce@"))): // to the postmaster, or a probe
		f.book = j.book(spoor.Source{Kind: spoor.KindBounce, Name: "unknown"}, -1)
	case f.book == nil:
		f.book = j.book(spoor.Source{Kind: spoor.KindUnknown}, -1)
	}
	f.sourceFound()
	j.settleUnder(f, f.book, len(f.recipients))
}

// settleUnder does the same under a source that the queue has proven.
func (j *Journal) settleUnder(f *flight, b *book, recipients int) {
	if f.logged && !f.goesOn {
		b.accept(f, recipients)
		j.Rates.Accepted++
		j.Rates.Recipients += recipients
	}
	b.deferrals += f.deferrals
	j.Rates.Deferrals += int(f.deferrals)
	if f.deferrals > 0 {
		a := b.said()
		for answer, n := range f.deferredBy {
			a.deferred[answer] += n
			j.Rates.DeferredBy[answer] += int(n)
		}
	}
	for i := range f.recipients {
		j.settleRecipient(f, b, &f.recipients[i])
	}
}

func (j *Journal) settleRecipient(f *flight, b *book, r *recipient) {
	switch r.state {
	case delivered:
		if f.handedOn {
			return
		}
		b.delivered++
		j.Rates.Delivered++
		return
	case failed:
		b.failed++
		b.said().failed[r.answer]++
		j.Rates.Failed++
		j.Rates.FailedBy[r.answer]++
	case waiting:
		b.waiting++
	case running, lost, passedOn:
		return
	}
	if r.answer == spoor.AnswerSpam || r.answer == spoor.AnswerBlocked {
		b.said().judged(receiver{r.domain, r.answer}, r.place, f)
	}
}

func (b *book) said() *answers {
	if b.answers == nil {
		b.answers = &answers{receivers: map[receiver]*verdictOf{}}
	}
	return b.answers
}

func (a *answers) judged(key receiver, place spoor.LogPlace, f *flight) {
	v, ok := a.receivers[key]
	if !ok {
		if len(a.receivers) >= maxReceivers {
			return
		}
		v = &verdictOf{place: place, id: f.id()}
		a.receivers[key] = v
	}
	v.count++
}

// accept counts a message that was taken from the source.
func (b *book) accept(f *flight, recipients int) {
	if len(b.places) < maxEvidence {
		b.quote(logged{id: f.id(), info: f.place, session: f.login})
	}
	b.accepted++
	b.recipients += int32(recipients)
	b.bytes += f.size
	b.sureness += int64(f.sure)
	b.remote += bit(f.remote)
	b.bounces += f.bounces
	b.null += bit(f.nullSender)
	b.own += bit(f.own)
	b.foreign += bit(f.foreign && !f.own)
	b.inferred += bit(f.inferred)
	if b.first == 0 || f.submitted < b.first {
		b.first = f.submitted
	}
	b.last = max(b.last, f.submitted)
	if b.owner != nil && runsScripts(*b.owner) {
		b.arrived(f.submitted)
	}
	if f.client.IsValid() && b.source.Kind == spoor.KindAccount && f.account != b {
		b.cameFrom(f.client)
	}
	if f.cause != (spoor.Source{}) {
		if b.causes == nil {
			b.causes = map[spoor.Source]int{}
		}
		if _, ok := b.causes[f.cause]; ok || len(b.causes) < spoor.MaxDistinct {
			b.causes[f.cause]++
		}
	}
	b.hour(f, recipients)
}

// arrived remembers when a message came. After twice as many as are kept, those
// that settled first are forgotten.
func (b *book) arrived(at spoor.Stamp) {
	if len(b.arrivals) == 2*maxArrivals {
		b.arrivals = append(b.arrivals[:0], b.arrivals[maxArrivals:]...)
	}
	b.arrivals = append(b.arrivals, at)
}

// recentArrivals are the times of the newest messages, in order: those of the last
// day, since logs of requests of a longer time may be huge.
func (b *book) recentArrivals() []time.Time {
	if len(b.arrivals) == 0 {
		return nil
	}
	slices.Sort(b.arrivals)
	newest := b.arrivals[len(b.arrivals)-1]
	first, _ := slices.BinarySearch(b.arrivals, newest.Add(-arrivalsReach))
	first = max(first, len(b.arrivals)-maxArrivals)
	times := make([]time.Time, 0, len(b.arrivals)-first)
	for _, at := range b.arrivals[first:] {
		times = append(times, at.Time())
	}
	return times
}

// Bounds of what scripts are looked for by.
const (
	maxArrivals   = 1000 // messages of a source
	arrivalsReach = 24 * time.Hour
)

func bit(yes bool) int32 {
	if yes {
		return 1
	}
	return 0
}

// hour counts the volume over time. Messages settle when they end, which is not
// the order in which they came.
func (b *book) hour(f *flight, recipients int) {
	number := int32(f.submitted / spoor.Stamp(time.Hour/time.Microsecond))
	if n := len(b.hours); n > 0 && b.hours[n-1].number == number { // mostly
		b.hours[n-1].messages++
		b.hours[n-1].recipients += int32(recipients)
		return
	}
	at, found := slices.BinarySearchFunc(b.hours, number, func(h hour, n int32) int { return cmp.Compare(h.number, n) })
	if !found {
		b.hours = slices.Insert(b.hours, at, hour{number: number})
		if len(b.hours) > maxHours {
			b.hours = slices.Delete(b.hours, 0, 1)
			at = max(0, at-1)
		}
	}
	b.hours[at].messages++
	b.hours[at].recipients += int32(recipients)
}

// minor reports whether a source has too little in the log to be judged.
func (b *book) minor() bool {
	return b.accepted < minorMessages && b.recipients < minorRecipients && b.logins < minorMessages && b.source.Kind == spoor.KindNetwork
}

// A client with less than this, and nothing in the queue, is not worth a
// judgement.
const (
	minorMessages   = 3
	minorRecipients = 20
)

// history puts the book into words that verdict and report know. Places are
// quoted later.
func (j *Journal) history(b *book) *spoor.History {
	h := &spoor.History{
		Accepted: int(b.accepted), Recipients: int(b.recipients), Bytes: b.bytes, Remote: int(b.remote),
		Delivered: int(b.delivered), Failed: int(b.failed), Deferrals: int(b.deferrals), Waiting: int(b.waiting),
		Bounces: int(b.bounces), NullSender: int(b.null), OwnSender: int(b.own), ForeignSender: int(b.foreign),
		Logins: int(b.logins), Inferred: int(b.inferred),
		First: b.first.Time(), Last: b.last.Time(),
		Senders: b.senders.rank(func(s string) string { return s }),
	}
	h.WebServer = b.owner != nil && b.owner.Role == spoor.RoleWebServer
	if b.clients != nil {
		h.Clients, h.Networks = b.clients.rank(netip.Addr.String), countNetworks(b.clients)
	}
	if b.source.Kind == spoor.KindAccount {
		h.FailedLogins = j.failed[b.source.Name]
	}
	for _, one := range b.hours {
		start := time.Unix(int64(one.number)*3600, 0).UTC()
		h.Hours = append(h.Hours, spoor.HourTally{Start: start, Messages: int(one.messages), Recipients: int(one.recipients)})
	}
	if b.answers != nil {
		for i := range spoor.NumAnswers {
			h.FailedBy[i], h.DeferredBy[i] = int(b.answers.failed[i]), int(b.answers.deferred[i])
		}
	}
	return h
}

// countNetworks counts the /24 and /64 among addresses.
func countNetworks(clients *census[netip.Addr]) int {
	seen := map[netip.Prefix]bool{}
	clients.each(func(client netip.Addr) {
		bits := 24
		if client.Is6() {
			bits = 64
		}
		if prefix, err := client.Prefix(bits); err == nil {
			seen[prefix] = true
		}
	})
	return len(seen)
}

// sureOf is the mean confidence of the log's attributions to a source.
func (b *book) sureOf() float64 {
	if b.accepted == 0 {
		return b.confidence
	}
	return math.Round(float64(b.sureness)/float64(b.accepted)) / 100
}

// census counts different values, a bounded number of them. The first one needs
// no map.
type census[K comparable] struct {
	first  K
	count  int32
	others map[K]int32
}

func (c *census[K]) add(key K, n int32) {
	if c.count == 0 || c.first == key {
		c.first = key
		c.count += n
		return
	}
	if c.others == nil {
		c.others = map[K]int32{}
	}
	if count, ok := c.others[key]; ok || len(c.others) < spoor.MaxDistinct-1 {
		c.others[key] = count + n
	}
}

func (c *census[K]) each(visit func(K)) {
	if c.count > 0 {
		visit(c.first)
	}
	for key := range c.others {
		visit(key)
	}
}

func (c *census[K]) rank(name func(K) string) spoor.Ranking {
	counts := make(map[K]int, 1+len(c.others))
	for key, n := range c.others {
		counts[key] = int(n)
	}
	if c.count > 0 {
		counts[c.first] = int(c.count)
	}
	return rank(counts, name)
}
