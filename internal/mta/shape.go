package mta

import (
	"bytes"

	"spoor"
)

// Classifier remembers what answers mean, since few are unlike all others. It
// belongs to one goroutine.
type Classifier struct {
	known  map[uint64]spoor.Answer
	pieces [256]piece // of late, by the low bits of the hash
}

// piece is a part of an answer: the host, or what it said before and after an
// address. Mostly it is the same, letter for letter, as one before.
type piece struct {
	hash  uint64
	shape shape
}

// maxClassified bounds the answers that are remembered.
const maxClassified = 1 << 14

// NewClassifier returns an empty Classifier.
func NewClassifier() *Classifier { return &Classifier{known: map[uint64]spoor.Answer{}} }

// Classify is ClassifyAnswer, and returns the shape of the answer too.
func (c *Classifier) Classify(answer []byte) (spoor.Answer, uint64) {
	shape := c.shapeOf(answer)
	if meaning, ok := c.known[shape]; ok {
		return meaning, shape
	}
	meaning := ClassifyAnswer(answer)
	if len(c.known) >= maxClassified {
		clear(c.known)
	}
	c.known[shape] = meaning
	return meaning, shape
}

// shapeOf is Shape. Its pieces are read byte by byte only if they are new: what
// said something, and what stands before and behind an address. The colon and the
// address that are cut out end a word, as does the end of a piece.
func (c *Classifier) shapeOf(answer []byte) uint64 {
	all := shape{factor: 1}
	head := answer
	if open := bytes.IndexByte(answer, '<'); open >= 0 { // a "said" behind it may be within brackets
		head = answer[:open]
	}
	if at := said(head); at > 0 {
		all, answer = c.speaker(answer[:at]), answer[at+1:]
	}
	for {
		open := bytes.IndexByte(answer, '<')
		if open < 0 {
			return all.then(c.piece(answer)).sum
		}
		end := bytes.IndexByte(answer[open:], '>')
		if end < 0 {
			return all.then(shapeOf(answer)).sum
		}
		all, answer = all.then(c.piece(answer[:open])), answer[open+end+1:]
	}
}

// said is where the first "said" ends that a colon follows; 0 if there is none.
// Mostly it is the first colon.
func said(answer []byte) int {
	const word = "said"
	if at := bytes.IndexByte(answer, ':'); at < 0 || bytes.HasSuffix(answer[:at], []byte(word)) {
		return max(at, 0)
	}
	if at := bytes.Index(answer, []byte(word+":")); at >= 0 {
		return at + len(word)
	}
	return 0
}

// speaker is shapeOf, of what said an answer: there are more hosts than can be
// remembered, and their names do not count.
//
//	host mx1.bigmail.test[203.0.113.9] said
func (c *Classifier) speaker(text []byte) shape {
	host, ok := bytes.CutPrefix(text, []byte("host "))
	if host, said := bytes.CutSuffix(host, []byte(" said")); ok && said && dropped(host) {
		return hostSaid
	}
	return c.piece(text)
}

var hostSaid = shapeOf([]byte("host said"))

// dropped reports whether a text is a single word, and one that does not count.
func dropped(text []byte) bool {
	seen := characters(0)
	for _, c := range text {
		if kinds[c] == 0 {
			return false
		}
		seen += kinds[c]
	}
	return !seen.count()
}

// piece is shapeOf, of a part of an answer.
func (c *Classifier) piece(text []byte) shape {
	if len(text) < shortPiece {
		return shapeOf(text)
	}
	hash := spoor.IDHash(text)
	known := &c.pieces[hash/2%uint64(len(c.pieces))]
	if known.hash != hash {
		*known = piece{hash, shapeOf(text)}
	}
	return known.shape
}

// shortPiece is up to where reading takes no longer than looking up, in bytes.
const shortPiece = 8

// Shape hashes a text without the parts that differ from one answer to the next:
// words with a digit, except SMTP and enhanced status codes, and what stands in
// angle brackets.
func Shape(text []byte) uint64 { return shapeOf(text).sum }

// shape is a polynomial with the hashes of words as its coefficients. So those of
// two halves give that of the whole.
type shape struct {
	sum    uint64
	factor uint64 // shapeBase to the power of the number of words
}

const shapeBase = 0x9e3779b97f4a7c15 // odd

// then is the shape of a text that o follows.
func (s shape) then(o shape) shape { return shape{s.sum*o.factor + o.sum, s.factor * o.factor} }

// FNV-1a, 64 bits.
const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

func shapeOf(text []byte) shape {
	s, word := shape{factor: 1}, uint64(fnvOffset)
	seen := characters(0)
	for i := 0; i <= len(text); i++ {
		c := byte(' ')
		if i < len(text) {
			c = text[i]
		}
		if kind := kinds[c]; kind != 0 { // counted without a branch: nobody can tell what comes next
			word = (word ^ uint64(c)) * fnvPrime
			seen += kind
			continue
		}
		if seen.count() {
			s.sum, s.factor = s.sum*shapeBase+word, s.factor*shapeBase
		}
		word, seen = fnvOffset, 0
		if c == '<' {
			if end := bytes.IndexByte(text[i:], '>'); end > 0 {
				i += end
			}
		}
	}
	return s
}

// characters counts those of a word by kind: digits in the low bits, then dots,
// then all others. An answer is much shorter than a million.
type characters uint64

const (
	oneDigit  characters = 1
	oneDot    characters = 1 << 20
	oneLetter characters = 1 << 40
)

// count reports whether the word counts: it has no digit, or is 550 or 5.7.1.
func (seen characters) count() bool {
	return seen%oneDot == 0 || seen < oneLetter && (seen == 3 || seen/oneDot == 2)
}

// kinds are what each byte counts as; 0 ends a word.
var kinds = func() (kinds [256]characters) {
	for i := range kinds {
		switch c := byte(i); {
		case separates(c):
		case '0' <= c && c <= '9':
			kinds[i] = oneDigit
		case c == '.':
			kinds[i] = oneDot
		default:
			kinds[i] = oneLetter
		}
	}
	return kinds
}()

func separates(c byte) bool {
	switch c {
	case '_', ' ', '/', '<', '>', '(', ')', ',', ';', ':', '=', '?', '"', '\'':
		return true
	}
	return false
}
