package word_test

import (
	"bytes"
	"strconv"
	"testing"

	"spoor/internal/word"
)

// FuzzWord holds every function to what a loop over the bytes says.
func FuzzWord(f *testing.F) {
	for _, text := range []string{"postfix/", "12345678", "00000000", "99999999", "2001]: c", "4FA8DC01", "[[[[[[[[", "@AZ[`az{", "/09:0\x00\xff\x80", "\x01\x00\x01\x00\x01\x00\x01\x00", "ABCDEFGH", "\xb0\xb9\xc1\xdaabcd"} {
		f.Add([]byte(text), byte('['), 4)
	}
	f.Fuzz(func(t *testing.T, text []byte, c byte, n int) {
		text = append(text, "        "...)[:word.Bytes]
		w := word.At(text, 0)
		c &= 0x7f
		want := bytes.IndexByte(text, c)
		if want < 0 {
			want = word.Bytes
		}
		if got := word.Index(w, c); got != want {
			t.Errorf("Index of %q in %q is %d, not %d", c, text, got, want)
		}
		all, digit := true, false
		for _, b := range text {
			isDigit := '0' <= b && b <= '9'
			all = all && (isDigit || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z')
			digit = digit || isDigit
		}
		if gotAll, gotDigit := word.Alnum(w); gotAll != all || all && gotDigit != digit {
			t.Errorf("Alnum of %q is %v, %v", text, gotAll, gotDigit)
		}
		n &= 15
		number, ok := word.Decimal(w, n)
		head := text[:min(n, word.Bytes)]
		wanted, err := strconv.ParseUint(string(head), 10, 32)
		if plain := err == nil && n <= word.Bytes; ok != plain || ok && uint64(number) != wanted {
			t.Errorf("Decimal of %q is %d, %v", head, number, ok)
		}
		if n > word.Bytes {
			return
		}
		padded := append(bytes.Clone(head), bytes.Repeat([]byte{c}, word.Bytes-n)...)
		if word.Head(w, n, c) != word.At(padded, 0) {
			t.Errorf("Head of %q is %#x", head, word.Head(w, n, c))
		}
	})
}
