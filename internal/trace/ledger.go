package trace

import (
	"cmp"
	"container/heap"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"spoor"
)

// Bounds of what is kept of each source.
const (
	maxSamples  = 200 // messages
	maxTop      = 20  // values of a ranking
	maxEvidence = 3   // messages that are quoted, of a source that has fewMessages
	fewMessages = 10
	maxSubject  = 200 // bytes of a subject that tell two apart
)

// Ledger sums up the messages of a queue by their sources. It belongs to one
// goroutine; several ledgers are merged at the end.
type Ledger struct {
	tracer  *Tracer
	pages   map[spoor.Source]*page
	count   spoor.QueueCount
	domains map[string]bool // whether a sender's domain is served here
	matches []match         // messages that the log knows too
	uses    uses            // of the IDs of the shim
}

// page is one source in a ledger.
type page struct {
	traffic  spoor.Traffic
	sureness int // the sum of the confidences, in hundredths
	causes   map[spoor.Source]int
	senders  map[string]int
	clients  map[netip.Addr]int
	subjects map[string]int
	scripts  map[string]int
	urls     map[string]int // of scripts
	contents map[uint64]int
	recorded map[string]recorded // scripts, by the shim
	samples  sampleHeap
}

// NewLedger returns an empty ledger.
func (t *Tracer) NewLedger() *Ledger {
	return &Ledger{tracer: t, pages: map[spoor.Source]*page{}, domains: map[string]bool{}, uses: uses{}}
}

// Add books one message and returns its source. The message may be overwritten
// afterwards.
func (l *Ledger) Add(m *spoor.Message) spoor.Source {
	r := l.tracer.rule(m)
	l.count.Add(m)
	p := l.page(r)
	p.sureness += int(math.Round(r.confidence * 100))
	p.traffic.Inferred += one(r.inferred())
	f := l.tracer.journal.find(m)
	if f != nil {
		l.matches = append(l.matches, match{
			flight: f, source: p.traffic.Source, uid: r.uid, sure: uint8(math.Round(r.confidence * 100)),
			inferred: r.inferred(), recipients: m.Recipients.Len(), cause: r.cause,
		})
	}
	if f == nil || !f.logged && !f.goesOn { // the log may begin after it, and tell of its deliveries alone
		p.traffic.Unlogged++
		p.traffic.UnloggedRecipients += m.Recipients.Len()
	}
	p.book(m, r)
	l.bookSender(p, m, r)
	l.bookTrail(p, m, r)
	l.bookScript(p, m, r)
	l.uses.add(m, &r, p.traffic.Source)
	p.bookStamp(m, r.stamp)
	if forgeries := l.tracer.forgeries(m, r); len(forgeries) > 0 {
		p.bookForgeries(forgeries)
	}
	return p.traffic.Source
}

// bookForgeries counts a message with forged traces. The examples are kept in an
// order of their own, so that it does not matter which ledger met them first.
func (p *page) bookForgeries(list []spoor.Evidence) {
	p.traffic.Forged++
	p.keepForgeries(list[:1])
}

func (p *page) keepForgeries(list []spoor.Evidence) {
	t := &p.traffic
	t.Forgeries = append(t.Forgeries, list...)
	slices.SortFunc(t.Forgeries, func(a, b spoor.Evidence) int { return strings.Compare(string(a.ID), string(b.ID)) })
	t.Forgeries = t.Forgeries[:min(len(t.Forgeries), maxEvidence)]
}

func (l *Ledger) page(r ruling) *page {
	if p, ok := l.pages[r.source]; ok {
		p.identify(r.uid, r.owner.Login)
		return p
	}
	r.source.Name = strings.Clone(r.source.Name) // it is part of a header
	p := &page{
		traffic:  spoor.Traffic{Source: r.source, UID: r.uid, Login: r.owner.Login},
		causes:   map[spoor.Source]int{},
		senders:  map[string]int{},
		clients:  map[netip.Addr]int{},
		subjects: map[string]int{},
		scripts:  map[string]int{},
		urls:     map[string]int{},
		contents: map[uint64]int{},
		recorded: map[string]recorded{},
	}
	l.pages[r.source] = p
	return p
}

// identify keeps the lowest UID of a source that has several, such as a
// subscription with users of its own, whichever was met first.
func (p *page) identify(uid int, login string) {
	t := &p.traffic
	if uid >= 0 && (t.UID < 0 || uid < t.UID) {
		t.UID, t.Login = uid, login
	}
}

// runsScripts reports whether a user is known to run the scripts of sites. What
// others have sent by a script says so itself.
func runsScripts(o spoor.Owner) bool {
	return o.Role == spoor.RoleWebServer || o.Role == spoor.RoleSite || len(o.Sites) > 0
}

// book counts what the queue says of a message.
func (p *page) book(m *spoor.Message, r ruling) {
	t := &p.traffic
	t.Messages++
	t.Recipients += m.Recipients.Len()
	t.Done += m.Recipients.Done()
	t.Bytes += m.SizeBytes
	if t.First.IsZero() || m.Arrived.Before(t.First) {
		t.First = m.Arrived
	}
	if m.Arrived.After(t.Last) {
		t.Last = m.Arrived
	}
	t.Unprocessed += one(m.Unprocessed)
	t.Bouncing += one(m.Bouncing)
	t.Bulk += one(m.Bulk)
	t.Outbound += one(m.Outbound)
	t.WebServer += one(r.owner.Role == spoor.RoleWebServer)
	if runsScripts(r.owner) {
		t.Arrivals = append(t.Arrivals, m.Arrived)
	}
	increment(p.subjects, m.Subject[:min(len(m.Subject), maxSubject)])
	if m.ContentBytes > 0 {
		p.contents[m.ContentHash]++
	}
	p.samples.offer(m)
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// increment counts text. A new key is copied: it must not pin the header it is
// cut from.
func increment(counts map[string]int, text string) {
	if n, ok := counts[text]; ok {
		counts[text] = n + 1
		return
	}
	counts[strings.Clone(text)] = 1
}

// bookSender counts the envelope sender, and whether it belongs to the source
// or to nobody here.
func (l *Ledger) bookSender(p *page, m *spoor.Message, r ruling) {
	if !m.HasEnvelope {
		return
	}
	t := &p.traffic
	increment(p.senders, m.Sender)
	if m.Sender == "" || strings.HasPrefix(m.Sender, "#@[]") {
		t.NullSender++
		return
	}
	domain := domainOf(m.Sender)
	served, ok := l.domains[domain]
	if !ok {
		served = l.tracer.facts.Serves(domain)
		l.domains[strings.Clone(domain)] = served
	}
	switch {
	case owns(r, m.Sender, domain, served):
		t.OwnSender++
	case !served && domain != "":
		t.ForeignSender++
	}
}

// owns reports whether an envelope sender is one that the source may use.
func owns(r ruling, sender, domain string, served bool) bool {
	switch r.source.Kind {
	case spoor.KindAccount:
		_, own, _ := strings.Cut(r.source.Name, "@")
		return domain == strings.ToLower(own) || strings.EqualFold(sender, r.source.Name)
	case spoor.KindSite:
		return within(domain, r.owner.Site) || slices.ContainsFunc(r.owner.Sites, func(site string) bool { return within(domain, site) })
	case spoor.KindUser:
		login, _, _ := strings.Cut(sender, "@")
		own := slices.ContainsFunc(r.owner.Sites, func(site string) bool { return within(domain, site) })
		return own || served && login == r.owner.Login
	case spoor.KindForward, spoor.KindList:
		return served
	case spoor.KindUnknown, spoor.KindScript, spoor.KindNetwork, spoor.KindBounce:
	}
	return false
}

// within reports whether a domain in lower case is a site's or below it.
func within(domain, site string) bool {
	return strings.EqualFold(domain, site) || site != "" && strings.HasSuffix(domain, "."+site)
}

// bookTrail counts what the header says.
func (l *Ledger) bookTrail(p *page, m *spoor.Message, r ruling) {
	t := &p.traffic
	if r.cause != (spoor.Source{}) {
		if _, ok := p.causes[r.cause]; !ok {
			r.cause.Name = strings.Clone(r.cause.Name)
		}
		p.causes[r.cause]++
	}
	if entry := m.Trail.Entry(); entry != nil && entry.Via == spoor.ViaNetwork {
		if client := l.tracer.clientOf(m, entry.Client); client.IsValid() {
			p.clients[client]++
		}
		t.Submitted += one(r.source.Kind == spoor.KindNetwork)
	}
}

// bookScript counts the scripts that a message names. The first field is PHP's
// own; a script writes its headers below it.
func (l *Ledger) bookScript(p *page, m *spoor.Message, r ruling) {
	for i, claim := range m.Trail.Claims {
		if _, script, ok := phpClaim(claim); ok {
			if r.uid >= 0 && !l.tracer.contradicts(m.Trail.Claims, i, r) {
				increment(p.scripts, script)
				if !runsScripts(r.owner) {
					p.traffic.Arrivals = append(p.traffic.Arrivals, m.Arrived)
				}
			}
			break
		}
	}
	for _, claim := range m.Trail.Claims {
		if url, ok := phpScriptURL(claim); ok && r.uid >= 0 {
			increment(p.urls, url)
			break
		}
	}
}

// Merge adds what another ledger of the same scan has booked.
func (l *Ledger) Merge(o *Ledger) {
	l.count.Merge(o.count)
	l.matches = append(l.matches, o.matches...)
	for key, u := range o.uses {
		l.uses.merge(key, u)
	}
	for source, from := range o.pages {
		to, ok := l.pages[source]
		if !ok {
			l.pages[source] = from
			continue
		}
		to.merge(from)
	}
}

func (p *page) merge(o *page) {
	t, u := &p.traffic, &o.traffic
	p.identify(u.UID, u.Login)
	p.sureness += o.sureness
	t.Messages += u.Messages
	t.Recipients += u.Recipients
	t.Done += u.Done
	t.Bytes += u.Bytes
	t.Unlogged += u.Unlogged
	t.UnloggedRecipients += u.UnloggedRecipients
	t.Inferred += u.Inferred
	if u.First.Before(t.First) {
		t.First = u.First
	}
	if u.Last.After(t.Last) {
		t.Last = u.Last
	}
	t.Unprocessed += u.Unprocessed
	t.Bouncing += u.Bouncing
	t.NullSender += u.NullSender
	t.Bulk += u.Bulk
	t.Outbound += u.Outbound
	t.Submitted += u.Submitted
	t.Forged += u.Forged
	p.keepForgeries(u.Forgeries)
	t.WebServer += u.WebServer
	t.OwnSender += u.OwnSender
	t.ForeignSender += u.ForeignSender
	t.Arrivals = append(t.Arrivals, u.Arrivals...)
	addCounts(p.causes, o.causes)
	addCounts(p.senders, o.senders)
	addCounts(p.clients, o.clients)
	addCounts(p.subjects, o.subjects)
	addCounts(p.scripts, o.scripts)
	addCounts(p.urls, o.urls)
	addCounts(p.contents, o.contents)
	for script, r := range o.recorded {
		p.recorded[script] = mergeRecorded(p.recorded[script], r)
	}
	for _, s := range o.samples {
		p.samples.push(s)
	}
}

func addCounts[K comparable](to, from map[K]int) {
	for key, n := range from {
		to[key] += n
	}
}

// Count is the queue as far as it was booked. Messages and Unprocessed are not
// set.
func (l *Ledger) Count() spoor.QueueCount { return l.count }

// Traffic closes the ledger and returns its sources, ordered by their number of
// recipients.
func (l *Ledger) Traffic() []spoor.Traffic {
	l.bookCopies()
	list := make([]spoor.Traffic, 0, len(l.pages))
	for _, p := range l.pages {
		list = append(list, p.close(l.tracer))
	}
	sortTraffic(list)
	return list
}

func (p *page) close(tracer *Tracer) spoor.Traffic {
	t := p.traffic
	t.Confidence = math.Round(float64(p.sureness)/float64(t.Messages)) / 100
	t.Cause, t.CauseCount = mostFrequent(p.causes)
	t.Senders = rank(p.senders, func(s string) string { return s })
	t.Clients = rank(p.clients, netip.Addr.String)
	t.Subjects = rank(p.subjects, func(s string) string { return s })
	t.Scripts = rank(p.scripts, func(s string) string { return s })
	t.ScriptURLs = rank(p.urls, func(s string) string { return s })
	t.Candidates = recordedScripts(p.recorded, t.Messages)
	t.Contents = len(p.contents)
	for _, n := range p.contents {
		t.LargestCopy = max(t.LargestCopy, n)
	}
	slices.SortFunc(t.Arrivals, time.Time.Compare)
	t.Samples = p.samples.messages()
	quoted := maxEvidence
	if t.Messages < fewMessages {
		quoted = 1
	}
	for _, m := range t.Samples[:min(len(t.Samples), quoted)] {
		a := tracer.Attribute(m)
		t.Evidence = append(t.Evidence, a.Evidence...)
		t.Conflicts = append(t.Conflicts, a.Conflicts...)
	}
	return t
}

func mostFrequent(causes map[spoor.Source]int) (spoor.Source, int) {
	var best spoor.Source
	most := 0
	for source, n := range causes {
		if n > most || n == most && source.Compare(best) < 0 {
			best, most = source, n
		}
	}
	return best, most
}

func rank[K comparable](counts map[K]int, name func(K) string) spoor.Ranking {
	tallies := make([]spoor.Tally, 0, len(counts))
	for key, n := range counts {
		tallies = append(tallies, spoor.Tally{Value: name(key), Count: n})
	}
	slices.SortFunc(tallies, func(a, b spoor.Tally) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Value, b.Value))
	})
	return spoor.Ranking{Distinct: len(tallies), Top: tallies[:min(len(tallies), maxTop)]}
}

// sample is one message kept as an example, with the number that drew it.
type sample struct {
	lot     uint64
	message *spoor.Message
}

// sampleHeap keeps the messages with the lowest lots. The lot comes from the
// ID, so that the sample is the same in whatever order messages are read.
type sampleHeap []sample

func (h sampleHeap) Len() int           { return len(h) }
func (h sampleHeap) Less(i, j int) bool { return h[i].lot > h[j].lot }
func (h sampleHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push is for container/heap.
func (h *sampleHeap) Push(x any) {
	if s, ok := x.(sample); ok {
		*h = append(*h, s)
	}
}

// Pop is for container/heap.
func (h *sampleHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

func (h *sampleHeap) offer(m *spoor.Message) {
	lot := xxhash.Sum64String(string(m.ID))
	if len(*h) >= maxSamples && lot >= (*h)[0].lot {
		return
	}
	h.push(sample{lot: lot, message: m.Clone()})
}

func (h *sampleHeap) push(s sample) {
	heap.Push(h, s)
	if len(*h) > maxSamples {
		heap.Pop(h)
	}
}

// messages returns the sample, oldest first.
func (h *sampleHeap) messages() []*spoor.Message {
	list := make([]*spoor.Message, 0, len(*h))
	for _, s := range *h {
		list = append(list, s.message)
	}
	slices.SortFunc(list, func(a, b *spoor.Message) int {
		return cmp.Or(a.Arrived.Compare(b.Arrived), strings.Compare(string(a.ID), string(b.ID)))
	})
	return list
}
