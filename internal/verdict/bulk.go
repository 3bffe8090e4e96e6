package verdict

import (
	"fmt"
	"math"
	"time"

	"spoor"
)

// mass is one text that programs of a site or user send to many strangers, each in a
// message of his own, and that names no list. Newsletters name theirs: large receivers
// refuse bulk mail without List-Unsubscribe (RFC 2369, RFC 8058). A script on a hacked
// site writes under the site's own address and looks honest otherwise. An account has
// a password, and a device that is relayed has none to lose: both are judged by how
// they are used.
type mass struct {
	degree   float64 // from 0 to 1
	messages int     // of the source, in the queue, by its sample
	per      time.Duration
}

const (
	// massMiddle is the part of the sampled messages, by arrival, whose time tells the
	// pace: a few that came long before or after do not.
	massMiddle = 0.8
	// minPace is the shortest time that a pace is told by.
	minPace = time.Minute
)

// massOf reads it from the queue: only messages that can be read tell their text.
func massOf(f *facts) mass {
	sample, alike := f.content.sample, f.content.part.Messages
	if len(alike) < 2 || !f.runsPrograms() {
		return mass{}
	}
	m := mass{messages: int(math.Round(fraction(len(alike), len(sample)) * float64(f.t.Messages)))}
	edge := int(float64(len(alike)) * (1 - massMiddle) / 2)
	m.per = alike[len(alike)-1-edge].Arrived.Sub(alike[edge].Arrived)
	hourly := massMiddle * float64(m.messages) / max(m.per, minPace).Hours()
	m.degree = repetition(len(alike), len(sample)) / 2 * ramp(float64(m.messages), 30, 150) *
		ramp(math.Log10(max(hourly, 1)), math.Log10(60), math.Log10(600)) *
		strangers(alike) * f.share(f.t.Outbound) * (1 - ramp(f.share(f.t.Bulk), 0, 0.3)) * (1 - ramp(f.perMessage(), 1.5, 3))
	return m
}

// strangers says from 0 to 1 whether messages go to many. What a monitor, a form or a
// job tells its few owners over and over is no mass mail. Where the recipients of a
// message are not known, they count as others.
func strangers(alike []*spoor.Message) float64 {
	lists := map[uint64]bool{}
	unknown := 0
	for _, m := range alike {
		if m.Recipients.Len() == 0 {
			unknown++
		} else {
			lists[m.Recipients.Key()] = true
		}
	}
	return ramp(fraction(len(lists)+unknown, len(alike)), 0.1, 0.5)
}

// runsPrograms reports whether what the source sends is handed over by programs that
// run as its user.
func (f *facts) runsPrograms() bool {
	switch f.t.Source.Kind {
	case spoor.KindSite, spoor.KindUser, spoor.KindScript:
		return true
	default:
		return false
	}
}

// unlistedBulk reads UNLISTED_BULK: a program sends one text to many, and does not
// say for which list.
func unlistedBulk(f *facts) reading {
	weight := 1.5 * f.mass.degree
	if weight == 0 {
		return reading{}
	}
	return reading{
		weight: weight,
		count:  f.mass.messages,
		text: fmt.Sprintf("about %s say nearly the same, most of them within %s, and name no list",
			counted(f.mass.messages, "message"), inWords(max(f.mass.per, minPace))),
		evidence: []spoor.Evidence{sampleIDs(f.content.part.Messages)},
	}
}

// inWords is a time in its largest unit that is more than one.
func inWords(d time.Duration) string {
	switch {
	case d >= 2*day:
		return counted(int(d.Round(day)/day), "day")
	case d >= 2*time.Hour:
		return counted(int(d.Round(time.Hour)/time.Hour), "hour")
	default:
		return counted(int(d.Round(time.Minute)/time.Minute), "minute")
	}
}
