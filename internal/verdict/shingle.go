package verdict

import (
	"bytes"
	"iter"
	"math/bits"

	"github.com/cespare/xxhash/v2"
)

// The bounds of words.
const (
	maxWord   = 40   // bytes; what is longer is no word
	minMixed  = 8    // bytes of letters with digits among them: an ID, no word
	maxTag    = 2048 // bytes of an HTML tag; what is longer is a stray bracket
	wideStart = 0xe3 // first bytes of UTF-8 from here on begin scripts that put no blanks between words
)

// The hashes of what differs in each copy of a campaign: numbers, and long
// random tokens. Words have other hashes, but for one chance in 2^63.
const (
	anyNumber uint64 = 1
	anyToken  uint64 = 2
)

// shingles yields the hash of each three words that follow one another in a
// text. Three numbers and tokens say nothing and are left out.
func shingles(text []byte) iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		var first, second uint64
		for third := range words(text) {
			if first != 0 && max(first, second, third) > anyToken && !yield(shingle(first, second, third)) {
				return
			}
			first, second = second, third
		}
	}
}

// shingle mixes three hashes into one that depends on their order.
func shingle(a, b, c uint64) uint64 {
	h := a*0x9e3779b97f4a7c15 ^ bits.RotateLeft64(b, 23)
	h = h*0xbf58476d1ce4e5b9 ^ bits.RotateLeft64(c, 47)
	h = (h ^ h>>31) * 0x94d049bb133111eb
	return h ^ h>>29
}

// words yields the hash of each word: letters, digits and bytes from 0x80, the
// letters of ASCII in lower case. HTML tags end a word and are passed over, with
// all that is in a style or a script.
func words(text []byte) iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		for i := 0; i < len(text); {
			c := text[i]
			end := i + 1
			switch {
			case c == '<':
				end = i + tagLength(text[i:])
			case c >= wideStart:
				end = min(i+wideLength(c), len(text))
				if !yield(wordHash(text[i:end])) {
					return
				}
			case isWord(c):
				for end < len(text) && isWord(text[end]) && text[end] < wideStart {
					end++
				}
				if !yield(wordHash(text[i:end])) {
					return
				}
			}
			i = end
		}
	}
}

// wordHash hashes a word in lower case, and numbers and random tokens all alike.
func wordHash(word []byte) uint64 {
	if len(word) > maxWord {
		return anyToken
	}
	var lower [maxWord]byte
	digits := 0
	for i, c := range word {
		if '0' <= c && c <= '9' {
			digits++
		} else if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		lower[i] = c
	}
	switch {
	case digits == len(word):
		return anyNumber
	case digits > 0 && len(word) >= minMixed:
		return anyToken
	}
	return xxhash.Sum64(lower[:len(word)])
}

// tagLength is the length of the HTML tag that starts text, with what it hides,
// or 1 if none does. A style or script that is not closed hides all the rest.
func tagLength(text []byte) int {
	if len(text) < 2 || (!isWord(text[1]) && text[1] != '/' && text[1] != '!') {
		return 1
	}
	end := bytes.IndexByte(text[:min(len(text), maxTag)], '>')
	if end < 0 {
		return 1
	}
	if hidesText(text[1:end]) {
		closing := bytes.Index(text[end:], []byte("</"))
		if closing < 0 {
			return len(text)
		}
		return end + closing
	}
	return end + 1
}

// hidesText reports whether what follows a tag is not shown.
func hidesText(tag []byte) bool {
	name := tag[:min(len(tag), len("script"))]
	return bytes.EqualFold(name, []byte("script")) || bytes.EqualFold(name[:min(len(name), len("style"))], []byte("style"))
}

// wideLength is the number of bytes of the character that a byte starts.
func wideLength(c byte) int {
	if c >= 0xf0 {
		return 4
	}
	return 3
}

func isWord(c byte) bool { return c >= 0x80 || isAlphanumeric(c) }

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
