package exim

import (
	"io"
	"os"
	"slices"
	"testing"

	"spoor"
	"spoor/internal/disk"
	"spoor/internal/host"
	"spoor/internal/mta"
)

// BenchmarkRemove empties the spool below the root in SPOOR_BENCH_ROOT once, in
// batches of 1,000: taken, packed with all that is in the files, settled,
// discarded. bench/exim-remove.sh fills it.
func BenchmarkRemove(b *testing.B) {
	dir := os.Getenv("SPOOR_BENCH_ROOT")
	if dir == "" {
		b.Skip("SPOOR_BENCH_ROOT is not set")
	}
	root, err := host.Open(dir)
	wants(b, err)
	passwd, err := root.Passwd(&spoor.Gaps{})
	wants(b, err)
	top, err := disk.Open(dir, nil)
	wants(b, err)
	messages, _ := scanAll(b, openRoot(b, root))
	var batch []spoor.Target
	for _, m := range messages {
		batch = append(batch, spoor.TargetOf(m))
	}
	b.ResetTimer()
	k, err := Adapter().Control(&mta.Server{Root: root, Passwd: passwd, Gaps: &spoor.Gaps{}}, mta.Control{Top: top, Plan: "bench"})
	wants(b, err)
	for part := range slices.Chunk(batch, 1000) {
		wants(b, all(k.Take(b.Context(), part)))
		for i := range part {
			p, err := k.Pack(&part[i])
			wants(b, err)
			for _, f := range p.Files {
				wants(b, drain(&f))
			}
		}
		if os.Getenv("SPOOR_BENCH_SETTLE") != "" {
			wants(b, k.Settle())
		}
		wants(b, all(k.Discard(b.Context(), part)))
	}
	wants(b, k.Close())
	b.StopTimer()
	b.ReportMetric(float64(len(batch))/b.Elapsed().Seconds(), "messages/s")
}

func drain(f *spoor.PackedFile) error {
	open, err := f.Open()
	if err != nil {
		return err
	}
	defer func() { _ = open.Close() }()
	_, err = io.Copy(io.Discard, open)
	return err
}

func wants(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}
