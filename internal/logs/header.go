package logs

import (
	"bytes"
	"encoding/binary"

	"spoor"
	"spoor/internal/word"
)

// splitter takes the headers of lines apart. It remembers the stamp, the host and
// the programs of lines before, which are mostly those of the next. One goroutine
// uses it at a time, and shows what it makes to one parser.
type splitter struct {
	mark  mark // of the line that was split last
	clock clock

	bsd     [bsdBytes]byte // a stamp of RFC 3164 and its space
	bsdMark mark
	bsdTime spoor.Stamp
	usual   beginning // such a stamp with its host
	iso     [19]byte  // a stamp of RFC 3339 up to its seconds
	isoTime int64
	host    knownHost // of the line before
	hosts   [16]knownHost
	tags    [64]knownTag
	numbers uint32 // that hosts were given
	authors uint64 // that were given numbers
	scratch []byte // texts of the journal without their escapes
}

// bsdBytes is how long a stamp of RFC 3164 is, with its space.
const bsdBytes = len("Nov 23 11:32:15 ")

// begin prepares for lines of a file: what their stamps mean depends on it.
func (s *splitter) begin(head clock) {
	s.clock, s.bsd, s.usual, s.iso = head, [bsdBytes]byte{}, beginning{}, [19]byte{}
}

// header is what split found out about a line beside its parts.
type header uint8

const (
	headerNone   header = iota // none that is known
	headerTagged               // it names its program, or its logger never does
	headerBare                 // of syslog, and names no program
)

// split takes a line apart, which stands in l.Text. What it sets aliases that.
func (s *splitter) split(l *spoor.Line) header {
	text := l.Text
	if s.usual.begins(text) {
		n := s.usual.length
		s.mark, l.Time, l.Host = s.bsdMark, s.bsdTime, text[bsdBytes:n-1]
		return s.splitTag(text[n:], l)
	}
	l.Time, l.Host, l.Program, l.PID, l.Body, l.Author = 0, nil, nil, -1, nil, 0
	s.mark = 0
	if len(text) == 0 {
		return headerNone
	}
	switch c := text[0]; {
	case c >= 'A' && c <= 'W':
		return s.splitBSD(text, l)
	case c >= '0' && c <= '9':
		return s.splitDigits(text, l)
	case c >= 'a' && c <= 'z':
		return s.splitContainer(text, l)
	case c == '@':
		return s.splitTAI(text, l)
	case c == '{':
		return s.splitJSON(text, l)
	case c == '[':
		return s.splitRoundcube(text, l)
	case c == '<':
		rest, ok := cutPriority(text)
		switch {
		case !ok || len(rest) < 2:
			return headerNone
		case rest[0] == '1' && rest[1] == ' ':
			return s.split5424(rest[2:], l)
		case rest[0] >= '0' && rest[0] <= '9':
			return s.splitDigits(rest, l)
		}
		return s.splitBSD(rest, l)
	}
	return headerNone
}

// splitContainer reads a line as docker compose logs prints it, with the name of the
// container before that of syslog:
//
//	postfix-1  | Nov 23 11:32:15 mx1 postfix/smtpd[812]: connect from unknown[192.0.2.7]
func (s *splitter) splitContainer(text []byte, l *spoor.Line) header {
	end := bytes.IndexByte(text[:min(len(text), longestContainer)], ' ')
	if end < 0 {
		return headerNone
	}
	rest := bytes.TrimLeft(text[end:], " ")
	if len(rest) < 3 || rest[0] != '|' || rest[1] != ' ' {
		return headerNone
	}
	switch c := rest[2]; {
	case c >= 'A' && c <= 'W':
		return s.splitBSD(rest[2:], l)
	case c >= '0' && c <= '9':
		return s.splitDigits(rest[2:], l)
	}
	return headerNone
}

// longestContainer is what the name of one is cut at.
const longestContainer = 64

// cutPriority takes the "<22>" off a line of the network.
func cutPriority(text []byte) ([]byte, bool) {
	end := bytes.IndexByte(text[:min(len(text), 5)], '>')
	if end < 2 {
		return nil, false
	}
	_, ok := number(text[1:end])
	return text[end+1:], ok
}

// splitBSD reads a line with the header of RFC 3164:
//
//	Nov 23 11:32:15 mx1 qmail: 1795433535.345274 status: local 0/10 remote 0/20
func (s *splitter) splitBSD(text []byte, l *spoor.Line) header {
	size := len(s.bsd)
	if len(text) < size || binary.LittleEndian.Uint64(text) != binary.LittleEndian.Uint64(s.bsd[:8]) ||
		binary.LittleEndian.Uint64(text[8:]) != binary.LittleEndian.Uint64(s.bsd[8:]) {
		m, length := bsdStamp(text)
		if length == 0 {
			return s.splitFull(text, l)
		}
		s.bsdMark, s.bsdTime, s.bsd = m, s.clock.provisional(m), [bsdBytes]byte{}
		if length == size {
			copy(s.bsd[:], text)
		}
		size = length
	}
	s.mark, l.Time = s.bsdMark, s.bsdTime
	sort := s.splitOrigin(text[size:], l)
	s.usual = beginning{}
	if n := size + len(l.Host) + 1; size == bsdBytes && len(l.Host) > 0 {
		s.usual = beginningOf(text[:n])
	}
	return sort
}

// bsdStamp reads "Jan  1 00:00:00 ", "Jan 01 00:00:00 " or "Jan 1 00:00:00 ",
// and what journalctl -o short-precise writes, "Jan 01 00:00:00.123456 ". It
// returns its length, which is 0 if it is none.
func bsdStamp(text []byte) (mark, int) {
	if len(text) < 16 || text[3] != ' ' {
		return 0, 0
	}
	month := monthOf(text[:3])
	dayText, at := text[4:6], 7
	switch {
	case text[4] == ' ':
		dayText = text[5:6]
	case text[5] == ' ':
		dayText, at = text[4:5], 6
	}
	dayOfMonth, okDay := number(dayText)
	seconds, okTime := clockTime(text[at : at+8])
	if month == 0 || !okDay || !okTime || dayOfMonth < 1 || dayOfMonth > 31 || text[at-1] != ' ' {
		return 0, 0
	}
	fraction, rest := isoFraction(text[at+8:])
	if len(rest) == 0 || rest[0] != ' ' {
		return 0, 0
	}
	return mark(-microsAt(2000, month, dayOfMonth, seconds) - fraction), len(text) - len(rest) + 1
}

// splitFull reads a line of journalctl -o short-full. Of the names of zones, only
// UTC's is one for certain.
//
//	Mon 2026-11-23 11:32:15 UTC mx1 postfix/smtpd[812]: connect from unknown[192.0.2.7]
func (s *splitter) splitFull(text []byte, l *spoor.Line) header {
	if len(text) < 30 || text[3] != ' ' || text[4] != '2' || text[14] != ' ' {
		return headerNone
	}
	rest, ok := s.readISO(text[4:], l)
	if !ok || !s.mark.local() || len(rest) == 0 || rest[0] != ' ' {
		return headerNone
	}
	end := bytes.IndexByte(rest[1:], ' ') + 1
	if end < 2 || end > 7 {
		return headerNone
	}
	if zone := string(rest[1:end]); zone == "UTC" || zone == "GMT" {
		s.mark = -s.mark
		l.Time = spoor.Stamp(s.mark)
	}
	return s.splitOrigin(rest[end+1:], l)
}

// splitOrigin reads host, tag and body, which RFC 3164 and rsyslog's own format
// have in common.
func (s *splitter) splitOrigin(rest []byte, l *spoor.Line) header {
	if s.host.beginning.begins(rest) || s.met(rest) {
		n := s.host.beginning.length
		l.Host = rest[:n-1]
		return s.splitTag(rest[n:], l)
	}
	end := bytes.IndexByte(rest, ' ')
	if end < 0 || end > 255 {
		return headerNone
	}
	if end > 0 && rest[end-1] == ':' { // Dovecot's own log names no host
		return splitAnyTag(rest, l)
	}
	l.Host = rest[:end]
	s.meet(rest, end)
	return s.splitTag(rest[end+1:], l)
}

// knownHost is a host that was met, with the space after it. A log may be of
// several.
type knownHost struct {
	beginning beginning
	number    uint32
}

// met makes the host that a text begins with that of the line, if it was met before.
func (s *splitter) met(rest []byte) bool {
	known := s.hostSlot(rest)
	if known == nil || !known.beginning.begins(rest) {
		return false
	}
	s.host, s.usual = *known, beginning{}
	return true
}

// meet does so for one that was not, or that was forgotten since.
func (s *splitter) meet(rest []byte, length int) {
	s.numbers++
	s.host, s.usual = knownHost{beginningOf(rest[:length+1]), s.numbers}, beginning{}
	if known := s.hostSlot(rest); known != nil {
		*known = s.host
	}
}

// hostSlot is the place of a host by its first 16 bytes; nil if the text is too short
// to begin with a known one.
func (s *splitter) hostSlot(rest []byte) *knownHost {
	if len(rest) < beginningBytes {
		return nil
	}
	first, second := word.At(rest, 0), word.At(rest, word.Bytes)
	if n := word.Index(first, ' '); n < word.Bytes {
		first, second = word.Head(first, n, 0), 0
	} else {
		second = word.Head(second, word.Index(second, ' '), 0)
	}
	return &s.hosts[(first^second*spread)*spread>>60] // the highest 4 bits
}

// spread is 2^64 divided by the golden ratio.
const spread = 0x9e3779b97f4a7c15
