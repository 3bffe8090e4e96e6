package logs

import (
	"bytes"

	"spoor"
)

// splitDigits reads a line that begins with a date, or with seconds since 1970.
func (s *splitter) splitDigits(text []byte, l *spoor.Line) header {
	if len(text) > 18 && text[10] == '.' && text[17] == ' ' {
		return s.splitEpoch(text, l)
	}
	if len(text) < 20 {
		return headerNone
	}
	rest, ok := s.readISO(text, l)
	if !ok || len(rest) == 0 || rest[0] != ' ' {
		return headerNone
	}
	if text[10] == ' ' {
		return s.splitOwn(rest[1:], l)
	}
	// 2026-11-23T11:32:15.345364+00:00 mx1 qmail: 1795433535.345274 status: local 0/10 remote 0/20
	return s.splitOrigin(rest[1:], l)
}

// splitOwn reads what follows the stamp in a log that is one program's own, and so
// names neither host nor program: that of tai64nlocal; Exim's, which may have a
// zone and a PID; Dovecot's, which names its process.
//
//	2026-11-23 11:32:15.345274500 status: local 0/10 remote 0/20
//	2026-11-23 10:38:05.123 +0100 [29971] 1vMabc-0007n3-1A Completed
//	2026-11-23 10:38:05 imap-login: Info: Login: user=<anna@example.com>, method=PLAIN, rip=192.0.2.7
func (s *splitter) splitOwn(rest []byte, l *spoor.Line) header {
	if zone, after, ok := isoZone(rest); ok && s.mark.local() && rest[0] != 'Z' && len(after) > 0 && after[0] == ' ' {
		s.mark = mark(-int64(s.mark) - zone)
		l.Time, rest = spoor.Stamp(s.mark), after[1:]
	}
	if len(rest) > 0 && rest[0] == '[' {
		if pid, length := pidOf(rest); length > 0 && len(rest) > length && rest[length] == ' ' {
			l.PID, rest = pid, rest[length+1:]
		}
	}
	l.Body = rest
	if end := dovecotProcess(rest); end > 0 {
		l.Program, l.Body = rest[:end], rest[end+2:]
	}
	return headerTagged
}

// dovecotProcess returns the length of the name of a process that one of
// Dovecot's levels follows; 0 if it is something else.
func dovecotProcess(text []byte) int {
	end := bytes.IndexByte(text[:min(len(text), maxTag)], ' ') - 1
	if end < 1 || text[0] < 'a' || text[0] > 'z' || text[end] != ':' {
		return 0
	}
	level, _, ok := bytes.Cut(text[end+2:min(len(text), end+12)], []byte{':'})
	switch string(level) {
	case "Debug", "Info", "Warning", "Error", "Fatal", "Panic":
		if ok {
			return end
		}
	}
	return 0
}

// splitEpoch reads a line of splogger's that lost its header:
//
//	1795433535.345274 status: local 0/10 remote 0/20
func (s *splitter) splitEpoch(text []byte, l *spoor.Line) header {
	seconds, okSeconds := number(text[:10])
	micros, okMicros := number(text[11:17])
	if !okSeconds || !okMicros || seconds == 0 {
		return headerNone
	}
	l.Time, l.Body = spoor.Stamp(int64(seconds)*second+int64(micros)), text[18:]
	s.mark = mark(l.Time)
	return headerTagged
}

// splitTAI reads a line of multilog:
//
//	@400000006b0424491494a37c status: local 0/10 remote 0/20
//
// Its stamp is TAI64N as DJB's tools write it: seconds since 1970 plus 2^62 plus
// 10, whatever leap seconds there were.
func (s *splitter) splitTAI(text []byte, l *spoor.Line) header {
	if len(text) < 26 || text[25] != ' ' {
		return headerNone
	}
	seconds, okSeconds := hexNumber(text[1:17])
	nanos, okNanos := hexNumber(text[17:25])
	const label = 1<<62 + 10
	if !okSeconds || !okNanos || seconds <= label || seconds-label > 1<<35 || nanos >= 1e9 {
		return headerNone
	}
	l.Time, l.Body = spoor.Stamp(int64(seconds-label)*second+int64(nanos/1000)), text[26:]
	s.mark = mark(l.Time)
	return headerTagged
}

func hexNumber(digits []byte) (uint64, bool) {
	n := uint64(0)
	for _, c := range digits {
		switch {
		case c >= '0' && c <= '9':
			n = n<<4 | uint64(c-'0')
		case c >= 'a' && c <= 'f':
			n = n<<4 | uint64(c-'a'+10)
		default:
			return 0, false
		}
	}
	return n, true
}
