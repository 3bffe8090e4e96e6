package logs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"spoor"
	"spoor/internal/host/hosttest"
)

// hostParser makes an event of each line that tells its host and PID.
type hostParser struct{}

func (hostParser) Parse(l *spoor.Line, e *spoor.Event) spoor.LineSort {
	e.Kind, e.Origin, e.PID, e.ID, e.Text = spoor.EventTrouble, spoor.IDHash(l.Host), int32(l.PID), l.Host, l.Body
	return spoor.LineEvent
}

func TestTrap07TwoHostsInOneLogAreKeptApart(t *testing.T) {
	lines := []string{
		"Nov 23 11:00:00 mx1 postfix/smtpd[7]: 4C30BC0100: a", "Nov 23 11:00:00 mx2 postfix/smtpd[7]: 4C30BC0100: b", "Nov 23 11:00:00 mx1 postfix/smtpd[7]: 4C30BC0100: c",
		"Nov 23 11:00:00 mx1.example.com postfix/smtpd[7]: 4C30BC0100: d", "2026-11-23T11:00:00Z mx2 postfix/smtpd[7]: 4C30BC0100: e", "<22>1 2026-11-23T11:00:00Z mx1 postfix/smtpd 7 - - 4C30BC0100: f",
		`{"__REALTIME_TIMESTAMP":"1795431600000000","_HOSTNAME":"mx2","SYSLOG_IDENTIFIER":"postfix/smtpd","SYSLOG_PID":"7","MESSAGE":"4C30BC0100: g"}`,
	}
	hosts := []string{"mx1", "mx2", "mx1", "mx1.example.com", "mx2", "mx1", "mx2"}
	text := strings.Repeat(strings.Join(lines, "\n")+"\n", 20)
	for _, block := range []int{60, 0} {
		r := scanText(t, text, Options{NewParser: func() Parser { return hostParser{} }, blockBytes: block})
		if len(r.events) != 20*len(hosts) {
			t.Fatalf("%d events", len(r.events))
		}
		for i, e := range r.events {
			if want := hosts[i%len(hosts)]; e.id != want || !strings.HasPrefix(e.text, "4C30BC0100: ") {
				t.Errorf("blocks of %d: %q is said to be of %s, not of %s", block, e.text, e.id, want)
			}
		}
	}
}

func TestTrap11EmbeddedNewlineIsDamageWhereSyslogWrites(t *testing.T) {
	r := scanText(t, "Nov 23 11:00:00 mx1 note: a$HOME/Maild\nir/)\n  and more\nNov 23 11:00:01 mx1 note: b\n", Options{NewParser: func() Parser { return &continuing{} }})
	if len(r.events) != 2 || r.coverage.Damaged != 2 {
		t.Errorf("events %+v, coverage %+v", r.events, r.coverage)
	}
}

func TestTrap18LogThatBeginsInTheMiddleOfALine(t *testing.T) {
	r := scanText(t, "23 11:00:00 mx1 note: cut\nNov 23 11:00:01 mx1 last message repeated 2 times\nNov 23 11:00:02 mx1 half: tail\nNov 23 11:00:03 mx1 note: a\n", Options{})
	if len(r.events) != 2 || r.events[0].id != "" || r.events[1].text != "a" || r.coverage.Damaged != 1 || r.coverage.Foreign != 1 {
		t.Errorf("events %+v, coverage %+v", r.events, r.coverage)
	}
	wantTimes(t, r, "2026-11-23T11:00:02", "2026-11-23T11:00:03")
}

func TestTrap20FileIsTruncatedWhileRead(t *testing.T) {
	line := "Nov 23 11:00:00 mx1 note: " + strings.Repeat("x", 200) + "\n"
	root := hosttest.Tree(t, map[string]string{"log": strings.Repeat(line, 100_000), "whole": "Nov 23 11:00:00 mx1 note: a\n"})
	events := 0
	truncate := func(b *spoor.Block) error {
		events += len(b.Events)
		return os.Truncate(filepath.Join(root.Dir(), "log"), 10) // as logrotate's copytruncate does
	}
	coverage, err := Scan(t.Context(), root, named(t, root, "log", "whole"), Options{NewParser: newTestParser, Now: testNow, blockBytes: 64 << 10}, truncate)
	if err != nil {
		t.Fatal(err)
	}
	if events == 0 || events > 90_000 || coverage.Files[0].Complete || !coverage.Files[1].Complete || len(coverage.NotRead) != 1 || coverage.NotRead[0].File != "/log" {
		t.Errorf("%d events, coverage %+v", events, coverage)
	}
}

func TestTrap20FileThatGrowsIsReadAsItWas(t *testing.T) {
	text := strings.Repeat("Nov 23 11:00:00 mx1 note: a\n", 1000)
	root := hosttest.Tree(t, map[string]string{"log": text})
	grow := func(*spoor.Block) error {
		f, err := os.OpenFile(filepath.Join(root.Dir(), "log"), os.O_APPEND|os.O_WRONLY, 0)
		if err == nil {
			_, err = fmt.Fprint(f, "Nov 23 11:00:01 mx1 note: late\n")
			_ = f.Close()
		}
		return err
	}
	coverage, err := Scan(t.Context(), root, named(t, root, "log"), Options{NewParser: newTestParser, Now: testNow, blockBytes: 1000}, grow)
	if err != nil {
		t.Fatal(err)
	}
	if coverage.Lines != 1000 || !coverage.Files[0].Complete || len(coverage.NotRead) != 0 {
		t.Errorf("coverage %+v", coverage)
	}
}
