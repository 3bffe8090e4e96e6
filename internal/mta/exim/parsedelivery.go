package exim

import (
	"bytes"

	"spoor"
	"spoor/internal/mta"
)

// delivery reads the end of an attempt (deliver.c). The recipient may be of
// anybody's choice, and the text comes last.
//
//	=> bob <bob@example.org> R=local_user T=mail_spool
//	=> olga@ok.test F=<anna@example.com> R=okdom T=to_ok H=mx.ok.test [192.0.2.1]:25 X=TLS1.3:… C="250 2.0.0 Ok"
//	== owner@bigmail.test <sales@shop.test> R=rest T=smtp defer (-44) H=mx.bigmail.test [192.0.2.1]: SMTP error from …
//	** raj@nouser.test R=lookup T=smtp H=mx.nouser.test [192.0.2.1]: SMTP error from remote mail server after RCPT TO:<raj@nouser.test>: 550 …
func (p *Parser) delivery(b []byte, kind spoor.EventKind, e *spoor.Event) spoor.LineSort {
	if sort, ok := discarded(b, e); ok {
		return sort
	}
	to, ok := cutTarget(b)
	if !ok {
		return spoor.LineUnknown
	}
	a := attempt{rest: to.rest}
	if !a.read() || kind == spoor.EventDelivered && (len(a.text) > 0 || a.route == nil && a.transport == nil) {
		return spoor.LineUnknown
	}
	if kind == spoor.EventDeferred && !a.deferred {
		return spoor.LineUnknown
	}
	e.Kind = kind
	e.Address, e.Parent = to.address, to.parent
	e.Hash, e.Domain = spoor.AddressHash(e.Address)
	e.Channel = a.channel(&to, kind)
	if kind == spoor.EventDelivered {
		e.Text = a.answer
		if a.remote && here(a.host) {
			e.Related = successor(a.answer)
		}
		e.Passed = a.passed(&to)
		return spoor.LineEvent
	}
	e.Text = a.text
	e.Idle = kind == spoor.EventDeferred && bytes.HasPrefix(a.text, []byte("retry time not reached"))
	e.Answer, e.Shape = p.answers.Classify(e.Text)
	return spoor.LineEvent
}

// discarded reads of messages without a recipient.
//
//	=> discarded (system filter)
//	=> blackhole (DATA ACL discarded recipients): no thanks
//	** mua_wrapper is set but recipients cannot all be delivered in one transaction
func discarded(b []byte, e *spoor.Event) (spoor.LineSort, bool) {
	switch {
	case bytes.HasPrefix(b, []byte("discarded (system filter)")), bytes.HasPrefix(b, []byte("blackhole ")):
		e.Kind, e.Text = spoor.EventRemoved, b
		return spoor.LineEvent, true
	case bytes.HasPrefix(b, []byte("mua_wrapper is set ")):
		return spoor.LineKnown, true
	}
	return spoor.LineUnknown, false
}

// target is an address as Exim logs it, with those it came from.
type target struct {
	address []byte
	parent  []byte // nil where it is the same mailbox
	inside  bool   // a file, a pipe, a reply or nothing: no address
	command []byte // of a pipe
	rest    []byte
}

// cutTarget reads an address, those between in brackets, and the one that was
// written.
//
//	bob <bob@example.org>
//	|/usr/bin/procmail (bob@example.org) <info@example.org>
//	:blackhole: <anna@example.com>
func cutTarget(b []byte) (to target, ok bool) {
	if to, ok = cutUnquoted(b); ok {
		return to, true
	}
	b = bytes.TrimLeft(b, " ") // of a local part without its quotes
	word, rest, ok := cutWord(b)
	if len(word) == 0 {
		return to, false
	}
	switch word[0] {
	case '|', '/', '>', ':':
		to.inside = true
	case '"':
		to.inside = len(word) > 1 && word[1] == '|'
	}
	if to.inside = to.inside || string(word) == "save"; to.inside {
		word, rest = cutInside(b)
		if command, ok := bytes.CutPrefix(bytes.TrimPrefix(word, []byte{'"'}), []byte{'|'}); ok {
			to.command = bytes.TrimLeft(command, " ")
		}
	} else if !ok {
		return to, false
	}
	if before, found := bytes.CutSuffix(word, []byte{':'}); found && len(rest) > 0 && !to.inside { // ** a@b.test: retry timeout exceeded
		word, rest = before, b[len(before):]
	}
	to.address, to.rest = word, rest
	if through, found := cut(to.rest, " ("); found {
		end := bytes.IndexByte(through, ')')
		if end < 0 {
			return to, false
		}
		to.rest = through[end+1:]
	}
	written, found := cut(to.rest, " <")
	if !found {
		return to, true
	}
	written, to.rest, ok = cutAngle(written)
	to.take(written)
	return to, ok
}

// cutUnquoted reads an address whose local part needs quotes: Exim logs it
// without, and with them behind it. So what stands first may look like anything.
//
//	a R=b T=c@far.test <"a R=b T=c"@far.test> R=lookup T=smtp …
func cutUnquoted(b []byte) (to target, ok bool) {
	if at := bytes.IndexByte(b, '<'); at < 0 || !bytes.Contains(b[max(0, at-1):], []byte(` <"`)) { // faster than from the right
		return to, false
	}
	for end := len(b); end > 0; {
		if end = bytes.LastIndex(b[:end], []byte(` <"`)); end < 0 {
			break
		}
		if written, rest, found := cutAngle(b[end+2:]); found && isUnquoted(b[:end], written) {
			return target{address: written, rest: rest}, true
		}
	}
	return to, false
}

// isUnquoted reports whether a text is an address without its quotes. It may be in
// lower case: routers look at local parts so, unless caseful_local_part is set.
func isUnquoted(text, address []byte) bool {
	local, domain, ok := cutQuoted(address[1:])
	at := len(text) - len(domain)
	if !ok || at < 0 || !bytes.EqualFold(text[at:], domain) {
		return false
	}
	text = text[:at]
	for i := 0; i < len(local); i++ {
		if local[i] == '\\' && i+1 < len(local) {
			i++
		}
		if len(text) == 0 || lowerByte(text[0]) != lowerByte(local[i]) {
			return false
		}
		text = text[1:]
	}
	return len(text) == 0
}

func lowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}

// cutInside takes a file or a command off, which may hold blanks: a recipient
// follows.
func cutInside(b []byte) (word, rest []byte) {
	end := len(b)
	for _, next := range [...]string{" <", " (", " R=", " T=", ": "} {
		if at := bytes.Index(b[:end], []byte(next)); at > 0 {
			end = at
		}
	}
	return b[:end], b[end:]
}

// take sets the address that was written: the recipient's own where the other is
// its mailbox, else the one that was replaced.
func (to *target) take(written []byte) {
	name := written
	if at := bytes.LastIndexByte(written, '@'); at >= 0 {
		name = written[:at]
	}
	if to.inside || bytes.EqualFold(name, to.address) || bytes.EqualFold(written, to.address) {
		to.address = written
		return
	}
	to.parent = written
}

// attempt is what a line says of a delivery behind the recipient.
type attempt struct {
	rest             []byte
	route, transport []byte
	host             []byte // address of the other server
	answer           []byte // C=: what it said when all was well
	text             []byte
	remote, deferred bool
}

// read reads to the end of the line. What is no field begins the text.
func (a *attempt) read() bool {
	for len(a.rest) > 0 {
		b := a.rest
		switch next := b[min(1, len(b)-1)]; {
		case next == ' ' || next == ':':
			if text, ok := cutEither(b, ": ", " : "); ok {
				a.text, a.rest = text, nil
				return true
			}
		case next == 'd' && !a.deferred:
			if code, ok := cut(b, " defer ("); ok {
				end := bytes.IndexByte(code, ')')
				if end < 0 {
					return false
				}
				a.deferred, a.rest = true, code[end+1:]
				continue
			}
		}
		if !a.field(b) {
			return false
		}
	}
	return true
}

// field reads the field at the start of b. Those that nearly all lines have come
// first; short texts that stand in the code are compared as numbers.
func (a *attempt) field(b []byte) (ok bool) {
	if len(b) < 4 {
		return a.otherField(b)
	}
	switch string(b[:3]) {
	case " R=":
		a.route, a.rest, ok = cutDriver(b[3:])
		return ok
	case " T=":
		a.transport, a.rest, ok = cutDriver(b[3:])
		return ok
	case " H=":
		if h := (hostField{text: b[3:]}); h.next() {
			a.host, a.rest, a.remote = h.address, h.rest, true
			return true
		}
	case " C=":
		if b[3] == '"' {
			if a.answer, a.rest, ok = cutQuoted(b[4:]); !ok { // cut by a logger
				a.rest = nil
			}
			return true
		}
	case " F=", " P=":
		if b[3] == '<' {
			_, a.rest, ok = cutAngle(b[4:])
			return ok
		}
	}
	return a.otherField(b)
}

// otherField reads a field of any other name, or what Exim writes between fields.
func (a *attempt) otherField(b []byte) (ok bool) {
	switch {
	case len(b) > 1 && b[1] >= 'A' && b[1] <= 'Z': // most
		a.rest, ok = cutField(b)
	case bytes.HasPrefix(b, []byte(" routing")):
		a.rest, ok = b[len(" routing"):], true
	case bytes.HasPrefix(b, []byte(" (")): // of a shadow transport
		end := bytes.IndexByte(b, ')')
		a.rest, ok = b[end+1:], end > 0
	case bytes.HasPrefix(b, []byte(" mua_wrapper ")), bytes.HasPrefix(b, []byte(" yielded a ")):
		a.text, a.rest, ok = b[1:], nil, true
	default:
		a.rest, ok = cutField(b)
	}
	return ok
}

// cutDriver takes the name of a router or transport off.
func cutDriver(b []byte) (name, rest []byte, ok bool) {
	n := 0
	for n < len(b) && b[n] != ' ' && b[n] != ':' {
		n++
	}
	return b[:n], b[n:], n > 0
}

// channel tells where a delivery went. Where none was tried the transport may be
// of either kind, and the text tells: it speaks of hosts and connections.
func (a *attempt) channel(to *target, kind spoor.EventKind) spoor.Channel {
	switch {
	case a.remote:
		return spoor.ChannelRemote
	case kind == spoor.EventDelivered, to.inside, bytes.IndexByte(to.address, '@') < 0:
		return spoor.ChannelLocal
	case a.transport == nil:
		return spoor.ChannelUndecided
	}
	for _, word := range [...]string{"host", "onnection", "etwork", "SMTP", "o route to", "MX", "timed out", "queue_smtp"} {
		if bytes.Contains(a.text, []byte(word)) {
			return spoor.ChannelRemote
		}
	}
	return spoor.ChannelLocal
}

// passed reports whether a program of this machine has got a message that may hand it
// back: a filter, a list. Transports to mailboxes, files and automatic replies are
// known by their usual names.
func (a *attempt) passed(to *target) bool {
	if a.remote {
		return here(a.host) && !mta.IsStored(a.answer)
	}
	if to.command != nil {
		return !mta.KeepsMailboxes(to.command)
	}
	for _, words := range [...]string{"deliver", "mail_spool", "maildir", "lmtp", "dovecot", "cyrus", "procmail", "maildrop", "address_file", "address_directory", "address_reply"} {
		if bytes.Contains(a.transport, []byte(words)) {
			return false
		}
	}
	return true
}

// here reports whether an address is of this machine.
func here(address []byte) bool {
	return bytes.HasPrefix(address, []byte("127.")) || string(address) == "::1"
}

// successor is the message ID in the answer of a filter on this machine that
// hands the message back.
//
//	250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 OK id=1ssnh0-0000yl-2f
func successor(answer []byte) []byte {
	at := bytes.LastIndex(answer, []byte("id="))
	if at < 0 {
		return nil
	}
	id := answer[at+len("id="):]
	for _, n := range [...]int{newID, oldID} {
		if len(id) >= n && isID(id[:n]) && (len(id) == n || digit62(id[n]) < 0 && id[n] != '-') {
			return id[:n]
		}
	}
	return nil
}
