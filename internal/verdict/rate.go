package verdict

import (
	"fmt"
	"math"
	"slices"
	"time"

	"spoor"
)

// A source is measured against itself: its busiest hour of late against its
// busiest hour before. How many earlier hours it needs, and what is of late.
const (
	lately       = 3 * time.Hour
	minBaseline  = 6  // hours with mail
	fullBaseline = 24 // hours with mail, for STEADY
)

// pace is the busiest hour of late, and the busiest before.
type pace struct {
	recent, before spoor.HourTally
	baseline       int // hours with mail before
}

func paceOf(hours []spoor.HourTally) pace {
	var p pace
	if len(hours) == 0 {
		return p
	}
	late := hours[len(hours)-1].Start.Add(-lately)
	for _, h := range hours {
		if h.Start.After(late) {
			if h.Recipients > p.recent.Recipients {
				p.recent = h
			}
			continue
		}
		p.baseline++
		if h.Recipients > p.before.Recipients {
			p.before = h
		}
	}
	return p
}

// rateJump reads RATE_JUMP: many times as many recipients in an hour as ever
// before.
func rateJump(f *facts) reading {
	p := paceOf(f.t.History.Hours)
	if p.baseline < minBaseline {
		return reading{}
	}
	times := float64(p.recent.Recipients) / max(float64(p.before.Recipients), 5)
	weight := 2.5 * ramp(math.Log2(max(times, 1)), 1.5, 4) * ramp(float64(p.recent.Recipients), 50, 300)
	if weight == 0 {
		return reading{}
	}
	return reading{
		weight: weight,
		count:  p.recent.Recipients,
		text: fmt.Sprintf("%s in the hour from %s; in the busiest of the %s with mail before, %s",
			counted(p.recent.Recipients, "recipient"), p.recent.Start.UTC().Format("2006-01-02 15:04 MST"),
			counted(p.baseline, "hour"), thousands(p.before.Recipients)),
		evidence: hoursOf(p),
	}
}

// steady reads STEADY: no busier of late than before, over a day or more.
func steady(f *facts) reading {
	p := paceOf(f.t.History.Hours)
	if p.baseline < minBaseline || p.before.Recipients == 0 || f.t.History.Last.Sub(f.t.History.First) < 24*time.Hour {
		return reading{}
	}
	times := float64(p.recent.Recipients) / float64(p.before.Recipients)
	weight := -ramp(float64(p.baseline), minBaseline, fullBaseline) * (1 - ramp(times, 1, 2))
	if weight == 0 {
		return reading{}
	}
	return reading{
		weight: weight,
		count:  p.baseline,
		text: fmt.Sprintf("no busier than before: %s in its busiest hour of late, %s in the busiest of %s before",
			counted(p.recent.Recipients, "recipient"), thousands(p.before.Recipients), counted(p.baseline, "hour")),
		evidence: hoursOf(p),
	}
}

// hoursOf are the hours that are compared, as evidence.
func hoursOf(p pace) []spoor.Evidence {
	var list []spoor.Evidence
	for _, h := range slices.DeleteFunc([]spoor.HourTally{p.recent, p.before}, func(h spoor.HourTally) bool { return h.Start.IsZero() }) {
		list = append(list, spoor.Evidence{What: "hour", Text: fmt.Sprintf("%s: %d messages, %d recipients",
			h.Start.UTC().Format("2006-01-02 15:04 MST"), h.Messages, h.Recipients)})
	}
	return list
}
