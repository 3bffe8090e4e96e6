package qmail

import (
	"bytes"

	"spoor"
)

// vpopmail reads vchkpw, which checks the passwords of vpopmail's mailboxes. It
// names the service by its port. What the client chose stands before the address,
// which is the last thing on the line.
//
//	vchkpw-smtp: (LOGIN) login success anna@example.com:192.0.2.4
//	vchkpw-submission: password fail (pass: 'secret') anna@example.com:192.0.2.4
//	vchkpw-pop3: vpopmail user not found info@example.com:192.0.2.4
func vpopmail(b []byte, e *spoor.Event) spoor.LineSort {
	service, text, ok := bytes.Cut(b, []byte(": "))
	if _, named := after(service, "vchkpw-"); !ok || !named {
		return spoor.LineKnown
	}
	if mechanism, ok := after(text, "("); ok {
		if _, rest, ok := bytes.Cut(mechanism, []byte(") ")); ok {
			text = rest
		}
	}
	who, succeeded := vchkpwAccepts(text)
	if !succeeded {
		if who, ok = vchkpwRefuses(text); !ok {
			return spoor.LineKnown // of the server's own trouble
		}
	}
	account, client, ok := accountAndClient(who)
	if !ok {
		return spoor.LineUnknown
	}
	e.Kind, e.Address, e.Client = vchkpwKind(service[len("vchkpw-"):], succeeded), account, client
	return spoor.LineEvent
}

// vchkpwAccepts returns who has logged in.
func vchkpwAccepts(text []byte) (who []byte, ok bool) {
	for _, words := range [...]string{"login success ", "system password login success "} {
		if who, ok = after(text, words); ok {
			return who, true
		}
	}
	return nil, false
}

// vchkpwRefuses returns who has not. A password may be quoted before that, and may
// hold anything.
func vchkpwRefuses(text []byte) (who []byte, ok bool) {
	for _, words := range [...]string{
		"password fail ", "vpopmail user not found ", "null password given ", "invalid user/domain characters ", "system user not found ", "system password fail ",
		"smtp access denied ", "pop access denied ", "imap access denied ", "webmail access denied ", "user has no password ",
	} {
		if who, ok = after(text, words); ok {
			break
		}
	}
	if _, quoted := after(who, "(pass: '"); quoted {
		end := bytes.LastIndex(who, []byte("') "))
		if end < 0 {
			return nil, false
		}
		who = who[end+len("') "):]
	}
	return who, ok
}

func vchkpwKind(service []byte, succeeded bool) spoor.EventKind {
	switch string(service) {
	case "smtp", "smtps", "submission":
		if succeeded {
			return spoor.EventLogin
		}
		return spoor.EventLoginFailed
	}
	if succeeded {
		return spoor.EventAccess
	}
	return spoor.EventAccessFailed
}

// accountAndClient parts an account from the address behind it, which may be one
// of IPv6: then the first colon after the domain does.
func accountAndClient(b []byte) (account, client []byte, ok bool) {
	colon := bytes.LastIndexByte(b, ':')
	if colon < 0 {
		return nil, nil, false
	}
	if bytes.IndexByte(b[colon+1:], '.') < 0 || bytes.HasSuffix(b[:colon], []byte(":ffff")) {
		domain := bytes.LastIndexByte(b, '@') + 1
		first := bytes.IndexByte(b[domain:], ':')
		if first < 0 {
			return nil, nil, false
		}
		colon = domain + first
	}
	return b[:colon], mapped(b[colon+1:]), true
}
