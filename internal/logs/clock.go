package logs

import (
	"fmt"
	"time"

	"spoor"
)

// clock turns the stamps of one file into times. It learns year and zone from
// events that carry their own time, and goes forward: what it says of a line
// depends on the lines before it alone, never on how the file was cut into
// blocks.
type clock struct {
	zone   *time.Location // of the server; nil if unknown
	agrees bool           // the zone says the same as the file
	from   int64          // µs UTC: the zone's offset holds from here
	until  int64          // to before this

	offset int64       // local time minus UTC, µs
	near   int64       // µs UTC: the time of a line close by, for the year
	local  int64       // local time of the last event, µs
	exact  spoor.Stamp // of the last event that carries its own time
	back   bool        // local time went back by an hour since the last proof
	latest int64       // µs UTC: no line is later, where nothing is proved; 0 if unknown

	same mark        // of the last event without a time of its own; 0 if what is known has changed since
	then spoor.Stamp // its time

	proof   proof
	samples int   // messages whose queue IDs agree with the offset, up to enough
	rival   rival // what later ones say
}

const (
	maxOffset = 15 * hour
	// maxDelay is how late a program's own stamp may reach its log and still
	// prove the zone.
	maxDelay = minute
	quarter  = 15 * minute // zones differ by multiples of this
)

// localOf gives m its year.
func (c *clock) localOf(m mark) int64 {
	if !m.yearless() {
		return -int64(m)
	}
	local := near(-int64(m), c.near+c.offset)
	if c.proof == proofNone && c.latest != 0 && local-c.offset > c.latest {
		local = near(-int64(m), local-365*day)
	}
	return local
}

// provisional is the time of a header by what is known at the head of the file.
func (c *clock) provisional(m mark) spoor.Stamp {
	if !m.local() {
		return spoor.Stamp(m)
	}
	return stampOf(c.localOf(m) - c.offset)
}

// prove learns from an event that carries its own time, in a line with the mark
// m. It reports false where that proves nothing.
func (c *clock) prove(t spoor.Stamp, m mark) bool {
	if !m.local() {
		return false
	}
	local := localAt(m, t)
	difference := local - int64(t)
	offset := floorDiv(difference+quarter/2, quarter) * quarter
	if delay := difference - offset; delay > maxDelay || delay < -maxDelay || offset > maxOffset || offset < -maxOffset {
		return false
	}
	if c.proof != proofStamp || offset != c.offset || int64(t) < c.from || int64(t) >= c.until {
		c.offset = offset
		c.findZone(int64(t))
	}
	c.near, c.local, c.exact, c.back, c.proof, c.same = int64(t), local, t, false, proofStamp, 0
	return true
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// findZone compares the zone with what is known at a time.
func (c *clock) findZone(utc int64) {
	c.agrees, c.from, c.until = false, 0, 1<<62
	if c.zone == nil {
		return
	}
	offset, from, until := zoneAt(c.zone, utc)
	c.from, c.until = from, until
	c.agrees = offset == c.offset
}

// zoneAt returns the offset of a zone and the times between which it holds, all
// in microseconds.
func zoneAt(zone *time.Location, utc int64) (offset, from, until int64) {
	t := time.UnixMicro(utc).In(zone)
	_, seconds := t.Zone()
	start, end := t.ZoneBounds()
	from, until = 0, 1<<62
	if !start.IsZero() {
		from = start.UnixMicro()
	}
	if !end.IsZero() {
		until = end.UnixMicro()
	}
	return int64(seconds) * second, from, until
}

// resolve gives an event its time. Where the event carries none of its own, its
// Time holds the mark of its line.
func (c *clock) resolve(e *spoor.Event) {
	if e.Exact {
		c.exact, c.same = e.Time, 0
		return
	}
	m := mark(e.Time)
	if e.Clock != 0 {
		c.learn(e.Clock, m)
	} else if m == c.same && m != 0 { // most lines are of the second of the line before
		e.Time = c.then
		return
	}
	c.same = m
	switch {
	case m == 0: // RFC 5424 allows "-"
		e.Time = max(c.exact, spoor.Stamp(c.near))
		return
	case m.local():
		e.Time = stampOf(c.utcOf(m))
	}
	if m.wholeSecond() && e.Time < c.exact {
		e.Time = min(c.exact, e.Time+second-1)
	}
	c.near, c.then = int64(e.Time), e.Time
}

// utcOf returns the time of a local stamp, in microseconds.
func (c *clock) utcOf(m mark) int64 {
	local := c.localOf(m)
	switch step := local - c.local; {
	case c.local == 0:
	case step < -55*minute && step > -65*minute && !c.back:
		// Nothing but the end of summer time sets a clock back by an hour.
		c.offset, c.back = c.offset-hour, true
		c.findZone(local - c.offset)
	case step > 55*minute && step < 65*minute && c.back && !c.agrees:
		c.offset, c.back = c.offset+hour, false // so it was another host's clock
	}
	c.local = local
	utc := local - c.offset
	if c.agrees && (utc < c.from || utc >= c.until) {
		c.offset, c.from, c.until = zoneAt(c.zone, utc)
		utc = local - c.offset
	}
	return utc
}

// proved reports whether year and zone are known for certain.
func (c *clock) proved() bool {
	return c.proof == proofStamp || c.proof == proofID && (c.samples > 1 || c.agrees)
}

// words says how year and zone of a file are known.
func (c *clock) words(f stampForms) string {
	name := offsetName(c.offset)
	what := "zone"
	if f.yearless {
		what = "year and zone"
	}
	switch {
	case !f.local:
		return "its stamps carry year and zone"
	case c.proof == proofStamp:
		return "year and zone proved by the MTA's own stamps (" + name + ")"
	case c.proved():
		return what + " proved by queue IDs (" + name + ")"
	case c.proof == proofID && f.yearless:
		return "year proved by a queue ID, zone by that of one message only (" + name + ")"
	case c.proof == proofID:
		return "zone by the queue ID of one message only (" + name + ")"
	}
	zone := "zone assumed (" + name + ")"
	if c.zone != nil {
		zone = "zone from the server's settings (" + name + ")"
	}
	if f.yearless {
		return "year assumed from the file's modification time, " + zone
	}
	return zone
}

// stampForms says what the stamps of a text lack.
type stampForms struct {
	local    bool // some have no zone
	yearless bool // some have no year
}

func (f *stampForms) add(other stampForms) {
	f.local, f.yearless = f.local || other.local, f.yearless || other.yearless
}

// offsetName writes an offset as "UTC+01:00".
func offsetName(offset int64) string {
	sign := '+'
	if offset < 0 {
		sign, offset = '-', -offset
	}
	return fmt.Sprintf("UTC%c%02d:%02d", sign, offset/hour, offset%hour/minute)
}
