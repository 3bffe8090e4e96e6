package mta

import (
	"bytes"

	"spoor"
)

// dovecotProcess is a process of Dovecot, by the name that it logs under.
type dovecotProcess uint8

const (
	dovecotOther     dovecotProcess = iota // one that carries out what a user may do
	dovecotMailbox                         // a login service for mailboxes
	dovecotSubmitter                       // the login service for sending
	dovecotAuth                            // what knows the passwords
	dovecotRelay                           // the service that hands on what a user sends
	dovecotDelivery                        // what puts mail into mailboxes, and runs Sieve
)

// dovecotNames are the processes of Dovecot 1 to 2.4.
var dovecotNames = map[string]dovecotProcess{
	"imap-login": dovecotMailbox, "pop3-login": dovecotMailbox, "managesieve-login": dovecotMailbox, "lmtp-login": dovecotMailbox, "imap-urlauth-login": dovecotMailbox,
	"submission-login": dovecotSubmitter,
	"auth":             dovecotAuth, "auth-worker": dovecotAuth, "dovecot-auth": dovecotAuth,
	"submission": dovecotRelay, "lmtp": dovecotDelivery, "lda": dovecotDelivery, "deliver": dovecotDelivery,
	"imap": 0, "pop3": 0, "managesieve": 0, "sieve": 0, "IMAP": 0, "POP3": 0, "MANAGESIEVE": 0, "script": 0, "script-login": 0,
	"master": 0, "log": 0, "config": 0, "anvil": 0, "stats": 0, "old-stats": 0, "dict": 0, "dict-async": 0, "dict-expire": 0, "ssl-params": 0, "ssl-build-param": 0, "indexer": 0, "indexer-worker": 0, "doveadm": 0, "doveadm-server": 0,
	"replicator": 0, "aggregator": 0, "director": 0, "ipc": 0, "dns_client": 0, "dns-client": 0, "imap-urlauth": 0, "imap-urlauth-worker": 0, "imap-hibernate": 0, "quota-status": 0,
	"dsync-local": 0, "dsync-server": 0, "dsync": 0, "tcpwrap": 0, "health-check": 0, "expire-tool": 0, "fts": 0, "decode2text": 0, "notify": 0, "welcome": 0, "quota-warning": 0,
}

func (p dovecotProcess) isLogin() bool { return p == dovecotMailbox || p == dovecotSubmitter }

func (p dovecotProcess) isAuth() bool { return p == dovecotAuth }

// dovecotTag reads the name of a process, with what stands behind it in brackets.
//
//	imap-login  auth(default)  auth-worker(4711)  imap(anna@example.com)<77><YADINsQCDs5BH8Pg>
func dovecotTag(tag []byte) (dovecotProcess, bool) {
	end := 0
	for end < len(tag) && tag[end] != '(' && tag[end] != '<' {
		end++
	}
	p, ok := dovecotNames[string(tag[:end])] // no allocation
	return p, ok
}

// dovecot reads lines of the common program name of Dovecot's processes, or of
// its own log where the level comes first.
//
//	imap-login: Login: user=<a@example.com>, method=PLAIN, rip=198.51.100.7, lip=192.0.2.1, mpid=77, TLS
//	Dovecot v1.2.17 starting up (core dumps disabled)
func dovecot(b []byte, e *spoor.Event) spoor.LineSort {
	b = bytes.TrimPrefix(b, []byte("dovecot: "))
	b, grave := cutLevel(b)
	if grave {
		return spoor.LineKnown
	}
	if end := bytes.Index(b, []byte(": ")); end > 0 {
		if process, ok := dovecotTag(b[:end]); ok {
			return process.read(b[:end], b[end+2:], e)
		}
	}
	if hasAny(b, "pam_") {
		return pam(b, e)
	}
	if hasAny(b, "Dovecot v", "Dovecot starting up", "SIGHUP received", "Killed with signal ", "Generating Diffie-Hellman parameters", "SSL parameters regeneration completed", "Generating DH parameters",
		"Auth process died too early", "If you have trouble with authentication failures", "This message goes away", "Login process died too early", "Time moved ", "Received SIG", "last message repeated ") {
		return spoor.LineKnown
	}
	return spoor.LineUnknown
}

// cutLevel takes the level of a line off; grave ones say nothing of logins.
func cutLevel(b []byte) (text []byte, grave bool) {
	for _, level := range [...]string{"Info: ", "Warn: "} {
		if hasAny(b, level) {
			return b[len(level):], false
		}
	}
	return b, hasAny(b, "Error: ", "Fatal: ", "Panic: ", "Warning: ", "Debug: ", "Raw backtrace: ")
}

// read reads what a process says, which names itself by the tag.
func (p dovecotProcess) read(tag, b []byte, e *spoor.Event) spoor.LineSort {
	b, grave := cutLevel(b)
	switch {
	case grave || p == dovecotOther:
		return spoor.LineKnown
	case p == dovecotAuth:
		return dovecotPassdb(tag, b, e)
	case p == dovecotRelay:
		return dovecotRelayed(tag, b, e)
	case p == dovecotDelivery:
		return dovecotScript(tag, b, e)
	}
	return p.login(b, e)
}

// dovecotRelayed reads that Dovecot's submission service has handed a message of a
// login to the MTA, and under which ID. The sender is the client's; the answer of the
// MTA stands behind it.
//
//	submission(a@example.com)<307><aVGlFT1hMZbLAHEC>: Successfully relayed message: from=<a@example.com>, size=90, id=1phmE2wyCWszAQAAMzN6MA, nrcpt=1, reply=`250 2.0.0 Ok: 283 bytes queued as 53F9B9DC073'
//	… reply=`250 OK id=1xNPm4-000000001Qa-3Zbl'
func dovecotRelayed(tag, b []byte, e *spoor.Event) spoor.LineSort {
	const reply = ", reply=`250 "
	if !hasAny(b, "Successfully relayed message: ") {
		return spoor.LineKnown
	}
	at := bytes.LastIndex(b, []byte(reply))
	user := dovecotUser(tag)
	if at < 0 || len(user) == 0 {
		return spoor.LineKnown
	}
	id := answeredID(bytes.TrimSuffix(b[at+len(reply):], []byte{'\''}))
	if len(id) < minRelayedID || len(id) > maxRelayedID {
		return spoor.LineKnown
	}
	e.Kind, e.Account, e.ID, e.Key = spoor.EventProxied, user, id, spoor.IDHash(id)
	return spoor.LineEvent
}

// dovecotUser is whose process logs under a tag, or nil.
//
//	submission(a@example.com)<307><aVGlFT1hMZbLAHEC>  lda(a@example.com)
func dovecotUser(tag []byte) []byte {
	_, user, _ := bytes.Cut(tag, []byte{'('})
	if end := bytes.Index(user, []byte(")<")); end >= 0 {
		return user[:end]
	}
	return bytes.TrimSuffix(user, []byte{')'})
}

// dovecotScript reads that the Sieve script of a mailbox has sent a message on, or has
// answered it. The Message-ID is its author's, and so is what looks like an action in
// it: the last one is Dovecot's, and nothing follows the address in it.
//
//	lmtp(a@example.com)<281><CIM4LWsyCWsZAQAAMzN6MA>: sieve: msgid=<1@far.example>: redirect action: forwarded to <b@far.example>
//	lmtp(a@example.com)<511><U7nrIDE+CWv/AQAAg+zDdQ>: sieve: msgid=<1@far.example>: vacation action: sent vacation response to <b@far.example>
//	lmtp(a@example.com)<511><2OYNLjE+CWv/AQAAg+zDdQ>: sieve: msgid=<1@far.example>: reject action: rejected message from <b@far.example> (reject)
func dovecotScript(tag, b []byte, e *spoor.Event) spoor.LineSort {
	const before = "sieve: msgid="
	text, user := b, dovecotUser(tag)
	if !hasAny(b, before) || len(user) == 0 {
		return spoor.LineKnown
	}
	text = text[len(before):]
	if id, _, ok := cutAction(text, ": redirect action", ": forwarded to <", ">"); ok {
		e.Kind, e.Address, e.Text = spoor.EventRedirected, user, id
		return spoor.LineEvent
	}
	id, to, ok := cutAction(text, ": vacation action", ": sent vacation response to <", ">")
	if !ok {
		id, to, ok = cutAction(text, ": reject action", ": rejected message from <", "> (reject)")
	}
	if !ok || len(to) == 0 {
		return spoor.LineKnown
	}
	e.Kind, e.Address, e.Parent, e.Text = spoor.EventReplied, user, to, id
	return spoor.LineEvent
}

// cutAction takes what a script did, which old versions do not call an action, from
// the end of a line.
func cutAction(b []byte, action, did, end string) (id, address []byte, ok bool) {
	at := bytes.LastIndex(b, []byte(did))
	if at <= 0 {
		return nil, nil, false
	}
	address, ok = bytes.CutSuffix(b[at+len(did):], []byte(end))
	if !ok || bytes.Contains(address, []byte(": ")) {
		return nil, nil, false
	}
	return bytes.TrimSuffix(b[:at], []byte(action)), address, true
}

// The lengths of the IDs that an MTA gives.
const (
	minRelayedID = 6
	maxRelayedID = 32
)

// login reads a login service. What the client chose stands between "user=<" and
// the address, which is the last one; why it went stands before.
//
//	Login: user=<a@example.com>, method=PLAIN, rip=198.51.100.7, lip=192.0.2.1, mpid=77, TLS, session=<YADINsQCDs5BH8Pg>
//	Logged in: user=<a@example.com>, method=PLAIN, rip=198.51.100.7, lip=192.0.2.1, mpid=77, TLS, session=<YADINsQCDs5BH8Pg> (since 2.4)
//	Disconnected: Connection closed (auth failed, 3 attempts in 12 secs): user=<a@example.com>, method=PLAIN, rip=198.51.100.7, lip=192.0.2.1
//	Login aborted: Connection closed (auth failed, 1 attempts in 2 secs) (auth_failed): user=<a>, method=PLAIN, rip=198.51.100.7, lip=192.0.2.1
//	Client has quit the connection (auth failed, 1 attempts in 2 secs): user=<a>, method=LOGIN, rip=198.51.100.7, lip=192.0.2.1
func (p dovecotProcess) login(b []byte, e *spoor.Event) spoor.LineSort {
	reason, client := splitLogin(b)
	ok, failed := spoor.EventAccess, spoor.EventAccessFailed
	if p == dovecotSubmitter {
		ok, failed = spoor.EventLogin, spoor.EventLoginFailed
	}
	switch {
	case string(reason) == "Login", string(reason) == "Logged in":
		e.Kind = ok
	case hasAny(reason, "proxy("):
		if !bytes.Contains(reason, []byte("tarted proxying to ")) {
			return spoor.LineKnown
		}
		e.Kind = ok
	case authFailed(reason) && client != nil:
		e.Kind = failed
	case client != nil, hasAny(reason, "Disconnected", "Aborted login", "Login aborted", "Maximum number of connections from user+IP exceeded", "Internal login failure", "Connection closed", "Login failed"):
		return spoor.LineKnown
	case hasAny(b, "SSL", "TLS", "Killed with signal", "Shutting down", "Server shutting down", "Too many ", "Auth process ", "conn ", "Connection queue full", "process ", "read(", "client "):
		return spoor.LineKnown
	default:
		return spoor.LineUnknown
	}
	return readLogin(client, e)
}

// splitLogin parts why a session ended from whose it was. An administrator may have
// it the other way round (login_log_format).
//
//	user=<a@example.com>, method=PLAIN, rip=198.51.100.7, lip=192.0.2.1 Aborted login (auth failed, 1 attempts)
func splitLogin(b []byte) (reason, client []byte) {
	if hasAny(b, "user=<", "method=", "rip=") {
		if bytes.HasSuffix(b, []byte(" Login")) {
			return b[len(b)-len("Login"):], b
		}
		if bytes.HasSuffix(b, []byte(" Logged in")) {
			return b[len(b)-len("Logged in"):], b
		}
		return b[max(0, bytes.LastIndex(b, []byte(", rip="))):], b
	}
	for from := 0; ; {
		colon := bytes.Index(b[from:], []byte(": "))
		if colon < 0 {
			return b, nil
		}
		colon += from
		if hasAny(b[colon+2:], "user=<", "method=", "rip=") {
			return b[:colon], b[colon+2:]
		}
		from = colon + 2
	}
}

// authFailed reports whether a session ended after a wrong password.
func authFailed(reason []byte) bool {
	for _, words := range [...]string{"(auth failed, ", "(auth_failed)", " authentication attempts)", "(proxy dest auth failed", "(proxy_dest_auth_failed)"} {
		if bytes.Contains(reason, []byte(words)) {
			return true
		}
	}
	return false
}

// readLogin reads whose session it was.
//
//	user=<a@example.com>, method=PLAIN, rip=198.51.100.7, lip=192.0.2.1, mpid=77, TLS
func readLogin(b []byte, e *spoor.Event) spoor.LineSort {
	const address = "rip="
	at := bytes.LastIndex(b, []byte(", "+address))
	switch {
	case at >= 0:
		at += len(", ")
	case hasAny(b, address):
		at = 0
	default:
		return spoor.LineUnknown
	}
	rip := b[at+len(address):]
	if end := bytes.IndexAny(rip, ", "); end >= 0 {
		rip = rip[:end]
	}
	e.Client = ipOf(rip)
	if user, ok := bytes.CutPrefix(b[:at], []byte("user=<")); ok {
		end := bytes.Index(user, []byte(">, session=<")) // in no login, but the administrator may have it here (login_log_format_elements)
		if end < 0 {
			end = bytes.LastIndex(user, []byte(">, method="))
		}
		if end < 0 { // none, or behind another such field
			end = bytes.LastIndexByte(user, '>')
		}
		if end < 0 {
			end = len(bytes.TrimSuffix(user, []byte(", ")))
		}
		e.Address = user[:end]
	}
	return spoor.LineEvent
}
