package postfix

import (
	"bytes"

	"spoor"
	"spoor/internal/word"
)

const noQueue = "NOQUEUE"

// minID is the shortest queue ID: five digits and an inode.
const minID = 6

// cutID takes a queue ID, or NOQUEUE, and ": " off the start.
func cutID(b []byte) (id, rest []byte, ok bool) {
	if end := plainID(b); end >= minID && len(b) > end+1 && b[end+1] == ' ' { // nearly all are
		return b[:end], b[end+2:], true
	}
	end := bytes.IndexByte(b[:min(len(b), maxID+1)], ':')
	if end < minID || len(b) < end+2 || b[end+1] != ' ' {
		return nil, b, false
	}
	seen := idClass(0)
	for _, c := range b[:end] {
		seen |= idClasses[c] // no branch: IDs are as good as random
	}
	if seen&idNone != 0 {
		return nil, b, false
	}
	if seen&idDigit == 0 && seen&idLetter != 0 && string(b[:end]) != noQueue {
		return nil, b, false // a word; long IDs have a digit or two in seconds and microseconds
	}
	return b[:end], b[end+2:], true
}

// plainID is the length of up to 15 letters and digits, with a digit among them,
// that a colon follows; 0 if it is anything else.
func plainID(b []byte) int {
	if len(b) < 2*word.Bytes {
		return 0
	}
	first, second := word.At(b, 0), word.At(b, word.Bytes)
	end := word.Index(first, ':')
	if end < word.Bytes {
		first, second = word.Head(first, end, 'A'), word.Head(0, 0, 'A')
	} else if n := word.Index(second, ':'); n < word.Bytes {
		end, second = end+n, word.Head(second, n, 'A')
	} else {
		return 0
	}
	all, digit := word.Alnum(first)
	alsoAll, alsoDigit := word.Alnum(second)
	if !all || !alsoAll || !digit && !alsoDigit {
		return 0
	}
	return end
}

// idClass is what a byte may be in a queue ID; the classes of several are joined.
type idClass uint8

const (
	idDigit  idClass = 1 << iota
	idHex            // A to F
	idLetter         // any other
	idNone           // in no ID
)

var idClasses = func() (classes [256]idClass) {
	for c := range classes {
		switch {
		case c >= '0' && c <= '9':
			classes[c] = idDigit
		case c >= 'A' && c <= 'F':
			classes[c] = idHex
		case isAlnum(byte(c)):
			classes[c] = idLetter
		default:
			classes[c] = idNone
		}
	}
	return classes
}()

func setID(e *spoor.Event, id []byte) { e.ID, e.Key = id, spoor.IDHash(id) }

// setClock takes the time out of a long queue ID, on the line that is logged as
// soon as the ID is given.
func setClock(e *spoor.Event) {
	if t, ok := idTime(e.ID); ok {
		e.Clock = spoor.StampOf(t)
	}
}

// isID reports whether all of b is a queue ID.
func isID(b []byte) bool { return len(b) >= minID && isQueueID(b) }

// idAt is the queue ID at the start, or nil.
func idAt(b []byte) []byte {
	end := 0
	for end < len(b) && isAlnum(b[end]) {
		end++
	}
	if end < minID || end > maxID {
		return nil
	}
	return b[:end]
}

func cut(b []byte, prefix string) ([]byte, bool) {
	if len(b) < len(prefix) || string(b[:len(prefix)]) != prefix {
		return b, false
	}
	return b[len(prefix):], true
}

// starts reports whether b begins with one of some texts. None may be empty.
func starts(b []byte, texts ...string) bool {
	for _, text := range texts {
		if len(b) >= len(text) && b[0] == text[0] && string(b[:len(text)]) == text { // most differ at once
			return true
		}
	}
	return false
}

// ends reports whether b ends with a text.
func ends(b []byte, text string) bool {
	return len(b) >= len(text) && string(b[len(b)-len(text):]) == text
}

// knownIf is LineKnown or LineUnknown.
func knownIf(ok bool) spoor.LineSort {
	if ok {
		return spoor.LineKnown
	}
	return spoor.LineUnknown
}

// lastDigits takes decimal digits off the end.
func lastDigits(b []byte) (n int64, rest []byte, ok bool) {
	at, unit := len(b), int64(1)
	for at > 0 && len(b)-at < 18 && b[at-1] >= '0' && b[at-1] <= '9' {
		at--
		n += int64(b[at]-'0') * unit
		unit *= 10
	}
	return n, b[:at], at < len(b)
}

// cutSuffix takes a text off the end.
func cutSuffix(b []byte, text string) ([]byte, bool) {
	if !ends(b, text) {
		return b, false
	}
	return b[:len(b)-len(text)], true
}

// lastIndex is bytes.LastIndex, for texts that are rarely there: looking from the
// front is much faster.
func lastIndex(b []byte, text string) int {
	last := -1
	for from := 0; ; {
		at := bytes.Index(b[from:], []byte(text))
		if at < 0 {
			return last
		}
		last = from + at
		from = last + len(text)
	}
}

// clientAt reads name[address] or name[address]:port at the start. The name is
// one of the DNS, or unknown: it holds no bracket. address is nil where it is not
// known.
func clientAt(b []byte) (address, rest []byte, ok bool) {
	open := bytes.IndexByte(b, '[')
	if open < 0 || bytes.IndexByte(b[:open], ' ') >= 0 {
		return nil, b, false
	}
	end := bytes.IndexByte(b[open:], ']')
	if end < 0 {
		return nil, b, false
	}
	address, rest = ipOf(b[open+1:open+end]), b[open+end+1:]
	if len(rest) > 0 && rest[0] == ':' {
		port := rest[1:]
		for len(port) > 0 && port[0] >= '0' && port[0] <= '9' {
			port = port[1:]
		}
		if len(port) < len(rest)-1 {
			rest = port
		}
	}
	return address, rest, true
}

// ipOf returns an address of IPv4 or IPv6 without its prefix of RFC 5321 §4.1.3;
// nil for anything else.
func ipOf(b []byte) []byte {
	if rest, ok := cut(b, "IPv6:"); ok {
		b = rest
	}
	if len(b) < 2 || len(b) > 45 {
		return nil
	}
	for _, c := range b {
		if (c < '0' || c > ':') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') && c != '.' {
			return nil
		}
	}
	return b
}
