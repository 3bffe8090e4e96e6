package report

import (
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestEscapeMakesControlsVisible(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := Escape(in); got != want {
			t.Errorf("Escape(%q) = %q, want %q", in, got, want)
		}
	}
	f("", "")
	f("plain text, 100%", "plain text, 100%")
	f("Résumé 注文 🎉", "Résumé 注文 🎉")
	f("a\nb\r\tc", `a\nb\r\tc`)
	f("\x1b]0;title\x07\x00\x7f", `\x1b]0;title\x07\x00\x7f`)
	f(`C:\new`, `C:\\new`)
	f(`\x1b`, `\\x1b`)
	f("\xff\xc3", `\xff\xc3`)
	f("caf\xe9 ok", `caf\xe9 ok`)
	f("\u009b31m", `\u009b31m`)
	f("\x9b31m", `\x9b31m`)
	f("a\u202eb\u2066\u2069\u200e\u061c", `a\u202eb\u2066\u2069\u200e\u061c`)
	f("zero\u200bwidth\ufeff\u00ad", `zero\u200bwidth\ufeff\u00ad`)
	f("\u2028\u2029\u0085", `\u2028\u2029\u0085`)
	f("\U000e0041", `\U000e0041`)
	f("\ufffd", "\ufffd")
	f("\ue000", `\ue000`)
	f("a\u00a0b\u3000", `a\u00a0b\u3000`)
	f("\u3164\u115f\u034f\ufe0f", `\u3164\u115f\u034f\ufe0f`)
	f("e\u0301", "e\u0301")
	f("e\u0301\u0301\u0301\u0301\u0301", "e\u0301\u0301\u0301"+`\u0301\u0301`)
	f("\u0301 \u0301", `\u0301 \u0301`)
	f("\xed\xa0\x80", `\xed\xa0\x80`) // a surrogate, which UTF-8 does not encode
}

func TestCutKeepsEscapesWhole(t *testing.T) {
	f := func(in string, columns int, want string) {
		t.Helper()
		if got := Escape(clip(in, columns)); got != want {
			t.Errorf("Cut(%q, %d) = %q, want %q", in, columns, got, want)
		}
	}
	f("short", 5, "short")
	f("longer", 5, "long…")
	f("longer", 1, "…")
	f("longer", 0, "")
	f("longer", -1, "")
	f("ab\x1bcd", 8, `ab\x1bcd`)
	f("ab\x1bcd", 7, `ab\x1b…`)
	f("ab\x1bcd", 6, "ab…")
	f("注文の確認", 10, "注文の確認")
	f("注文の確認", 9, "注文の確…")
	f("注文の確認", 8, "注文の…")
	f("e\u0301te\u0301s", 4, "e\u0301te\u0301s")
	f("e\u0301te\u0301s", 3, "e\u0301t…")
}

func FuzzEscape(f *testing.F) {
	for _, seed := range []string{"", "a\nb", `\`, "\xff\xfe", "\u202e\u009b", "e\u0301\u0301\u0301\u0301", "注文\U000e0001", hostile} {
		f.Add(seed, 7)
	}
	f.Fuzz(func(t *testing.T, in string, width int) {
		out := Escape(in)
		checkSafe(t, out)
		if len(out) > 4*len(in) {
			t.Errorf("Escape(%q) has %d bytes", in, len(out))
		}
		if back, ok := unescape(out); !ok || back != in {
			t.Errorf("unescape(%q) = %q, want %q", out, back, in)
		}
		checkCut(t, in, width%200)
	})
}

func checkCut(t *testing.T, in string, width int) {
	t.Helper()
	cut := Escape(clip(in, width))
	checkSafe(t, cut)
	// A letter takes a column, and at most maxMarks marks of four bytes follow it.
	if got := shownColumns(cut); got > max(width, 0) || len(cut) > max(width, 0)*(1+maxMarks)*utf8.UTFMax {
		t.Errorf("Cut(%q, %d) = %q: %d columns, %d bytes", in, width, cut, got, len(cut))
	}
	whole := Escape(in)
	if shownColumns(whole) <= width && cut != whole {
		t.Errorf("Cut(%q, %d) = %q although all of it fits", in, width, cut)
	}
	kept, ok := unescape(strings.TrimSuffix(cut, ellipsis))
	if width > 0 && (!ok || !strings.HasPrefix(in, kept)) {
		t.Errorf("Cut(%q, %d) = %q is not a beginning", in, width, cut)
	}
}

// shownColumns counts the columns of text that is already escaped.
func shownColumns(s string) int {
	n := 0
	for _, r := range s {
		n += runeColumns(r)
	}
	return n
}

// checkSafe fails for any rune that can do something to a terminal. It is
// written from the list of dangers, not from what Escape does.
func checkSafe(t *testing.T, s string) {
	t.Helper()
	if !utf8.ValidString(s) {
		t.Fatalf("not UTF-8: %q", s)
	}
	for _, r := range s {
		switch {
		case r < 0x20, r >= 0x7f && r <= 0x9f,
			r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069,
			r == 0x200e, r == 0x200f, r == 0x61c,
			r == 0x2028, r == 0x2029,
			unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs, unicode.Zl, unicode.Zp, unicode.Variation_Selector):
			t.Fatalf("unsafe rune %U in %q", r, s)
		}
	}
}

// unescape reverses Escape.
func unescape(s string) (string, bool) {
	var out []byte
	for len(s) > 0 {
		if s[0] != '\\' {
			out = append(out, s[0])
			s = s[1:]
			continue
		}
		if len(s) < 2 {
			return "", false
		}
		digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[1]]
		if len(s) < 2+digits {
			return "", false
		}
		n, err := strconv.ParseUint("0"+s[2:2+digits], 16, 32)
		if err != nil {
			return "", false
		}
		switch s[1] {
		case 'x':
			out = append(out, byte(n))
		case 'u', 'U':
			out = utf8.AppendRune(out, rune(n))
		case 'n', 'r', 't', '\\':
			out = append(out, map[byte]byte{'n': '\n', 'r': '\r', 't': '\t', '\\': '\\'}[s[1]])
		default:
			return "", false
		}
		s = s[2+digits:]
	}
	return string(out), true
}

func TestEveryRuneIsSafeAndRoundTrips(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		in := "a" + string(r)
		out := Escape(in)
		if back, ok := unescape(out); !ok || back != in {
			t.Fatalf("%U: unescape(%q) = %q", r, out, back)
		}
		checkSafe(t, out)
	}
}

func TestColumnsIsTheWidthOfWhatIsShown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := string(rapid.SliceOf(rapid.Byte()).Draw(t, "in")) + rapid.String().Draw(t, "text")
		if got, want := columns(in), shownColumns(Escape(in)); got != want {
			t.Errorf("columns(%q) = %d, want %d", in, got, want)
		}
	})
}
