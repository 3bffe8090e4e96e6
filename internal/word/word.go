// Package word looks at eight bytes of a text at once, as one number whose lowest
// byte comes first (binary.LittleEndian). Lines of logs are taken apart with it: a
// loop over their bytes takes several times as long, since no processor foresees
// where it ends.
//
// How it works: Hacker's Delight, 2nd edition, §6-1 and §7-3.
package word

import (
	"encoding/binary"
	"math/bits"
)

// Bytes is how many bytes a word has.
const Bytes = 8

const (
	each = 0x0101010101010101 // times a byte: that byte eight times
	high = 0x80 * each        // the highest bit of each byte
)

// At returns the word that begins at a place of a text. It panics if less than
// eight bytes follow.
func At(text []byte, at int) uint64 { return binary.LittleEndian.Uint64(text[at:]) }

// Index returns how many bytes of a word come before the first that is c, which
// is a byte of ASCII; 8 if none is.
func Index(word uint64, c byte) int {
	word ^= uint64(c) * each
	return bits.TrailingZeros64((word-each)&^word&high) / 8 // exact up to the first
}

// Head returns the first n bytes of a word, and c for those behind. n is from 0
// to 8.
func Head(word uint64, n int, c byte) uint64 {
	mask := Mask(n)
	return word&mask | uint64(c)*each&^mask
}

// Mask has all bits of the first n bytes, which are from 0 to 8.
func Mask(n int) uint64 { return 1<<(8*uint(n)) - 1 }

// Alnum reports whether all bytes of a word are letters or digits of ASCII, and
// whether one is a digit.
func Alnum(word uint64) (all, digit bool) {
	low := word &^ high
	folded := low | 0x20*each
	digits := (low + (0x80-'0')*each) &^ (low + (0x80-'9'-1)*each) // a carry into the highest bit
	letters := (folded + (0x80-'a')*each) &^ (folded + (0x80-'z'-1)*each)
	return (digits|letters)&^word&high == high, digits&high != 0
}

// Decimal reads the first n bytes of a word as a number. ok is false if one is no
// digit, or n is not from 1 to 8.
func Decimal(word uint64, n int) (number int, ok bool) {
	if n < 1 || n > Bytes {
		return 0, false
	}
	gap := 64 - 8*uint(n)
	word = word<<gap ^ '0'*each<<gap // zeros come before it
	if (word|(word+6*each))&(0xf0*each) != 0 {
		return 0, false
	}
	word = (word*10 + word>>8) & 0x00ff00ff00ff00ff // pairs of digits
	word = (word*100 + word>>16) & 0x0000ffff0000ffff
	word = (word*10000 + word>>32) & 0xffffffff
	return int(word), true
}
