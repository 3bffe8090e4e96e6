package qmail

import (
	"bytes"

	"spoor"
)

// smtp reads a line of tcpserver, rblsmtpd or qmail-smtpd.
func smtp(b []byte, e *spoor.Event) spoor.LineSort {
	if rest, ok := after(b, "tcpserver: "); ok {
		return tcpserver(rest, e)
	}
	if rest, ok := after(b, "rblsmtpd: "); ok {
		return rblsmtpd(rest, e)
	}
	if rest, ok := after(b, "qmail-smtpd: "); ok {
		return smtpd(rest, e)
	}
	for _, patch := range [...]string{"qlogenvelope: result=", "qlogreceived: result="} {
		if rest, ok := after(b, patch); ok {
			return qlog(rest, e)
		}
	}
	if rest, ok := after(b, "qmail-smtpd["); ok {
		return smtpdLogin(rest, e)
	}
	if rest, ok := after(b, "spamdyke["); ok {
		_, words, _ := bytes.Cut(rest, []byte("]: "))
		return spamdyke(words, e)
	}
	for _, patch := range [...]string{"CHKUSER ", "simscan:["} {
		if bytes.HasPrefix(b, []byte(patch)) {
			return spoor.LineKnown
		}
	}
	return spoor.LineUnknown
}

// qlog reads what the patch of that name logs of a command, and of a message. Up to
// its name the fields are the client's; those behind it are the server's.
//
//	rejected code=535 reason=authfailed detail= helo=pc mailfrom= rcptto= relay=no rcpthosts= size= authuser=a@example.com authtype=plain … remoteip=192.0.2.4 remoteport=4 remotehost=unknown qp= pid=11
func qlog(b []byte, e *spoor.Event) spoor.LineSort {
	const authUser, authType, remoteIP = " authuser=", " authtype=", " remoteip="
	if bytes.HasPrefix(b, []byte("accepted ")) {
		return qlogReceived(b, e)
	}
	rest, ok := after(b, "rejected code=")
	address := bytes.LastIndex(rest, []byte(remoteIP))
	if !ok || address < 0 {
		return spoor.LineUnknown
	}
	e.Client, _, _ = bytes.Cut(rest[address+len(remoteIP):], []byte{' '})
	e.Client = mapped(e.Client)
	head, _, _ := bytes.Cut(rest, []byte(" detail="))
	if bytes.HasSuffix(head, []byte(" reason=authfailed")) {
		e.Kind = spoor.EventLoginFailed
		if user, end := bytes.LastIndex(rest, []byte(authUser)), bytes.LastIndex(rest, []byte(authType)); user >= 0 && end > user {
			e.Address = rest[user+len(authUser) : end]
		}
		return spoor.LineEvent
	}
	e.Kind, e.Text = spoor.EventRejected, head
	return spoor.LineEvent
}

// tcpserver reads the connections of tcpserver(1).
//
//	tcpserver: pid 24580 from 203.0.113.45
//	tcpserver: end 24580 status 0
func tcpserver(b []byte, e *spoor.Event) spoor.LineSort {
	if rest, ok := after(b, "pid "); ok {
		pid, rest := digits(rest)
		if e.Client, ok = after(rest, " from "); !ok {
			return spoor.LineUnknown
		}
		e.Kind, e.PID, e.Client = spoor.EventConnect, int32(pid), mapped(e.Client)
		return spoor.LineEvent
	}
	if rest, ok := after(b, "end "); ok {
		pid, rest := digits(rest)
		if !bytes.HasPrefix(rest, []byte(" status ")) {
			return spoor.LineUnknown
		}
		e.Kind, e.PID = spoor.EventDisconnect, int32(pid)
		return spoor.LineEvent
	}
	if rest, ok := after(b, "deny "); ok {
		// deny 31844 mail.host.example:192.0.2.1:25 :198.51.100.61::37331
		pid, _ := digits(rest)
		e.Kind, e.PID, e.Client, e.Text = spoor.EventRejected, int32(pid), denied(rest), b
		return spoor.LineEvent
	}
	for _, word := range [...]string{"status: ", "ok ", "warning: ", "usage: ", "fatal: "} {
		if bytes.HasPrefix(b, []byte(word)) {
			return spoor.LineKnown
		}
	}
	return spoor.LineUnknown
}

// denied finds the client in name:address:ident:port, the last word. An IPv6
// address has colons of its own.
func denied(b []byte) []byte {
	word := b[bytes.LastIndexByte(b, ' ')+1:]
	_, word, ok := bytes.Cut(word, []byte(":"))
	if !ok {
		return nil
	}
	for range 2 { // port, ident
		end := bytes.LastIndexByte(word, ':')
		if end < 0 {
			return nil
		}
		word = word[:end]
	}
	return mapped(word)
}

// mapped removes what is before an IPv4 address in an IPv6 one.
func mapped(address []byte) []byte {
	if rest, ok := after(address, "::ffff:"); ok && bytes.IndexByte(rest, '.') > 0 {
		return rest
	}
	return address
}

// rblsmtpd reads a client that a blocklist names.
//
//	rblsmtpd: 198.51.100.77 pid 19597 sbl-xbl.spamhaus.org: 451 http://…
func rblsmtpd(b []byte, e *spoor.Event) spoor.LineSort {
	client, rest, ok := bytes.Cut(b, []byte(" pid "))
	if !ok {
		return spoor.LineUnknown
	}
	pid, rest := digits(rest)
	e.Kind, e.Client, e.PID, e.Text = spoor.EventRejected, mapped(client), int32(pid), rest
	return spoor.LineEvent
}

// smtpd reads what patches make qmail-smtpd log. Their forms are many: only a
// refusal with an address is an event.
//
//	qmail-smtpd: 421 badiprbl: ip 198.51.100.54 rbl: example.com
func smtpd(b []byte, e *spoor.Event) spoor.LineSort {
	if code, rest := digits(b); code >= 400 && code < 600 {
		if _, address, ok := bytes.Cut(rest, []byte(" ip ")); ok {
			end := bytes.IndexByte(address, ' ')
			if end < 0 {
				end = len(address)
			}
			e.Kind, e.Client, e.Text = spoor.EventRejected, mapped(address[:end]), b
			return spoor.LineEvent
		}
	}
	return spoor.LineKnown
}
