package shim

import (
	"bytes"
	"strings"
	"testing"
)

// marked is a message with a field in its place.
func marked(text string) string {
	m := message{head: []byte(text), where: findPlace([]byte(text))}
	m.mark("ID")
	return string(bytes.Join(func() [][]byte { p := m.pieces(); return p[:] }(), nil))
}

func TestTheFieldStandsOnTop(t *testing.T) {
	const mbox = "From web1@shop.example Thu Nov 26 10:15:00 2026\n"
	f := func(what, text, want string) {
		t.Helper()
		if got := marked(text); got != want {
			t.Errorf("%s: %q became %q", what, text, got)
		}
	}
	f("a header", "To: a\n\nhello", Field+": ID\nTo: a\n\nhello")
	f("CRLF", "To: a\r\n\r\nhello\r\n", Field+": ID\r\nTo: a\r\n\r\nhello\r\n")
	f("no header, an empty line", "\nhello\n", Field+": ID\n\nhello\n")
	f("no header, CRLF", "\r\nhello\r\n", Field+": ID\r\n\r\nhello\r\n")
	f("a body alone", "hello\nworld", Field+": ID\nhello\nworld")
	f("a mailbox' line", mbox+"To: a\n\n", mbox+Field+": ID\nTo: a\n\n")
	f("two mailbox' lines", mbox+mbox+"To: a\n\n", mbox+mbox+Field+": ID\nTo: a\n\n")
	f("a mailbox' line, then an empty one", mbox+"\nhello\n", mbox+Field+": ID\n\nhello\n")
	f("From: is a field", "From: a\n\n", Field+": ID\nFrom: a\n\n")
	f("8 bits", "Subject: \xe4\xf6\xfc\n\n\xff\x00", Field+": ID\nSubject: \xe4\xf6\xfc\n\n\xff\x00")
	f("one line without an end", "hello", Field+": ID\nhello")
}

// Where a field would change what the message means, there is none.
func TestNoFieldWhereItWouldChangeTheMessage(t *testing.T) {
	for what, text := range map[string]string{
		"nothing":                          "",
		"a blank first":                    " hello\n\nworld\n",
		"a tab first":                      "\thello\n",
		"a line that MTAs do not agree on": "From Bob with love\n\nhello\n",
		"a quoted mailbox' line":           ">From web1 Thu Nov 26 10:15:00 2026\nTo: a\n\n",
		"a mailbox' line alone":            "From web1 Thu Nov 26 10:15:00 2026",
		"a mailbox' line, then a blank":    "From web1 Thu Nov 26 10:15:00 2026\n To: a\n\n",
		"a mailbox' line and no more":      "From web1 Thu Nov 26 10:15:00 2026\n",
	} {
		if got := marked(text); got != text {
			t.Errorf("%s: %q became %q", what, text, got)
		}
	}
}

func TestHeadEnd(t *testing.T) {
	f := func(text string, want int, seen bool) {
		t.Helper()
		if end, ok := headEnd([]byte(text)); end != want || ok != seen {
			t.Errorf("%q: %d %v, want %d %v", text, end, ok, want, seen)
		}
	}
	f("To: a\n\nbody", 6, true)
	f("To: a\r\n\r\nbody", 7, true)
	f("To: a\n b\nhello\n", 9, true) // no header line: the body begins
	f(".\n", 0, true)                // the end of a message without -i
	f("To: a\n", 6, false)
	f("To: a\nSubj", 6, false)
	f("From a 10:15\nTo: a\n\n", 19, true)
	f("", 0, false)
}

// FuzzFindPlace wants that without the one line the message is what it was, byte
// for byte, and that the line is one of its header.
func FuzzFindPlace(f *testing.F) {
	for _, text := range []string{"To: a\n\nb", "\r\nb", "From a 10:15\nTo: b\n\n", "From a 10:15\n\n", " x\n", "hello", ">From x\n"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got := marked(string(text))
		p := findPlace(text)
		if !p.ok {
			if got != string(text) {
				t.Fatalf("%q became %q", text, got)
			}
			return
		}
		line := Field + ": ID" + p.lineEnd
		if got != string(text[:p.at])+line+string(text[p.at:]) {
			t.Fatalf("%q became %q", text, got)
		}
		if p.at > 0 && text[p.at-1] != '\n' {
			t.Errorf("%q: the field stands within a line", text)
		}
		for before := range bytes.Lines(text[:p.at]) {
			if !isFrom(before) {
				t.Errorf("%q: the field stands behind %q", text, before)
			}
		}
		if rest := got[p.at+len(line):]; rest != "" && strings.ContainsRune(" \t", rune(rest[0])) {
			t.Errorf("%q: the field swallows a line", text)
		}
		if end, _ := headEnd([]byte(got)); end < p.at+len(line) {
			t.Errorf("%q: the field is not in the header of %q", text, got)
		}
	})
}
