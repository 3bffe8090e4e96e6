package trace

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"spoor"
)

// interner numbers domains, from 1. Number 0 stands for what came after its room
// was full, and for what is no domain.
type interner struct {
	numbers table[uint32] // by hash
	seed    uint64        // of the keys there: anybody can make up domains that would want the same place
	names   []string
}

const (
	maxNames = 1 << 18 // bounds an interner
	// longestDomain and longestAddress are how long they may be (RFC 5321 §4.5.3.1). MTAs
	// take longer ones, and log them.
	longestDomain  = 255 // bytes
	longestAddress = 64 + len("@") + longestDomain
)

func (i *interner) init(seed uint64) { i.seed, i.names = seed, []string{""} }

// number returns the number of the domain of an address, which has that hash.
func (i *interner) number(hash uint64, address []byte) uint32 {
	key := hash ^ i.seed
	if n := i.numbers.get(key); n != 0 {
		return n
	}
	if len(i.names) >= maxNames {
		return 0
	}
	n := uint32(len(i.names))
	domain := address[bytes.LastIndexByte(address, '@')+1:]
	if len(domain) > longestDomain {
		return 0
	}
	i.names = append(i.names, string(bytes.ToLower(domain)))
	i.numbers.put(key, n)
	return n
}

func (i *interner) name(number uint32) string { return i.names[number] }

// reasons numbers what receivers said. Two answers are the same reason if they
// differ in numbers and addresses only.
type reasons struct {
	numbers table[uint32] // by shape
	seed    uint64        // of the keys there, as in interner
	texts   []string
}

// Bounds of what is kept of reasons.
const (
	maxReasons    = 1 << 14
	maxReasonText = 400 // bytes
)

func (r *reasons) init(seed uint64) { r.seed, r.texts = seed, []string{""} }

func (r *reasons) number(e *spoor.Event) uint32 {
	key := e.Shape ^ r.seed
	if n := r.numbers.get(key); n != 0 {
		return n
	}
	if len(r.texts) >= maxReasons {
		return 0
	}
	n := uint32(len(r.texts))
	r.texts = append(r.texts, string(e.Text[:min(len(e.Text), maxReasonText)]))
	r.numbers.put(key, n)
	return n
}

// Stuck is why recipients are still waiting: one destination, one reason.
type Stuck struct {
	Domain     string // of the recipients
	Answer     spoor.Answer
	Text       string // what the receiver said, as logged
	Recipients int
	Messages   int
	Oldest     spoor.Stamp
	Sources    map[spoor.Source]int // recipients by source
	Place      spoor.LogPlace
	ID         spoor.QueueID
}

// Stuck lists why recipients of open messages wait, most recipients first.
// Messages that were matched to the queue count if there are any; else all that
// the log has not seen end.
func (j *Journal) Stuck() []Stuck {
	type key struct {
		domain, reason uint32
		answer         spoor.Answer
	}
	groups := map[key]*Stuck{}
	matched := j.anyMatched()
	for _, f := range j.open.all() {
		if matched && !f.matched {
			continue
		}
		seen := map[key]bool{}
		for i := range f.recipients {
			r := &f.recipients[i]
			if r.state != waiting {
				continue
			}
			k := key{r.domain, r.reason, r.answer}
			g := groups[k]
			if g == nil {
				g = &Stuck{
					Domain: j.domains.name(r.domain), Answer: r.answer, Text: j.reasons.texts[r.reason],
					Place: r.place, ID: f.id(), Oldest: f.accepted, Sources: map[spoor.Source]int{},
				}
				groups[k] = g
			}
			g.add(f, r, !seen[k])
			seen[k] = true
		}
	}
	list := make([]Stuck, 0, len(groups))
	for _, g := range groups {
		list = append(list, *g)
	}
	slices.SortFunc(list, func(a, b Stuck) int {
		return cmp.Or(cmp.Compare(b.Recipients, a.Recipients), strings.Compare(a.Domain, b.Domain), strings.Compare(a.Text, b.Text))
	})
	return list
}

func (g *Stuck) add(f *flight, r *recipient, first bool) {
	g.Recipients++
	if first {
		g.Messages++
	}
	if f.accepted > 0 && (g.Oldest == 0 || f.accepted < g.Oldest) {
		g.Oldest = f.accepted
	}
	if f.book != nil {
		g.Sources[f.book.named()]++
	}
	if before(r.place, g.Place) { // maps have no order
		g.Place, g.ID = r.place, f.id()
	}
}

func before(a, b spoor.LogPlace) bool {
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Offset, b.Offset)) < 0
}

func (j *Journal) anyMatched() bool {
	for _, f := range j.open.all() {
		if f.matched {
			return true
		}
	}
	return false
}

// Load sums up what the MTA tells of the deliveries it runs.
type Load struct {
	Samples    int
	Saturated  int // samples with as many remote deliveries as may run
	MaxRemote  int32
	Last       LoadSample
	First      LoadSample
	LastFull   LoadSample // the newest that was saturated
	RecentFull int        // of the last RecentSize samples
	recent     [recentSamples / 8]byte
	RecentSize int
}

// LoadSample is one status line.
type LoadSample struct {
	Time  spoor.Stamp
	Load  spoor.Load
	Place spoor.LogPlace
}

// recentSamples is how many status lines tell of the present.
const recentSamples = 4096

func (l *Load) add(b *spoor.Block, e *spoor.Event) {
	full := e.Load.RemoteMax > 0 && e.Load.Remote >= e.Load.RemoteMax
	at, mask := l.Samples%recentSamples/8, byte(1)<<(l.Samples%8)
	if l.recent[at]&mask != 0 {
		l.RecentFull--
		l.recent[at] &^= mask
	}
	sample := LoadSample{Time: e.Time, Load: e.Load, Place: b.Place(e)}
	if full {
		l.Saturated++
		l.RecentFull++
		l.recent[at] |= mask
		l.LastFull = sample
	}
	if l.Samples == 0 {
		l.First = sample
	}
	l.Samples++
	l.RecentSize = min(l.Samples, recentSamples)
	l.MaxRemote = max(l.MaxRemote, e.Load.Remote)
	l.Last = sample
}

// Troubles groups what the MTA warned of.
type Troubles struct{ groups map[uint64]*Trouble }

// Trouble is one sort of warning.
type Trouble struct {
	Text        string // of the first
	Count       int
	First, Last spoor.Stamp
	Place       spoor.LogPlace // of the newest
}

// maxTroubles bounds the sorts of warnings that are told apart.
const maxTroubles = 256

func (t *Troubles) init() { t.groups = map[uint64]*Trouble{} }

func (t *Troubles) add(b *spoor.Block, e *spoor.Event) {
	g, ok := t.groups[e.Shape]
	if !ok {
		if len(t.groups) >= maxTroubles {
			return
		}
		g = &Trouble{Text: string(e.Text[:min(len(e.Text), maxReasonText)]), First: e.Time}
		t.groups[e.Shape] = g
	}
	g.Count++
	g.Last, g.Place = e.Time, b.Place(e)
}

// List returns the sorts of warnings, most frequent first.
func (t *Troubles) List() []Trouble {
	list := make([]Trouble, 0, len(t.groups))
	for _, g := range t.groups {
		list = append(list, *g)
	}
	slices.SortFunc(list, func(a, b Trouble) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Text, b.Text))
	})
	return list
}
