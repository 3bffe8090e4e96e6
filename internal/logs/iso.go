package logs

import (
	"bytes"

	"spoor"
)

// readISO reads a stamp of RFC 3339, with "T" or a space, with any fraction and
// with the zones Z, +01:00, +0100 or none. It returns what follows.
func (s *splitter) readISO(text []byte, l *spoor.Line) ([]byte, bool) {
	if len(text) < len(s.iso) {
		return nil, false
	}
	if !bytes.Equal(text[:len(s.iso)], s.iso[:]) {
		micros, ok := isoSeconds(text[:len(s.iso)])
		if !ok {
			return nil, false
		}
		s.isoTime = micros
		copy(s.iso[:], text)
	}
	fraction, rest := isoFraction(text[len(s.iso):])
	zone, rest, zoned := isoZone(rest)
	if zoned {
		s.mark = mark(s.isoTime + fraction - zone)
		l.Time = spoor.Stamp(s.mark)
	} else {
		s.mark = mark(-s.isoTime - fraction)
		l.Time = s.clock.provisional(s.mark)
	}
	return rest, true
}

// isoSeconds reads "2026-11-23T11:32:15" as microseconds. The year 2000 is that of
// stamps without one: see mark.
func isoSeconds(t []byte) (int64, bool) {
	if t[4] != '-' || t[7] != '-' || t[10] != 'T' && t[10] != ' ' {
		return 0, false
	}
	year, okYear := number(t[:4])
	month, okMonth := number(t[5:7])
	dayOfMonth, okDay := number(t[8:10])
	seconds, okTime := clockTime(t[11:19])
	if !okYear || !okMonth || !okDay || !okTime || year < 1971 || year == 2000 || month < 1 || month > 12 || dayOfMonth < 1 || dayOfMonth > 31 {
		return 0, false
	}
	return microsAt(year, month, dayOfMonth, seconds), true
}

// isoFraction reads ".345364" as microseconds, of any number of digits.
func isoFraction(text []byte) (int64, []byte) {
	if len(text) == 0 || text[0] != '.' {
		return 0, text
	}
	micros, scale, i := int64(0), int64(second), 1
	for i < len(text) && text[i] >= '0' && text[i] <= '9' {
		scale /= 10
		micros += int64(text[i]-'0') * scale
		i++
	}
	return micros, text[i:]
}

// isoZone reads a zone as microseconds east of UTC.
func isoZone(text []byte) (zone int64, rest []byte, ok bool) {
	if len(text) > 0 && text[0] == 'Z' {
		return 0, text[1:], true
	}
	if len(text) < 5 || text[0] != '+' && text[0] != '-' {
		return 0, text, false
	}
	minutes := text[3:5]
	size := 5
	if text[3] == ':' && len(text) >= 6 {
		minutes, size = text[4:6], 6
	}
	h, okH := number(text[1:3])
	m, okM := number(minutes)
	if !okH || !okM || h > 15 || m > 59 {
		return 0, text, false
	}
	zone = int64(h)*hour + int64(m)*minute
	if text[0] == '-' {
		zone = -zone
	}
	return zone, text[size:], true
}

// split5424 reads a line with the header of RFC 5424, behind its version:
//
//	2026-11-23T11:32:15.345364Z mx1 qmail 812 - - 1795433535.345274 new msg 41
func (s *splitter) split5424(text []byte, l *spoor.Line) header {
	var rest []byte
	if len(text) > 1 && text[0] == '-' {
		rest = text[1:]
	} else {
		var ok bool
		if rest, ok = s.readISO(text, l); !ok {
			return headerNone
		}
	}
	if len(rest) == 0 || rest[0] != ' ' {
		return headerNone
	}
	var fields [4][]byte // host, program, PID, message ID
	rest = rest[1:]
	for i := range fields {
		end := bytes.IndexByte(rest, ' ')
		if end < 1 {
			return headerNone
		}
		fields[i], rest = rest[:end], rest[end+1:]
		if string(fields[i]) == "-" {
			fields[i] = nil
		}
	}
	body, ok := skipStructured(rest)
	if !ok {
		return headerNone
	}
	l.Host, l.Program, l.Body = fields[0], fields[1], bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	if pid, ok := number(fields[2]); ok && len(fields[2]) <= 10 {
		l.PID = pid
	}
	if l.Program == nil {
		return headerBare
	}
	return headerTagged
}

// skipStructured returns what follows the structured elements of RFC 5424 §6.3.
func skipStructured(text []byte) ([]byte, bool) {
	if len(text) > 0 && text[0] == '-' {
		return trimSpace(text[1:]), true
	}
	i := 0
	for i < len(text) && text[i] == '[' {
		quoted := false
		for ; i < len(text) && (quoted || text[i] != ']'); i++ {
			switch text[i] {
			case '\\':
				i++
			case '"':
				quoted = !quoted
			}
		}
		i++
	}
	if i == 0 || i > len(text) {
		return nil, false
	}
	return trimSpace(text[i:]), true
}
