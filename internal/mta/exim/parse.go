package exim

import (
	"bytes"
	"time"

	"spoor"
	"spoor/internal/mta"
)

// Parser reads mainlog, rejectlog and paniclog of Exim, from its own files or
// through syslog, and the mailbox servers and filters that log beside it. It
// implements mta.Parser.
//
// What it returns aliases the line.
type Parser struct {
	answers  *mta.Classifier
	host     []byte // of the line before
	hostHash uint64
	ownFiles bool // lines through syslog are in Exim's own files too
}

// NewParser returns a parser.
func NewParser() *Parser { return &Parser{answers: mta.NewClassifier(), hostHash: spoor.IDHash("")} }

// SkipSyslog implements mta.Repeated.
func (p *Parser) SkipSyslog() { p.ownFiles = true }

// Stateless implements logs.Stateless: what it keeps of answers and the host is
// true everywhere in a log.
func (p *Parser) Stateless() {}

// Parse implements mta.Parser. A line that names no program is of Exim's own
// file.
func (p *Parser) Parse(l *spoor.Line, e *spoor.Event) spoor.LineSort {
	e.Time, e.PID, e.UID = l.Time, -1, -1
	if len(l.Program) > 0 && !isExim(l.Program) {
		return others(l, e)
	}
	if p.ownFiles && len(l.Program) > 0 {
		return spoor.LineKnown
	}
	if !bytes.Equal(l.Host, p.host) {
		p.host = append(p.host[:0], l.Host...)
		p.hostHash = spoor.IDHash(l.Host)
	}
	e.Origin, e.PID = p.hostHash, int32(l.PID)
	b, part := l.Body, whole
	if len(l.Program) > 0 {
		b, part = cutPart(b)
	} else if tagged, pid, ok := cutTag(b); ok {
		b, e.PID = tagged, pid
	}
	if part == laterPart {
		return spoor.LineKnown
	}
	b = cutHeader(b, e)
	if id, rest, ok := cutID(b); ok {
		return p.message(id, rest, part == whole, e)
	}
	if isDump(l.Text) && len(l.Program) == 0 && l.Time == 0 {
		return spoor.LineKnown
	}
	sort := p.session(b, e)
	if e.Kind == spoor.EventLoginFailed && len(l.Program) > 0 {
		e.Key = twinKey(l, e)
	}
	return sort
}

// twinKey tells the line of a refusal by: through syslog Exim writes each twice, for
// mainlog and for rejectlog (syslog_duplication), in one second of one process.
func twinKey(l *spoor.Line, e *spoor.Event) uint64 {
	key := spoor.IDHash(l.Body) ^ uint64(e.PID)
	if !isStamp(l.Body) { // syslog_timestamp is off
		key ^= uint64(l.Time.Sub(0) / time.Second)
	}
	return max(key, 1)
}

// isExim knows the names under which Exim logs: exim, exim4, exim-in.
func isExim(tag []byte) bool {
	tag = tag[bytes.LastIndexByte(tag, '/')+1:]
	rest, ok := bytes.CutPrefix(tag, []byte("exim"))
	return ok && (len(rest) == 0 || rest[0] == '4' && len(rest) == 1 || rest[0] == '-' || rest[0] == '_')
}

// others are the programs beside Exim.
func others(l *spoor.Line, e *spoor.Event) spoor.LineSort {
	program := l.Program[bytes.LastIndexByte(l.Program, '/')+1:]
	if sort, ok := mta.ParseLogin(l, program, e); ok {
		return sort
	}
	return mta.ParseFilter(l, program, e)
}

// part says which of its parts a line of syslog is.
type part uint8

const (
	whole part = iota
	firstPart
	laterPart
)

// cutPart takes the number off that Exim puts before the parts of a line that is
// longer than 870 bytes, or that has line breaks (log.c).
//
//	[1/2] 2026-11-23 10:37:57 1xVRQr-0007as-29 <= anna@example.com …
func cutPart(b []byte) ([]byte, part) {
	if len(b) < 6 || b[0] != '[' {
		return b, whole
	}
	first, rest := digits(b[1:])
	if len(rest) < 4 || rest[0] != '/' && rest[0] != '\\' {
		return b, whole
	}
	parts, rest := digits(rest[1:])
	rest, ok := cut(rest, "] ")
	switch {
	case !ok || parts < 2 || first < 1 || first > parts:
		return b, whole
	case first == 1:
		return rest, firstPart
	}
	return rest, laterPart
}

// cutTag takes host and program off that some syslogs write after a stamp of
// Exim's form.
//
//	2019-10-22 03:39:17 mx1.fqdn.local exim[29786]: dovecot_login authenticator failed for (User) [192.0.2.37]: …
func cutTag(b []byte) (rest []byte, pid int32, ok bool) {
	_, after, _ := bytes.Cut(b, []byte{' '})
	after, ok = cut(after, "exim")
	if !ok {
		return b, -1, false
	}
	after = bytes.TrimPrefix(after, []byte{'4'})
	if after, ok = cut(after, "["); !ok {
		return b, -1, false
	}
	n, after := digits(after)
	rest, ok = cut(after, "]: ")
	return rest, int32(min(n, 1<<31-1)), ok
}

// cutHeader takes off what Exim writes before the text of a line, and what is
// left of it after the stamp was read.
//
//	2026-11-23 10:37:57.123 +0100 [29965] 1xVRQz-0007nJ-0d Completed
func cutHeader(b []byte, e *spoor.Event) []byte {
	if isStamp(b) {
		b = b[len("2026-11-23 10:37:57"):]
		if b[0] == '.' {
			_, b = digits(b[1:])
		}
		b = bytes.TrimPrefix(b, []byte{' '})
	}
	if len(b) > 6 && (b[0] == '+' || b[0] == '-') && b[5] == ' ' && allDigits(b[1:5]) {
		b = b[6:]
	}
	if len(b) > 3 && b[0] == '[' {
		if pid, rest := digits(b[1:]); len(rest) < len(b)-1 && pid < 1<<31 {
			if rest, ok := cut(rest, "] "); ok {
				e.PID, b = int32(pid), rest
			}
		}
	}
	return b
}

// isStamp knows 2026-11-23 10:37:57 and what may follow it.
func isStamp(b []byte) bool {
	const form = "dddd-dd-dd dd:dd:dd"
	if len(b) <= len(form) || b[len(form)] != ' ' && b[len(form)] != '.' {
		return false
	}
	for i := range len(form) {
		if form[i] == 'd' && (b[i] < '0' || b[i] > '9') || form[i] != 'd' && b[i] != form[i] {
			return false
		}
	}
	return true
}

// cutID takes a message ID and a blank off the start.
func cutID(b []byte) (id, rest []byte, ok bool) {
	for _, n := range [...]int{oldID, newID} {
		if len(b) > n && b[n] == ' ' && isID(b[:n]) {
			return b[:n], b[n+1:], true
		}
	}
	return nil, b, false
}

// message reads a line about a message, which begins with its ID. complete is
// false for the first part of a line.
//
//	1xVRQr-0007bD-2p => :blackhole: <anna@example.com> R=local_drop
func (p *Parser) message(id, b []byte, complete bool, e *spoor.Event) spoor.LineSort {
	e.ID, e.Key = id, spoor.IDHash(id)
	if len(b) > 3 && b[2] == ' ' {
		switch string(b[:2]) {
		case "<=", "(=":
			return accepted(b[3:], complete, e)
		case "=>", "->", ">>", "*>":
			return p.delivery(b[3:], spoor.EventDelivered, e)
		case "==":
			return p.delivery(b[3:], spoor.EventDeferred, e)
		case "**":
			return p.delivery(b[3:], spoor.EventFailed, e)
		}
	}
	if rest, ok := cut(b, "Completed"); ok && (len(rest) == 0 || bytes.HasPrefix(rest, []byte(" QT="))) {
		e.Kind = spoor.EventEnded
		return spoor.LineEvent
	}
	if rest, ok := cut(b, "Sender identification "); ok {
		return senderIdentified(rest, e)
	}
	for _, removal := range [...]string{"removed by ", "rescind the above message-accept", "Message removed because older than "} {
		if bytes.HasPrefix(b, []byte(removal)) {
			e.Kind, e.Text = spoor.EventRemoved, b
			return spoor.LineEvent
		}
	}
	sort := p.session(b, e)
	if sort != spoor.LineEvent || e.Kind != spoor.EventTrouble { // a refused message was never in the queue
		e.ID, e.Key = nil, 0
	}
	return sort
}

// isDump knows what follows the line of a rejected message in rejectlog: its
// envelope and its header, each field behind its letter (log.c).
//
//	Envelope-to: <x@y>
//	P Received: from CALLER (helo=test)
func isDump(b []byte) bool {
	for _, start := range [...]string{"Envelope-from: <", "Envelope-to: <", "    <", "    ...", "\t", " ", "----------", "*** truncated ***"} {
		if bytes.HasPrefix(b, []byte(start)) {
			return true
		}
	}
	return len(b) > 3 && b[1] == ' ' && b[2] > ' ' && (b[0] == '*' || b[0] >= 'A' && b[0] <= 'Z')
}

func cut(b []byte, prefix string) ([]byte, bool) {
	if len(b) < len(prefix) || string(b[:len(prefix)]) != prefix {
		return b, false
	}
	return b[len(prefix):], true
}

// digits reads decimal digits.
func digits(b []byte) (n int64, rest []byte) {
	i := 0
	for i < len(b) && i < 18 && '0' <= b[i] && b[i] <= '9' {
		n = n*10 + int64(b[i]-'0')
		i++
	}
	return n, b[i:]
}

func allDigits(b []byte) bool {
	_, rest := digits(b)
	return len(rest) == 0
}
