package live

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"spoor"
)

// Tally sums sightings up: a line for each source, script and activity. It is for
// one goroutine.
type Tally struct {
	lines map[line]*sum
	Count int // sightings in all
	// Folded counts sightings whose script has no line of its own: there were too
	// many names.
	Folded int
}

// line is what is summed up together.
type line struct {
	activity spoor.Activity
	source   spoor.Source
	uid      int
	script   string
}

// sum is what one line has seen.
type sum struct {
	doing   spoor.Doing
	clients map[string]bool
	recent  [recentSeconds]struct {
		second int64
		count  int
	}
}

// Bounds of what is remembered, whatever names somebody invents.
const (
	maxLines      = 5000
	maxClients    = 1000 // of a line
	recentSeconds = 10
)

// NewTally returns a tally without a line.
func NewTally() *Tally { return &Tally{lines: map[line]*sum{}} }

// Add counts a sighting.
func (t *Tally) Add(s *spoor.Sighting) {
	t.Count++
	key := line{s.Activity, s.Source, s.Process.UID, s.Script}
	one := t.lines[key]
	if one == nil && len(t.lines) >= maxLines {
		t.Folded++
		key.script = ""
		one = t.lines[key]
	}
	if one == nil {
		one = &sum{clients: map[string]bool{}}
		one.doing = spoor.Doing{
			Activity: s.Activity, Source: s.Source, Known: s.SourceKnown, UID: s.Process.UID, Login: s.Login,
			Script: key.script, ScriptKnown: s.ScriptKnown, First: s.Time,
		}
		t.lines[key] = one
	}
	one.add(s)
}

func (m *sum) add(s *spoor.Sighting) {
	d := &m.doing
	d.Count++
	if s.Time.After(d.Last) {
		d.Last = s.Time
	}
	if s.ScriptKnown.Certainty > d.ScriptKnown.Certainty {
		d.ScriptKnown = s.ScriptKnown
	}
	if s.Client != "" && s.ClientKnown.Certainty >= d.ClientKnown.Certainty {
		d.Client, d.ClientKnown = s.Client, s.ClientKnown
		if len(m.clients) < maxClients {
			m.clients[s.Client] = true
		}
		d.Clients = len(m.clients)
	}
	second := s.Time.Unix()
	slot := &m.recent[second%recentSeconds]
	if slot.second != second {
		slot.second, slot.count = second, 0
	}
	slot.count++
}

// Lines lists the sums, those with the most sightings first; scripts that are
// merely open come last.
func (t *Tally) Lines(now time.Time) []spoor.Doing {
	list := make([]spoor.Doing, 0, len(t.lines))
	for _, one := range t.lines {
		d := one.doing
		for _, slot := range one.recent {
			if now.Unix()-slot.second < recentSeconds {
				d.Recent += slot.count
			}
		}
		list = append(list, d)
	}
	slices.SortFunc(list, func(a, b spoor.Doing) int {
		return cmp.Or(
			cmp.Compare(rank(a.Activity), rank(b.Activity)), cmp.Compare(b.Count, a.Count), a.Source.Compare(b.Source),
			strings.Compare(a.Script, b.Script), cmp.Compare(a.UID, b.UID), cmp.Compare(a.Activity, b.Activity),
		)
	})
	return list
}

func rank(a spoor.Activity) int {
	if a == spoor.ActivityOpenScript {
		return 1
	}
	return 0
}
