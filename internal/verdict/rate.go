package verdict

import (
	"fmt"
	"math"
	"time"

	"spoor"
)

const (
	// minBaseline is how many hours with mail a source needs before one to have a
	// rate of its own.
	minBaseline = 6
	// minBusiest is the fewest recipients that the busiest hour before counts as:
	// five times nothing is nothing.
	minBusiest = 5
	// day is a full turn of what people and sites do. A log that begins at night
	// shows a jump every morning.
	day = 24 * time.Hour
)

// burst is an hour that stands out against all the hours before it.
type burst struct {
	hour, busiest spoor.HourTally // busiest: of those before
	baseline      int             // hours with mail before
	height        float64         // from 0 to 1
}

// burstOf finds the hour that stands out most. It may be long ago: mail that is
// still being sent at the new rate is not what the source did before.
func burstOf(hours []spoor.HourTally) burst {
	var most burst
	var busiest spoor.HourTally
	for i, h := range hours {
		if i >= minBaseline {
			one := burst{hour: h, busiest: busiest, baseline: i}
			if one.height = one.measure(hours[0].Start); one.height > most.height {
				most = one
			}
		}
		if h.Recipients > busiest.Recipients {
			busiest = h
		}
	}
	return most
}

// measure is how far the hour stands out: from three times as many recipients to
// sixteen times, and from 50 recipients to 300. Within a day it is worth half.
func (b *burst) measure(first time.Time) float64 {
	times := float64(b.hour.Recipients) / float64(max(b.busiest.Recipients, minBusiest))
	known := 0.5 + 0.5*ramp(b.hour.Start.Sub(first).Hours(), 12, day.Hours())
	return ramp(math.Log2(max(times, 1)), 1.5, 4) * ramp(float64(b.hour.Recipients), 50, 300) * known
}

// rateJump reads RATE_JUMP: many times as many recipients in an hour as ever
// before.
func rateJump(f *facts) reading {
	b := burstOf(f.t.History.Hours)
	if b.height == 0 {
		return reading{}
	}
	return reading{
		weight: 2.5 * b.height,
		count:  b.hour.Recipients,
		text: fmt.Sprintf("%s in the hour from %s; in the busiest of the %s with mail before, %s",
			counted(b.hour.Recipients, "recipient"), hourName(b.hour), counted(b.baseline, "hour"), thousands(b.busiest.Recipients)),
		evidence: hoursOf(b.hour, b.busiest),
	}
}

// newSender reads NEW_SENDER: volume from a source that the log had nothing of
// for a day and more. It weighs little: customers come, and write.
func newSender(f *facts) reading {
	h := f.t.History
	silent := h.First.Sub(f.norms.since)
	if h.First.IsZero() || silent < day || burstOf(h.Hours).height > 0 {
		return reading{}
	}
	most := busiestOf(h.Hours[:min(len(h.Hours), minBaseline)])
	weight := ramp(float64(most.Recipients), 50, 300)
	if weight == 0 {
		return reading{}
	}
	return reading{
		weight: weight,
		count:  most.Recipients,
		text: fmt.Sprintf("%s in the hour from %s; no mail from it in the first %s of the log",
			counted(most.Recipients, "recipient"), hourName(most), counted(int(silent.Hours()), "hour")),
		evidence: append(hoursOf(most), firstOf(h.Evidence)...),
	}
}

// steady reads STEADY: after its first day, a source was never busier than on
// it.
func steady(f *facts) reading {
	first, since := splitDay(f.t.History.Hours)
	before, after := busiestOf(first), busiestOf(since)
	if before.Recipients == 0 || after.Recipients == 0 {
		return reading{}
	}
	times := float64(after.Recipients) / float64(max(before.Recipients, minBusiest))
	weight := -ramp(float64(len(since)), 2, 12) * (1 - ramp(times, 1, 2))
	if weight == 0 {
		return reading{}
	}
	return reading{
		weight: weight,
		count:  after.Recipients,
		text: fmt.Sprintf("at most %s in one of %s with mail after its first day, and %s on that day",
			counted(after.Recipients, "recipient"), counted(len(since), "hour"), thousands(before.Recipients)),
		evidence: hoursOf(before, after),
	}
}

// splitDay parts the hours of the first day from the rest.
func splitDay(hours []spoor.HourTally) (first, since []spoor.HourTally) {
	for i := range hours {
		if hours[i].Start.Sub(hours[0].Start) >= day {
			return hours[:i], hours[i:]
		}
	}
	return hours, nil
}

// busiestOf is the first of the hours with most recipients.
func busiestOf(hours []spoor.HourTally) spoor.HourTally {
	var most spoor.HourTally
	for _, h := range hours {
		if h.Recipients > most.Recipients {
			most = h
		}
	}
	return most
}

func hourName(h spoor.HourTally) string { return h.Start.UTC().Format("2006-01-02 15:04 MST") }

// hoursOf are the hours that are compared, as evidence.
func hoursOf(hours ...spoor.HourTally) []spoor.Evidence {
	var list []spoor.Evidence
	for _, h := range hours {
		if !h.Start.IsZero() {
			list = append(list, spoor.Evidence{
				What: "hour", Text: fmt.Sprintf("%s: %s, %s", hourName(h), counted(h.Messages, "message"), counted(h.Recipients, "recipient")),
			})
		}
	}
	return list
}
