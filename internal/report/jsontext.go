package report

import (
	"bytes"
	"encoding/json"
	"io"
	"iter"
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

// text is a string of unknown origin on its way into JSON.
type text string

// MarshalJSON implements json.Marshaler; see appendJSONString.
func (t text) MarshalJSON() ([]byte, error) { return appendJSONString(nil, string(t)), nil }

// writeJSON writes one document.
func writeJSON(out io.Writer, document any) error {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(document)
}

// jsonLines is one document whose members are those of head, then the array name
// of elements, then those of tail. Head and tail are objects with members.
type jsonLines struct {
	head, tail any
	name       string
	elements   iter.Seq[any]
}

// writeJSONLines writes a document without indentation, while its elements are
// being made: each on a line of its own, between lines that open and close the
// document.
func writeJSONLines(out io.Writer, document jsonLines) error {
	lines := lineBuffer{out: out}
	head, err := marshalJSON(document.head)
	if err != nil {
		return err
	}
	lines.buf = append(lines.buf, head[:len(head)-1]...)
	lines.buf = append(append(append(lines.buf, `,"`...), document.name...), `":[`...)
	before := "\n"
	for element := range document.elements {
		object, err := marshalJSON(element)
		if err != nil {
			return err
		}
		lines.buf = append(append(lines.buf, before...), object...)
		before = ",\n"
		if err := lines.spill(); err != nil {
			return err
		}
	}
	tail, err := marshalJSON(document.tail)
	if err != nil {
		return err
	}
	lines.buf = append(append(append(lines.buf, "\n],"...), tail[1:]...), '\n')
	return lines.flush()
}

// marshalJSON is json.Marshal without its escapes for HTML.
func marshalJSON(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), err
}

// appendJSONString appends s as a JSON string (RFC 8259 §7). Runes that are not
// safe on a terminal are written as \u escapes, which say the same to a parser.
// A byte that is not UTF-8 has no JSON form: it becomes the text \xff, which
// cannot be told from the same four characters in s.
func appendJSONString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		if c := s[i]; c >= ' ' && c <= '~' && c != '"' && c != '\\' {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		invalid := r == utf8.RuneError && size == 1
		if r >= utf8.RuneSelf && !invalid && safe(r) {
			i += size
			continue
		}
		dst = append(dst, s[start:i]...)
		if invalid {
			dst = appendHex(append(dst, `\\x`...), rune(s[i]), 2)
		} else {
			dst = appendJSONRune(dst, r)
		}
		i += size
		start = i
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

func appendJSONRune(dst []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(dst, '\\', byte(r))
	case '\n', '\r', '\t':
		return append(dst, '\\', pairLetter(r))
	}
	if r <= 0xffff {
		return appendHex(append(dst, `\u`...), r, 4)
	}
	r -= 0x10000 // RFC 8259 §7: a surrogate pair beyond the basic plane
	dst = appendHex(append(dst, `\u`...), 0xd800+r>>10, 4)
	return appendHex(append(dst, `\u`...), 0xdc00+r&0x3ff, 4)
}

// appendJSONTime appends t as a JSON string: RFC 3339, UTC; "" where t is not
// known or RFC 3339 has no form for it.
func appendJSONTime(dst []byte, t time.Time) []byte {
	dst = append(dst, '"')
	if t = t.UTC(); representable(t) {
		dst = t.AppendFormat(dst, time.RFC3339)
	}
	return append(dst, '"')
}

func jsonTime(t time.Time) string {
	if t = t.UTC(); !representable(t) {
		return ""
	}
	return t.Format(time.RFC3339)
}

func representable(t time.Time) bool {
	return !t.IsZero() && t.Year() >= 0 && t.Year() <= 9999
}

// appendJSONFloat appends f, rounded.
func appendJSONFloat(dst []byte, f float64) []byte {
	return strconv.AppendFloat(dst, finite(f), 'f', -1, 64)
}

// finite rounds f to four decimals and makes a number that JSON has no form
// for 0.
func finite(f float64) float64 {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return 0
	}
	return math.Round(f*1e4) / 1e4
}
