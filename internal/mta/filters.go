package mta

import (
	"bytes"

	"spoor"
)

// filters are programs that stand beside an MTA: content filters, policy servers,
// mailing lists. What they say of a message, the MTA says too.
var filters = map[string]bool{
	"amavis": true, "amavisd": true, "amavisd-new": true, "amavis-services": true, "spamd": true, "spamc": true, "spampd": true, "spamassassin": true, "spamass-milter": true, "rspamd": true, "rspamd_proxy": true, "rmilter": true, "bogofilter": true,
	"clamd": true, "clamav-milter": true, "clamsmtpd": true, "freshclam": true, "clamd@amavisd": true, "drweb": true, "drwebd": true, "drweb-clientd": true, "kav4lms": true, "maiad": true, "mimedefang": true, "mimedefang.pl": true, "mimedefang-multiplexor": true, "MailScanner": true, "mailscanner": true,
	"opendkim": true, "opendmarc": true, "dkim-filter": true, "dkim-milter": true, "dkimproxy.in": true, "dkimproxy.out": true, "openarc": true, "dk-filter": true, "dkimpy-milter": true, "authentication_milter": true, "spf-milter": true, "smf-spf": true, "smf-sav": true, "milter-regex": true,
	"policyd-spf": true, "pypolicyd-spf": true, "policy-spf": true, "policyd": true, "policyd-weight": true, "postfwd": true, "postfwd2": true, "postfwd3": true, "cbpolicyd": true, "policyd2": true, "postgrey": true, "sqlgrey": true, "gld": true, "milter-greylist": true, "greylist": true, "greyfix": true, "tumgreyspf": true,
	"postsrsd": true, "pfix-srsd": true, "srs-milter": true, "mailgraph": true, "p3scan": true, "sieve": true, "mailman": true, "mailman3": true, "majordomo": true, "sympa": true, "sympa_msg": true, "schleuder": true, "vacation": true, "procmail": true, "maildrop": true, "fetchmail": true, "getmail": true,
	"postfix-mta-sts-resolver": true, "mta-sts-daemon": true, "mta-sts-resolver": true, "postfix-tlspol": true, "zmmailboxd": true, "update.bad.phishing.sites": true, "update.phishing.sites": true, "update.spamassassin": true, "psa-pc-remote": true,
}

// ParseFilter reads the programs that stand beside an MTA: SASL daemons, content
// filters, policy servers. program is the last element of the line's program.
// Programs that have nothing to do with mail are foreign.
func ParseFilter(l *spoor.Line, program []byte, e *spoor.Event) spoor.LineSort {
	switch string(program) {
	case "plesk_saslauthd":
		return pleskSaslauthd(l.Body, e)
	case "saslauthd":
		return saslauthd(l.Body, e)
	case "roundcube":
		return roundcube(l.Body, e)
	}
	if filters[string(program)] || bytes.HasPrefix(program, []byte("psa-pc-")) || bytes.HasPrefix(program, []byte("mailman")) || bytes.HasPrefix(program, []byte("sympa")) {
		return spoor.LineKnown
	}
	return spoor.LineForeign
}
