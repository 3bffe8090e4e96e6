package exim

import (
	"bytes"

	"spoor"
	"spoor/internal/mta"
)

// session reads what is of no message in the queue, or ends nothing of it:
// clients, commands, queue runs, trouble.
func (p *Parser) session(b []byte, e *spoor.Event) spoor.LineSort {
	b = bytes.TrimPrefix(bytes.TrimPrefix(b, []byte(" ")), []byte("DS ")) // +dnssec
	if _, rest, ok := cutID(b); ok {                                      // of local_scan(), which is told it again
		b = rest
	}
	if rest, ok := cut(b, "cwd="); ok {
		return command(rest, e)
	}
	if rest, ok := cut(b, "H="); ok {
		return hostLine(rest, e)
	}
	if sort := refusal(b, e); sort != spoor.LineUnknown {
		return sort
	}
	if begins(b, troubles[:]) {
		return trouble(b, e)
	}
	if rest, ok := cut(b, "SMTP connection identification "); ok {
		return identified(rest, e)
	}
	if begins(b, remarks[:]) {
		if rest, ok := cut(b, "no MAIL in "); ok {
			return idle(rest, e)
		}
		return spoor.LineKnown
	}
	if rest, ok := cut(b, "U="); ok {
		return identLine(rest, e)
	}
	if sender, ok := cut(b, "F="); ok {
		return senderLine(sender, e)
	}
	if sort := authentication(b, e); sort != spoor.LineUnknown {
		return sort
	}
	return named(b, e)
}

func trouble(b []byte, e *spoor.Event) spoor.LineSort {
	e.Kind, e.Text, e.Shape = spoor.EventTrouble, b, mta.Shape(b)
	return spoor.LineEvent
}

func rejected(client, text []byte, e *spoor.Event) spoor.LineSort {
	e.Kind, e.Client, e.Text = spoor.EventRejected, client, text
	return spoor.LineEvent
}

// hostLine reads a line that begins with a host: a client that an access control
// list speaks of, or a server that is tried.
//
//	H=mx.example.net (mail) [192.0.2.7]:3755 I=[198.51.100.1]:25 F=<a@b.test> rejected RCPT <c@d.test>: relay not permitted
//	H=mx.ok.test [192.0.2.1] Connection refused
func hostLine(b []byte, e *spoor.Event) spoor.LineSort {
	client, rest, ok := soleHost(b, isVerb)
	if ok {
		e.Client = client
		return verb(skipFields(rest), e)
	}
	h := hostField{text: b}
	for h.next() {
		rest := skipFields(h.rest)
		if bytes.HasPrefix(rest, []byte(": ")) || isFailure(rest) {
			return spoor.LineKnown
		}
	}
	return spoor.LineUnknown
}

// isFailure knows what the system says of a connection that fails.
func isFailure(b []byte) bool {
	for _, start := range [...]string{
		" Connection ", " No route to host", " Network ", " Netwk ", " Host is ", " Operation ", " Permission denied", " Cannot assign ", " Address ", " Broken pipe", " Invalid argument",
		" Protocol ", " SMTP error ", " SMTP timeout ", " Remote host ", " TLS error on connection ", " TLS session", " Unknown error", " Transport endpoint", " Socket ", " Software caused ",
	} {
		if bytes.HasPrefix(b, []byte(start)) {
			return true
		}
	}
	return false
}

// identLine is the same for a local process that speaks SMTP.
//
//	U=www-data F=<a@b.test> rejected RCPT <c@d.test>: relay not permitted
func identLine(b []byte, e *spoor.Event) spoor.LineSort {
	ident, rest, ok := cutWord(b)
	if !ok {
		return spoor.LineUnknown
	}
	sort := verb(skipFields(rest), e)
	if sort == spoor.LineEvent {
		e.Login = ident
	}
	return sort
}

// senderLine is the same where the sender comes first: of what local_scan() or a
// list for mail without SMTP refuses. A host or a local process may follow.
//
//	F=a@b.test H=(x) [192.0.2.7] P=esmtp rejected by local_scan(): no
//	F=<a@b.test> rejected by non-SMTP ACL: no
func senderLine(b []byte, e *spoor.Event) spoor.LineSort {
	_, rest, ok := cutWord(b)
	if !ok {
		return spoor.LineUnknown
	}
	if host, ok := cut(rest, " H="); ok {
		return hostLine(host, e)
	}
	if ident, ok := cut(rest, " U="); ok {
		return identLine(ident, e)
	}
	return verb(skipFields(rest), e)
}

// isVerb reports whether a client's line goes on with what is said of it.
func isVerb(b []byte) bool {
	var e spoor.Event
	return verb(skipFields(b), &e) != spoor.LineUnknown
}

// verb reads what is said of a client (acl.c, smtp_in.c).
func verb(b []byte, e *spoor.Event) spoor.LineSort {
	for _, start := range [...]string{" rejected ", " temporarily rejected ", " dropped by ", ": rejected by ", " refused: "} {
		if bytes.HasPrefix(b, []byte(start)) {
			return rejected(e.Client, b[1:], e)
		}
	}
	for _, start := range [...]string{
		" Warning: ", " sender verify fail for <", " sender verify defer for <", " RCPT <", " RCPT ", " MAIL <", " MAIL ", " incomplete transaction (", " accepted ", " malware_name ",
	} {
		if bytes.HasPrefix(b, []byte(start)) {
			return spoor.LineKnown
		}
	}
	if _, rest, ok := cutWord(b[min(1, len(b)):]); ok { // H=client recipient F=<sender> …
		rest = skipFields(rest)
		if bytes.HasPrefix(rest, []byte(" reject from cutthrough ")) || bytes.HasPrefix(rest, []byte(" tmp-reject from cutthrough ")) {
			return spoor.LineKnown
		}
	}
	return spoor.LineUnknown
}

// refusals begin the lines of clients that were refused by Exim itself. What
// follows is the client, but for what is said here.
var refusals = [...]struct{ start, after string }{
	{"SMTP call from ", ""},
	{"SMTP protocol synchronization error ", ": rejected "},
	{"rejected EHLO from ", ""},
	{"rejected HELO from ", ""},
	{"rejected MAIL from ", ""},
	{"rejected MAIL command ", ""},
	{"rejected MAIL FROM:<", "> "},
	{"rejected from <", "> "},
	{"rejected XCLIENT from ", ""},
	{`rejected "`, `" from `},
	{`temporarily rejected "`, `" from `},
	{"unqualified sender rejected: <", "> "},
	{"unqualified recipient rejected: <", "> "},
	{"too many recipients: message rejected: sender=<", "> "},
	{"too many recipients: excess temporarily rejected: sender=<", "> "},
	{"refused connection from ", ""},
	{"temporarily refused connection from ", ""},
	{"connection from ", ""},
	{"Connection from ", ""},
	{"SMTP call dropped: ", ""},
}

// refusal reads them.
//
//	SMTP call from (000000) [192.0.2.7]:39480 dropped: too many syntax or protocol errors (last command was "123")
//	rejected EHLO from [192.0.2.7]: syntactically invalid argument(s): (no argument given)
//	Connection from [192.0.2.7] refused: too many connections
func refusal(b []byte, e *spoor.Event) spoor.LineSort {
	for i := range refusals {
		rest, ok := cut(b, refusals[i].start)
		if !ok {
			continue
		}
		if i == 1 {
			return synchronization(rest, b, e)
		}
		if after := refusals[i].after; after != "" {
			at := bytes.Index(rest, []byte(after))
			if at < 0 {
				return spoor.LineUnknown
			}
			rest = rest[at+len(after):]
		}
		rest = bytes.TrimPrefix(rest, []byte("H="))
		client, _, _ := soleHost(rest, isRefusalEnd)
		return rejected(client, b, e)
	}
	return spoor.LineUnknown
}

// isRefusalEnd reports whether what follows a host is Exim's.
func isRefusalEnd(b []byte) bool {
	b = skipFields(b)
	if len(b) == 0 {
		return true
	}
	for _, start := range [...]string{" dropped: ", ": ", " refused", " (", " dropped by "} {
		if bytes.HasPrefix(b, []byte(start)) {
			return true
		}
	}
	return false
}

// synchronization reads of a client that did not wait. What it sent stands
// around its address; where that could be one as well, none is told.
//
//	…: rejected connection from H=[192.0.2.7]:25936 I=[198.51.100.1]:25 input="GET / HTTP/1.1\r\n\r\n"
//	…: rejected "RSET" H=mail.example (x) [192.0.2.7]:58302 next input="QUIT\r\n"
func synchronization(b, text []byte, e *spoor.Event) spoor.LineSort {
	at := bytes.Index(b, []byte("H="))
	if at < 0 || bytes.LastIndex(b, []byte(" H=")) > at {
		return rejected(nil, text, e)
	}
	client, _, _ := soleHost(b[at+2:], isInput)
	return rejected(client, text, e)
}

func isInput(b []byte) bool {
	b = skipFields(b)
	return len(b) == 0 || bytes.HasPrefix(b, []byte(" input=")) || bytes.HasPrefix(b, []byte(" next input=")) || bytes.HasPrefix(b, []byte(` input="`))
}

// idle reads of a client that sent no message, and may have logged in.
//
//	no MAIL in SMTP connection from host.example (SERVER) [192.0.2.1]:1418 I=[198.51.100.1]:25 D=34s A=plain:anna@example.com C=EHLO,AUTH
func idle(b []byte, e *spoor.Event) spoor.LineSort {
	_, b, ok := bytes.Cut(b, []byte("SMTP connection from "))
	if !ok {
		return spoor.LineUnknown
	}
	client, rest, ok := soleHost(b, isIdle)
	if !ok {
		return spoor.LineKnown
	}
	for ok {
		if login, found := cut(rest, " A="); found {
			login, _, _ = bytes.Cut(login, []byte{' '})
			_, login, _ = bytes.Cut(login, []byte{':'})
			e.Kind, e.Client, e.Address = spoor.EventLogin, client, printed(login)
			return spoor.LineEvent
		}
		rest, ok = cutField(rest)
	}
	return spoor.LineKnown
}

// isIdle reports whether what follows a host is fields alone.
func isIdle(b []byte) bool { return len(skipFields(b)) == 0 }

// authentication reads who failed to log in.
//
//	dovecot_login authenticator failed for (User) [192.0.2.37]:21298 I=[198.51.100.1]:465 Ci=30416: 535 Incorrect authentication data (set_id=a@example.com)
func authentication(b []byte, e *spoor.Event) spoor.LineSort {
	name := 0
	for name < len(b) && (isNameByte(b[name]) || b[name] == '-' || b[name] == '.') {
		name++
	}
	rest, ok := cut(b[name:], " authenticator ")
	if !ok || name == 0 {
		return spoor.LineUnknown
	}
	failed, ok := cut(rest, "failed for ")
	if !ok {
		if bytes.HasPrefix(rest, []byte("failed H=")) || bytes.HasPrefix(rest, []byte("cancelled authentication ")) || bytes.HasPrefix(rest, []byte("(")) {
			return spoor.LineKnown
		}
		return spoor.LineUnknown
	}
	failed = bytes.TrimPrefix(failed, []byte("H="))
	client, answer, hosted := soleHost(failed, isAnswer)
	if !hosted {
		at := bytes.Index(failed, []byte(": "))
		if at < 0 {
			return spoor.LineUnknown
		}
		answer = failed[at:]
	}
	answer = skipFields(answer)
	if bytes.HasPrefix(answer, []byte(": 435 ")) {
		return trouble(b, e)
	}
	if !bytes.HasPrefix(answer, []byte(": 535 ")) {
		return spoor.LineKnown
	}
	e.Kind, e.Client = spoor.EventLoginFailed, client
	if client != nil || !hosted {
		e.Address = printed(failedLogin(answer))
	}
	return spoor.LineEvent
}

// isAnswer reports whether what follows a host is an answer of SMTP.
func isAnswer(b []byte) bool {
	answer, ok := cut(skipFields(b), ": ")
	return ok && len(answer) > 4 && allDigits(answer[:3]) && answer[3] == ' '
}

// failedLogin is the login in the answer. It may hold brackets: what ends it is
// the last one.
func failedLogin(answer []byte) []byte {
	_, login, ok := bytes.Cut(answer, []byte(" (set_id="))
	if !ok {
		return nil
	}
	end := bytes.LastIndexByte(login, ')')
	if counted := bytes.LastIndex(login, []byte("): ")); counted >= 0 && bytes.HasSuffix(login, []byte(" Time(s)")) { // logwatch adds it
		end = counted
	}
	if end < 0 {
		return login // cut by a logger
	}
	return login[:end]
}
