// Package report turns results into bytes: judged sources, messages and
// problems enter from trace, verdict and the adapters, and leave as text pages,
// tables, JSON, CSV and monitoring lines for a writer that the caller owns.
//
// Everything that was read from a message, a log, a queue or a web root is
// hostile and is escaped here, and only here: nouns carry it raw.
package report

import (
	"time"

	"spoor"
)

// Style says how text is laid out for whoever reads it. JSON, CSV and lists of
// IDs ignore it. The zero value is for a pipe: no colour, nothing cut, UTC.
type Style struct {
	Colour  bool
	Columns int            // width of the terminal; 0 for a pipe or a file
	Zone    *time.Location // of the times that a person reads; nil is UTC
	Now     time.Time      // ages in tables are measured from here; zero: times are shown instead
}

// defaultColumns is how wide a page is that goes into a pipe: it will be
// mailed, pasted or read with less.
const defaultColumns = 80

// pageColumns is the width that running text is wrapped at.
func (s Style) pageColumns() int {
	if s.Columns == 0 {
		return defaultColumns
	}
	return min(max(s.Columns, 40), 100)
}

// SGR codes, ECMA-48 §8.3.117.
const (
	sgrReset  = "\x1b[0m"
	sgrBold   = "\x1b[1m"
	sgrRed    = "\x1b[1;31m"
	sgrYellow = "\x1b[33m"
	sgrGreen  = "\x1b[32m"
)

func classColour(c spoor.Class) string {
	switch c {
	case spoor.Spam:
		return sgrRed
	case spoor.Suspect:
		return sgrYellow
	case spoor.Normal:
	}
	return sgrGreen
}

// clock is t for a person, to the minute.
func (s Style) clock(t time.Time) string { return s.format(t, "2006-01-02 15:04") }

// moment is t for a person, to the second and with its zone.
func (s Style) moment(t time.Time) string { return s.format(t, "2006-01-02 15:04:05 MST") }

func (s Style) format(t time.Time, layout string) string {
	if t.IsZero() {
		return "unknown"
	}
	zone := s.Zone
	if zone == nil {
		zone = time.UTC
	}
	return t.In(zone).Format(layout)
}

// since is t with how long ago that was.
func (s Style) since(now, t time.Time) string {
	if ago := age(now, t); ago != "" {
		return s.clock(t) + " (" + ago + " ago)"
	}
	return s.clock(t)
}

// span is the time from first to last.
func (s Style) span(first, last time.Time) string {
	from, to := s.clock(first), s.clock(last)
	if from == to {
		return from
	}
	return from + " to " + to
}
