package postfix

import (
	"bytes"

	"spoor"
	"spoor/internal/mta"
)

// Parser reads the log of a Postfix server: every daemon and command of Postfix
// under whatever syslog_name, and the mailbox servers and filters beside it. It
// implements mta.Parser.
//
// What it returns aliases the line. The authority is the source of Postfix: the
// formats are those of its calls of msg_info().
type Parser struct {
	tags     map[string]knownTag // by program, as logged
	recent   [32]knownTag        // those of late: looked at before the map
	authors  [64]author          // by the low bits of their numbers
	answers  *mta.Classifier
	host     []byte // of the line before
	hostHash uint64
}

// NewParser returns a parser.
func NewParser() *Parser {
	return &Parser{tags: map[string]knownTag{}, answers: mta.NewClassifier(), hostHash: spoor.IDHash("")}
}

// Stateless implements logs.Stateless: what it keeps of tags, answers and the
// host is true everywhere in a log.
func (p *Parser) Stateless() {}

// Parse implements mta.Parser. The program decides first.
func (p *Parser) Parse(l *spoor.Line, e *spoor.Event) spoor.LineSort {
	e.PID, e.UID, e.Time = -1, -1, l.Time
	a := &p.authors[l.Author%uint64(len(p.authors))]
	if a.number != l.Author || l.Author == 0 {
		*a = p.author(l)
	}
	e.Origin = a.origin
	if a.daemon == beside {
		return parseBeside(l, e)
	}
	e.PID = int32(l.PID)
	return p.parseDaemon(a.daemon, l.Body, e)
}

// author is what host and program of a line mean.
type author struct {
	number uint64 // spoor.Line.Author
	origin uint64 // spoor.Event.Origin
	daemon daemon
}

func (p *Parser) author(l *spoor.Line) author {
	t := p.tag(l.Program)
	if !bytes.Equal(l.Host, p.host) {
		p.host = append(p.host[:0], l.Host...)
		p.hostHash = spoor.IDHash(l.Host)
	}
	return author{l.Author, p.hostHash ^ t.instance&(1<<spoor.InstanceBits-1), t.daemon}
}

// knownTag is a tag that was read before.
type knownTag struct {
	name string
	tag  tag
}

// maxTags bounds the tags that are remembered.
const maxTags = 1 << 12

// tag reads the program of a line.
func (p *Parser) tag(program []byte) tag {
	if len(program) == 0 {
		return tag{daemon: beside}
	}
	slot := &p.recent[(uint(len(program))*5+uint(program[len(program)-1]))%uint(len(p.recent))]
	if slot.name == string(program) {
		return slot.tag
	}
	known, ok := p.tags[string(program)] // no allocation
	if !ok {
		known.tag = readTag(program)
		if len(p.tags) >= maxTags {
			return known.tag
		}
		known.name = string(program)
		p.tags[known.name] = known
	}
	*slot = known
	return known.tag
}

// parseDaemon reads a line of a part of Postfix.
func (p *Parser) parseDaemon(d daemon, b []byte, e *spoor.Event) spoor.LineSort {
	switch d {
	case daemonSMTP, daemonLocal:
		return p.delivery(b, d, e)
	case daemonSMTPD:
		return smtpd(b, e)
	case daemonQmgr:
		return p.qmgr(b, e)
	case daemonCleanup:
		return p.cleanup(b, e)
	case daemonPickup:
		return pickup(b, e)
	case daemonBounce:
		return bounce(b, e)
	case daemonPostsuper:
		return postsuper(b, e)
	case daemonScreen:
		return postscreen(b, e)
	case daemonScript:
		return spoor.LineKnown
	default:
		return service(b, e)
	}
}

// parseBeside reads a line of a program beside Postfix.
func parseBeside(l *spoor.Line, e *spoor.Event) spoor.LineSort {
	program := l.Program
	if len(program) == 0 { // Dovecot's own log, its stamp of another form: auth: Info: …
		own := *l
		own.Program, own.Body, _ = bytes.Cut(l.Body, []byte(": "))
		sort, _ := mta.ParseLogin(&own, own.Program, e)
		return sort
	}
	program = lastElement(program)
	if sort, ok := mta.ParseLogin(l, program, e); ok {
		return sort
	}
	return mta.ParseFilter(l, program, e)
}

// lastElement is the name of a program without its path. Dovecot's own log has
// users and sessions in the tag, which may hold a slash:
//
//	imap(anna@example.com)<77><a/b+c>: Info: Logged out
func lastElement(program []byte) []byte {
	name := program
	if end := bytes.IndexAny(program, "(<"); end > 0 {
		name = program[:end]
	}
	return program[bytes.LastIndexByte(name, '/')+1:]
}
