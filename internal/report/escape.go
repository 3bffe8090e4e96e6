package report

import (
	"unicode"
	"unicode/utf8"
)

// Escape makes s safe to print on one line of a terminal. Whatever could move
// the cursor, hide or reorder text becomes an escape: \n \r \t, \x1b for the
// other ASCII controls, \u202e and \U000e0001 for valid but unsafe runes, \xff
// for a byte that is not UTF-8. A backslash becomes \\, so that the escaping
// can be reversed. Nothing is dropped. The result is at most four times as long.
func Escape(s string) string {
	if plain(s) {
		return s
	}
	return string(AppendEscaped(make([]byte, 0, len(s)+16), s))
}

// AppendEscaped appends Escape(s) to dst.
func AppendEscaped(dst []byte, s string) []byte {
	if plain(s) {
		return append(dst, s...)
	}
	var e escaper
	for len(s) > 0 {
		g := e.next(s)
		dst = g.append(dst, s[:g.size])
		s = s[g.size:]
	}
	return dst
}

const ellipsis = "…"

// clip shortens s, unescaped, so that its escaped form fits into columns. It
// never cuts an escape in two.
func clip(s string, columns int) string {
	if columns <= 0 {
		return ""
	}
	if len(s) <= columns && plain(s) {
		return s
	}
	var e escaper
	used, fits := 0, 0
	for i := 0; i < len(s); {
		g := e.next(s[i:])
		used += g.columns()
		if used > columns {
			return s[:fits] + ellipsis
		}
		i += g.size
		if used < columns {
			fits = i
		}
	}
	return s
}

// columns is the width of Escape(s) on a terminal.
func columns(s string) int {
	if plain(s) {
		return len(s)
	}
	var e escaper
	total := 0
	for len(s) > 0 {
		g := e.next(s)
		total += g.columns()
		s = s[g.size:]
	}
	return total
}

func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '\\' {
			return false
		}
	}
	return true
}

// form is how a rune or byte is shown.
type form uint8

const (
	formSame form = iota
	formPair      // a backslash and one character
	formByte      // \xff
	formRune      // \u202e
	formLong      // \U000e0001
)

type glyph struct {
	r    rune
	size int // in bytes, before escaping
	form form
}

// maxMarks is how many combining marks may follow a letter. Real languages
// need no more; a pile of them paints over the lines above and below.
const maxMarks = 3

// escaper walks through a string. It remembers what marks may combine with.
type escaper struct {
	room int // further marks that may follow here
}

func (e *escaper) next(s string) glyph {
	r, size := utf8.DecodeRuneInString(s)
	if r == utf8.RuneError && size == 1 {
		e.room = 0
		return glyph{r: rune(s[0]), size: 1, form: formByte}
	}
	g := glyph{r: r, size: size, form: e.form(r)}
	switch {
	case g.form != formSame:
		e.room = 0
	case mark(r):
		e.room--
	case unicode.IsLetter(r):
		e.room = maxMarks
	default:
		e.room = 0
	}
	return g
}

func (e *escaper) form(r rune) form {
	switch {
	case r == '\n', r == '\r', r == '\t', r == '\\':
		return formPair
	case r < ' ', r == 0x7f:
		return formByte
	case safe(r) && (!mark(r) || e.room > 0):
		return formSame
	case r > 0xffff:
		return formLong
	}
	return formRune
}

func (g glyph) columns() int {
	switch g.form {
	case formPair:
		return len(`\n`)
	case formByte:
		return len(`\xff`)
	case formRune:
		return len(`\u202e`)
	case formLong:
		return len(`\U000e0001`)
	case formSame:
	}
	return runeColumns(g.r)
}

const hexDigits = "0123456789abcdef"

func (g glyph) append(dst []byte, raw string) []byte {
	switch g.form {
	case formPair:
		return append(dst, '\\', pairLetter(g.r))
	case formByte:
		return appendHex(append(dst, `\x`...), g.r, 2)
	case formRune:
		return appendHex(append(dst, `\u`...), g.r, 4)
	case formLong:
		return appendHex(append(dst, `\U`...), g.r, 8)
	case formSame:
	}
	return append(dst, raw...)
}

func pairLetter(r rune) byte {
	switch r {
	case '\n':
		return 'n'
	case '\r':
		return 'r'
	case '\t':
		return 't'
	}
	return '\\'
}

func appendHex(dst []byte, r rune, digits int) []byte {
	for shift := 4 * (digits - 1); shift >= 0; shift -= 4 {
		dst = append(dst, hexDigits[r>>shift&0xf])
	}
	return dst
}

// safe says whether r shows as itself. It is false for controls, format
// characters (bidi, zero-width), private and unassigned code points, spaces
// that only look like one, and everything that Unicode says to draw as nothing.
func safe(r rune) bool {
	if r < utf8.RuneSelf {
		return r >= ' ' && r <= '~'
	}
	return unicode.IsPrint(r) &&
		!unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

func mark(r rune) bool {
	return r >= 0x300 && unicode.In(r, unicode.Mn, unicode.Me)
}

func runeColumns(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case mark(r):
		return 0
	case wide(r):
		return 2
	}
	return 1
}

// wide follows the ranges of East_Asian_Width W and F (Unicode Annex 11),
// rounded to blocks.
func wide(r rune) bool {
	switch {
	case r < 0x1100:
		return false
	case r <= 0x115f, // Hangul Jamo
		r >= 0x2e80 && r <= 0xa4cf && r != 0x303f, // CJK, kana, Yi
		r >= 0xa960 && r <= 0xa97f,
		r >= 0xac00 && r <= 0xd7a3, // Hangul
		r >= 0xf900 && r <= 0xfaff,
		r >= 0xfe30 && r <= 0xfe6f,
		r >= 0xff01 && r <= 0xff60, // full-width forms
		r >= 0xffe0 && r <= 0xffe6,
		r >= 0x1f300 && r <= 0x1f64f, // emoji
		r >= 0x1f680 && r <= 0x1f6ff,
		r >= 0x1f900 && r <= 0x1f9ff,
		r >= 0x20000 && r <= 0x3fffd:
		return true
	}
	return false
}
