package logs

import (
	"encoding/binary"

	"spoor"
	"spoor/internal/word"
)

// maxTag is how long the name of a program may be, with its path.
const maxTag = 128

// splitTag reads a tag, which may be a path and may lack its colon after a PID:
//
//	/usr/lib64/plesk-9.0/psa-pc-remote[14266]: Message aborted.
func (s *splitter) splitTag(rest []byte, l *spoor.Line) header {
	known := s.known(rest)
	if known == nil {
		return splitAnyTag(rest, l)
	}
	n := known.beginning.length
	next := word.At(rest, n)
	digits := word.Index(next, ']')
	pid, ok := word.Decimal(next, digits)
	end := n + digits
	if !ok || len(rest) < end+3 || string(rest[end:end+3]) != "]: " {
		return splitAnyTag(rest, l)
	}
	l.Program, l.PID, l.Body, l.Author = rest[:n-1], pid, rest[end+3:], known.author
	return headerTagged
}

// knownTag is the name of a program without blanks and colons, with the bracket
// that begins its PID.
type knownTag struct {
	beginning beginning
	host      uint32 // its number
	author    uint64
}

// known returns the tag that a text begins with; nil if it has no bracket, or is
// as long as no name of a daemon.
//
//	postfix/smtpd[14266]: connect from unknown[192.0.2.7]
func (s *splitter) known(text []byte) *knownTag {
	if len(text) < beginningBytes+word.Bytes {
		return nil
	}
	key := uint64(binary.LittleEndian.Uint32(text[tellingByte:])) | uint64(s.host.number)<<32
	tag := &s.tags[key*spread>>58]                               // the highest 6 bits
	if tag.host == s.host.number && tag.beginning.begins(text) { // mostly
		return tag
	}
	name := nameLength(text)
	if name == 0 {
		return nil
	}
	s.authors++
	*tag = knownTag{beginningOf(text[:name+1]), s.host.number, s.authors}
	return tag
}

// tellingByte is from where the names of Postfix' daemons differ, which most of a
// log are: postfix/smtp[ and postfix/smtpd[.
const tellingByte = len("postfix/s")

// nameLength is the length of a name up to its bracket; 0 if a blank or a colon
// comes first, or if it is no beginning.
func nameLength(text []byte) int {
	for i, c := range text[:beginningBytes] {
		switch c {
		case '[':
			return i
		case ' ', ':':
			return 0
		}
	}
	return 0
}

// splitAnyTag is splitTag for all tags.
func splitAnyTag(rest []byte, l *spoor.Line) header {
	l.Program, l.PID, l.Author = nil, -1, 0
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
