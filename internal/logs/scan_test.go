package logs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/host/hosttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var testNow = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// seen is what a test keeps of an event.
type seen struct {
	when, id, text string
	repeat         uint32
	place          spoor.LogPlace
}

type result struct {
	events   []seen
	coverage *spoor.Coverage
}

func scanStreams(t testing.TB, root *host.Root, streams []Stream, o Options) result {
	t.Helper()
	if o.NewParser == nil {
		o.NewParser = newTestParser
	}
	if o.Now.IsZero() {
		o.Now = testNow
	}
	var r result
	var err error
	r.coverage, err = Scan(t.Context(), root, streams, o, func(b *spoor.Block) error {
		if len(b.Events) == 0 {
			t.Error("a block without events")
		}
		for i := range b.Events {
			e := &b.Events[i]
			r.events = append(r.events, seen{
				when: e.Time.Time().Format("2006-01-02T15:04:05.000000"), id: string(e.ID), text: string(e.Text), repeat: e.Repeat, place: b.Place(e),
			})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// scanText scans the text of one plain file, last written at testNow.
func scanText(t testing.TB, text string, o Options) result {
	t.Helper()
	root := hosttest.Tree(t, map[string]string{"maillog": text})
	touch(t, root, "maillog", testNow)
	return scanStreams(t, root, named(t, root, "maillog"), o)
}

func touch(t testing.TB, root *host.Root, name string, at time.Time) {
	t.Helper()
	if err := os.Chtimes(filepath.Join(root.Dir(), name), at, at); err != nil {
		t.Fatal(err)
	}
}

func named(t testing.TB, root *host.Root, names ...string) []Stream {
	t.Helper()
	streams, err := Named(root, names)
	if err != nil {
		t.Fatal(err)
	}
	return streams
}

func (r result) whens() []string {
	var list []string
	for _, e := range r.events {
		list = append(list, e.when)
	}
	return list
}

func wantTimes(t *testing.T, r result, want ...string) {
	t.Helper()
	for i := range want {
		if !strings.Contains(want[i], ".") {
			want[i] += ".000000"
		}
	}
	if got := r.whens(); !slices.Equal(got, want) {
		t.Errorf("times are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// exact writes a line of splogger's for a time, in a log whose zone is some
// hours east of UTC.
func exact(at time.Time, hoursEast int, id string) string {
	return fmt.Sprintf("%s mx1 qmail: %d.%06d new msg %s\n", at.Add(time.Duration(hoursEast)*time.Hour).Format(time.Stamp), at.Unix(), at.Nanosecond()/1000, id)
}

func TestTrap05YearAndZoneAreProvedByTheMTA(t *testing.T) {
	r := scanText(t, "Nov 23 12:32:14 mx1 note: before\nNov 23 12:32:15 mx1 qmail: 1763893935.345274 new msg 1\nNov 23 12:32:16 mx1 note: after\n", Options{})
	wantTimes(t, r, "2025-11-23T10:32:14", "2025-11-23T10:32:15.345274", "2025-11-23T10:32:16")
	f := r.coverage.Files[0]
	if !f.Proved || f.Clock != "year and zone proved by the MTA's own stamps (UTC+02:00)" || len(r.coverage.Assumed) != 0 {
		t.Errorf("clock %q, proved %t, assumed %v", f.Clock, f.Proved, r.coverage.Assumed)
	}
}

func TestTrap05YearTurnsWithinAFile(t *testing.T) {
	r := scanText(t, "Dec 31 23:59:59 mx1 note: a\nJan  1 00:00:00 mx1 note: b\nJun 23 00:00:00 mx1 note: c\nNov 23 00:00:00 mx1 note: d\n", Options{})
	wantTimes(t, r, "2025-12-31T23:59:59", "2026-01-01T00:00:00", "2026-06-23T00:00:00", "2026-11-23T00:00:00")
	if r.coverage.Files[0].Proved || len(r.coverage.Assumed) != 1 {
		t.Errorf("an assumed year is not told: %v", r.coverage.Assumed)
	}
}

func TestTrap05FileIsOlderThanAYear(t *testing.T) {
	var text strings.Builder
	for at := time.Date(2024, 9, 1, 0, 0, 0, 0, time.UTC); at.Before(testNow); at = at.Add(30 * 24 * time.Hour) {
		fmt.Fprintf(&text, "%s mx1 note: %d\n", at.Format(time.Stamp), at.Year())
		fmt.Fprint(&text, strings.Repeat("Foo\n", 2000)) // the turns of the year must be found by samples
	}
	r := scanText(t, text.String(), Options{})
	for _, e := range r.events {
		if !strings.HasPrefix(e.when, e.text) {
			t.Errorf("a line of %s is set to %s", e.text, e.when)
		}
	}
	if len(r.events) < 20 {
		t.Errorf("%d events", len(r.events))
	}
}

func TestStampsOfTheFutureBelongToTheYearBefore(t *testing.T) {
	r := scanText(t, "Nov 26 00:00:00 mx1 note: a\n", Options{})
	wantTimes(t, r, "2025-11-26T00:00:00")
	r = scanText(t, "Nov 25 00:00:00 mx1 note: a\n", Options{}) // within a day: another zone
	wantTimes(t, r, "2026-11-25T00:00:00")
}

func TestTrap06ServersZoneIsUsedWhereNothingProvesOne(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip(err)
	}
	r := scanText(t, "Mar 29 01:59:59 mx1 note: winter\nMar 29 03:00:00 mx1 note: summer\nOct 25 02:59:59 mx1 note: still summer\n"+
		"Oct 25 02:00:00 mx1 note: winter again\nOct 25 03:00:00 mx1 note: later\n", Options{Zone: berlin})
	wantTimes(t, r, "2026-03-29T00:59:59", "2026-03-29T01:00:00", "2026-10-25T00:59:59", "2026-10-25T01:00:00", "2026-10-25T02:00:00")
}

func TestTrap06SummerTimeEndsBetweenProofs(t *testing.T) {
	end := time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC)
	r := scanText(t, exact(end.Add(-2*time.Second), 2, "1")+"Oct 25 02:59:59 mx1 note: a\nOct 25 02:00:01 mx1 note: b\n"+
		exact(end.Add(2*time.Second), 1, "2")+"Oct 25 02:00:03 mx1 note: c\n", Options{})
	wantTimes(t, r, "2026-10-25T00:59:58", "2026-10-25T00:59:59", "2026-10-25T01:00:01", "2026-10-25T01:00:02", "2026-10-25T01:00:03")
}

func TestTrap06SummerTimeBeginsBetweenProofs(t *testing.T) {
	begin := time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC)
	text := exact(begin.Add(-2*time.Second), 1, "1") + "Mar 29 03:00:01 mx1 note: a\n" + exact(begin.Add(2*time.Second), 2, "2") + "Mar 29 03:00:03 mx1 note: b\n"
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip(err)
	}
	wantTimes(t, scanText(t, text, Options{Zone: berlin}), "2026-03-29T00:59:58", "2026-03-29T01:00:01", "2026-03-29T01:00:02", "2026-03-29T01:00:03")
}

func TestTrap09TwoFormsOfHeaderInOneFile(t *testing.T) {
	r := scanText(t, exact(time.Date(2026, 11, 23, 11, 0, 0, 0, time.UTC), 1, "1")+"2026-11-23T12:00:01.5+01:00 mx1 note: iso\n"+
		"Nov 23 12:00:02 mx1 note: bsd\n@400000006b0424491494a37c new msg 2\n<22>1 2026-11-23T11:00:04Z mx1 note 9 - - rfc5424\n", Options{})
	wantTimes(t, r, "2026-11-23T11:00:00", "2026-11-23T11:00:01.500000", "2026-11-23T11:00:02", "2026-11-23T11:32:15.345285", "2026-11-23T11:00:04.999999")
	if r.coverage.Damaged != 0 || !r.coverage.Files[0].Proved {
		t.Errorf("coverage %+v", r.coverage)
	}
}

func TestSecondsDoNotGoBackBehindExactTimes(t *testing.T) {
	at := time.Date(2026, 11, 23, 11, 0, 0, 700_000_000, time.UTC)
	r := scanText(t, exact(at, 0, "1")+"Nov 23 11:00:00 mx1 note: same second\nNov 23 10:59:58 mx1 note: late\nNov 23 11:00:01 mx1 note: next\n", Options{})
	wantTimes(t, r, "2026-11-23T11:00:00.700000", "2026-11-23T11:00:00.700000", "2026-11-23T10:59:58.999999", "2026-11-23T11:00:01")
}

func TestTrap10RepeatedMessages(t *testing.T) {
	r := scanText(t, "Nov 23 11:00:00 mx1 note[7]: hello\nNov 23 11:00:01 mx1 note: message repeated 3 times: [ again]\n"+
		"Nov 23 11:00:01 mx2 note: other host\nNov 23 11:00:02 mx1 last message repeated 4 times\nNov 23 11:00:03 mx1 last message repeated 5 times\n"+
		"Nov 23 11:00:04 mx1 cron: x\nNov 23 11:00:05 mx1 last message repeated 6 times\nNov 23 11:00:06 mx3 last message repeated 7 times\n"+
		"Nov 23 11:00:07 mx1 note: message repeated 99999999 times: [ many]\nNov 23 11:00:08 mx1 note: message repeated x times: [ y]\n", Options{})
	got := ""
	for _, e := range r.events {
		got += fmt.Sprintf("%s*%d ", e.text, e.repeat)
	}
	if want := "hello*0 again*3 other host*0 again*4 again*5 many*1000000 message repeated x times: [ y]*0 "; got != want {
		t.Errorf("events are %q, want %q", got, want)
	}
	if r.events[3].place.Line != 4 || r.events[3].when != "2026-11-23T11:00:02.000000" {
		t.Errorf("a repeated event has its own line and time: %+v", r.events[3])
	}
	if r.coverage.Foreign != 3 {
		t.Errorf("%d foreign lines, want cron, its repetition and that of a host without a line before", r.coverage.Foreign)
	}
}

func TestTrap11EmbeddedNewlineStopsNothing(t *testing.T) {
	r := scanText(t, "Nov 23 11:00:00 mx1 note: a\nir/)\n\nNov 23 11:00:01 mx1 note: b\r\n", Options{})
	if len(r.events) != 2 || r.events[1].text != "b" || r.coverage.Damaged != 2 || r.coverage.Lines != 4 || r.events[1].place.Line != 4 {
		t.Errorf("events %+v, coverage %+v", r.events, r.coverage)
	}
}

func TestTrap12NULBytesOfCopytruncate(t *testing.T) {
	for _, size := range []int{1, 100, maxLine, 5 * maxLine, 1 << 20} {
		for _, block := range []int{16, 0} {
			text := "Nov 23 11:00:00 mx1 note: a\n" + strings.Repeat("\x00", size) + "Nov 23 11:00:01 mx1 note: b\nNov 23 11:00:02 mx1 note: c\n"
			r := scanText(t, text, Options{blockBytes: block})
			if len(r.events) != 3 || r.coverage.Damaged != 1 || r.coverage.Lines != 3 {
				t.Fatalf("%d NUL bytes, blocks of %d: %d events, %d damaged", size, block, len(r.events), r.coverage.Damaged)
			}
			if at := r.events[1].place.Offset; !strings.HasPrefix(text[at:], "Nov 23 11:00:01") {
				t.Errorf("the line behind the hole is at %d", at)
			}
		}
	}
}

func TestLongLinesAreCut(t *testing.T) {
	long := strings.Repeat("x", 10*maxLine)
	for _, block := range []int{16, 0} {
		r := scanText(t, "Nov 23 11:00:00 mx1 note: "+long+"\nNov 23 11:00:01 mx1 note: b\nNov 23 11:00:02 mx1 note: "+long, Options{blockBytes: block})
		if len(r.events) != 3 || r.events[1].text != "b" || r.coverage.Lines != 3 || len(r.events[0].text) != maxLine-26 || len(r.events[2].text) != maxLine-26 {
			t.Fatalf("blocks of %d: %d events in %d lines", block, len(r.events), r.coverage.Lines)
		}
	}
}

func TestLastLineWithoutNewlineIsRead(t *testing.T) {
	r := scanText(t, "Nov 23 11:00:00 mx1 note: a\nNov 23 11:00:01 mx1 note: b", Options{})
	if len(r.events) != 2 || r.events[1].text != "b" {
		t.Errorf("events %+v", r.events)
	}
	if r := scanText(t, "", Options{}); r.coverage.Lines != 0 || !r.coverage.Files[0].Complete {
		t.Errorf("an empty file is no trouble: %+v", r.coverage)
	}
}

func TestWindow(t *testing.T) {
	text := "Nov 23 11:00:00 mx1 note: a\nNov 23 11:00:01 mx1 note: b\nNov 23 11:00:02 mx1 note: c\n"
	at := time.Date(2026, 11, 23, 11, 0, 1, 0, time.UTC)
	r := scanText(t, text, Options{Since: at, Until: at.Add(time.Second)})
	if len(r.events) != 1 || r.events[0].text != "b" || r.coverage.Events != 1 || r.coverage.Lines != 3 || r.coverage.Known != 3 {
		t.Errorf("events %+v, coverage %+v", r.events, r.coverage)
	}
	r = scanText(t, text, Options{Since: testNow.Add(time.Hour)})
	if r.coverage.Lines != 0 || len(r.coverage.NotRead) != 0 {
		t.Errorf("a file from before the window was read, or counts as a gap: %+v", r.coverage)
	}
}

func TestBudgetReadsTheNewestFirst(t *testing.T) {
	line := "Nov 23 11:00:0%d mx1 note: x\n"
	root := hosttest.Tree(t, map[string]string{"a.2": fmt.Sprintf(line, 1), "a.1": fmt.Sprintf(line, 2), "a": fmt.Sprintf(line, 3)})
	streams := []Stream{{Name: "/a", Files: append(siblings(root, "/a", &spoor.Gaps{}), named(t, root, "a")[0].Files...)}}
	r := scanStreams(t, root, streams, Options{MaxBytes: 60})
	if len(r.events) != 2 || len(r.coverage.NotRead) != 1 || r.coverage.NotRead[0].File != "/a.2" || !strings.Contains(r.coverage.NotRead[0].Reason, "--since") {
		t.Errorf("%d events, not read %+v", len(r.events), r.coverage.NotRead)
	}
	if r := scanStreams(t, root, streams, Options{MaxBytes: 1}); len(r.events) != 1 {
		t.Errorf("%d events: the newest file is always read", len(r.events))
	}
	read := int64(0)
	scanStreams(t, root, streams, Options{Progress: func(n int64) { read += n }})
	if want := int64(3 * len(fmt.Sprintf(line, 1))); read != want {
		t.Errorf("progress tells %d bytes, want %d", read, want)
	}
}

func TestStreamsAreMergedByTime(t *testing.T) {
	files := map[string]string{}
	var names []string
	for s := range 3 {
		var b strings.Builder
		for i := range 500 {
			fmt.Fprintf(&b, "2026-11-23T11:%02d:%02d.%03d000Z mx1 note: %d/%d\n", i/60, i%60, s*300+i%7, s, i)
		}
		name := fmt.Sprintf("log%d", s)
		files[name] = b.String()
		names = append(names, name)
	}
	root := hosttest.Tree(t, files)
	r := scanStreams(t, root, named(t, root, names...), Options{blockBytes: 700})
	if len(r.events) != 1500 || !slices.IsSorted(r.whens()) {
		t.Fatalf("%d events, in order: %t", len(r.events), slices.IsSorted(r.whens()))
	}
	places := make([]spoor.LogPlace, len(r.events))
	for i, e := range r.events {
		places[i] = e.place
	}
	for i, text := range Quote(root, r.coverage.Files, places) {
		if !strings.HasSuffix(text, " "+r.events[i].text) {
			t.Fatalf("event %q is said to be in line %q", r.events[i].text, text)
		}
	}
}

func TestParserRemembersACutLineAcrossBlocks(t *testing.T) {
	text := strings.Repeat("Nov 23 11:00:00 mx1 half: head+\nNov 23 11:00:00 mx1 half: tail\n", 20)
	for block := 1; block < 200; block += 7 {
		r := scanText(t, text, Options{blockBytes: block})
		for _, e := range r.events {
			if e.id != "head" || e.text != "tail" {
				t.Fatalf("blocks of %d: event %+v", block, e)
			}
		}
		if len(r.events) != 20 || r.coverage.Known != 40 {
			t.Fatalf("blocks of %d: %d events", block, len(r.events))
		}
	}
}

func TestUnknownShapes(t *testing.T) {
	text := ""
	for i := range 5 {
		text += fmt.Sprintf("Nov 23 11:00:00 mx1 qmail: odd thing %d\nNov 23 11:00:00 mx1 qmail: other\n", i)
	}
	for _, block := range []int{40, 0} {
		r := scanText(t, text, Options{blockBytes: block})
		if r.coverage.Unknown != 10 || len(r.coverage.Shapes) != 2 {
			t.Fatalf("coverage %+v", r.coverage)
		}
		s := r.coverage.Shapes[0]
		if s.Program != "qmail" || s.Count != 5 || len(s.Examples) != 3 || s.Examples[2].Line != 5 || s.Examples[2].File != "/maillog" ||
			s.Examples[2].Text != "Nov 23 11:00:00 mx1 qmail: odd thing 2" {
			t.Errorf("blocks of %d: shape %+v", block, s)
		}
	}
}

func TestScanEndsWithItsCaller(t *testing.T) {
	root := hosttest.Tree(t, map[string]string{"log": strings.Repeat("Nov 23 11:00:00 mx1 note: a\n", 100000)})
	streams := named(t, root, "log")
	o := Options{NewParser: newTestParser, Now: testNow, blockBytes: 1000}
	enough := errors.New("enough")
	if _, err := Scan(t.Context(), root, streams, o, func(*spoor.Block) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("the error of consume is lost: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Scan(ctx, root, streams, o, func(*spoor.Block) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the scan outlives its context: %v", err)
	}
}
