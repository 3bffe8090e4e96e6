package report

import (
	"io"
	"slices"
	"strings"
	"testing"

	"spoor"
)

func TestFoldedFieldsBecomeOneLine(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := unfold(in); got != want {
			t.Errorf("unfold(%q) = %q, want %q", in, got, want)
		}
	}
	f("", "")
	f("plain", "plain")
	f("from a (b)\n  by c with SMTP", "from a (b) by c with SMTP")
	f("a\r\n\tb\n c", "a b c")
	f("a\n \n b", "a  b")
	f("a\nb", "a\nb")
	f("a\r\nb\rc", "a\r\nb\rc")
	f("a\n", "a\n")
	f("\n a", " a")
}

func TestReceivedFieldsOfAHop(t *testing.T) {
	f := func(in string, want ...string) {
		t.Helper()
		if got := receivedFields(in); !slices.Equal(got, want) {
			t.Errorf("receivedFields(%q) = %q, want %q", in, got, want)
		}
	}
	f("", "")
	f("(qmail 1 invoked by uid 2); x", "(qmail 1 invoked by uid 2); x")
	f("(qmail 1 invoked from network); x\nfrom a (b)\n  by c\n\twith d\nlast",
		"(qmail 1 invoked from network); x", "from a (b)\n  by c\n\twith d", "last")
	f(" a\n\nb", " a", "", "b")
	if got := nextLine(20, "from a\n  by c"); got != 22 {
		t.Errorf("the next field is in line %d", got)
	}
}

func TestSubjectsAreDecoded(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := subject(in); got != want {
			t.Errorf("subject(%q) = %q, want %q", in, got, want)
		}
	}
	f("", "")
	f("plain = text", "plain = text")
	f("=?UTF-8?B?5rOo5paH?=", "注文")
	f("Re: =?iso-8859-1?q?R=E9sum=E9_1?=", "Re: Résumé 1")
	f("=?utf-8?Q?one?=\r\n =?utf-8?Q?_word?=", "one word")
	f("=?windows-31j?B?gsU=?= =?utf-8?Q?x?=", "=?windows-31j?B?gsU=?= =?utf-8?Q?x?=")
	f("=?utf-8?B?broken=base64?=", "=?utf-8?B?broken=base64?=")
	f("=?utf-8?Q?cut off", "=?utf-8?Q?cut off")
	f("=?utf-8?Q?a=0AANSWER_=1B[31m?=", "a\nANSWER \x1b[31m") // escaped by the page
}

func FuzzSubject(f *testing.F) {
	for _, seed := range []string{"", "=?utf-8?Q?a=0Ab?=", "=?iso-8859-1?B?/////w==?=\n =?us-ascii?Q?=80?=", "=?x?Q?y?=", hostile} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		checkSafe(t, Escape(quoted(subjectField+in)))
		if got := subject(in); len(got) > 3*len(in) {
			t.Errorf("%d bytes became %d", len(in), len(got))
		}
		if got := unfold(in); len(got) > len(in) || strings.Contains(in, "\n ") && strings.Count(got, "\n") == strings.Count(in, "\n") {
			t.Errorf("unfold(%q) = %q", in, got)
		}
		if got := strings.Join(receivedFields(in), "\n"); got != in {
			t.Errorf("receivedFields(%q) joined are %q", in, got)
		}
	})
}

// TestReceivedLinesCannotImitateThePage has a record of this server that an
// attacker continued: below its first line nothing may stand at the margin.
func TestReceivedLinesCannotImitateThePage(t *testing.T) {
	text := "(qmail 1 invoked by uid 2)\n\tANSWER one\nANSWER two\x1b[31m\n\nANSWER"
	e := explainPHP()
	e.Message.Trail.Hops[0].Text = text
	e.Attribution.Evidence = []spoor.Evidence{{What: "received", File: header, Line: 1, Text: text}}
	checkLines(t, written(t, func(w io.Writer) error { return e.Text(w, plainStyle) }))
}
