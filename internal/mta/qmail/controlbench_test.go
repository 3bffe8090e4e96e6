package qmail

import (
	"os"
	"slices"
	"testing"
	"time"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/host"
	"spoor/internal/mta"
)

// BenchmarkRemove empties the queue of the server in the folder
// SPOOR_EMPTIED_QUEUE, which bench/cmd/qmailgen makes, in batches of 1,000. Run it
// with -benchtime=1x, and each time with a new queue.
func BenchmarkRemove(b *testing.B) {
	dir := os.Getenv("SPOOR_EMPTIED_QUEUE")
	if dir == "" {
		b.Skip("SPOOR_EMPTIED_QUEUE is not set")
	}
	root, err := host.Open(dir)
	must(b, err)
	defer func() { must(b, root.Close()) }()
	var gaps spoor.Gaps
	passwd, err := root.Passwd(&gaps)
	must(b, err)
	all := everything(b, root, passwd)
	top, err := disk.Open(dir, nil)
	must(b, err)
	defer func() { must(b, top.Close()) }()
	c, err := openControl(&mta.Server{Root: root, Passwd: passwd, Gaps: &gaps}, mta.Control{Top: top, Plan: "bench"})
	must(b, err)
	var spent [3]time.Duration
	b.ResetTimer()
	for batch := range slices.Chunk(all, 1000) {
		removeTimed(b, c, batch, &spent)
	}
	b.StopTimer()
	must(b, c.Close())
	b.ReportMetric(float64(len(all))/b.Elapsed().Seconds(), "messages/s")
	for i, name := range []string{"take-µs", "pack-µs", "discard-µs"} {
		b.ReportMetric(float64(spent[i].Microseconds())/float64(len(all)), name)
	}
}

func removeTimed(b *testing.B, c mta.Controller, batch []spoor.Target, spent *[3]time.Duration) {
	start := time.Now()
	lap := func(i int) { spent[i] += time.Since(start); start = time.Now() }
	done := func(out []spoor.Outcome, err error) {
		must(b, err)
		for i, one := range out {
			if one.Result != spoor.ResultDone {
				b.Fatalf("message %s: %v", batch[i].ID, one)
			}
		}
	}
	out, err := c.Take(b.Context(), batch)
	done(out, err)
	lap(0)
	for i := range batch {
		if _, err := c.Pack(&batch[i]); err != nil {
			b.Fatal(err)
		}
	}
	lap(1)
	out, err = c.Discard(b.Context(), batch)
	done(out, err)
	lap(2)
}

func everything(b *testing.B, root *host.Root, passwd *host.Passwd) (all []spoor.Target) {
	q, err := Open(root, passwd, Options{})
	must(b, err)
	defer func() { must(b, q.Close()) }()
	scan, err := q.Scan(b.Context(), mta.Want{})
	must(b, err)
	for _, part := range scan.Parts {
		for m, err := range part {
			must(b, err)
			all = append(all, spoor.TargetOf(m))
		}
	}
	return all
}
