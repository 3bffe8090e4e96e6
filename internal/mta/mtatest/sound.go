package mtatest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"spoor"
	"spoor/internal/host/hosttest"
	"spoor/internal/mta"
)

func testNone(t *testing.T, c Case) {
	s := server(t, t.TempDir())
	if used, ok := c.Adapter.Detect(s); ok || !used.IsZero() {
		t.Errorf("Detect = %v, %v on an empty server", used, ok)
	}
	if _, err := c.Adapter.Open(s); !errors.Is(err, mta.ErrNoQueue) {
		t.Errorf("Open: %v, want ErrNoQueue", err)
	}
}

func testFound(t *testing.T, c Case) {
	dir := hosttest.Unpack(t, c.Server)
	s := server(t, dir)
	if used, ok := c.Adapter.Detect(s); !ok || used.IsZero() {
		t.Errorf("Detect = %v, %v", used, ok)
	}
	if place := c.Adapter.Place(s); !strings.HasPrefix(place, "/") {
		t.Errorf("Place = %q", place)
	}
	q := open(t, c, dir)
	if q.MTA() != c.Adapter.Name || q.Host() == "" {
		t.Errorf("MTA() = %q, Host() = %q", q.MTA(), q.Host())
	}
}

func testScanTwice(t *testing.T, c Case) {
	q := open(t, c, hosttest.Unpack(t, c.Server))
	first, second := scan(t, q), scan(t, q)
	a, b := read(t, first), read(t, second)
	if len(a) == 0 || !reflect.DeepEqual(a, b) {
		t.Errorf("%d messages, then %d, or they differ", len(a), len(b))
	}
	if !slices.Equal(first.Gaps.List(), second.Gaps.List()) {
		t.Errorf("gaps %v, then %v", first.Gaps.List(), second.Gaps.List())
	}
}

func testCount(t *testing.T, c Case) {
	s := scan(t, open(t, c, hosttest.Unpack(t, c.Server)))
	read(t, s)
	messages, unprocessed := s.Count()
	wantMessages, wantUnprocessed := c.Counted(t, hosttest.Capture(t, c.Server))
	if messages != wantMessages || unprocessed != wantUnprocessed {
		t.Errorf("counted %d and %d unprocessed, the MTA's own tool %d and %d", messages, unprocessed, wantMessages, wantUnprocessed)
	}
}

func testOrder(t *testing.T, c Case) {
	q := open(t, c, hosttest.Unpack(t, c.Server))
	seen := map[string]bool{}
	var last spoor.QueueID
	for _, m := range read(t, scan(t, q)) {
		if seen[m.Path()] {
			t.Errorf("%s is listed twice", m.Path())
		}
		seen[m.Path()] = true
		if last != "" && c.Compare(last, m.ID) >= 0 {
			t.Errorf("%s comes after %s", m.ID, last)
		}
		last = m.ID
		if !q.IsID(string(m.ID)) {
			t.Errorf("IsID(%s) is false", m.ID)
		}
	}
}

// copies make several parts; only short messages are copied.
const (
	copies     = 1100
	copiedSize = 8 << 10
)

func testParts(t *testing.T, c Case) {
	dir, q, list := sound(t, c)
	list = slices.DeleteFunc(list, func(m *spoor.Message) bool { return m.SizeBytes > copiedSize })
	before := len(read(t, scan(t, q)))
	for n := range copies {
		c.Copy(t, dir, list[n%len(list)], n)
	}
	s := scan(t, open(t, c, dir))
	if len(s.Parts) < 3 {
		t.Fatalf("%d parts: too few for a test", len(s.Parts))
	}
	ids := make([][]spoor.QueueID, len(s.Parts))
	var group sync.WaitGroup
	for i, part := range s.Parts {
		group.Go(func() {
			for m, err := range part {
				if err != nil {
					t.Error(err)
					return
				}
				ids[i] = append(ids[i], m.ID)
			}
		})
	}
	group.Wait()
	all := slices.Concat(ids...)
	if !slices.IsSortedFunc(all, c.Compare) {
		t.Error("IDs are not in order from part to part")
	}
	if messages, _ := s.Count(); len(all) != before+copies || s.Listed < len(all) || messages < len(all)-s.Unreadable()-total(s.Gaps) {
		t.Errorf("%d messages listed, %d counted, %d read; want %d", s.Listed, messages, len(all), before+copies)
	}
}

func testFind(t *testing.T, c Case) {
	_, q, list := sound(t, c)
	for _, m := range list {
		found, err := q.Find(t.Context(), m.ID)
		if err != nil {
			t.Errorf("Find(%s): %v", m.ID, err)
			continue
		}
		found.Routed = m.Routed // Want asks for it
		if !slices.Equal(slices.Collect(found.Recipients.All()), slices.Collect(m.Recipients.All())) {
			t.Errorf("Find(%s) has other recipients than the scan", m.ID)
		}
		found.Recipients, m.Recipients = spoor.Recipients{}, spoor.Recipients{}
		if got, want := fmt.Sprintf("%+v", found), fmt.Sprintf("%+v", m); got != want { // nil and empty slices are the same
			t.Errorf("Find(%s) = %s\nthe scan gave %s", m.ID, got, want)
		}
	}
}

func testContent(t *testing.T, c Case) {
	_, q, list := sound(t, c)
	for _, m := range list {
		content, err := q.Content(m.ID)
		if err != nil {
			t.Errorf("Content(%s): %v", m.ID, err)
			continue
		}
		text, err := io.ReadAll(content)
		if err := errors.Join(err, content.Close()); err != nil {
			t.Errorf("Content(%s): %v", m.ID, err)
		}
		if !beginsWithField(text) || !bytes.Contains(text, []byte(m.Subject)) {
			t.Errorf("Content(%s) does not begin with the header:\n%.200s", m.ID, text)
		}
		buf := make([]byte, 700)
		n, err := q.Head(m, buf)
		if err != nil || n != min(len(buf), len(text)) || !bytes.HasPrefix(text, buf[:n]) {
			t.Errorf("Head(%s) = %d, %v: not the start of the content", m.ID, n, err)
		}
	}
}

func testCancel(t *testing.T, c Case) {
	q := open(t, c, hosttest.Unpack(t, c.Server))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s, err := q.Scan(ctx, mta.Want{})
	if err != nil {
		t.Fatal(err)
	}
	read, last := 0, error(nil)
	for _, err := range s.Parts[0] {
		if last = err; err == nil {
			read++
		}
		cancel()
	}
	if read != 1 || !errors.Is(last, context.Canceled) {
		t.Errorf("%d messages after the end of the context, then %v", read, last)
	}
	if _, err := q.Scan(ctx, mta.Want{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Scan after the end of the context: %v", err)
	}
}

func testUnknown(t *testing.T, c Case) {
	q := open(t, c, hosttest.Unpack(t, c.Server))
	if !q.IsID(string(c.Unknown)) {
		t.Fatalf("IsID(%s) is false", c.Unknown)
	}
	words := []spoor.QueueID{"", ".", "..", "../../etc/passwd", "a/b", "x\x00y", spoor.QueueID(strings.Repeat("9", 300))}
	for _, id := range append(words, c.Unknown) {
		if _, err := q.Find(t.Context(), id); !errors.Is(err, mta.ErrGone) {
			t.Errorf("Find(%.20q): %v, want ErrGone", id, err)
		}
		if _, err := q.Content(id); !errors.Is(err, mta.ErrGone) {
			t.Errorf("Content(%.20q): %v, want ErrGone", id, err)
		}
		if _, err := q.Head(&spoor.Message{ID: id}, make([]byte, 10)); !errors.Is(err, mta.ErrGone) {
			t.Errorf("Head(%.20q): %v, want ErrGone", id, err)
		}
	}
	for _, word := range words[:len(words)-1] {
		if q.IsID(string(word)) {
			t.Errorf("IsID(%q) is true", word)
		}
	}
}

func testClose(t *testing.T, c Case) {
	q, err := c.Adapter.Open(server(t, hosttest.Unpack(t, c.Server)))
	if err != nil {
		t.Fatal(err)
	}
	read(t, scan(t, q))
	for range 2 {
		if err := q.Close(); err != nil {
			t.Error(err)
		}
	}
}

func testLogOnly(t *testing.T, c Case) {
	q := c.Adapter.LogOnly(server(t, hosttest.Unpack(t, c.Server)))
	if q.Host() == "" {
		t.Error("no host")
	}
	s := scan(t, q)
	if list := read(t, s); len(list) > 0 || total(s.Gaps) == 0 {
		t.Errorf("%d messages, gaps %v; want none, and a gap that says so", len(list), s.Gaps.List())
	}
	if _, err := q.Find(t.Context(), c.Unknown); !errors.Is(err, mta.ErrGone) {
		t.Errorf("Find: %v, want ErrGone", err)
	}
	if err := q.Close(); err != nil {
		t.Error(err)
	}
}

func testParser(t *testing.T, c Case) {
	p := c.Adapter.NewParser()
	programs := []string{"", "cron", "postfix/smtpd", "postfix/qmgr", "exim", "qmail", "qmail-send", "\xff", "../x"}
	bodies := []string{
		"", " ", ":", "\x00\xff", "=", "[", "<", "<=", "=>", "a: ", ": to=<x>", "msg", "info msg", strings.Repeat("(", 1<<16),
		strings.Repeat("\x00", 1<<10), "4FA8DC0101", "4FA8DC0101:", "1xVRQq-0007Zw-2b", "1xVRQq-0007Zw-2b <=", "\r\n\t",
	}
	for _, program := range programs {
		for _, body := range bodies {
			line := spoor.Line{Text: []byte(program + body), Program: []byte(program), PID: -1, Body: []byte(body)}
			var e spoor.Event
			if sort := p.Parse(&line, &e); sort == spoor.LineEvent {
				t.Errorf("program %q, body %.40q is %s %+v", program, body, sort, e)
			}
		}
	}
	var e spoor.Event
	if sort := p.Parse(&spoor.Line{Program: []byte("cron"), Text: []byte("cron: x"), Body: []byte("x"), PID: -1}, &e); sort != spoor.LineForeign {
		t.Errorf("a line of cron is %s", sort)
	}
}

// testAuthor shows one parser lines whose authors are numbered, and another the
// same without numbers.
func testAuthor(t *testing.T, c Case) {
	numbered, plain := c.Adapter.NewParser(), c.Adapter.NewParser()
	authors := map[string]uint64{}
	bodies := []string{"4FA8DC0101: client=h.test[192.0.2.1]", "4FA8DC0101: removed", "1xVRQq-0007Zw-2b Completed", "end msg 4711", "statistics: x"}
	programs := []string{"postfix/smtpd", "postfix/qmgr", "postfix-out/qmgr", "postfix/submission/smtpd", "exim", "exim4", "qmail", "qmail-send", "dovecot", "cron"}
	events := 0
	for range 2 {
		for _, host := range []string{"mx1", "mx2", ""} {
			for _, program := range programs {
				for _, body := range bodies {
					line := spoor.Line{Text: []byte(body), Host: []byte(host), Program: []byte(program), PID: 7, Body: []byte(body)}
					want := spoor.Event{PID: -1, UID: -1}
					wantSort := plain.Parse(&line, &want)
					author := host + " " + program
					if authors[author] == 0 {
						authors[author] = uint64(len(authors)*64 + 3) // the low bits are the same for all
					}
					line.Author = authors[author]
					got := spoor.Event{PID: -1, UID: -1}
					if sort := numbered.Parse(&line, &got); sort != wantSort || sort == spoor.LineEvent && !reflect.DeepEqual(got, want) {
						t.Errorf("%s %s: %s is %s %+v with a number, and %s %+v without", host, program, body, sort, got, wantSort, want)
					}
					if wantSort == spoor.LineEvent {
						events++
					}
				}
			}
		}
	}
	if events == 0 {
		t.Error("no line was an event")
	}
}
