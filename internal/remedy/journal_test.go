package remedy

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/disk/disktest"
)

var at = time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func folder(t *testing.T, seam disk.Seam) (*disk.Dir, string) {
	t.Helper()
	name := t.TempDir()
	d, err := disk.Open(name, seam)
	must(t, err)
	t.Cleanup(func() { must(t, d.Close()) })
	return d, name
}

func sampleRecords() []Record {
	return []Record{
		{Time: at, Plan: "p1", Event: EventPlanned, Action: "rm", By: "root", Reason: "a\nb \"c\"", Selector: []string{"from:\x1b[31m"}, Messages: 3},
		{Time: at, Plan: "p1", Event: EventBegin, To: 2},
		{Time: at, Plan: "p1", Event: EventDone, To: 2, Counts: map[string]int{"done": 1, "busy": 1}, Skipped: []SkippedWords{{ID: "7", Result: "busy"}}},
	}
}

func TestTheJournalSurvivesAnyCrash(t *testing.T) {
	for _, fault := range disktest.Faults() {
		for n := 1; ; n++ {
			dir, name := folder(t, nil)
			script := &disktest.Script{Fault: fault, N: n}
			faulty, err := disk.Open(name, script.Seam)
			written := 0
			if err == nil {
				written = writeAll(faulty)
				_ = faulty.Close()
			}
			j, err := openJournal(dir)
			if err != nil {
				t.Fatalf("%s: %v", script, err)
			}
			got := len(j.Records())
			if got < written || got > written+1 {
				t.Fatalf("%s: %d records were written and %d are there", script, written, got)
			}
			must(t, j.Write(sampleRecords()[0]))
			j.close()
			again, err := readJournal(dir)
			must(t, err)
			if len(again.Records()) != got+1 {
				t.Fatalf("%s: after another record there are %d, want %d", script, len(again.Records()), got+1)
			}
			if script.Calls() < n {
				break
			}
		}
	}
}

// writeAll writes records until one fails, and returns how many were promised to
// be durable.
func writeAll(dir *disk.Dir) (written int) {
	j, err := openJournal(dir)
	if err != nil {
		return 0
	}
	defer j.close()
	for _, r := range sampleRecords() {
		if j.Write(r) != nil {
			return written
		}
		written++
	}
	return written
}

func TestADamagedJournalIsNotCut(t *testing.T) {
	dir, name := folder(t, nil)
	if got := writeAll(dir); got != 3 {
		t.Fatalf("%d records written", got)
	}
	path := filepath.Join(name, journalName)
	data, err := os.ReadFile(path)
	must(t, err)
	data[20] ^= 1
	must(t, os.WriteFile(path, data, 0o600))
	if _, err := openJournal(dir); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("opening gives %v, want ErrDamaged of line 1", err)
	}
	after, err := os.ReadFile(path)
	must(t, err)
	if len(after) != len(data) {
		t.Errorf("%d of %d bytes are left", len(after), len(data))
	}
}

func TestThePastOfAPlan(t *testing.T) {
	dir, _ := folder(t, nil)
	writeAll(dir)
	j, err := readJournal(dir)
	must(t, err)
	unfinished := j.Unfinished()
	if len(unfinished) != 1 || unfinished[0].Plan != "p1" {
		t.Fatalf("unfinished plans are %v", unfinished)
	}
	r := unfinished[0].Receipt(spoor.ActionRemove)
	if r.Done != 1 || r.SkippedBy[spoor.ResultBusy] != 1 || len(r.Skipped) != 1 || !r.Resumed {
		t.Errorf("receipt is %+v", r)
	}
	left := unfinished[0].Handled([]spoor.Target{{ID: "6"}, {ID: "7"}})
	if len(left) != 1 || left[0].ID != "6" {
		t.Errorf("handled are %v", left)
	}
}

// Whatever was begun and done before, the batches of the next run and the done
// ones are every target once, and a begun batch is repeated as it was.
func TestBatchesCoverThePlanOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 60).Draw(t, "targets")
		size := rapid.IntRange(1, 9).Draw(t, "size")
		var p Past
		for from := 0; from < n; {
			to := min(n, from+rapid.IntRange(1, 9).Draw(t, "batch"))
			fate := rapid.SampledFrom([]string{"done", "begun", "untouched"}).Draw(t, "fate")
			if fate != "untouched" {
				p.add(&Record{Event: EventBegin, From: from, To: to})
			}
			if fate == "done" {
				p.add(&Record{Event: EventDone, From: from, To: to})
			}
			from = to
		}
		seen := make([]int, n)
		for _, s := range slices.Concat(p.done, p.spans(n, size)) {
			if s.from >= s.to || s.to > n {
				t.Fatalf("span %+v of %d", s, n)
			}
			for i := s.from; i < s.to; i++ {
				seen[i]++
			}
		}
		for i, times := range seen {
			if times != 1 {
				t.Fatalf("target %d is in %d batches", i, times)
			}
		}
		for i, s := range p.begun {
			if got := p.spans(n, size)[i]; got != s {
				t.Fatalf("a begun batch %+v is repeated as %+v", s, got)
			}
		}
	})
}

func FuzzJournal(f *testing.F) {
	for _, r := range sampleRecords() {
		line, err := encode(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(line)
	}
	f.Add([]byte("{}\n\n{\"sum\":\"\"}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		name, err := os.MkdirTemp("/dev/shm", "spoor-journal-") //nolint:usetesting // in memory, where thousands of syncs cost nothing
		if err != nil {
			name = t.TempDir()
		}
		t.Cleanup(func() { must(t, os.RemoveAll(name)) })
		must(t, os.WriteFile(filepath.Join(name, journalName), data, 0o600))
		dir, err := disk.Open(name, nil)
		must(t, err)
		defer func() { must(t, dir.Close()) }()
		j, err := openJournal(dir)
		if err != nil {
			return
		}
		defer j.close()
		for _, p := range j.Plans() {
			p.Receipt(spoor.ActionRemove)
		}
		must(t, j.Write(sampleRecords()[0]))
	})
}
