package vault_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

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

func smallParcels(n int) []*spoor.Parcel {
	parcels := make([]*spoor.Parcel, n)
	for i := range parcels {
		p := letter(i)
		p.Files[0] = memory("mess", p.Files[0].Name, words(i))
		for f := range p.Files {
			in := &still{}
			content := content(nil, &p.Files[f])
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
	parcels := smallParcels(1000)
	w, err := v.Append("p")
	must(b, err)
	b.ReportAllocs()
	n := 0
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
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "messages/s")
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
	store(b, v, "p", smallParcels(n)...)
	return v
}

func BenchmarkEntries(b *testing.B) {
	const n = 10_000
	v := filled(b, n)
	b.ReportAllocs()
	for b.Loop() {
		for _, err := range v.Entries("p") {
			must(b, err)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}

func BenchmarkAppendToOld(b *testing.B) {
	const n = 10_000
	v := filled(b, n)
	for b.Loop() {
		w, err := v.Append("p")
		must(b, err)
		must(b, w.Close())
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}

func BenchmarkParcel(b *testing.B) {
	v := filled(b, 1000)
	var list []vault.Entry
	for entry, err := range v.Entries("p") {
		must(b, err)
		list = append(list, entry)
	}
	b.ReportAllocs()
	n := 0
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
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "messages/s")
}
