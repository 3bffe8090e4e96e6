package qmail

import (
	"bytes"

	"spoor"
)

// qlogReceived reads that qmail-smtpd has handed a message to qmail-queue. It is
// read from its end: what stands before the login is the client's, in bytes of any
// kind if it asked for SMTPUTF8. A login that was refused stands there too; with
// relay=no it was, else a line before tells.
//
//	accepted code=250 reason=queueaccept detail= helo=pc mailfrom=a@example.com rcptto=b@far.example relay=yes rcpthosts= size=9 authuser=a@example.com authtype=plain encrypted=tls sslverified=no localip=192.0.2.1 localport=587 remoteip=192.0.2.4 remoteport=4 remotehost=unknown qp=12 pid=11
func qlogReceived(b []byte, e *spoor.Event) spoor.LineSort {
	words, ok := after(b, "accepted code=250 reason=queueaccept detail= helo=")
	if !ok {
		return spoor.LineKnown // a command
	}
	var f struct{ pid, qp, client, user, size, hosts, relay []byte }
	for _, field := range [...]struct {
		name  string
		value *[]byte
	}{
		{" pid=", &f.pid},
		{" qp=", &f.qp},
		{" remotehost=", nil},
		{" remoteport=", nil},
		{" remoteip=", &f.client},
		{" localport=", nil},
		{" localip=", nil},
		{" sslverified=", nil},
		{" encrypted=", nil},
		{" authtype=", nil},
		{" authuser=", &f.user},
		{" size=", &f.size},
		{" rcpthosts=", &f.hosts},
		{" relay=", &f.relay},
	} {
		at := bytes.LastIndex(words, []byte(field.name))
		if at < 0 {
			return spoor.LineUnknown // splogger may have cut it
		}
		value := words[at+len(field.name):]
		if field.value != nil {
			*field.value = value
		}
		if field.value != &f.user && bytes.IndexByte(value, ' ') >= 0 {
			return spoor.LineKnown // it is not what it seems
		}
		words = words[:at]
	}
	if !isNumber(f.pid) || !isNumber(f.qp) || string(f.relay) != "yes" && string(f.relay) != "no" {
		return spoor.LineKnown
	}
	_, sender, _ := bytes.Cut(words, []byte(" mailfrom="))
	sender, _, ok = bytes.Cut(sender, []byte(" rcptto="))
	if !ok {
		return spoor.LineKnown
	}
	session, _ := digits(f.pid)
	qp, _ := digits(f.qp)
	received(sender, f.client, qp, e)
	e.Key = session
	if string(f.relay) == "yes" {
		e.Account = f.user
	}
	return spoor.LineEvent
}

// received makes the event of a message that an SMTP server has handed over.
func received(sender, client []byte, qp uint64, e *spoor.Event) {
	e.Kind, e.Address, e.Client, e.PID = spoor.EventReceived, safe(sender), mapped(client), int32(qp)
	e.Hash, e.Domain = spoor.AddressHash(e.Address)
}

// safe writes an address as qmail-send logs it (issafe in qsutil.c). It is copied
// only where it is to be changed.
func safe(address []byte) []byte {
	for i, c := range address {
		if c < 33 || c > 126 || c == '%' {
			written := bytes.Clone(address)
			for k := i; k < len(written); k++ {
				if c := written[k]; c < 33 || c > 126 || c == '%' {
					written[k] = '_'
				}
			}
			return written
		}
	}
	return address
}

// spamdyke reads what spamdyke logs of each recipient of a message that qmail-smtpd
// has taken. Only who has logged in is named. Addresses and the client's name are
// logged as they come: a word that stands there twice is not the server's.
//
//	ALLOWED from: a@example.com to: b@far.example origin_ip: 192.0.2.4 origin_rdns: pc.example auth: a@example.com encryption: TLS reason: 250_ok_1795433538_qp_12
func spamdyke(b []byte, e *spoor.Event) spoor.LineSort {
	rest, ok := after(b, "ALLOWED from: ")
	if !ok {
		return spoor.LineKnown
	}
	var fields [6][]byte
	for i, word := range [...]string{" to: ", " origin_ip: ", " origin_rdns: ", " auth: ", " encryption: ", " reason: "} {
		if fields[i], rest, ok = bytes.Cut(rest, []byte(word)); !ok || bytes.Contains(rest, []byte(word)) {
			return spoor.LineKnown
		}
	}
	answer, ok := after(rest, "250_ok_")
	if !ok {
		return spoor.LineKnown
	}
	_, answer = digits(answer)
	if answer, ok = after(answer, "_qp_"); !ok || !isNumber(answer) {
		return spoor.LineKnown
	}
	const none = "(unknown)"
	sender, account := fields[0], fields[4]
	if string(sender) == none {
		sender = sender[:0]
	}
	qp, _ := digits(answer)
	received(sender, fields[2], qp, e)
	if string(account) != none {
		e.Account = account
	}
	return spoor.LineEvent
}

// smtpdLogin reads the logins that patches of qmail-smtpd log. They write the name as
// it came, with its line breaks: what follows a failed one may be the client's words.
//
//	713]: auth: auth-success type=plain user=<a@example.com>
//	713]: AUTH successful [192.0.2.4] a@example.com
//	713]: AUTH failed [192.0.2.4] a@example.com
func smtpdLogin(b []byte, e *spoor.Event) spoor.LineSort {
	pid, rest := digits(b)
	rest, ok := after(rest, "]: ")
	if !ok {
		return spoor.LineKnown
	}
	if words, ok := after(rest, "auth: auth-"); ok {
		return angledLogin(words, int32(pid), e)
	}
	words, ok := after(rest, "AUTH ")
	open := bytes.IndexByte(words, '[')
	if !ok || open < 0 {
		return spoor.LineKnown
	}
	client, name, ok := bytes.Cut(words[open+1:], []byte("] "))
	if !ok {
		return spoor.LineKnown
	}
	switch how := words[:open]; {
	case string(how) == "successful ":
		e.Kind, e.PID = spoor.EventLogin, int32(pid)
	case bytes.HasPrefix(how, []byte("failed ")):
		e.Kind, e.Text = spoor.EventLoginFailed, b
	default:
		return spoor.LineKnown
	}
	e.Address, e.Client = name, mapped(client)
	return spoor.LineEvent
}

// angledLogin reads "success type=plain user=<a@example.com>". A line of qlog tells of
// what has failed.
func angledLogin(b []byte, pid int32, e *spoor.Event) spoor.LineSort {
	if bytes.HasPrefix(b, []byte("failed ")) {
		e.Kind, e.Text = spoor.EventLoginFailed, b
		return spoor.LineEvent
	}
	how, name, ok := bytes.Cut(b, []byte(" user=<"))
	if !ok || !bytes.HasPrefix(how, []byte("success ")) || !bytes.HasSuffix(name, []byte(">")) {
		return spoor.LineKnown
	}
	e.Kind, e.Address, e.PID = spoor.EventLogin, name[:len(name)-1], pid
	return spoor.LineEvent
}
