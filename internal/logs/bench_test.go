package logs

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"spoor"
	"spoor/internal/host"
)

// noParser leaves only the splitting of headers to be measured.
type noParser struct{}

func (noParser) Parse(*spoor.Line, *spoor.Event) spoor.LineSort { return spoor.LineForeign }

// someParser makes an event of every line of qmail.
type someParser struct{}

func (someParser) Parse(l *spoor.Line, e *spoor.Event) spoor.LineSort {
	if string(l.Program) != "qmail" {
		return spoor.LineForeign
	}
	stamp, rest, ok := exactStamp(l)
	e.Kind, e.Time, e.Exact, e.Text = spoor.EventStatus, stamp, ok, rest
	return spoor.LineEvent
}

// BenchmarkScan reads a synthetic log of 64 MB, or the one that SPOOR_LOG names.
func BenchmarkScan(b *testing.B) {
	name := os.Getenv("SPOOR_LOG")
	if name == "" {
		name = filepath.Join(b.TempDir(), "maillog")
		if err := os.WriteFile(name, syntheticLog(64<<20), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	root, err := host.Open(filepath.Dir(name))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = root.Close() }()
	streams, err := Named(root, []string{filepath.Base(name)})
	if err != nil {
		b.Fatal(err)
	}
	parsers := map[string]func() Parser{"headers": func() Parser { return noParser{} }, "events": func() Parser { return someParser{} }}
	for _, kind := range []string{"headers", "events"} {
		b.Run(kind, func(b *testing.B) {
			b.SetBytes(streams[0].Files[0].SizeBytes)
			b.ReportAllocs()
			for b.Loop() {
				_, err := Scan(b.Context(), root, streams, Options{NewParser: parsers[kind], Now: time.Unix(1795530000, 0)},
					func(*spoor.Block) error { return nil })
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func syntheticLog(size int) []byte {
	var log bytes.Buffer
	start := time.Date(2026, 11, 10, 0, 0, 0, 0, time.UTC)
	for i := 0; log.Len() < size; i++ {
		at := start.Add(time.Duration(i) * 30 * time.Millisecond)
		stamp := at.Format(time.Stamp)
		fmt.Fprintf(&log, "%s mx1 smtp_auth: SMTP connect from unknown@ [192.0.2.%d]\n", stamp, i%250)
		fmt.Fprintf(&log, "%s mx1 qmail: %d.%06d info msg %d: bytes 1365 from <user@site1.example> qp 24079 uid 10003\n", stamp, at.Unix(), i%1000000, i)
		fmt.Fprintf(&log, "%s mx1 qmail-queue-handlers[%d]: to=u282559@remote0002.test\n", stamp, 2000+i%30000)
	}
	return log.Bytes()
}

// BenchmarkJournal reads what journalctl exported, in both forms.
func BenchmarkJournal(b *testing.B) {
	var asJSON, asExport bytes.Buffer
	for i := 0; asJSON.Len() < 16<<20; i++ {
		e := journaled{1795433536345364 + int64(i)*1000, "qmail", "812", fmt.Sprintf("%d.%06d info msg %d: bytes 1365 from <user@site1.example> qp 24079 uid 10003", 1795433536+i/1000, i%1000*1000, i)}
		asJSON.WriteString(e.json())
		asExport.WriteString(e.export())
	}
	for name, text := range map[string][]byte{"json": asJSON.Bytes(), "export": asExport.Bytes()} {
		b.Run(name, func(b *testing.B) {
			dir := b.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "log"), text, 0o600); err != nil {
				b.Fatal(err)
			}
			root, err := host.Open(dir)
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = root.Close() }()
			streams, err := Named(root, []string{"log"})
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				_, err := Scan(b.Context(), root, streams, Options{NewParser: func() Parser { return someParser{} }, Now: time.Unix(1795530000, 0)}, func(*spoor.Block) error { return nil })
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
