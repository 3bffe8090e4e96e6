package mta

import (
	"bytes"

	"spoor"
)

// ParseLogin reads the lines of the mailbox servers that run beside every MTA:
// Courier and Dovecot. program is the last element of the line's program. ok is
// false for any other program.
func ParseLogin(l *spoor.Line, program []byte, e *spoor.Event) (sort spoor.LineSort, ok bool) {
	switch string(bytes.TrimPrefix(program, []byte("courier-"))) {
	case "pop3d", "imapd", "pop3d-ssl", "imapd-ssl", "pop3login", "imaplogin":
		return courier(l.Body, e), true
	case "authdaemond", "authdaemond.plain", "imapd.rc", "couriertcpd":
		return spoor.LineKnown, true
	case "dovecot":
		return dovecot(l.Body, e), true
	case "imap-login", "pop3-login":
		return dovecotLogin(l.Body, e), true
	}
	return spoor.LineForeign, false
}

// courier reads imapd and pop3d.
//
//	pop3d: LOGIN, user=meg@example.co.uk, ip=[::ffff:198.51.100.7], port=[4242]
//	pop3d: 1257871619.663804 DISCONNECTED, user=meg@example.co.uk, ip=[198.51.100.7], top=0
func courier(b []byte, e *spoor.Event) spoor.LineSort {
	if space := bytes.IndexByte(b, ' '); space > 10 && '0' <= b[0] && b[0] <= '9' { // Plesk's patch writes its own time
		b = b[space+1:]
	}
	failed := bytes.HasPrefix(b, []byte("LOGIN FAILED"))
	if !failed && !bytes.HasPrefix(b, []byte("LOGIN, ")) {
		for _, word := range [...]string{"LOGOUT", "DISCONNECTED", "TIMEOUT", "Connection", "Disconnected", "LOGIN:", "authdaemon", "couriertls", "chdir", "Unexpected", "ip="} {
			if bytes.HasPrefix(b, []byte(word)) {
				return spoor.LineKnown
			}
		}
		return spoor.LineUnknown
	}
	e.Kind = spoor.EventAccess
	if failed {
		e.Kind = spoor.EventAccessFailed
	}
	e.Address, e.Client = between(b, "user=", ", ip="), between(b, "ip=[", "]")
	e.Client = bytes.TrimPrefix(e.Client, []byte("::ffff:"))
	return spoor.LineEvent
}

// between returns what stands between the first start and the next end; to the
// end of the text if there is none.
func between(b []byte, start, end string) []byte {
	at := bytes.Index(b, []byte(start))
	if at < 0 {
		return nil
	}
	b = b[at+len(start):]
	if at = bytes.Index(b, []byte(end)); at >= 0 {
		return b[:at]
	}
	return b
}

// dovecot reads the common program name of Dovecot's processes.
//
//	dovecot: imap-login: Login: user=<a@example.com>, method=PLAIN, rip=198.51.100.7, lip=192.0.2.1, mpid=77, TLS
func dovecot(b []byte, e *spoor.Event) spoor.LineSort {
	for _, process := range [...]string{"imap-login: ", "pop3-login: ", "submission-login: ", "managesieve-login: "} {
		if bytes.HasPrefix(b, []byte(process)) {
			return dovecotLogin(b[len(process):], e)
		}
	}
	return spoor.LineKnown
}

func dovecotLogin(b []byte, e *spoor.Event) spoor.LineSort {
	b = bytes.TrimPrefix(b, []byte("Info: "))
	switch {
	case bytes.HasPrefix(b, []byte("Login: ")):
		e.Kind = spoor.EventAccess
	case bytes.Contains(b, []byte("auth failed")):
		e.Kind = spoor.EventAccessFailed
	default:
		return spoor.LineKnown
	}
	e.Address, e.Client = between(b, "user=<", ">"), between(b, "rip=", ",")
	return spoor.LineEvent
}
