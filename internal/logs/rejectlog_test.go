package logs

import (
	"testing"

	"spoor"
)

// continuing is a parser whose entries go on behind "P ".
type continuing struct{ testParser }

func (*continuing) Continues(text []byte) bool { return len(text) > 2 && text[:2][0] == 'P' }

func (p *continuing) Parse(l *spoor.Line, e *spoor.Event) spoor.LineSort {
	return p.testParser.Parse(l, e)
}

func TestLinesThatContinueAnEntryAreNotDamaged(t *testing.T) {
	o := Options{NewParser: func() Parser { return &continuing{} }, Now: testNow}
	for _, block := range []int{30, 0} {
		o.blockBytes = block
		r := scanText(t, "2026-11-23 10:00:00 status: x\nP Received: x\nodd\n2026-11-23 10:00:01 new msg 1\n", o)
		if r.coverage.Damaged != 1 || r.coverage.Known != 3 || len(r.events) != 1 {
			t.Errorf("blocks of %d: coverage %+v", block, r.coverage)
		}
		r = scanText(t, "Nov 23 10:00:00 mx1 qmail: status: x\nP Received: x\n", o)
		if r.coverage.Damaged != 1 {
			t.Errorf("a line without header in syslog's log is not damaged: %+v", r.coverage)
		}
	}
}

func TestNotesOfJournalctlAreForeign(t *testing.T) {
	r := scanText(t, "-- Journal begins at Mon 2026-11-23 10:06:13 UTC, ends at Mon 2026-11-23 12:06:13 UTC. --\nNov 23 11:00:00 mx1 note: a\n"+
		"-- Boot 5d3a1c7bd5e14e6e9b8d6a0b3f0c2f11 --\n-- something else --\n", Options{})
	if r.coverage.Foreign != 2 || r.coverage.Damaged != 1 || len(r.events) != 1 {
		t.Errorf("coverage %+v", r.coverage)
	}
}
