package logs

import (
	"bytes"

	"spoor"
)

// maxRepeat bounds how often one line may stand for itself: the number is
// anybody's who can write to the log.
const maxRepeat = 1_000_000

// lastRepeated reads what syslogd writes in place of equal lines, and returns
// how many they were; 0 if it is something else:
//
//	Nov 23 11:32:15 mx1 last message repeated 3 times
func lastRepeated(body []byte) uint32 {
	rest, ok := bytes.CutPrefix(body, []byte("last message repeated "))
	if !ok {
		return 0
	}
	return times(rest, " times")
}

// times reads a number that is followed by a word.
func times(text []byte, word string) uint32 {
	digits, rest, ok := bytes.Cut(text, []byte{' '})
	if !ok || len(digits) > 9 || !bytes.HasPrefix(rest, []byte(word[1:])) {
		return 0
	}
	n, ok := number(digits)
	if !ok {
		return 0
	}
	return uint32(min(n, maxRepeat))
}

// unwrapRepeated takes the message out of what rsyslog writes in place of equal
// lines, and returns how many they were; 0 if it is something else:
//
//	Nov 23 11:32:15 mx1 smtp_auth: message repeated 3 times: [ SMTP connect from unknown@ [192.0.2.1]]
func unwrapRepeated(l *spoor.Line) uint32 {
	if len(l.Body) == 0 || l.Body[0] != 'm' {
		return 0
	}
	rest, ok := bytes.CutPrefix(l.Body, []byte("message repeated "))
	if !ok {
		return 0
	}
	n := times(rest, " times: [")
	_, inner, _ := bytes.Cut(rest, []byte{'['})
	if n == 0 || !bytes.HasSuffix(inner, []byte{']'}) {
		return 0
	}
	l.Body = trimSpace(inner[:len(inner)-1])
	return n
}

// repeat makes e an event like that of the line before, which is the last of the
// same host, and of the same program where one is named. It looks back a few
// lines only.
func (w *worker) repeat(e *spoor.Event, n uint32, at int) spoor.LineSort {
	c := w.chunk
	host, program, mark := w.line.Host, w.line.Program, w.split.mark
	defer func() { w.split.mark = mark }()
	limit := behind(c.buf, at, c.barrier)
	for end := at; end > limit; {
		start := max(bytes.LastIndexByte(c.buf[:end-1], '\n')+1, limit)
		before := spoor.Line{Text: trimLine(c.buf[start:end])}
		end = start
		header := w.split.split(&before)
		if header == headerNone || !bytes.Equal(before.Host, host) || program != nil && !bytes.Equal(before.Program, program) ||
			lastRepeated(before.Body) > 0 {
			continue
		}
		if header == headerBare {
			return spoor.LineForeign
		}
		unwrapRepeated(&before)
		sort := w.newParser().Parse(&before, e)
		if sort == spoor.LineUnknown {
			return spoor.LineKnown // its shape was counted where it stands
		}
		e.Exact, e.Repeat = false, n
		return sort
	}
	return spoor.LineForeign
}
