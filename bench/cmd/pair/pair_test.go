package main

import (
	"strings"
	"testing"
	"time"
)

func TestSplitCutsAtTheDashes(t *testing.T) {
	got, err := split(strings.Fields("a true -- b echo -n x"))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].name != "a" || got[1].name != "b" || strings.Join(got[1].argv, " ") != "echo -n x" {
		t.Errorf("got %+v", got)
	}
	for _, in := range []string{"", "a", "a true -- b", "-- a true"} {
		if _, err := split(strings.Fields(in)); err == nil {
			t.Errorf("%q: no error", in)
		}
	}
}

func TestRatioComparesRoundByRound(t *testing.T) {
	run := func(seconds ...int) []usage {
		var runs []usage
		for _, s := range seconds {
			runs = append(runs, usage{wall: time.Duration(s) * time.Second})
		}
		return runs
	}
	base := result{name: "base", runs: run(4, 40, 8)}
	fast := result{name: "fast", runs: run(2, 10, 8)}
	if got, want := fast.ratio(base), (spread{min: 1, median: 2, max: 4}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestSpreadOfAnEvenNumberHasItsMiddleBetween(t *testing.T) {
	if got, want := spreadOf([]float64{4, 1, 3, 2}), (spread{min: 1, median: 2.5, max: 4}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestMemoryWithinTheRunnersOwnIsABound(t *testing.T) {
	tab := table{
		results: []result{
			{name: "big", runs: []usage{{wall: time.Second, rss: 20 << 20}}},
			{name: "small", runs: []usage{{wall: 2 * time.Second, rss: 5 << 20}}},
		},
		messages: 1 << 20, runnerRSS: 5 << 20,
	}
	var out strings.Builder
	if err := tab.print(&out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	for i, want := range map[int]string{1: " 20.0 ", 2: " <=5.0 "} {
		if !strings.Contains(lines[i], want) {
			t.Errorf("no %q in %q", want, lines[i])
		}
	}
}

func TestRunPrintsOneLineACommand(t *testing.T) {
	var out strings.Builder
	args := strings.Fields("-n 2 -messages 10 -base b a true -- b true")
	if err := run(t.Context(), args, &out); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(out.String(), "\n"); lines != 3 {
		t.Errorf("%d lines:\n%s", lines, out.String())
	}
}

func TestAFailingCommandEndsTheMeasurement(t *testing.T) {
	err := run(t.Context(), strings.Fields("a false"), &strings.Builder{})
	if err == nil || !strings.Contains(err.Error(), "run a: exit status 1") {
		t.Errorf("got %v", err)
	}
}
