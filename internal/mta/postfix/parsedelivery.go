package postfix

import (
	"bytes"

	"spoor"
	"spoor/internal/mta"
)

// delivery reads the end of an attempt (log_adhoc.c). The fields are read in
// their order, from the left: the answer, which is the receiver's, comes last and
// is not searched.
//
//	4C30BC0100: to=<eva@bigmail.test>, orig_to=<x@shop.test>, relay=127.0.0.1[127.0.0.1]:2525, conn_use=2, delay=0.02, delays=0/0.01/0/0.01, dsn=4.2.1, status=deferred (host … said: 450 …)
func (p *Parser) delivery(b []byte, d daemon, e *spoor.Event) spoor.LineSort {
	id, rest, ok := cutID(b)
	if !ok {
		return deliveryRemark(b, e)
	}
	to, ok := cut(rest, "to=")
	if !ok {
		return knownIf(deliveryNote(rest))
	}
	if e.Address, rest, ok = cutAddress(to); !ok {
		return spoor.LineUnknown
	}
	if orig, found := cut(rest, "orig_to="); found {
		if e.Parent, rest, ok = cutAddress(orig); !ok {
			return spoor.LineUnknown
		}
	}
	relay, rest, ok := cutRelay(rest)
	if !ok {
		return spoor.LineUnknown
	}
	status, ok := skipToStatus(rest)
	if !ok {
		return spoor.LineUnknown
	}
	setID(e, id)
	e.Hash, e.Domain = spoor.AddressHash(e.Address)
	e.Channel = spoor.ChannelRemote
	if d == daemonLocal {
		e.Channel = spoor.ChannelLocal
	}
	return p.outcome(status, relay, e)
}

// cutAddress takes an address and what separates it from the next field off: in
// brackets, or bare, as some format it. A local part may be quoted and hold
// anything; what follows the address is one of two fields.
func cutAddress(b []byte) (address, rest []byte, ok bool) {
	if len(b) == 0 {
		return nil, b, false
	}
	if b[0] != '<' {
		return cutBareAddress(b)
	}
	for from := afterQuoted(b, 1); ; {
		end := bytes.IndexByte(b[from:], '>')
		if end < 0 {
			return nil, b, false
		}
		end += from
		if rest, ok := cut(b[end+1:], ", "); ok && afterAddress(rest) {
			return b[1:end], rest, true
		}
		from = end + 1
	}
}

// afterAddress reports whether a field begins that may follow an address.
func afterAddress(b []byte) bool {
	return len(b) >= 6 && string(b[:6]) == "relay=" || len(b) >= 8 && string(b[:8]) == "orig_to="
}

// afterQuoted returns where a quoted string that begins at a place ends (RFC 5321
// §4.1.2); the place itself where there is none.
func afterQuoted(b []byte, at int) int {
	if at >= len(b) || b[at] != '"' {
		return at
	}
	for i := at + 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return at
}

func cutBareAddress(b []byte) (address, rest []byte, ok bool) {
	for from := 0; ; {
		end := bytes.Index(b[from:], []byte(", "))
		if end < 0 {
			return nil, b, false
		}
		end += from
		if afterAddress(b[end+2:]) {
			return b[:end], b[end+2:], true
		}
		from = end + 2
	}
}

// cutRelay takes the relay off.
func cutRelay(b []byte) (relay, rest []byte, ok bool) {
	relay, ok = cut(b, "relay=")
	if !ok {
		return nil, b, false
	}
	end := bytes.IndexByte(relay, ',') // no name, address or socket holds one
	if end < 0 || end+1 >= len(relay) || relay[end+1] != ' ' {
		return nil, b, false
	}
	return relay[:end], relay[end+2:], true
}

// skipToStatus passes over the fields between relay and status, which old
// versions lack in part.
//
//	conn_use=2, delay=0.02, delays=0/0.01/0/0.01, tls=dane, dsn=2.0.0, status=sent (250 2.0.0 Ok)
func skipToStatus(b []byte) (status []byte, ok bool) {
	for range 6 {
		switch {
		case len(b) == 0:
			return nil, false
		case b[0] == 's':
			return cut(b, "status=")
		case !beforeStatus(b):
			return nil, false
		}
		end := bytes.IndexByte(b, ' ')
		if end < 1 || b[end-1] != ',' {
			return nil, false
		}
		b = b[end+1:]
	}
	return nil, false
}

// beforeStatus reports whether a field that may stand between relay and status
// begins. Texts that stand in the code are compared as numbers.
func beforeStatus(b []byte) bool {
	n := len(b)
	return n >= 6 && string(b[:6]) == "delay=" || n >= 7 && string(b[:7]) == "delays=" || n >= 4 && string(b[:4]) == "dsn=" ||
		n >= 4 && string(b[:4]) == "tls=" || n >= 9 && string(b[:9]) == "conn_use="
}

// outcome reads status and answer.
//
//	sent (250 2.0.0 Ok: queued as 4FA8DC0101)
func (p *Parser) outcome(b, relay []byte, e *spoor.Event) spoor.LineSort {
	word := b
	if space := bytes.IndexByte(b, ' '); space >= 0 {
		word = b[:space]
		text, ok := cut(b[space:], " (")
		if !ok {
			return spoor.LineUnknown
		}
		e.Text, _ = cutSuffix(text, ")")
	}
	switch string(word) {
	case "sent":
		e.Kind = spoor.EventDelivered
		here := isHere(relay)
		e.Passed = passed(here, e)
		successor(here, e)
		return spoor.LineEvent
	case "deferred", "SOFTBOUNCE":
		e.Kind = spoor.EventDeferred
	case "bounced", "expired":
		e.Kind = spoor.EventFailed
	case "deliverable", "undeliverable", "undeliverable-but-not-cached":
		return spoor.LineKnown // of a probe (verify(8))
	default:
		return spoor.LineUnknown
	}
	e.Answer, e.Shape = p.answers.Classify(e.Text)
	return spoor.LineEvent
}

// successor sets the queue ID under which a message goes on here: behind a filter
// on this machine, or because local(8) forwarded it. A filter may quote an answer
// in its own; the last one is the MTA's.
//
//	250 2.6.0 Ok, id=01182-01, from MTA([127.0.0.1]:10025): 250 2.0.0 Ok: queued as 995DCD6C315
func successor(here bool, e *spoor.Event) {
	const queued = "queued as "
	if after, ok := cut(e.Text, "forwarded as "); ok && e.Channel == spoor.ChannelLocal {
		e.Related = idAt(after)
		return
	}
	if !here {
		return
	}
	if at := lastIndex(e.Text, queued); at >= 0 { // the filter may speak LMTP
		e.Related, e.Channel = idAt(e.Text[at+len(queued):]), spoor.ChannelRemote
	}
}

// passed reports whether a program of this machine has got a message that may hand it
// back: a filter, a list. One that keeps mailboxes is none.
//
//	relay=127.0.0.1[127.0.0.1]:10024, … status=sent (250 2.6.0 Ok, id=01182-01)
//	relay=filter, … status=sent (delivered via filter service)
//	relay=local, … status=sent (delivered to command: /usr/bin/mlmmj-receive …)
func passed(here bool, e *spoor.Event) bool {
	if here {
		return !mta.IsStored(e.Text)
	}
	if e.Channel != spoor.ChannelLocal {
		return false
	}
	if command, ok := cut(e.Text, "delivered to command: "); ok {
		return !mta.KeepsMailboxes(command)
	}
	service, ok := cut(e.Text, "delivered via ")
	return ok && !mta.KeepsMailboxes(service)
}

// isHere reports whether a relay is on this machine: name[address]:port or
// name[socket].
func isHere(relay []byte) bool {
	open := bytes.IndexByte(relay, '[')
	if open < 0 || open+1 == len(relay) {
		return false
	}
	switch relay[open+1] {
	case '1', ':', 'p', '/':
		return starts(relay[open+1:], "127.", "::1]", "private/", "public/", "/")
	}
	return false
}

// deliveryNote is a line about a message that ends nothing: another server is
// tried, or TLS is given up.
//
//	4C30BC0100: host mx.bigmail.test[203.0.113.9] said: 450 4.7.1 … (in reply to RCPT TO command)
func deliveryNote(b []byte) bool {
	return saysHost(b) || headerCheck(b) || starts(b, "lost connection with ", "conversation with ", "connect to ", "Cannot start TLS", "TLS is required", "Server certificate not ", "enabling PIX workarounds: ",
		"breaking line > ", "Protocol error: ", "Host or domain name not found", "Host not found", "unable to look up host ", "Name service error ", "mail for ",
		"SASL authentication failed", "SMTPUTF8 is required", "REQUIRETLS ", "Sender requested REQUIRETLS", "certificate verification failed for ", "server certificate verification failed for ",
		"passing <", "status=deferred (", "TLSA lookup error ", "delivery temporarily suspended", "None of the MX hosts ", "all network protocols are disabled")
}

// saysHost is what another server answered.
func saysHost(b []byte) bool {
	return starts(b, "host ") && (bytes.Contains(b, []byte(" said: ")) || bytes.Contains(b, []byte(" refused to talk to me: ")) || bytes.Contains(b, []byte(" offers ")))
}

// headerCheck is what header or body checks did (smtp_header_checks, cleanup(8)).
//
//	4FA8DC0101: replace: header Received: from x: Received: from y
func headerCheck(b []byte) bool {
	action, rest, ok := bytes.Cut(b, []byte(": "))
	if !ok || len(action) > len("milter-header-redirect") || !starts(rest, "header ", "body ", "content ", "mime-error ") {
		return false
	}
	switch string(action) {
	case "warning", "info", "warn", "replace", "prepend", "strip", "ignore", "hold", "filter", "redirect", "bcc", "delay", "pass", "dunno", "reject", "discard":
		return true
	}
	return starts(action, "milter-header-", "milter-body-")
}

// deliveryRemark is a line of a delivery agent about no message.
//
//	connect to mx.bigmail.test[203.0.113.9]:25: Connection refused
func deliveryRemark(b []byte, e *spoor.Event) spoor.LineSort {
	if saysHost(b) || starts(b, "connect to ", "Host offered STARTTLS: [", "Host or domain name not found", "lost connection with ", "conversation with ", "skipping SRV lookup for ",
		"discarding EHLO keywords: ", "Using ESMTP PIPELINING", "Using LMTP PIPELINING", "server features: ", "SMTPS wrappermode (TCP port 465) requires setting ", "unable to look up ", "Name service error ", "mail for ") {
		return spoor.LineKnown
	}
	return remark(b, e)
}
