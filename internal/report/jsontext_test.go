package report

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func FuzzJSONString(f *testing.F) {
	for _, seed := range []string{"", "plain", `"\`, "\n\x1b\x7f\u009b\u202e\u2028", "\xff\xc3(", "注文 🎉 \U000e0001", "<&>", hostile} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		raw := appendJSONString(nil, in)
		checkSafe(t, string(raw))
		var got string
		if err := json.Unmarshal(raw, &got); err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
		if want := visibleBytes(in); got != want {
			t.Errorf("%q reads as %q, want %q", raw, got, want)
		}
		if len(raw) > 6*len(in)+2 {
			t.Errorf("%d bytes became %d", len(in), len(raw))
		}
	})
}

// visibleBytes is what JSON readers get of s: bytes that are not UTF-8 as \xff.
func visibleBytes(s string) string {
	var out strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && size == 1 {
			out.Write(appendHex([]byte(`\x`), rune(s[0]), 2))
		} else {
			out.WriteString(s[:size])
		}
		s = s[size:]
	}
	return out.String()
}

func TestJSONStringsAreThoseOfTheLibrary(t *testing.T) {
	for _, in := range []string{"", "plain", `quote " and \`, "line\nfeed\ttab\r", "Résumé 注文 🎉", "<a&b>", "\x1b\x00"} {
		var want strings.Builder
		enc := json.NewEncoder(&want)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(in); err != nil {
			t.Fatal(err)
		}
		if got := string(appendJSONString(nil, in)) + "\n"; got != want.String() {
			t.Errorf("got %s, want %s", got, want.String())
		}
	}
}

func TestEverySourceHasALine(t *testing.T) {
	for _, who := range []*Who{sampleWho(), emptyWho(), manyWho()} {
		page := written(t, who.JSON)
		if !json.Valid([]byte(page)) {
			t.Errorf("not JSON: %s", page)
		}
		if got, want := strings.Count(page, "\n{\"source\":"), len(who.Sources); got != want {
			t.Errorf("%d lines of sources, want %d", got, want)
		}
		if got, want := strings.Count(page, "\n"), len(who.Sources)+2; got != want {
			t.Errorf("%d lines, want %d", got, want)
		}
	}
}

func TestManySourcesAreStreamed(t *testing.T) {
	who := sampleWho()
	for range 1000 {
		who.Sources = append(who.Sources, siteLine())
	}
	var out counting
	if err := who.JSON(&out); err != nil {
		t.Fatal(err)
	}
	if out.writes < 2 || out.lines != len(who.Sources)+2 {
		t.Errorf("%d lines in %d writes", out.lines, out.writes)
	}
	if err := who.JSON(closedPipe{}); !errors.Is(err, errClosed) {
		t.Errorf("error = %v", err)
	}
}

func TestJSONTimesAreUTCOrUnknown(t *testing.T) {
	f := func(in time.Time, want string) {
		t.Helper()
		if got := jsonTime(in); got != want {
			t.Errorf("jsonTime(%v) = %q, want %q", in, got, want)
		}
		if got := string(appendJSONTime(nil, in)); got != `"`+want+`"` {
			t.Errorf("appendJSONTime(%v) = %s, want %q", in, got, want)
		}
	}
	f(time.Time{}, "")
	f(now, "2026-11-23T10:00:00Z")
	f(now.In(time.FixedZone("", 7*3600)), "2026-11-23T10:00:00Z")
	f(time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC), "")
	f(time.Date(-3, 1, 1, 0, 0, 0, 0, time.UTC), "")
}
