package recorder

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// TestARetryIsNotHeldTwice sends messages again, and others that are nearly the same.
func TestARetryIsNotHeldTwice(t *testing.T) {
	limit := fmt.Sprintf("[[limit]]\nuid = %d\nlimit = \"0/h\"\nover = \"hold\"\n", os.Getuid())
	const text = "To: a@x.test\nMessage-ID: <1@x.test>\nDate: Thu, 26 Nov 2026 10:15:00 +0000\n\nhello\n"
	long := text + strings.Repeat("0123456789\n", 40_000)
	count := func(s *stand) int {
		t.Helper()
		s.took()
		list, _, err := Waiting(s.state, s.vault)
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	s := newStand(t, limit+"answer = \"later\"\n")
	n := 0
	f := func(what string, kept bool, text string, args ...string) {
		t.Helper()
		if status, said := s.send(os.Getuid(), text, args...); status != tryLater {
			t.Errorf("%s: %d %s", what, status, said)
		}
		if kept {
			n++
		}
		if got := count(s); got != n {
			t.Errorf("%s: %d are held, not %d", what, got, n)
			n = got
		}
	}
	f("the first", true, text, "-t")
	f("the same", false, text, "-t")
	f("the same again", false, text, "-t")
	f("another argument", true, text, "-t", "-fa@x.test")
	f("arguments that are cut elsewhere", true, text, "-", "t")
	f("another body", true, text+".", "-t")
	f("another Date", true, strings.Replace(text, ":00", ":01", 1), "-t")
	f("another Message-ID", true, strings.Replace(text, "<1@", "<2@", 1), "-t")
	f("no Message-ID", true, strings.Replace(text, "Message-ID", "X-ID", 1), "-t")
	f("no Message-ID, again", true, strings.Replace(text, "Message-ID", "X-ID", 1), "-t")
	f("other line ends", true, strings.ReplaceAll(text, "\n", "\r\n"), "-t")
	f("other line ends, the same", false, strings.ReplaceAll(text, "\n", "\r\n"), "-t")
	f("a long one", true, long, "-t")
	f("a long one, the same", false, long, "-t")
	f("a long one with another end", true, long[:len(long)-2], "-t")
	r := s.records(n)
	if r[1].Held == "" || r[1].Held != r[0].Held {
		t.Errorf("the record says that the retry is held as %q, not %q", r[1].Held, r[0].Held)
	}

	// One who was told that all is well means a second message.
	s = newStand(t, limit)
	for i := range 2 {
		if status, said := s.send(os.Getuid(), text, "-t"); status != 0 || count(s) != i+1 {
			t.Errorf("%d %s, %d are held", status, said, count(s))
		}
	}
}

func TestRetriesAreForgotten(t *testing.T) {
	now := time.Date(2026, 11, 26, 10, 15, 0, 0, time.UTC)
	r := retries{now: func() time.Time { return now }}
	for i := range maxRetries + 10 {
		r.add(fingerprint{byte(i), byte(i >> 8), byte(i >> 16)}, "x")
	}
	if _, ok := r.of(fingerprint{}); !ok || len(r.kept) != maxRetries {
		t.Errorf("%v, %d are remembered", ok, len(r.kept))
	}
	now = now.Add(retryAge)
	if _, ok := r.of(fingerprint{}); ok {
		t.Error("a day later it is still known")
	}
	r.add(fingerprint{1}, "y")
	if name, ok := r.of(fingerprint{1}); !ok || name != "y" || len(r.kept) != 1 {
		t.Errorf("%q %v, %d are remembered", name, ok, len(r.kept))
	}
	now = now.Add(-time.Hour) // the clock was set back
	if _, ok := r.of(fingerprint{1}); ok {
		t.Error("known from the future")
	}
}
