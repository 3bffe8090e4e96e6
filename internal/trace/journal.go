package trace

import (
	"bytes"
	"hash/maphash"
	"iter"
	"net/netip"
	"slices"
	"strconv"

	"spoor"
)

// Journal joins the events of a mail log: what entered the queue to the
// sessions that handed it over, deliveries to their messages, bounces and
// forwards to what caused them. Events come in, in order of time; the history
// of each source goes out.
//
// What is finished is summed up at once, so that memory depends on the messages
// that are open and on the number of sources, not on the length of the log. A
// Journal belongs to one goroutine until it has the whole log; then a Tracer may
// ask it from several.
type Journal struct {
	tracer *Tracer
	seed   maphash.Seed

	open      table[*flight] // messages that have not ended, by the hash of their queue ID
	origins   []uint64       // hosts and instances that were met
	queues    []uint64       // those of them that have a queue
	queue     uint64         // that was met last
	attempts  attempts
	children  map[int32]*origin // bounces and forwards that were announced, by the PID that queued them
	orphans   map[int32]*flight // forwards that were queued before that was told, by the same
	envelopes []envelope        // what wrappers of qmail-queue saw
	sessions  sessions
	logins    map[netip.Addr]*logins
	books     map[spoor.Source]*book
	accounts  map[string]*book
	networks  networks
	users     map[int32]*book
	domains   interner
	reasons   reasons
	served    []servedHere    // by the number of the domain
	copies    map[uint64]bool // hashes of the addresses to which the MTA sends copies of what passes
	failed    map[string]int  // logins that failed, by account

	announced   map[uint64]*origin // bounces and forwards that have not come yet, by key
	leaving     []departure        // messages that have left, oldest first
	past        []pastOrigin       // the messages that were named last
	invocations []invocation
	identities  []identity           // of connections from this machine, by the low bits of the port
	moments     [maxMoments]identity // the newest of them
	moment      uint                 // how many there were
	mailboxes   map[uint64]opened    // that were opened from this machine, by the hash of the account
	webmails    webmails
	sweepAt     int
	foretold    []foretold
	redirects   []redirect
	twins       [maxTwins]uint64 // keys of lines whose second copy is to come
	held        []departure      // copies of lists that have left, oldest first
	address     []byte           // scratch
	replies     []reply
	receipts    []receipt // by the low bits of the PID that queued a message; nil before the first
	loginsByPID bool      // logins that name their process were met

	exactReceipts bool        // one named the PID of qmail-queue itself
	ended         []ended     // messages that have left and may have one, oldest first
	doubted       spoor.Stamp // of the last login that failed under a name as it came
	proxies       bool        // a filter before the queue was met
	keep          bool        // flights are not used again: somebody holds them

	Rates    spoor.Rates
	Load     Load
	Troubles Troubles
	last     spoor.Stamp
	lastMTA  spoor.Stamp // of the MTA's own lines
	free     []*flight
	indexes  []*table[int32] // of flights that were forgotten, empty
}

// NewJournal returns an empty journal.
func (t *Tracer) NewJournal() *Journal {
	j := &Journal{
		tracer: t, seed: maphash.MakeSeed(),
		children: map[int32]*origin{}, orphans: map[int32]*flight{},
		envelopes: make([]envelope, maxEnvelopes), logins: map[netip.Addr]*logins{},
		books: map[spoor.Source]*book{}, accounts: map[string]*book{},
		users: map[int32]*book{}, failed: map[string]int{},
		copies: map[uint64]bool{}, announced: map[uint64]*origin{}, mailboxes: map[uint64]opened{},
		past: make([]pastOrigin, maxNamed), foretold: make([]foretold, maxForetold), redirects: make([]redirect, maxRedirects), invocations: make([]invocation, maxInvocations), sweepAt: firstSweep,
	}
	for _, address := range t.facts.Copies {
		hash, _ := spoor.AddressHash([]byte(address))
		j.copies[hash] = true
	}
	j.attempts.grow()
	j.sessions.init()
	j.domains.init(j.hash(nil))
	j.networks.init()
	j.reasons.init(j.hash(nil))
	j.Troubles.init()
	return j
}

// Add joins the events of a block. Blocks come in the order of the log.
func (j *Journal) Add(b *spoor.Block) error {
	for i := range b.Events {
		j.add(b, &b.Events[i])
	}
	return nil
}

func (j *Journal) add(b *spoor.Block, e *spoor.Event) {
	if e.Kind == spoor.EventWebmail { // anybody may have written its time
		j.webmailed(b, e)
		return
	}
	if e.Time > j.last {
		j.last = e.Time
		if len(j.leaving)+len(j.held)+len(j.ended) > 0 {
			j.depart(e.Time)
		}
	}
	switch e.Kind {
	case spoor.EventAttempt:
		j.attempt(e)
	case spoor.EventDelivered, spoor.EventDeferred, spoor.EventFailed:
		if e.Delivery == 0 {
			j.reported(b, e)
			return
		}
		j.outcome(b, e)
	case spoor.EventStatus:
		j.lastMTA = e.Time
		j.Load.add(b, e)
	case spoor.EventHandover:
		j.handover(e)
	case spoor.EventAccepted:
		j.lastMTA = e.Time
		if e.UID < 0 {
			j.acceptSubmitted(b, e)
			return
		}
		j.accept(b, e)
	case spoor.EventSubmitted:
		j.submitted(b, e)
	case spoor.EventNamed:
		j.queueOf(e.Origin)
		j.named(b, e)
	case spoor.EventQueued:
		j.queueOf(e.Origin)
		j.queued(e)
	case spoor.EventEnded, spoor.EventRemoved:
		j.end(e)
	case spoor.EventBounced:
		if len(e.Related) > 0 {
			j.notified(e)
			return
		}
		j.bounced(e)
	case spoor.EventInvoked:
		j.invoke(b, e)
	case spoor.EventIdentified:
		if len(e.ID) > 0 {
			j.identifiedLater(b, e)
			return
		}
		j.identify(b, e)
	case spoor.EventProxied:
		j.proxied(b, e)
	case spoor.EventRedirected:
		j.redirected(b, e)
	case spoor.EventReplied:
		j.replied(b, e)
	case spoor.EventReceived:
		j.received(b, e)
	case spoor.EventAccess:
		j.access(b, e)
	case spoor.EventConnect, spoor.EventLogin, spoor.EventLoginFailed, spoor.EventDisconnect:
		j.session(b, e)
	case spoor.EventStopped:
		j.restart()
	case spoor.EventTrouble:
		j.Troubles.add(b, e)
	case spoor.EventNone, spoor.EventAccessFailed, spoor.EventRejected, spoor.EventWebmail:
	}
}

func (j *Journal) hash(text []byte) uint64 { return maphash.Bytes(j.seed, text) }

// messageKey tells messages apart.
func (j *Journal) messageKey(e *spoor.Event) uint64 {
	if e.Key != 0 {
		return e.Key ^ j.origin(e.Origin)
	}
	return j.key(e.ID)
}

// origin notes that a host or instance of the MTA has logged.
func (j *Journal) origin(origin uint64) uint64 {
	if n := len(j.origins); n == 0 || j.origins[n-1] != origin {
		if at := slices.Index(j.origins, origin); at >= 0 {
			j.origins[at], j.origins[n-1] = j.origins[n-1], origin
		} else if n < maxOrigins {
			j.origins = append(j.origins, origin)
		}
	}
	return origin
}

// maxOrigins bounds the hosts and instances in which a queued message is looked
// for.
const maxOrigins = 256

// addressHash is that of the event, whether its parser has set it or not.
func addressHash(e *spoor.Event) (whole, domain uint64) {
	if e.Hash != 0 {
		return e.Hash, e.Domain
	}
	return spoor.AddressHash(e.Address)
}

// key tells queue IDs apart, as spoor.Event.Key does for numbers.
func (j *Journal) key(id []byte) uint64 {
	if n, err := strconv.ParseUint(string(id), 10, 64); err == nil {
		return n
	}
	return j.hash(id)
}

// accept opens a message. An ID that is still open has been used again: the end
// of the message before is lost.
func (j *Journal) accept(b *spoor.Block, e *spoor.Event) {
	key := j.messageKey(e)
	f := j.open.get(key)
	switch {
	case f == nil:
		f = j.newFlight(e.ID)
		j.open.put(key, f)
	case f.logged:
		j.settle(f)
		f = j.newFlight(e.ID)
		j.open.put(key, f)
	}
	f.logged, f.accepted, f.submitted = true, e.Time, e.Time
	f.size, f.qp, f.uid, f.place = e.Size, e.PID, e.UID, b.Place(e)
	j.sender(f, e)
	j.attribute(f, e.Address)
}

// sender notes what is known of the envelope sender.
func (j *Journal) sender(f *flight, e *spoor.Event) {
	address := e.Address
	f.nullSender = len(address) == 0 || bytes.HasPrefix(address, []byte("#@[]"))
	hash, domain := addressHash(e)
	f.senderHash = hash
	if f.nullSender || domain == 0 {
		return
	}
	f.domain = j.domains.number(domain, address)
	f.foreign = !j.serves(f.domain)
}

func (j *Journal) serves(domain uint32) bool {
	for int(domain) >= len(j.served) {
		j.served = append(j.served, make([]servedHere, len(j.served)+1024)...)
	}
	if j.served[domain] == servedUnasked {
		j.served[domain] = servedNo
		if j.tracer.facts.Serves(j.domains.name(domain)) {
			j.served[domain] = servedYes
		}
	}
	return j.served[domain] == servedYes
}

// servedHere remembers whether a domain is served here.
type servedHere uint8

const (
	servedUnasked servedHere = iota
	servedNo
	servedYes
)

// attribute decides from the log alone who queued a message.
func (j *Journal) attribute(f *flight, sender []byte) {
	origin := j.children[f.qp]
	switch via := j.tracer.facts.Via(int(f.uid)); {
	case origin != nil && (origin.via == spoor.ViaBounce) == f.nullSender && (origin.via != spoor.ViaBounce || via == spoor.ViaBounce || !j.isTenant(f.uid)):
		j.inherit(f, origin)
		delete(j.children, f.qp)
	case via == spoor.ViaBounce:
		f.book, f.sure = j.book(spoor.Source{Kind: spoor.KindBounce, Name: "unknown"}, -1), 100
	case via == spoor.ViaForward || via == spoor.ViaList:
		f.book, f.sure = j.user(f.uid), 100
		j.orphans[f.qp] = f
	case j.receipts != nil && j.isServers(f.uid):
		j.awaitReceipt(f)
	case via == spoor.ViaNetwork:
		j.attributeSession(f)
	default:
		f.book = j.user(f.uid)
		f.sure = uint8(100*f.book.confidence + 0.5)
	}
	if f.book == nil || f.received {
		f.waits, f.pending = true, append(f.pending[:0], sender...) // it may turn out to be another's
		return
	}
	f.book.sender(f, sender)
}

// isTenant reports whether a UID is known for one who makes no bounces: its message has
// the PID of one that was announced and is not in the log.
func (j *Journal) isTenant(uid int32) bool {
	b := j.user(uid)
	return b.source.Kind == spoor.KindSite || b.owner.Role == spoor.RoleWebServer || b.owner.Role == spoor.RoleUser
}

// user returns the book of a UID, named as in a trail.
func (j *Journal) user(uid int32) *book {
	if b, ok := j.users[uid]; ok {
		return b
	}
	r := j.tracer.ruleUID(int(uid))
	b := j.book(r.source, int(uid))
	b.owner, b.confidence = &r.owner, r.confidence
	j.users[uid] = b
	return b
}

// book returns the page of a source.
func (j *Journal) book(source spoor.Source, uid int) *book {
	if source.Kind == spoor.KindNetwork {
		if client, err := netip.ParseAddr(source.Name); err == nil {
			return j.networks.of(client)
		}
	}
	b, ok := j.books[source]
	if !ok {
		b = &book{source: source, uid: int32(uid), confidence: 1}
		j.books[source] = b
	}
	if uid >= 0 && (b.uid < 0 || int32(uid) < b.uid) {
		b.uid = int32(uid)
	}
	return b
}

// account returns the book of an SMTP login.
func (j *Journal) account(name []byte) *book {
	if b, ok := j.accounts[string(name)]; ok {
		return b
	}
	b := j.book(spoor.Source{Kind: spoor.KindAccount, Name: j.tracer.accountName(string(name))}, -1)
	j.accounts[string(name)] = b
	return b
}

// Logins yields the SMTP logins that the MTA has logged, in any order, and none that
// is only inferred.
func (j *Journal) Logins() iter.Seq[string] {
	return func(yield func(string) bool) {
		for login, b := range j.accounts {
			if (b.logins > 0 || b.accepted > b.inferred) && !yield(login) {
				return
			}
		}
	}
}

// known returns the page of a source that the log tells of.
func (j *Journal) known(source spoor.Source) (*book, bool) {
	if source.Kind == spoor.KindNetwork {
		client, err := netip.ParseAddr(source.Name)
		if err != nil {
			return nil, false
		}
		b := j.networks.find(client)
		return b, b != nil
	}
	b, ok := j.books[source]
	return b, ok
}

// all yields every page, in no order.
func (j *Journal) all() iter.Seq[*book] {
	return func(yield func(*book) bool) {
		for _, b := range j.books {
			if !yield(b) {
				return
			}
		}
		for b := range j.networks.all() {
			if !yield(b) {
				return
			}
		}
	}
}

// handover keeps an envelope that a wrapper of qmail-queue has seen: its time is
// when the message came, which the MTA's own line may follow much later.
func (j *Journal) handover(e *spoor.Event) {
	v := &j.envelopes[e.PID&(maxEnvelopes-1)]
	hash, domain := addressHash(e)
	if e.Channel == spoor.ChannelUndecided {
		*v = envelope{pid: e.PID, time: e.Time, sender: hash}
		return
	}
	if v.pid != e.PID || v.remote {
		return
	}
	if domain != 0 {
		v.remote = !j.serves(j.domains.number(domain, e.Address))
		v.addressed = true
	}
}

// Bounds of what is remembered while it waits for the rest of it.
const (
	maxEnvelopes = 1 << 15 // by the low bits of the PID
	maxChildren  = 1 << 17
	pidReach     = 8 // how far a wrapper's PID may be below that of the qmail-queue which it starts
)

// envelope is what a wrapper of qmail-queue logged.
type envelope struct {
	time      spoor.Stamp
	sender    uint64
	pid       int32
	addressed bool // it has recipients with a domain
	remote    bool // one of them is not local
}

// takeEnvelope finds the envelope of a message: the nearest PID below with the
// same sender.
func (j *Journal) takeEnvelope(f *flight) (envelope, bool) {
	for pid := f.qp; pid >= max(0, f.qp-pidReach); pid-- {
		v := &j.envelopes[pid&(maxEnvelopes-1)]
		if v.pid == pid && v.sender == f.senderHash && v.time != 0 && v.time <= f.accepted.Add(second) {
			found := *v
			*v = envelope{}
			return found, true
		}
	}
	return envelope{}, false
}

// bounced notes that a bounce was queued for a message.
func (j *Journal) bounced(e *spoor.Event) {
	f := j.open.get(j.messageKey(e))
	source := spoor.Source{Kind: spoor.KindBounce, Name: "unknown"}
	o := &origin{via: spoor.ViaBounce, source: source}
	if f != nil && f.awaits {
		j.infer(f)
	}
	if f != nil && f.book != nil {
		f.bounces++
		o.cause, o.sure = f.book.named(), f.sure
		o.source.Name = bounceName(f.book.named(), f.failedLocal != 0, j.domains.name(f.failedLocal))
	}
	j.announce(e.PID, o)
}

// bounceName names a bounce as Tracer.ruleBounce does.
func bounceName(cause spoor.Source, local bool, domain string) string {
	outside := cause.Kind == spoor.KindNetwork || cause.Kind == spoor.KindUnknown
	switch {
	case outside && local:
		return domain
	case cause.Name != "":
		return cause.Name
	}
	return "unknown"
}

// origin is a message that the MTA made because of another.
type origin struct {
	via    spoor.Via
	source spoor.Source
	cause  spoor.Source
	place  spoor.LogPlace // where the log tells of the source of that one; may be none
	sure   uint8
}

func (j *Journal) announce(pid int32, o *origin) {
	if f, ok := j.orphans[pid]; ok && o.via == spoor.ViaForward {
		delete(j.orphans, pid)
		if f.qp == pid && f.logged {
			j.inherit(f, o)
			return
		}
	}
	if len(j.children) >= maxChildren {
		clear(j.children)
	}
	j.children[pid] = o
}

// inherit gives a message the source that its origin implies.
func (j *Journal) inherit(f *flight, o *origin) {
	f.book, f.sure, f.cause = j.book(o.source, -1), 100, o.cause
	f.login = o.place
	if o.via == spoor.ViaForward {
		f.sure = 97
	}
}

// restart forgets the deliveries that ran: their numbers begin anew, and what
// became of them was not logged.
func (j *Journal) restart() {
	j.attempts.each((*attempt).lose)
	j.attempts.clear()
}

// Last is the time of the newest event, and of the newest line of the MTA's own.
func (j *Journal) Last() (newest, mta spoor.Stamp) { return j.last, max(j.lastMTA, j.Load.Last.Time) }
