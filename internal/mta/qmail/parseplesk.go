package qmail

import (
	"bytes"

	"spoor"
	"spoor/internal/mta"
)

// relaylock reads a connection to Plesk's SMTP server.
//
//	relaylock: /var/qmail/bin/relaylock: mail from 198.51.100.7:4242 (host.example)
func relaylock(b []byte, e *spoor.Event) spoor.LineSort {
	_, rest, ok := bytes.Cut(b, []byte("mail from "))
	if !ok {
		return spoor.LineUnknown
	}
	if space := bytes.IndexByte(rest, ' '); space >= 0 {
		rest = rest[:space]
	}
	port := bytes.LastIndexByte(rest, ':')
	if port < 0 {
		return spoor.LineUnknown
	}
	e.Kind, e.Client = spoor.EventConnect, mapped(bytes.Trim(rest[:port], "[]"))
	return spoor.LineEvent
}

// smtpAuth reads Plesk's smtp_auth. Its lines changed over the years: with the
// tag twice, with the mailbox's folder, with the whole address.
//
//	smtp_auth: SMTP connect from unknown@ [198.51.100.7]
//	smtp_auth: smtp_auth: SMTP user info : /var/qmail/mailnames/example.com/info logged in from unknown@ [198.51.100.7]
//	smtp_auth: SMTP user info@example.com : logged in from host.example [198.51.100.7]
//	smtp_auth: smtp_auth: FAILED: info - password incorrect  from unknown@ [198.51.100.7]
func (p *Parser) smtpAuth(b []byte, pid int32, e *spoor.Event) spoor.LineSort {
	b, _ = after(b, "smtp_auth: ")
	if user, ok := after(b, "No such user '"); ok {
		return quotedUser(user, e)
	}
	words, client, ok := fromClient(b)
	if !ok {
		return spoor.LineUnknown
	}
	e.Client, e.PID = client, pid
	if bytes.HasPrefix(words, []byte("SMTP connect from")) {
		e.Kind = spoor.EventConnect
		e.PID = -1
		return spoor.LineEvent
	}
	if user, ok := after(words, "FAILED: "); ok {
		end := bytes.LastIndex(user, []byte(" - "))
		if end < 0 {
			return spoor.LineUnknown
		}
		e.Kind, e.Address = spoor.EventLoginFailed, user[:end]
		return spoor.LineEvent
	}
	user, ok := after(words, "SMTP user ")
	end := bytes.LastIndex(user, []byte("logged in from"))
	if !ok || end < 0 {
		return spoor.LineUnknown
	}
	return p.loggedIn(user[:end], e)
}

// fromClient cuts a line at the address in brackets at its end.
func fromClient(b []byte) (words, client []byte, ok bool) {
	b = bytes.TrimRight(b, " ")
	open := bytes.LastIndexByte(b, '[')
	if open < 0 || b[len(b)-1] != ']' {
		return b, nil, false
	}
	return b[:open], mapped(b[open+1 : len(b)-1]), true
}

// loggedIn reads "info : /var/qmail/mailnames/example.com/info ". The folder
// names the mailbox where the login is short.
func (p *Parser) loggedIn(b []byte, e *spoor.Event) spoor.LineSort {
	end := bytes.LastIndex(b, []byte(" :"))
	if end < 0 {
		return spoor.LineUnknown
	}
	user, folder := b[:end], bytes.TrimSpace(b[end+2:])
	e.Kind, e.Address = spoor.EventLogin, user
	if len(user) == 0 {
		return spoor.LineUnknown
	}
	if bytes.IndexByte(user, '@') >= 0 || len(folder) == 0 {
		return spoor.LineEvent
	}
	slash := bytes.LastIndexByte(folder, '/')
	if slash < 0 {
		return spoor.LineEvent
	}
	local := folder[slash+1:]
	domain := folder[:slash]
	domain = domain[bytes.LastIndexByte(domain, '/')+1:]
	if len(local) > 0 && bytes.IndexByte(domain, '.') > 0 {
		e.Address = p.account(local, domain)
	}
	return spoor.LineEvent
}

// maxAccounts bounds the addresses that are kept.
const maxAccounts = 1 << 16

// account returns local@domain, made once for each.
func (p *Parser) account(local, domain []byte) []byte {
	var key [512]byte
	if len(local)+1+len(domain) > len(key) {
		return bytes.Join([][]byte{local, domain}, []byte("@"))
	}
	k := append(append(append(key[:0], local...), '@'), domain...)
	if known, ok := p.accounts[string(k)]; ok {
		return known
	}
	if len(p.accounts) >= maxAccounts {
		p.accounts = map[string][]byte{}
	}
	made := bytes.Clone(k)
	p.accounts[string(made)] = made
	return made
}

// quotedUser reads a failed login that names the user in quotes and no client.
//
//	No such user 'a@example.com' in mail authorization database
func quotedUser(b []byte, e *spoor.Event) spoor.LineSort {
	end := bytes.LastIndexByte(b, '\'')
	if end < 0 {
		return spoor.LineUnknown
	}
	e.Kind, e.Address = spoor.EventLoginFailed, b[:end]
	return spoor.LineEvent
}

// envelope reads the wrapper of qmail-queue: the envelope as it goes by. Of the
// recipients the first is an event: it tells whether the mail goes out, and a
// message may have thousands.
//
//	qmail-queue-handlers[9962]: from=info@example.com
//	qmail-queue-handlers[9962]: to=somebody@example.org
func (p *Parser) envelope(l *spoor.Line, e *spoor.Event) spoor.LineSort {
	if address, ok := after(l.Body, "from="); ok {
		p.handover = -1
		e.Kind, e.Address, e.PID, e.Channel = spoor.EventHandover, address, int32(l.PID), spoor.ChannelUndecided
		e.Hash, e.Domain = spoor.AddressHash(address)
		return spoor.LineEvent
	}
	if address, ok := after(l.Body, "to="); ok {
		if p.handover == l.PID {
			return spoor.LineKnown
		}
		p.handover = l.PID
		e.Kind, e.Address, e.PID, e.Channel = spoor.EventHandover, address, int32(l.PID), spoor.ChannelRemote
		e.Hash, e.Domain = spoor.AddressHash(address)
		return spoor.LineEvent
	}
	return handlers(l, e)
}

// handlers reads Plesk's mail handlers. What they refuse is trouble; the rest of
// what they say is of no use here.
//
//	qmail-local-handlers[15669]: to=info@example.com
//	psa-pc-remote[5977]: REJECT during call 'limit-out' handler
func handlers(l *spoor.Line, e *spoor.Event) spoor.LineSort {
	if bytes.HasPrefix(l.Body, []byte("from=")) || bytes.HasPrefix(l.Body, []byte("to=")) {
		return spoor.LineKnown
	}
	if bytes.HasPrefix(l.Body, []byte("REJECT during")) || bytes.HasPrefix(l.Body, []byte("DISCARD during")) || bytes.HasPrefix(l.Body, []byte("Error during")) {
		e.Kind, e.Text, e.Shape = spoor.EventTrouble, l.Body, mta.Shape(l.Body)
		return spoor.LineEvent
	}
	for _, start := range [...]string{
		"Handlers Filter", "starter:", "mailbox:", "hook_dir", "recipient[", "handlers dir", "call_handlers", "possibly qmail-smtpd",
		"cannot reinject", "Message aborted", "SKIP during", "PASS during", "ACCEPT during", "handlers_stderr:", "_mh_fork()", "Unable to", "errno=",
	} {
		if bytes.HasPrefix(l.Body, []byte(start)) {
			return spoor.LineKnown
		}
	}
	return spoor.LineUnknown
}
