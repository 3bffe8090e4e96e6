package postfix

import (
	"bytes"

	"spoor"
)

// smtpd reads the SMTP server: who hands over which message, who was refused, and
// who failed to log in.
//
//	4FA8DC0101: client=client2.isp.test[198.51.100.2], sasl_method=PLAIN, sasl_username=anna@example.com
//	NOQUEUE: reject: RCPT from unknown[192.0.2.4]: 450 4.7.25 Client host rejected: …; from=<a@x.test> to=<b@y.test> proto=ESMTP helo=<x>
//	warning: client2.isp.test[198.51.100.2]: SASL LOGIN authentication failed: UGFzc3dvcmQ6
func smtpd(b []byte, e *spoor.Event) spoor.LineSort {
	if len(b) == 0 {
		return spoor.LineUnknown
	}
	switch b[0] {
	case 'c':
		if starts(b, "connect from ") {
			return spoor.LineKnown
		}
	case 'd':
		if starts(b, "disconnect from ") {
			return spoor.LineKnown
		}
	case 'w':
		if rest, ok := cut(b, "warning: "); ok {
			return smtpdWarning(b, rest, e)
		}
	}
	id, rest, ok := cutID(b)
	if !ok {
		return smtpdRemark(b, e)
	}
	isMessage := string(id) != noQueue
	if client, ok := cut(rest, "client="); ok {
		if !isMessage {
			return spoor.LineKnown // a filter before the queue has it; the message comes back
		}
		setID(e, id)
		return submitted(client, e)
	}
	if isMessage {
		setID(e, id)
	}
	return smtpdAction(rest, e)
}

// submitted reads what follows "client=", in the order of smtpd.c: each field may
// be absent. A login may hold blanks and commas, and is the only one that may.
//
//	localhost[127.0.0.1], sasl_method=PLAIN, sasl_username=anna@example.com, orig_queue_id=4FA8DC0101, orig_client=h.test[198.51.100.2]
func submitted(b []byte, e *spoor.Event) spoor.LineSort {
	address, rest, ok := clientAt(b)
	if !ok {
		return spoor.LineUnknown
	}
	e.Client = address
	if !plainLogin(rest) {
		rest = cutForwarded(rest, e)
	}
	if e.Account, ok = cutLogin(rest); !ok {
		return spoor.LineUnknown
	}
	e.Kind = spoor.EventSubmitted
	setClock(e)
	return spoor.LineEvent
}

// plainLogin reports whether no field follows that of the account: there is none,
// or its comma is the last, and that of a sender does not come before.
func plainLogin(b []byte) bool {
	last := max(0, bytes.LastIndexByte(b, ','))
	return len(b) == 0 || starts(b[last:], saslUser) && (last == 0 || bytes.IndexByte(b[1:], ',') == last-1 || !bytes.Contains(b, []byte(saslSender)))
}

// cutForwarded takes the fields behind the account off: of a client and a message
// that a filter has handed on.
func cutForwarded(rest []byte, e *spoor.Event) []byte {
	if at := quotedSender(rest); at >= 0 {
		return rest[:at]
	}
	if head, client, ok := cutOrigClient(rest); ok {
		rest, e.Client = head, client
	}
	if at := lastIndex(rest, origQueueID); at >= 0 && isID(rest[at+len(origQueueID):]) {
		e.Related, rest = rest[at+len(origQueueID):], rest[:at]
	}
	if at := lastIndex(rest, saslSender); at >= 0 && bytes.IndexByte(rest[at+2:], ' ') < 0 { // xtext (RFC 3461 §4)
		rest = rest[:at]
	}
	return rest
}

// quotedSender finds a sender of AUTH= that may hold blanks, and so whatever looks like
// a field; or -1. Whoever has logged in chooses it, and Postfix takes it as it is: a
// blank that is no end stands behind a quote, an angle bracket or a backslash
// (smtpd_token.c).
//
//	, sasl_method=PLAIN, sasl_username=anna@example.com, sasl_sender="x, orig_queue_id=4FA8DC0101
func quotedSender(b []byte) int {
	at := bytes.Index(b, []byte(saslSender))
	if at < 0 {
		return -1
	}
	word, _, _ := bytes.Cut(b[at+len(saslSender):], []byte{' '})
	if !bytes.ContainsAny(word, `"<\`) {
		return -1
	}
	return at
}

// cutLogin reads method and account, which must be all that is left.
func cutLogin(b []byte) (account []byte, ok bool) {
	if method, ok := cut(b, saslMethod); ok {
		end := bytes.Index(method, []byte(saslUser))
		if end < 0 {
			return nil, bytes.IndexByte(method, ' ') < 0
		}
		return method[end+len(saslUser):], bytes.IndexByte(method[:end], ' ') < 0
	}
	if account, ok = cut(b, saslUser); ok {
		return account, true
	}
	return nil, len(b) == 0
}

const (
	saslMethod  = ", sasl_method="
	saslUser    = ", sasl_username="
	saslSender  = ", sasl_sender="
	origQueueID = ", orig_queue_id="
	origClient  = ", orig_client="
)

// cutOrigClient takes the client that a filter has forwarded (XFORWARD) off the
// end.
func cutOrigClient(b []byte) (rest, address []byte, ok bool) {
	at := lastIndex(b, origClient)
	if at < 0 {
		return b, nil, false
	}
	address, after, ok := clientAt(b[at+len(origClient):])
	if !ok || len(after) > 0 {
		return b, nil, false
	}
	return b[:at], address, true
}

// smtpdAction reads a decision about a client or a message, or how its session
// ended (log_whatsup() of smtpd_check.c).
//
//	reject: RCPT from unknown[192.0.2.4]: 554 5.7.1 <b@y.test>: Relay access denied; from=<a@x.test> to=<b@y.test> proto=ESMTP helo=<x>
//	lost connection after DATA (1234 bytes) from unknown[192.0.2.4]
func smtpdAction(b []byte, e *spoor.Event) spoor.LineSort {
	colon := bytes.Index(b, []byte(": "))
	if colon < 0 || colon > len("reply filter out") {
		return knownIf(sessionEnds(b) || starts(b, "status=deferred (") || isQMQP(b))
	}
	switch string(b[:colon]) {
	case "reject", "milter-reject", "hangup":
		return rejected(b, b[colon+2:], e)
	case "discard", "milter-discard":
		if len(e.ID) == 0 {
			return spoor.LineKnown
		}
		return removed(b, b[colon+2:], e)
	case "reject_warning", "hold", "redirect", "filter", "prepend", "warn", "info", "bcc", "delay", "permit", "milter-hold",
		"proxy-accept", "proxy-reject", "replace", "abort", "reply filter in", "reply filter out", "trigger", "strip", "dunno":
		return spoor.LineKnown
	}
	return knownIf(sessionEnds(b) || isQMQP(b))
}

// isQMQP is how a session of qmqpd(8) ends early.
//
//	4FA8DC0101: h.test[192.0.2.4]: lost connection while receiving sender
func isQMQP(b []byte) bool {
	_, rest, ok := clientAt(b)
	return ok && starts(rest, ": ") && bytes.Contains(rest, []byte(" while "))
}

// proxied reads that a filter before the queue (smtpd_proxy_filter) has taken a
// message of a login, and under which ID it came back. The line that says where it
// came from (NOQUEUE: client=) has no ID, and that with the ID no login. The answer
// is the filter's; sender and recipient are the client's, and a name in helo= cannot
// hold a blank or a bracket (smtpd.c, NEUTER_CHARACTERS).
//
//	END-OF-MESSAGE: 250 2.0.0 Ok: queued as 78FF798CAD2; from=<alice@shop.example> to=<m@far.example> proto=ESMTP helo=<pc.example> sasl_username=<alice>
func proxied(b []byte, e *spoor.Event) spoor.LineSort {
	answer, rest, ok := bytes.Cut(b, []byte("; from=<"))
	at := lastIndex(rest, " proto=")
	queued := lastIndex(answer, "queued as ")
	if !ok || at < 0 || queued < 0 {
		return spoor.LineKnown
	}
	_, account, ok := bytes.Cut(rest[at:], []byte(" sasl_username=<"))
	account, closed := cutSuffix(account, ">")
	id := idAt(answer[queued+len("queued as "):])
	if !ok || !closed || len(account) == 0 || len(id) == 0 {
		return spoor.LineKnown // nobody had logged in
	}
	setID(e, id)
	e.Kind, e.Account = spoor.EventProxied, account
	return spoor.LineEvent
}

// rejected is a refusal. One at the end of a message that has a queue ID takes
// the message away; one before that is of a recipient or of the client.
func rejected(whole, b []byte, e *spoor.Event) spoor.LineSort {
	if len(e.ID) > 0 && starts(b, "END-OF-MESSAGE ", "DATA ", "BDAT ", "END-OF-DATA ") {
		return removed(whole, b, e)
	}
	return refused(whole, b, e)
}

// removed is a message that was taken away before it was in the queue.
func removed(whole, b []byte, e *spoor.Event) spoor.LineSort {
	sort := refused(whole, b, e)
	e.Kind = spoor.EventRemoved
	return sort
}

// refused reads who was refused: the words before the first "from" are Postfix'.
func refused(whole, b []byte, e *spoor.Event) spoor.LineSort {
	at := bytes.Index(b, []byte(" from "))
	if at < 0 || at > len("END-OF-MESSAGE") {
		return spoor.LineUnknown
	}
	address, rest, ok := clientAt(b[at+len(" from "):])
	if !ok || len(rest) == 0 || rest[0] != ':' && rest[0] != ';' {
		return spoor.LineUnknown
	}
	e.Kind, e.Client, e.Text = spoor.EventRejected, address, whole
	return spoor.LineEvent
}

// sessionEnds is how a session ends that was not closed by QUIT.
func sessionEnds(b []byte) bool {
	return starts(b, "lost connection after ", "timeout after ", "too many errors after ", "hangup after ") && bytes.Contains(b, []byte(" from "))
}

// smtpdRemark is a line of smtpd about no message.
func smtpdRemark(b []byte, e *spoor.Event) spoor.LineSort {
	switch b[0] {
	case 'l', 't', 'h':
		if sessionEnds(b) {
			return spoor.LineKnown
		}
	case 'i':
		if starts(b, "improper command pipelining after ") {
			return spoor.LineKnown
		}
	case 'r': // Postfix 1
		if text, ok := cut(b, "reject: "); ok {
			return rejected(b, text, e)
		}
	case 'p':
		if text, ok := cut(b, "proxy-accept: "); ok {
			return proxied(text, e)
		}
		if starts(b, "proxy-reject: ") {
			return spoor.LineKnown
		}
	case 'd':
		if starts(b, "discarding EHLO keywords: ") {
			return spoor.LineKnown
		}
	case 'm':
		if starts(b, "mapping DSN status ") {
			return spoor.LineKnown
		}
	case 's':
		if starts(b, "sasl_exceptions: ") {
			return spoor.LineKnown
		}
	}
	return remark(b, e)
}
