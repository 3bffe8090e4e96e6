package mta

import (
	"bytes"

	"spoor"
)

// ParseFilter reads the programs that stand beside an MTA: SASL daemons, content
// filters, policy servers. program is the last element of the line's program.
// Programs that have nothing to do with mail are foreign.
func ParseFilter(l *spoor.Line, program []byte, e *spoor.Event) spoor.LineSort {
	switch string(program) {
	case "plesk_saslauthd", "saslauthd":
		return saslauthd(l.Body, e)
	}
	for _, filter := range [...]string{
		"amavis", "amavisd", "spamd", "clamd", "clamav-milter", "clamsmtpd", "opendkim", "opendmarc", "milter-greylist", "postgrey", "policyd", "policyd-spf", "rspamd",
		"spamass-milter", "dkim-filter", "dkimproxy.in", "dkimproxy.out", "mailgraph", "greylist", "postsrsd", "psa-pc-remote", "drweb", "drwebd", "spamassassin", "sieve",
		"mimedefang", "mimedefang.pl", "MailScanner", "cbpolicyd", "sqlgrey", "pypolicyd-spf", "p3scan", "gld", "spampd",
	} {
		if string(program) == filter {
			return spoor.LineKnown
		}
	}
	if bytes.HasPrefix(program, []byte("psa-pc-")) || bytes.HasPrefix(program, []byte("mailman")) {
		return spoor.LineKnown
	}
	return spoor.LineForeign
}

// saslauthd reads who failed to log in. Plesk's logs no address.
//
//	No such user 'U' in mail authorization database
//	failed mail authentication attempt for user 'U' (password len=8)
//	do_auth : auth failure: [user=U] [service=smtp] [realm=] [mech=pam] [reason=PAM auth error]
func saslauthd(b []byte, e *spoor.Event) spoor.LineSort {
	var user []byte
	if rest, ok := bytes.CutPrefix(b, []byte("No such user '")); ok {
		user = before(rest, "' in mail ")
	} else if rest, ok := bytes.CutPrefix(b, []byte("failed mail authentication attempt for user '")); ok {
		user = before(rest, "' (password")
	} else if at := bytes.Index(b, []byte("auth failure: [user=")); at >= 0 {
		user = before(b[at+len("auth failure: [user="):], "] [service=")
	}
	if user == nil {
		return spoor.LineKnown
	}
	e.Kind, e.Address = spoor.EventLoginFailed, user
	return spoor.LineEvent
}

// before returns what stands before the last end, or nil.
func before(b []byte, end string) []byte {
	at := bytes.LastIndex(b, []byte(end))
	if at < 0 {
		return nil
	}
	return b[:at]
}
