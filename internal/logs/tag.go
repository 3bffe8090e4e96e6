package logs

import (
	"encoding/binary"
	"math/bits"

	"spoor"
)

// maxTag is how long the name of a program may be, with its path.
const maxTag = 128

// splitTag reads a tag, which may be a path and may lack its colon after a PID:
//
//	/usr/lib64/plesk-9.0/psa-pc-remote[14266]: Message aborted.
func splitTag(rest []byte, l *spoor.Line) header {
	if name, pid, length := plainTag(rest); length > 0 { // nearly all are
		l.Program, l.PID, l.Body = rest[:name], pid, rest[length:]
		return headerTagged
	}
	for len(rest) > 0 && rest[0] == ' ' {
		rest = rest[1:]
	}
	spaced := false
	for i, c := range rest[:min(len(rest), maxTag)] {
		if c >= 'a' {
			continue // most are; those below are not
		}
		switch c {
		case '[':
			if pid, length := pidOf(rest[i:]); length > 0 && i > 0 {
				after := rest[i+length:]
				colon := len(after) > 0 && after[0] == ':'
				if spaced && !colon {
					continue
				}
				if colon {
					after = after[1:]
				}
				l.Program, l.PID, l.Body = rest[:i], pid, trimSpace(after)
				return headerTagged
			}
		case ':':
			if i+1 < len(rest) && rest[i+1] != ' ' {
				continue // Perl's Module::Name
			}
			if !spaced && i > 0 {
				l.Program, l.Body = rest[:i], trimSpace(rest[i+1:])
				return headerTagged
			}
			l.Body = rest // the colon is of a sentence
			return headerBare
		case ' ':
			spaced = true
		}
	}
	l.Body = rest
	return headerBare
}

// trimSpace takes one space off: those after it are the message's.
func trimSpace(body []byte) []byte {
	if len(body) > 0 && body[0] == ' ' {
		return body[1:]
	}
	return body
}

// pidOf reads "[14266]" and returns its length, which is 0 if it is none.
func pidOf(text []byte) (pid, length int) {
	for i := 1; i < len(text) && i < 12; i++ {
		c := text[i]
		if c == ']' && i > 1 && pid <= 1<<31-1 {
			return pid, i + 1
		}
		if c < '0' || c > '9' {
			return 0, 0
		}
		pid = pid*10 + int(c-'0')
	}
	return 0, 0
}

// plainTag reads a name without blanks and colons, a PID of up to seven digits,
// a colon and a blank, eight bytes at a time. It returns how long the name and
// all of it are; the latter is 0 if it is anything else.
//
//	postfix/smtpd[14266]: connect from unknown[192.0.2.7]
func plainTag(text []byte) (name, pid, length int) {
	for at := 0; at < maxTag && at+8 <= len(text); at += 8 {
		word := binary.LittleEndian.Uint64(text[at:])
		if ends := where(word, '[') | where(word, ':') | where(word, ' '); ends != 0 {
			name = at + bits.TrailingZeros64(ends)/8
			break
		}
	}
	if name == 0 || len(text) < name+9 || text[name] != '[' {
		return 0, 0, 0
	}
	word := binary.LittleEndian.Uint64(text[name+1:])
	digits := bits.TrailingZeros64(where(word, ']')) / 8
	pid, ok := decimal(word, digits)
	length = name + digits + 4
	if !ok || len(text) < length || text[length-2] != ':' || text[length-1] != ' ' {
		return 0, 0, 0
	}
	return name, pid, length
}

// each is a word of eight equal bytes, when it is multiplied with one of them.
const each = 0x0101010101010101

// where marks the bytes of a word that equal c, in their highest bits. Behind the
// first of them, it may mark others too.
func where(word uint64, c byte) uint64 {
	word ^= uint64(c) * each
	return (word - each) &^ word & (0x80 * each)
}

// decimal reads the first n bytes of a word, from one to seven, as a number:
// pairs of digits first, then pairs of those, then all of it.
func decimal(word uint64, n int) (number int, ok bool) {
	if n < 1 || n > 7 {
		return 0, false
	}
	gap := 64 - 8*n // zeros in front
	word = word<<gap ^ '0'*each<<gap
	if (word|(word+6*each))&(0xf0*each) != 0 {
		return 0, false
	}
	word = (word*10 + word>>8) & 0x00ff00ff00ff00ff
	word = (word*100 + word>>16) & 0x0000ffff0000ffff
	word = (word*10000 + word>>32) & 0xffffffff
	return int(word), true
}
