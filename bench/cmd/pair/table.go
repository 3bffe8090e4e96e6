package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// table prints the results of all commands.
type table struct {
	results   []result
	base      int
	messages  int
	runnerRSS int64
}

// spread is the least, the middle and the most of some numbers.
type spread struct{ min, median, max float64 }

func spreadOf(values []float64) spread {
	s := slices.Sorted(slices.Values(values))
	n := len(s)
	return spread{min: s[0], median: (s[(n-1)/2] + s[n/2]) / 2, max: s[n-1]}
}

func (s spread) String() string { return fmt.Sprintf("%.3f %.3f %.3f", s.min, s.median, s.max) }

func (r result) spread(of func(usage) float64) spread {
	values := make([]float64, len(r.runs))
	for i, one := range r.runs {
		values[i] = of(one)
	}
	return spreadOf(values)
}

func wallSeconds(u usage) float64 { return u.wall.Seconds() }
func cpuSeconds(u usage) float64  { return u.cpu.Seconds() }
func rssBytes(u usage) float64    { return float64(u.rss) }

// ratio is how much longer the base took than r, round by round: above 1, r is
// faster.
func (r result) ratio(base result) spread {
	values := make([]float64, len(r.runs))
	for i, one := range r.runs {
		values[i] = base.runs[i].wall.Seconds() / max(one.wall, time.Nanosecond).Seconds()
	}
	return spreadOf(values)
}

func (t table) print(out io.Writer) error {
	base := t.results[t.base]
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(cells ...any) {
		for _, cell := range cells {
			_, _ = fmt.Fprintf(w, "%v\t", cell) // a tabwriter keeps its error for Flush
		}
		_, _ = fmt.Fprintln(w)
	}
	row("command", "wall s: min median max", "user+sys s: min median max", base.name+"/wall: min median max", "max RSS MiB", "us/message", "bytes/message")
	for _, r := range t.results {
		wall := r.spread(wallSeconds)
		rss := r.spread(rssBytes).median
		row(r.name, wall, r.spread(cpuSeconds), r.ratio(base), t.bounded(rss, rss/(1<<20)),
			t.perMessage(wall.median*1e6, "%.2f"), t.bounded(rss, rss/float64(max(t.messages, 1))))
	}
	return w.Flush()
}

// bounded marks a figure that follows from a peak of memory which may be the
// runner's own.
func (t table) bounded(rss, figure float64) string {
	mark := ""
	if int64(rss) <= t.runnerRSS {
		mark = "<="
	}
	return fmt.Sprintf("%s%.1f", mark, figure)
}

func (t table) perMessage(total float64, format string) string {
	if t.messages == 0 {
		return ""
	}
	return fmt.Sprintf(format, total/float64(t.messages))
}
