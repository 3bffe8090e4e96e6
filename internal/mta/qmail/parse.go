package qmail

import (
	"bytes"

	"spoor"
	"spoor/internal/mta"
)

// Parser reads the log of a qmail server, with or without Plesk: qmail-send and
// its kin through splogger(8) or multilog, tcpserver, Plesk's handlers,
// relaylock and smtp_auth, and the mailbox servers beside them. It implements
// mta.Parser.
//
// What it returns aliases the line, or memory of the Parser that is never
// overwritten.
type Parser struct {
	cut      []byte            // text of the last line that splogger may have cut
	cutStamp spoor.Stamp       // of that line
	handover int               // PID whose first recipient was told
	accounts map[string][]byte // addresses that were put together
	answers  *mta.Classifier
}

// NewParser returns a parser.
func NewParser() *Parser {
	return &Parser{accounts: map[string][]byte{}, answers: mta.NewClassifier(), handover: -1}
}

// Reset forgets the line before: what comes next is from elsewhere.
func (p *Parser) Reset() { p.cut, p.cutStamp, p.handover = p.cut[:0], 0, -1 }

// Parse implements mta.Parser. The program decides first.
func (p *Parser) Parse(l *spoor.Line, e *spoor.Event) spoor.LineSort {
	e.PID, e.UID = -1, -1
	program := l.Program
	if slash := bytes.LastIndexByte(program, '/'); slash >= 0 && program[0] == '/' {
		program = program[slash+1:]
	}
	switch string(program) { // no allocation: the compiler compares in place
	case "qmail", "qmail-send", "qmail/send":
		return p.qmail(l, e)
	case "", "smtpd", "qmail-smtpd", "qmail/smtpd", "tcpserver", "smtp", "submission", "smtps":
		return p.qmail(l, e)
	case "qmail-queue-handlers":
		return p.envelope(l, e)
	case "qmail-remote-handlers", "qmail-local-handlers":
		return handlers(l, e)
	case "smtp_auth":
		return p.smtpAuth(l.Body, int32(l.PID), e)
	case "relaylock":
		return relaylock(l.Body, e)
	}
	return p.others(l, program, e)
}

// others are programs that are named in more ways, and rarer.
func (p *Parser) others(l *spoor.Line, program []byte, e *spoor.Event) spoor.LineSort {
	if sort, ok := mta.ParseLogin(l, program, e); ok {
		return sort
	}
	switch {
	case string(program) == "plesk_saslauthd":
		return mta.ParseFilter(l, program, e)
	case string(program) == "vpopmail":
		return vpopmail(l.Body, e)
	case string(program) == "spamdyke":
		return spamdyke(l.Body, e)
	case bytes.HasPrefix(program, []byte("qmail-scanner")): // a filter
		return spoor.LineKnown
	case bytes.HasPrefix(program, []byte("qmail")), bytes.HasPrefix(program, []byte("psa-pc-remote")):
		return handlers(l, e)
	case bytes.HasPrefix(l.Program, []byte("/usr/lib")) && bytes.Contains(l.Program, []byte("/plesk-9.0/")):
		return spoor.LineKnown
	}
	for _, filter := range [...]string{"spamd", "clamd", "drwebd", "drweb", "spamassassin", "greylist", "splogger", "vchkpw"} {
		if string(program) == filter {
			return spoor.LineKnown
		}
	}
	return spoor.LineForeign
}

// digits reads decimal digits.
func digits(b []byte) (n uint64, rest []byte) {
	i := 0
	for i < len(b) && '0' <= b[i] && b[i] <= '9' && i < 19 {
		n = n*10 + uint64(b[i]-'0')
		i++
	}
	return n, b[i:]
}

// after returns what follows a prefix.
func after(b []byte, prefix string) ([]byte, bool) {
	if len(b) < len(prefix) || string(b[:len(prefix)]) != prefix {
		return b, false
	}
	return b[len(prefix):], true
}

// stamp reads the time that splogger writes before each line: seconds and
// microseconds since 1970. ok is false where there is none.
func stamp(b []byte) (at spoor.Stamp, rest []byte, ok bool) {
	seconds, rest := digits(b)
	if len(b)-len(rest) < 9 || len(rest) < 8 || rest[0] != '.' {
		return 0, b, false
	}
	micros, tail := digits(rest[1:])
	if len(rest)-1-len(tail) != 6 || len(tail) == 0 {
		return 0, b, false
	}
	return spoor.Stamp(seconds*1e6 + micros), tail, true
}

// qmail reads a line of qmail-send or of another program that splogger or
// multilog writes for.
//
//	qmail: 1795433538.006585 new msg 966995
func (p *Parser) qmail(l *spoor.Line, e *spoor.Event) spoor.LineSort {
	body := l.Body
	at, rest, ok := stamp(body)
	switch {
	case ok && rest[0] == ' ':
		body, e.Time, e.Exact = rest[1:], at, true
	case ok && rest[0] == '+':
		return p.continued(at, rest[1:], e)
	default:
		e.Time, e.Exact = l.Time, len(l.Program) == 0 && l.Time != 0
	}
	sort := p.text(body, e)
	if ok && len(body) >= sploggerText {
		p.cut, p.cutStamp = append(p.cut[:0], body...), at
		if sort == spoor.LineUnknown {
			return spoor.LineCut
		}
	}
	return sort
}

// sploggerText is about how much of a line splogger(8) writes at once; the rest
// follows in lines of the same stamp, with + for the blank.
const sploggerText = 770

// maxJoined bounds a line that is put together again.
const maxJoined = 8 << 10

// continued puts a cut line together again. If the first part was understood by
// itself, the rest adds nothing that counts.
//
//	qmail: 1795433538.006585+ple.com> qp 24079 uid 10003
func (p *Parser) continued(at spoor.Stamp, rest []byte, e *spoor.Event) spoor.LineSort {
	if at != p.cutStamp || len(p.cut) == 0 || len(p.cut)+len(rest) > maxJoined {
		return spoor.LineKnown
	}
	whole := append(bytes.Clone(p.cut), rest...)
	var first spoor.Event
	if p.text(p.cut, &first) != spoor.LineUnknown {
		return spoor.LineKnown
	}
	p.cut = append(p.cut[:0], whole...)
	e.Time, e.Exact = at, true
	sort := p.text(whole, e)
	if sort == spoor.LineUnknown && len(rest) >= sploggerText {
		return spoor.LineCut
	}
	return sort
}

// text reads the words of a line without its stamps.
func (p *Parser) text(b []byte, e *spoor.Event) spoor.LineSort {
	if len(b) < 4 {
		return spoor.LineUnknown
	}
	switch b[0] {
	case 's':
		if b[2] == 'a' && b[3] == 't' {
			return status(b, e)
		}
		return attempt(b, e)
	case 'd':
		return p.outcome(b, e)
	case 'i':
		return accepted(b, e)
	case 'e':
		return ended(b, e)
	case 'b':
		return bounceMade(b, e)
	case 'n':
		if rest, ok := after(b, "new msg "); ok && isNumber(rest) {
			return spoor.LineKnown
		}
	case 't':
		if bytes.HasPrefix(b, []byte("triple bounce: ")) {
			return spoor.LineKnown
		}
	case 'w', 'a':
		return trouble(b, e)
	}
	return smtp(b, e)
}

func isNumber(b []byte) bool {
	_, rest := digits(b)
	return len(b) > 0 && len(rest) == 0
}

// status reads the load.
//
//	status: local 0/10 remote 3/20
//	status: exiting
func status(b []byte, e *spoor.Event) spoor.LineSort {
	rest, ok := after(b, "status: ")
	if !ok {
		return spoor.LineUnknown
	}
	if string(rest) == "exiting" {
		e.Kind = spoor.EventStopped
		return spoor.LineEvent
	}
	rest, ok = after(rest, "local ")
	if !ok {
		return smtp(b, e)
	}
	var local, remote bool
	e.Load.Local, e.Load.LocalMax, rest, local = ratio(rest)
	rest, ok = after(rest, " remote ")
	e.Load.Remote, e.Load.RemoteMax, rest, remote = ratio(rest)
	if rest = moreChannels(rest); !ok || !local || !remote || len(rest) > 0 && string(rest) != " exitasap" {
		return spoor.LineUnknown
	}
	e.Kind = spoor.EventStatus
	return spoor.LineEvent
}

// moreChannels reads the channels for remote mail that a patch adds.
//
//	status: local 0/10 remote 3/20 suppl0 0/20 suppl1 0/20
func moreChannels(b []byte) (rest []byte) {
	for {
		word, ok := after(b, " suppl")
		if !ok {
			return b
		}
		_, word = digits(word)
		if word, ok = after(word, " "); !ok {
			return b
		}
		if _, _, b, ok = ratio(word); !ok {
			return b
		}
	}
}

// ratio reads 3/20.
func ratio(b []byte) (n, of int32, rest []byte, ok bool) {
	first, rest := digits(b)
	if len(rest) == len(b) || len(rest) < 2 || rest[0] != '/' {
		return 0, 0, b, false
	}
	second, tail := digits(rest[1:])
	return int32(first), int32(second), tail, len(tail) < len(rest)-1
}

// attempt reads the beginning of a delivery.
//
//	starting delivery 7: msg 966996 to remote betty.green295@aol.example
func attempt(b []byte, e *spoor.Event) spoor.LineSort {
	rest, ok := after(b, "starting delivery ")
	if !ok {
		return smtp(b, e)
	}
	e.Delivery, rest = digits(rest)
	if rest, ok = after(rest, ": msg "); !ok {
		return spoor.LineUnknown
	}
	var tail []byte
	e.Key, tail = digits(rest)
	e.ID = rest[:len(rest)-len(tail)]
	if address, ok := after(tail, " to remote "); ok {
		e.Channel, e.Address = spoor.ChannelRemote, address
	} else if address, ok := after(tail, " to local "); ok {
		e.Channel, e.Address = spoor.ChannelLocal, address
	} else if name, ok := after(tail, " to suppl"); ok {
		_, name = digits(name)
		if e.Address, ok = after(name, " "); !ok {
			return spoor.LineUnknown
		}
		e.Channel = spoor.ChannelRemote
	} else {
		return spoor.LineUnknown
	}
	if len(e.ID) == 0 {
		return spoor.LineUnknown
	}
	e.Kind = spoor.EventAttempt
	e.Hash, e.Domain = spoor.AddressHash(e.Address)
	return spoor.LineEvent
}

// outcome reads the end of a delivery. What follows the first word is the remote
// server's and may hold anything.
//
//	delivery 576: success: did_0+1+0/qp_24869/
//	delivery 5: deferral: 127.0.0.1_does_not_like_recipient./Remote_host_said:_451_4.7.1_…/Giving_up_on_127.0.0.1./
func (p *Parser) outcome(b []byte, e *spoor.Event) spoor.LineSort {
	rest, ok := after(b, "delivery ")
	if !ok {
		if bytes.HasPrefix(b, []byte("double bounce: ")) {
			return spoor.LineKnown
		}
		return smtp(b, e)
	}
	e.Delivery, rest = digits(rest)
	if rest, ok = after(rest, ": "); !ok {
		return spoor.LineUnknown
	}
	if answer, ok := after(rest, "success: "); ok {
		e.Kind, e.Text = spoor.EventDelivered, answer
		return spoor.LineEvent
	}
	if answer, ok := after(rest, "deferral: "); ok {
		e.Kind, e.Text = spoor.EventDeferred, answer
	} else if answer, ok := after(rest, "failure: "); ok {
		e.Kind, e.Text = spoor.EventFailed, answer
	} else if bytes.HasPrefix(rest, []byte("report mangled, will defer")) {
		e.Kind, e.Text = spoor.EventDeferred, rest
	} else {
		return spoor.LineUnknown
	}
	e.Answer, e.Shape = p.answers.Classify(e.Text)
	return spoor.LineEvent
}

// accepted reads a message that entered the queue. The sender may hold blanks
// and brackets, so the words behind it are looked for from the end.
//
//	info msg 966995: bytes 1365 from <ivan.lopez@corpmx.example> qp 24079 uid 10003
func accepted(b []byte, e *spoor.Event) spoor.LineSort {
	rest, ok := after(b, "info msg ")
	if !ok {
		return smtp(b, e)
	}
	var tail []byte
	e.Key, tail = digits(rest)
	e.ID = rest[:len(rest)-len(tail)]
	if rest, ok = after(tail, ": bytes "); !ok || len(e.ID) == 0 {
		return spoor.LineUnknown
	}
	size, rest := digits(rest)
	if rest, ok = after(rest, " from <"); !ok {
		return spoor.LineUnknown
	}
	end := bytes.LastIndex(rest, []byte("> qp "))
	if end < 0 {
		return spoor.LineUnknown
	}
	var pid, uid uint64
	pid, tail = digits(rest[end+len("> qp "):])
	if tail, ok = after(tail, " uid "); !ok {
		return spoor.LineUnknown
	}
	uid, tail = digits(tail)
	if len(tail) > 0 && tail[0] != ' ' {
		return spoor.LineUnknown
	}
	e.Kind, e.Address, e.Size, e.PID, e.UID = spoor.EventAccepted, rest[:end], int64(size), int32(pid), int32(uid)
	e.Hash, e.Domain = spoor.AddressHash(e.Address)
	return spoor.LineEvent
}

// ended reads the end of a message.
//
//	end msg 966995
func ended(b []byte, e *spoor.Event) spoor.LineSort {
	id, ok := after(b, "end msg ")
	if !ok {
		return smtp(b, e)
	}
	if !isNumber(id) {
		return spoor.LineUnknown
	}
	e.Kind, e.ID = spoor.EventEnded, id
	e.Key, _ = digits(id)
	return spoor.LineEvent
}

// bounceMade reads that a bounce was queued.
//
//	bounce msg 967224 qp 24801
func bounceMade(b []byte, e *spoor.Event) spoor.LineSort {
	rest, ok := after(b, "bounce msg ")
	if !ok {
		return smtp(b, e)
	}
	var tail []byte
	e.Key, tail = digits(rest)
	e.ID = rest[:len(rest)-len(tail)]
	tail, ok = after(tail, " qp ")
	if !ok || !isNumber(tail) || len(e.ID) == 0 {
		return spoor.LineUnknown
	}
	pid, _ := digits(tail)
	e.Kind, e.PID = spoor.EventBounced, int32(pid)
	return spoor.LineEvent
}

// trouble reads what qmail warns of.
//
//	warning: trouble opening remote/19/966995; will try again later
//	alert: unable to append to bounce message; HELP! sleeping...
func trouble(b []byte, e *spoor.Event) spoor.LineSort {
	if !bytes.HasPrefix(b, []byte("warning: ")) && !bytes.HasPrefix(b, []byte("alert: ")) {
		return smtp(b, e)
	}
	e.Kind, e.Text, e.Shape = spoor.EventTrouble, b, mta.Shape(b)
	return spoor.LineEvent
}
