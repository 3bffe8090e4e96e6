package vault_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"spoor"
	"spoor/internal/vault"
)

// words is a body of 2 KB that packs as text does.
func words(n int) []byte {
	var text strings.Builder
	fmt.Fprintf(&text, "Received: (qmail %d invoked by uid 10003); 23 Nov 2026 11:32:18 -0000\nSubject: offer %d\n\n", n, n)
	for i := 0; text.Len() < 2000; i++ {
		fmt.Fprintf(&text, "%s %x ", [...]string{"dear", "customer", "offer", "click", "today", "https://shop.example/"}[(n+i*7)%6], noise(uint64(n*31+i), 4))
	}
	return []byte(text.String()[:2000])
}

// still is content in memory whose opening costs nothing.
type still struct{ bytes.Reader }

func (*still) Close() error { return nil }

// processor is the time that the process has used a processor. On a machine that
// does other work too it says more than the clock.
func processor(t testing.TB) time.Duration {
	var used syscall.Rusage
	must(t, syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func report(b *testing.B, n int, used time.Duration) {
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "messages/s")
	b.ReportMetric(float64(n)/used.Seconds(), "messages/s-of-processor")
}

func smallParcels(t testing.TB, n int) []*spoor.Parcel {
	parcels := make([]*spoor.Parcel, n)
	for i := range parcels {
		p := letter(i)
		p.Files[0] = memory("mess", p.Files[0].Name, words(i))
		for f := range p.Files {
			in := &still{}
			content := content(t, &p.Files[f])
			p.Files[f].Open = func() (spoor.Content, error) { in.Reset(content); return in, nil }
		}
		parcels[i] = p
	}
	return parcels
}

// BenchmarkAdd stores messages of 2 KB and three files, and syncs after each
// thousand.
func BenchmarkAdd(b *testing.B) {
	v := open(b, b.TempDir(), nil)
	parcels := smallParcels(b, 1000)
	w, err := v.Append("p")
	must(b, err)
	b.ReportAllocs()
	before, n := processor(b), 0
	for b.Loop() {
		p := parcels[n%len(parcels)]
		p.Arrived = p.Arrived.Add(1)
		_, err := w.Add(p)
		must(b, err)
		if n++; n%1000 == 0 {
			must(b, w.Sync())
		}
	}
	must(b, w.Close())
	report(b, n, processor(b)-before)
	st, err := v.Stat("p")
	must(b, err)
	b.ReportMetric(float64(st.SizeBytes)/float64(n), "bytes/message")
}

// BenchmarkAddLarge stores messages of 30 MB.
func BenchmarkAddLarge(b *testing.B) {
	v := open(b, b.TempDir(), nil)
	p := letter(0)
	p.Files[0] = memory("mess", "m", bytes.Repeat(words(1), 15_000))
	w, err := v.Append("p")
	must(b, err)
	b.ReportAllocs()
	b.SetBytes(p.Files[0].SizeBytes)
	for b.Loop() {
		p.Arrived = p.Arrived.Add(1)
		_, err := w.Add(p)
		must(b, err)
		must(b, w.Sync())
	}
	must(b, w.Close())
}

func filled(b *testing.B, n int) *vault.Vault {
	v := open(b, b.TempDir(), nil)
	store(b, v, "p", smallParcels(b, n)...)
	return v
}

func BenchmarkEntries(b *testing.B) {
	const n = 10_000
	v := filled(b, n)
	b.ReportAllocs()
	before := processor(b)
	for b.Loop() {
		for _, err := range v.Entries("p") {
			must(b, err)
		}
	}
	report(b, n*b.N, processor(b)-before)
}

func BenchmarkAppendToOld(b *testing.B) {
	const n = 10_000
	v := filled(b, n)
	before := processor(b)
	for b.Loop() {
		w, err := v.Append("p")
		must(b, err)
		must(b, w.Close())
	}
	report(b, n*b.N, processor(b)-before)
}

func BenchmarkParcel(b *testing.B) {
	v := filled(b, 1000)
	var list []vault.Entry
	for entry, err := range v.Entries("p") {
		must(b, err)
		list = append(list, entry)
	}
	b.ReportAllocs()
	before, n := processor(b), 0
	for b.Loop() {
		p, err := v.Parcel(list[n%len(list)])
		must(b, err)
		for i := range p.Files {
			in, err := p.Files[i].Open()
			must(b, err)
			_, err = io.Copy(io.Discard, in)
			must(b, err)
			must(b, in.Close())
		}
		n++
	}
	report(b, n, processor(b)-before)
}
