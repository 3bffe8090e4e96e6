package report

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var (
	plainStyle  = Style{Columns: 80, Zone: time.FixedZone("CET", 3600), Now: now}
	colourStyle = Style{Columns: 80, Zone: time.FixedZone("CET", 3600), Now: now, Colour: true}
	pipeStyle   = Style{Zone: time.FixedZone("CET", 3600)}
)

func golden(t *testing.T, name string, write func(io.Writer) error) {
	t.Helper()
	var got bytes.Buffer
	if err := write(&got); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%s differs (run with -update to accept)\ngot:\n%s\nwant:\n%s", path, got.Bytes(), want)
	}
}

func TestPages(t *testing.T) {
	who, empty, partial, clean, many := sampleWho(), emptyWho(), partialWho(), cleanWho(), manyWho()
	show, bounce := sampleShow(), bounceShow()
	auth, php, chain, forged := explainAuth(), explainPHP(), explainBounce(), explainNothing()
	queue, cat := sampleQueue(), sampleCat()
	f := func(name string, write func(io.Writer) error) {
		t.Helper()
		t.Run(name, func(t *testing.T) { t.Helper(); golden(t, name, write) })
	}
	f("who", func(w io.Writer) error { return who.Text(w, plainStyle, 0) })
	f("who-colour", func(w io.Writer) error { return who.Text(w, colourStyle, 0) })
	f("who-pipe", func(w io.Writer) error { return who.Text(w, pipeStyle, 0) })
	f("who-empty", func(w io.Writer) error { return empty.Text(w, plainStyle, 0) })
	f("who-partial", func(w io.Writer) error { return partial.Text(w, plainStyle, 0) })
	f("who-clean", func(w io.Writer) error { return clean.Text(w, plainStyle, 0) })
	f("who-many", func(w io.Writer) error { return many.Text(w, plainStyle, 2) })
	f("who-json", who.JSON)
	f("who-empty-json", empty.JSON)
	logged, life, reasons, shape, check := loggedWho(), sampleTrace(), sampleReasons(), sampleShape(), sampleLogCheck()
	loggedShow := &Show{Root: "/", Host: "mail7.example.net", Time: now, MTA: "qmail", Panel: "plesk", Source: loggedLine(), Complete: true}
	f("who-log", func(w io.Writer) error { return logged.Text(w, plainStyle, 0) })
	f("who-log-json", loggedWho().JSON)
	f("show-log", func(w io.Writer) error { return loggedShow.Text(w, plainStyle) })
	f("trace", func(w io.Writer) error { return life.Text(w, plainStyle) })
	f("trace-json", life.JSON)
	f("queue-reasons", func(w io.Writer) error { return reasons.Text(w, plainStyle, 0) })
	f("queue-reasons-json", reasons.JSON)
	f("queue-shape", func(w io.Writer) error { return shape.Text(w, plainStyle, 0) })
	f("queue-shape-json", shape.JSON)
	f("logs-check", func(w io.Writer) error { return check.Text(w, plainStyle) })
	f("logs-check-json", check.JSON)
	f("show", func(w io.Writer) error { return show.Text(w, plainStyle) })
	f("show-colour", func(w io.Writer) error { return show.Text(w, colourStyle) })
	f("show-bounce", func(w io.Writer) error { return bounce.Text(w, plainStyle) })
	f("show-json", show.JSON)
	f("explain-auth", func(w io.Writer) error { return auth.Text(w, plainStyle) })
	f("explain-php", func(w io.Writer) error { return php.Text(w, plainStyle) })
	f("explain-php-colour", func(w io.Writer) error { return php.Text(w, colourStyle) })
	f("explain-bounce", func(w io.Writer) error { return chain.Text(w, plainStyle) })
	f("explain-nothing", func(w io.Writer) error { return forged.Text(w, plainStyle) })
	f("explain-json", php.JSON)
	f("queue-stat", func(w io.Writer) error { return queue.Text(w, plainStyle) })
	f("queue-stat-json", queue.JSON)
	f("queue-cat", func(w io.Writer) error { return cat.Text(w, plainStyle) })
}

func TestLists(t *testing.T) {
	f := func(name string, format Format, style Style) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			t.Helper()
			golden(t, name, func(out io.Writer) error { return list(out, format, style) })
		})
	}
	f("queue-table", FormatTable, plainStyle)
	f("queue-table-colour", FormatTable, colourStyle)
	f("queue-table-pipe", FormatTable, pipeStyle)
	f("queue-wide", FormatWide, plainStyle)
	f("queue-json", FormatJSON, plainStyle)
	f("queue-ndjson", FormatNDJSON, plainStyle)
	f("queue-csv", FormatCSV, plainStyle)
	f("queue-ids", FormatIDs, plainStyle)
}

// list writes the sample messages the way that Row allows: from one message
// that is overwritten.
func list(out io.Writer, format Format, style Style) error {
	messages := NewMessages(out, format, style)
	for _, sample := range sampleMessages() {
		if err := messages.Row(sample.message, sample.attribution); err != nil {
			return err
		}
		*sample.message = wiped()
	}
	return messages.Close()
}
