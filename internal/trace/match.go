package trace

import (
	"cmp"
	"iter"
	"math"
	"slices"
	"strings"
	"time"

	"spoor"
)

// UseLog makes the tracer ask the log too. The journal must have all of it; quote
// reads its lines again.
func (t *Tracer) UseLog(j *Journal, quote Quote) {
	j.free, j.indexes = nil, nil // there is no further message
	t.journal, t.quote = j, quote
}

// match is a message of the queue that the log knows.
type match struct {
	flight     *flight
	source     spoor.Source
	cause      spoor.Source
	uid        int
	recipients int
	sure       uint8
	inferred   bool
}

// find returns what the log tells of a queued message, or nil. IDs are used
// again: the PID that queued it must agree, or else the time.
func (j *Journal) find(m *spoor.Message) *flight {
	if j == nil {
		return nil
	}
	if f := j.open.get(j.key([]byte(m.ID))); f != nil && string(f.name) == string(m.ID) && f.fits(m) {
		return f
	}
	hash := spoor.IDHash(m.ID)
	for _, origin := range j.origins {
		if f := j.open.get(hash ^ origin); f != nil && string(f.name) == string(m.ID) && f.left == 0 && f.fits(m) {
			return f
		}
	}
	return nil
}

func (f *flight) fits(m *spoor.Message) bool {
	if !f.logged {
		return true
	}
	if len(m.Trail.Hops) > 0 && m.Trail.Hops[0].PID > 0 && f.qp > 0 {
		return int(f.qp) == m.Trail.Hops[0].PID
	}
	arrived := spoor.StampOf(m.Arrived)
	return f.accepted >= arrived.Add(-2*second) && (!f.keyed || f.accepted <= arrived.Add(longestData))
}

// longestData is how long a client may take for the content of a message: the
// queue has the time of its beginning, the log perhaps that of its end.
const longestData = 30 * time.Minute

// Join closes queue and log together: what both know counts once, under the
// source that the queue proves. It returns all sources but the smallest of the
// log, which Minor yields.
func (l *Ledger) Join() []spoor.Traffic {
	list := l.Traffic()
	j := l.tracer.journal
	if j == nil {
		return list
	}
	for _, m := range l.matches {
		m.flight.matched = true
		m.flight.sure, m.flight.inferred, m.flight.cause = m.sure, m.inferred, m.cause
		m.flight.book = j.book(m.source, m.uid)
		m.flight.sourceFound()
		j.settleUnder(m.flight, m.flight.book, m.recipients)
	}
	for _, f := range j.open.all() {
		if !f.matched {
			j.settle(f)
		}
	}
	for _, one := range j.ended {
		j.settle(one.flight)
	}
	for i := range list {
		t := &list[i]
		if b, ok := j.known(t.Source); ok {
			b.listed = true
			t.History = j.history(b)
			t.Confidence = combined(t, b)
			if len(t.Arrivals) < fewArrivals { // the most are delivered
				t.Arrivals = longer(t.Arrivals, b.recentArrivals())
			}
		}
	}
	unlisted := j.unlisted()
	list = slices.Grow(list, len(unlisted))
	for _, b := range unlisted {
		list = append(list, j.traffic(b))
	}
	sortTraffic(list)
	return list
}

// unlisted returns the sources that the log alone knows, without the smallest.
func (j *Journal) unlisted() (list []*book) {
	for b := range j.all() {
		if !b.listed && !b.minor() && b.tells() {
			list = append(list, b)
		}
	}
	return list
}

// sortTraffic orders sources by their recipients. They are large and there may be
// very many, so their places are sorted, and each is moved once.
func sortTraffic(list []spoor.Traffic) {
	type place struct{ recipients, messages, at int }
	order := make([]place, len(list))
	for i := range list {
		order[i] = place{list[i].TotalRecipients(), list[i].Messages, i}
	}
	slices.SortFunc(order, func(a, b place) int {
		if c := cmp.Or(cmp.Compare(b.recipients, a.recipients), cmp.Compare(b.messages, a.messages)); c != 0 {
			return c
		}
		return list[a.at].Source.Compare(list[b.at].Source)
	})
	for start := range order { // each round moves those that take each other's place
		at, first := start, list[start]
		for order[at].at != start {
			from := order[at].at
			list[at], order[at].at = list[from], at
			at = from
		}
		list[at], order[at].at = first, at
	}
}

// tells reports whether the log has anything of the source that counts.
func (b *book) tells() bool {
	return b.accepted > 0 || b.logins > 0 || b.delivered > 0 || b.failed > 0 || b.deferrals > 0
}

// fewArrivals is how many messages tell too little of the scripts behind them for
// logs of requests to be read, where all of them have been delivered.
const fewArrivals = 30

func longer(a, b []time.Time) []time.Time {
	if len(b) > len(a) {
		return b
	}
	return a
}

// combined is the mean confidence over the messages of queue and log.
func combined(t *spoor.Traffic, b *book) float64 {
	queued := float64(t.Unlogged)
	logged := float64(b.accepted)
	if queued+logged == 0 {
		return t.Confidence
	}
	return math.Round(100*(queued*t.Confidence+logged*b.sureOf())/(queued+logged)) / 100
}

// traffic is a source that the log alone knows.
func (j *Journal) traffic(b *book) spoor.Traffic {
	t := spoor.Traffic{Source: b.named(), UID: int(b.uid), Confidence: b.sureOf(), History: j.history(b)}
	if b.owner != nil {
		t.Login = b.owner.Login
	}
	if b.accepted >= fewArrivals {
		t.Arrivals = b.recentArrivals()
	}
	t.Cause, t.CauseCount = mostFrequent(b.causes)
	return t
}

// Minor yields the clients that sent too little to be judged, and have nothing
// in the queue, by name.
func (j *Journal) Minor() iter.Seq[spoor.Traffic] {
	return func(yield func(spoor.Traffic) bool) {
		var minor []*book
		for b := range j.all() {
			if !b.listed && b.minor() && b.tells() {
				minor = append(minor, b)
			}
		}
		slices.SortFunc(minor, func(a, b *book) int {
			return cmp.Or(cmp.Compare(b.recipients, a.recipients), a.client.Compare(b.client))
		})
		for _, b := range minor {
			if !yield(j.traffic(b)) {
				return
			}
		}
	}
}

// CountMinor counts what Minor yields: sources and their messages.
func (j *Journal) CountMinor() (sources, messages int) {
	for b := range j.all() {
		if !b.listed && b.minor() && b.tells() {
			sources++
			messages += int(b.accepted)
		}
	}
	return sources, messages
}

// Places are where the log proves a source: the lines that report quotes. The
// result belongs to Quoted; brief leaves only what Receivers needs.
func (j *Journal) Places(source spoor.Source, brief bool) []spoor.LogPlace {
	b, ok := j.known(source)
	if !ok {
		return nil
	}
	var places []spoor.LogPlace
	if !brief {
		for _, one := range b.places {
			places = append(places, one.session, one.info)
		}
	}
	for _, key := range b.topReceivers() {
		places = append(places, b.answers.receivers[key].place)
	}
	return places
}

// shownReceivers is how many receivers are quoted for one source.
const shownReceivers = 8

func (b *book) topReceivers() []receiver {
	if b.answers == nil {
		return nil
	}
	keys := make([]receiver, 0, len(b.answers.receivers))
	for key := range b.answers.receivers {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(x, y receiver) int {
		return cmp.Or(cmp.Compare(b.answers.receivers[y].count, b.answers.receivers[x].count), cmp.Compare(x.domain, y.domain), cmp.Compare(x.answer, y.answer))
	})
	return keys[:min(len(keys), shownReceivers)]
}

// Quote turns a place of the log into evidence.
type Quote func(what string, id spoor.QueueID, place spoor.LogPlace) spoor.Evidence

// Quoted fills in the evidence of a history.
func (j *Journal) Quoted(source spoor.Source, h *spoor.History, quote Quote) {
	b, ok := j.known(source)
	if !ok {
		return
	}
	for _, one := range b.places {
		if one.session.Line > 0 {
			h.Evidence = append(h.Evidence, quote("log-session", one.id, one.session))
		}
		if one.info.Line > 0 {
			h.Evidence = append(h.Evidence, quote("log-accepted", one.id, one.info))
		}
	}
}

// Receivers are those that condemned the mail of a source. name tells the large
// receiver that a domain or an answer belongs to, or "".
func (j *Journal) Receivers(source spoor.Source, quote Quote, name func(domain, answer string) string) []spoor.ReceiverTally {
	b, ok := j.known(source)
	if !ok || b.answers == nil {
		return nil
	}
	return b.receivers(j, quote, name)
}

// receivers groups the answers that condemn by receiver: many domains have
// their mail at the same one.
func (b *book) receivers(j *Journal, quote Quote, name func(domain, answer string) string) []spoor.ReceiverTally {
	type key struct {
		receiver string
		answer   spoor.Answer
	}
	groups := map[key]*spoor.ReceiverTally{}
	shown := map[receiver]bool{}
	for _, r := range b.topReceivers() {
		shown[r] = true
	}
	for r, v := range b.answers.receivers {
		domain := j.domains.name(r.domain)
		k := key{domain, r.answer}
		var example spoor.Evidence
		if shown[r] {
			example = quote("log-answer", v.id, v.place)
		}
		if large := name(domain, example.Text); large != "" {
			k.receiver = large
		}
		g := groups[k]
		if g == nil {
			g = &spoor.ReceiverTally{Receiver: k.receiver, Answer: r.answer}
			groups[k] = g
		}
		g.Count += int(v.count)
		if example.Line > 0 && (g.Example.Line == 0 || example.Line < g.Example.Line) {
			g.Example = example
		}
	}
	list := make([]spoor.ReceiverTally, 0, len(groups))
	for _, g := range groups {
		list = append(list, *g)
	}
	slices.SortFunc(list, func(x, y spoor.ReceiverTally) int {
		return cmp.Or(cmp.Compare(y.Count, x.Count), strings.Compare(x.Receiver, y.Receiver), cmp.Compare(x.Answer, y.Answer))
	})
	return list
}
