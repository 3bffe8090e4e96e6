package postfix

import (
	"bytes"
	"strconv"
	"time"

	"spoor"
)

// splitLine takes a header of syslog apart, well enough for tests: the house
// forbids to enter the room that does it in earnest. Stamps are of RFC 3164, with
// or without the host, ISO or TAI64N.
func splitLine(text []byte) spoor.Line {
	l := spoor.Line{Text: text, Time: 1000, PID: -1, Body: text}
	rest := text
	skip := func() {
		_, rest, _ = bytes.Cut(bytes.TrimLeft(rest, " "), []byte{' '})
	}
	switch {
	case len(text) < 16:
		return l
	case text[0] == '@':
		skip()
	case text[0] >= 'A' && text[0] <= 'Z':
		if fields := bytes.Fields(text); len(fields) > 3 {
			if at, err := time.Parse("Jan 2 15:04:05", string(bytes.Join(fields[:3], []byte{' '}))); err == nil {
				l.Time = spoor.StampOf(at.AddDate(2000, 0, 0))
			}
		}
		skip()
		skip()
		skip()
	case text[4] == '-' && text[10] == 'T':
		skip()
	default:
		skip()
		skip()
	}
	word, after, ok := bytes.Cut(bytes.TrimLeft(rest, " "), []byte{' '})
	if ok && !bytes.HasSuffix(word, []byte{':'}) {
		l.Host, rest = word, bytes.TrimLeft(after, " ")
	}
	tag, body, ok := bytes.Cut(rest, []byte(": "))
	if !ok {
		tag = bytes.TrimSuffix(rest, []byte{':'})
	}
	if open := bytes.LastIndexByte(tag, '['); open > 0 && tag[len(tag)-1] == ']' {
		if pid, err := strconv.Atoi(string(tag[open+1 : len(tag)-1])); err == nil {
			l.PID, tag = pid, tag[:open]
		}
	}
	l.Program, l.Body = tag, body
	return l
}
