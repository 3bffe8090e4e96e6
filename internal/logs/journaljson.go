package logs

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"

	"spoor"
)

// entry is what is read of an entry of systemd's journal
// (systemd.journal-fields(7)). Of a field that is there twice, the first counts.
type entry struct {
	message    []byte // nil if there is none, or journalctl has left it out
	identifier []byte // as a program names itself to syslog
	command    []byte // as the kernel names it
	host       []byte
	syslogPID  []byte // as the program says
	pid        []byte // as the kernel says
	realtime   []byte // µs UTC
}

// field returns the place of a field's value; nil for one that nobody needs.
func (e *entry) field(name []byte) *[]byte {
	switch string(name) {
	case "MESSAGE":
		return &e.message
	case "SYSLOG_IDENTIFIER":
		return &e.identifier
	case "_COMM":
		return &e.command
	case "_HOSTNAME":
		return &e.host
	case "SYSLOG_PID":
		return &e.syslogPID
	case "_PID":
		return &e.pid
	case "__REALTIME_TIMESTAMP":
		return &e.realtime
	}
	return nil
}

// program is the tag that syslog would have.
func (e *entry) program() []byte {
	if len(e.identifier) > 0 {
		return e.identifier
	}
	return e.command
}

// processID is -1 if there is none.
func (e *entry) processID() int {
	for _, digits := range [...][]byte{e.syslogPID, e.pid} {
		if pid, ok := number(digits); ok && len(digits) <= 10 {
			return pid
		}
	}
	return -1
}

// time is 0 if there is none that can be right: as old as readISO takes.
func (e *entry) time() spoor.Stamp {
	const year2002, year10000 = year2001 + 365*day, 253_402_300_800 * second
	micros, ok := number(e.realtime)
	if !ok || len(e.realtime) > 17 || int64(micros) < year2002 || int64(micros) >= year10000 {
		return 0
	}
	return spoor.Stamp(micros)
}

// splitJSON reads a line of journalctl -o json:
//
//	{"__REALTIME_TIMESTAMP":"1795433536345364","_HOSTNAME":"mx1","SYSLOG_IDENTIFIER":"postfix/smtpd","SYSLOG_PID":"812","MESSAGE":"connect from unknown[192.0.2.7]"}
//
// A message that journalctl left out for its length, as null, is damaged.
func (s *splitter) splitJSON(text []byte, l *spoor.Line) header {
	var e entry
	if !s.readObject(text, &e) {
		return headerNone
	}
	s.mark = mark(e.time())
	if s.mark == 0 || e.message == nil {
		s.mark = 0
		return headerNone
	}
	l.Time, l.Host, l.Program, l.PID, l.Body = spoor.Stamp(s.mark), e.host, e.program(), e.processID(), e.message
	if len(l.Program) == 0 {
		l.Program = nil
		return headerBare
	}
	return headerTagged
}

// readObject reads an object of JSON whose values are texts, null, or lists.
func (s *splitter) readObject(text []byte, e *entry) bool {
	rest := trimBlanks(text[1:])
	for len(rest) > 0 && rest[0] == '"' {
		end := bytes.IndexByte(rest[1:], '"') + 1
		if end < 1 {
			return false
		}
		place := e.field(rest[1:end])
		rest = trimBlanks(rest[end+1:])
		if len(rest) == 0 || rest[0] != ':' {
			return false
		}
		value, after, ok := s.readValue(trimBlanks(rest[1:]), place != nil && *place == nil)
		if !ok {
			return false
		}
		if value != nil {
			*place = value
		}
		rest = trimBlanks(after)
		if len(rest) > 0 && rest[0] == ',' {
			rest = trimBlanks(rest[1:])
			continue
		}
		break
	}
	return len(rest) > 0 && rest[0] == '}' && len(trimBlanks(rest[1:])) == 0
}

func trimBlanks(text []byte) []byte {
	for len(text) > 0 && (text[0] == ' ' || text[0] == '\t') {
		text = text[1:]
	}
	return text
}

// readValue reads a value and returns what follows. The value is nil if it is not
// wanted, and for what is no text.
func (s *splitter) readValue(text []byte, wanted bool) (value, rest []byte, ok bool) {
	if len(text) == 0 {
		return nil, nil, false
	}
	switch text[0] {
	case '"':
		return s.readText(text, wanted)
	case '[':
		return s.readList(text, wanted)
	}
	end := bytes.IndexAny(text, ",}")
	if end < 1 {
		return nil, nil, false
	}
	return nil, text[end:], true
}

func (s *splitter) readText(text []byte, wanted bool) (value, rest []byte, ok bool) {
	raw, rest, escaped, ok := cutText(text)
	switch {
	case !ok || !wanted:
		return nil, rest, ok
	case !escaped:
		return raw, rest, true
	}
	start := len(s.scratch)
	s.scratch = unescape(s.scratch, raw)
	return s.scratch[start:len(s.scratch):len(s.scratch)], rest, true
}

// cutText cuts a text in quotes off the start.
func cutText(text []byte) (raw, rest []byte, escaped, ok bool) {
	for i := 1; i < len(text); {
		end := bytes.IndexByte(text[i:], '"')
		if end < 0 {
			return nil, nil, false, false
		}
		slash := bytes.IndexByte(text[i:i+end], '\\')
		if slash < 0 {
			return text[1 : i+end], text[i+end+1:], escaped, true
		}
		escaped = true
		i += slash + 2
	}
	return nil, nil, false, false
}

// readList reads bytes as numbers, which journalctl writes for what is no text.
// Of several texts, which are of a field that an entry has more than once, it
// takes the first.
func (s *splitter) readList(text []byte, wanted bool) (value, rest []byte, ok bool) {
	start, first := len(s.scratch), []byte(nil)
	rest = trimBlanks(text[1:])
	for len(rest) > 0 && rest[0] != ']' {
		if rest[0] == '"' {
			item, after, ok := s.readText(rest, wanted && first == nil)
			if !ok {
				return nil, nil, false
			}
			if first == nil {
				first = item
			}
			rest = after
		} else {
			n, length := listedByte(rest)
			if length == 0 {
				return nil, nil, false
			}
			if wanted {
				s.scratch = appendByte(s.scratch, n)
			}
			rest = rest[length:]
		}
		if rest = trimBlanks(rest); len(rest) > 0 && rest[0] == ',' {
			rest = trimBlanks(rest[1:])
		}
	}
	switch {
	case len(rest) == 0:
		return nil, nil, false
	case first != nil || !wanted:
		return first, rest[1:], true
	}
	return s.scratch[start:len(s.scratch):len(s.scratch)], rest[1:], true
}

// listedByte reads a number up to 255 and returns its length, which is 0 if it is
// none.
func listedByte(text []byte) (value byte, length int) {
	n := 0
	for length < len(text) && length < 4 && text[length] >= '0' && text[length] <= '9' {
		n = n*10 + int(text[length]-'0')
		length++
	}
	if n > 255 {
		return 0, 0
	}
	return byte(n), length
}

// appendByte writes control characters as rsyslog does, as #012: a message is one
// line.
func appendByte(to []byte, c byte) []byte {
	if c < ' ' && c != '\t' || c == 0x7f {
		return append(to, '#', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
	}
	return append(to, c)
}

// unescape appends a text of JSON without its escapes.
func unescape(to, raw []byte) []byte {
	for len(raw) > 0 {
		slash := bytes.IndexByte(raw, '\\')
		if slash < 0 || slash+1 == len(raw) {
			return append(to, raw...)
		}
		to = append(to, raw[:slash]...)
		c := raw[slash+1]
		raw = raw[slash+2:]
		switch c {
		case 'n':
			to = appendByte(to, '\n')
		case 'r':
			to = appendByte(to, '\r')
		case 't':
			to = append(to, '\t')
		case 'b':
			to = appendByte(to, '\b')
		case 'f':
			to = appendByte(to, '\f')
		case 'u':
			to, raw = unescapeRune(to, raw)
		default:
			to = append(to, c)
		}
	}
	return to
}

// unescapeRune reads the four digits behind \u, and those of the other half of a
// pair.
func unescapeRune(to, raw []byte) ([]byte, []byte) {
	r := hexRune(raw)
	if r < 0 {
		return append(to, '\\', 'u'), raw
	}
	raw = raw[4:]
	if utf16.IsSurrogate(r) {
		if pair := lowHalf(r, raw); pair != utf8.RuneError {
			return utf8.AppendRune(to, pair), raw[6:]
		}
		r = utf8.RuneError
	}
	if r < utf8.RuneSelf {
		return appendByte(to, byte(r)), raw
	}
	return utf8.AppendRune(to, r), raw
}

// lowHalf joins the first half of a pair to the other half that follows it;
// utf8.RuneError if none does.
func lowHalf(high rune, raw []byte) rune {
	if len(raw) < 6 || raw[0] != '\\' || raw[1] != 'u' {
		return utf8.RuneError
	}
	return utf16.DecodeRune(high, hexRune(raw[2:]))
}

// hexRune reads four hexadecimal digits; -1 if they are none.
func hexRune(digits []byte) rune {
	if len(digits) < 4 {
		return -1
	}
	r := rune(0)
	for _, c := range digits[:4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}
