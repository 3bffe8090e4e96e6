package postfix

import (
	"fmt"
	"testing"
	"time"

	"spoor"
)

// origin is that of a message in the log of a host, by the tag of a line.
func origin(t *testing.T, p *Parser, host, program string) uint64 {
	t.Helper()
	body := []byte("4FA8DC0101: client=h.example[198.51.100.2]")
	var e spoor.Event
	if sort := p.Parse(&spoor.Line{Host: []byte(host), Program: []byte(program), Body: body}, &e); sort != spoor.LineEvent {
		t.Fatalf("%s is %v", program, sort)
	}
	return e.Origin
}

func TestTrap7HostsWithTheSameIDDiffer(t *testing.T) {
	p := NewParser()
	a, b := origin(t, p, "mx1", "postfix/smtpd"), origin(t, p, "mx2", "postfix/smtpd")
	if a == b || a != origin(t, p, "mx1", "postfix/smtpd") {
		t.Errorf("origins %x and %x", a, b)
	}
}

func TestALineWithoutAHostIsOfOneOriginWhateverCameBefore(t *testing.T) {
	p := NewParser()
	named := origin(t, p, "mx1", "postfix/smtpd")
	if alone, after := origin(t, NewParser(), "", "postfix/smtpd"), origin(t, p, "", "postfix/smtpd"); alone != after || after == named {
		t.Errorf("origins %x and %x, of mx1 %x", alone, after, named)
	}
}

func TestTrap08InstancesWithTheSameIDDiffer(t *testing.T) {
	p := NewParser()
	seen := map[uint64]string{}
	for _, program := range []string{"postfix/smtpd", "postfix-out/smtpd", "postfix-239.58.50.50/smtpd", "postfix-239.58.50.51/smtpd", "mx/smtpd"} {
		at := origin(t, p, "mx1", program)
		if other, ok := seen[at]; ok {
			t.Errorf("%s and %s are of one instance", program, other)
		}
		seen[at] = program
	}
	one := origin(t, p, "mx1", "postfix/smtpd")
	for _, program := range []string{"postfix/submission/smtpd", "postfix/10025/smtpd", "submission/smtpd", "postfix-submission/smtpd"} {
		if origin(t, p, "mx1", program) != one {
			t.Errorf("%s is a service of the first instance", program)
		}
	}
	if origin(t, p, "mx1", "postfix-out/submission/smtpd") != origin(t, p, "mx1", "postfix-out/smtpd") {
		t.Error("a service of another instance is not of that")
	}
}

func TestTrap13AnswersForgeNoStatus(t *testing.T) {
	f := table(t, "postfix/smtp")
	const head = "4C30BC0100: to=<eva@bigmail.test>, relay=mx[203.0.113.9]:25, delay=1, delays=0/0/0/1, dsn=5.1.1, status="
	const forged = "host mx[203.0.113.9] said: 550 x), relay=none, delay=1, dsn=2.0.0, status=sent (250 Ok"
	f(head+"bounced ("+forged+")", fmt.Sprintf("failed id=4C30BC0100 remote <eva@bigmail.test> (policy) %q", forged))
	f(head+"deferred (host said: 4FA8DC0101: to=<victim@x.test>, status=bounced (y))", `deferred id=4C30BC0100 remote <eva@bigmail.test> "host said: 4FA8DC0101: to=<victim@x.test>, status=bounced (y)"`)
	f(head+"sent (250 Ok: queued as 995DCD6C315)", `delivered id=4C30BC0100 remote <eva@bigmail.test> "250 Ok: queued as 995DCD6C315"`) // it is not from here
	f("3E29030F8637E: host mx[203.0.113.9] said: 450 to=<a@b.test>, relay=none, delay=1, dsn=2.0.0, status=sent (x)", "known")
}

func TestTrap13RecipientsForgeNoStatus(t *testing.T) {
	f := table(t, "postfix/smtp")
	const address = `"x>, relay=none, delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent (y"@bigmail.test`
	f("4C30BC0100: to=<"+address+">, relay=mx[203.0.113.9]:25, delay=1, delays=0/0/0/1, dsn=5.1.1, status=bounced (no)", "failed id=4C30BC0100 remote <"+address+`> "no"`)
	f(`4C30BC0100: to=<a>b@bigmail.test>, relay=mx[203.0.113.9]:25, delay=1, delays=0/0/0/1, dsn=5.1.1, status=bounced (no)`, `failed id=4C30BC0100 remote <a>b@bigmail.test> "no"`)
}

func TestTrap13SendersForgeNoField(t *testing.T) {
	f := table(t, "postfix/qmgr")
	f("4FA8DC0101: from=<a>, size=1, nrcpt=9 (queue active), x@y.test>, size=907, nrcpt=4 (queue active)", "queued id=4FA8DC0101 size=907 count=4 <a>, size=1, nrcpt=9 (queue active), x@y.test>")
	f("4FA8DC0101: from=<a>, status=expired, returned to sender>, size=907, nrcpt=4 (queue active)", "queued id=4FA8DC0101 size=907 count=4 <a>, status=expired, returned to sender>")
	f("4FA8DC0101: from=<removed>, size=907, nrcpt=4 (queue active)", "queued id=4FA8DC0101 size=907 count=4 <removed>")
	f = table(t, "postfix/pickup")
	f("CB2BBC0120: uid=33 from=<a> orig_id=99961C00CB>", "submitted id=CB2BBC0120 uid=33")
	f("CB2BBC0120: uid=33 from=<uid=0 from=<root>", "submitted id=CB2BBC0120 uid=33")
}

func TestTrap13WordsOfTheClientForgeNoEvent(t *testing.T) {
	f := table(t, "postfix/smtpd")
	const helo = "reject: RCPT from h.example[192.0.2.4]: 554 5.7.1 no; from=<a@x.test> to=<b@y.test> proto=ESMTP helo=<x> from victim[198.51.100.9]: >"
	f("NOQUEUE: "+helo, fmt.Sprintf("rejected client=192.0.2.4 %q", helo))
	f("warning: non-SMTP command from unknown[192.0.2.4]: 4FA8DC0101: client=victim[198.51.100.9]", "known")
	f("warning: Illegal address syntax from unknown[192.0.2.4] in MAIL command: <: victim[198.51.100.9]: SASL LOGIN authentication failed: x, sasl_username=victim", "known")
	f("improper command pipelining after EHLO from unknown[192.0.2.4]: 4FA8DC0101: client=victim[198.51.100.9]", "known")
	f("warning: unknown[192.0.2.4]: SASL LOGIN authentication failed: (reason unavailable), sasl_username=x, sasl_username=victim", "login failed <x, sasl_username=victim> client=192.0.2.4")
	f = table(t, "postfix/cleanup")
	f("4FA8DC0101: info: header Subject: reject: header x from local; from=<a@x.test> to=<b@y.test>", "known")
	f("4FA8DC0101: message-id=removed (canceled)", `named id=4FA8DC0101 "removed (canceled)"`)
	f = table(t, "dovecot")
	f("imap-login: Login: user=<a>, method=PLAIN, rip=198.51.100.9, lip=1>, method=PLAIN, rip=192.0.2.4, lip=192.0.2.1, mpid=7, TLS", "access <a>, method=PLAIN, rip=198.51.100.9, lip=1> client=192.0.2.4")
	f("imap-login: Disconnected (no auth attempts in 2 secs): user=<(auth failed, 3 attempts)>, rip=192.0.2.4, lip=192.0.2.1", "known")
}

func TestTrap14AccountsHoldAnything(t *testing.T) {
	f := table(t, "postfix/smtpd")
	for _, account := range []string{"Anna", "anna maria", "anna, maria", "a+b@Example.COM", "a, sasl_method=b", `DOMAIN\anna`, "x[1.2.3.4], y"} {
		f("4FA8DC0101: client=h.example[198.51.100.2], sasl_method=PLAIN, sasl_username="+account, "submitted id=4FA8DC0101 client=198.51.100.2 account="+account)
		f("4FA8DC0101: client=localhost[127.0.0.1], sasl_method=PLAIN, sasl_username="+account+", sasl_sender=b+2Cc, orig_queue_id=554ACC0104, orig_client=h.example[198.51.100.2]",
			"submitted id=4FA8DC0101 client=198.51.100.2 account="+account+" related=554ACC0104")
	}
}

func TestTrap15AddressesOfAllForms(t *testing.T) {
	f := table(t, "postfix/smtpd")
	f("4FA8DC0101: client=unknown[unknown]", "submitted id=4FA8DC0101")
	f("4FA8DC0101: client=unknown[2001:db8::2]", "submitted id=4FA8DC0101 client=2001:db8::2")
	f("4FA8DC0101: client=unknown[2001:db8::2]:4711, sasl_method=PLAIN, sasl_username=anna", "submitted id=4FA8DC0101 client=2001:db8::2 account=anna")
	f("4FA8DC0101: client=unknown[<script>]", "submitted id=4FA8DC0101")
}

func TestTrap16AMilterTakesAMessageAway(t *testing.T) {
	const discard = "milter-discard: END-OF-MESSAGE from h.example[192.0.2.4]: milter triggers DISCARD action; from=<a@x.test> to=<b@y.test> proto=ESMTP helo=<x>"
	table(t, "postfix/cleanup")("4FA8DC0101: "+discard, fmt.Sprintf("removed id=4FA8DC0101 client=192.0.2.4 %q", discard))
	f := table(t, "postfix/smtpd")
	const reject = "milter-reject: DATA from h.example[192.0.2.4]: 550 5.7.1 Command rejected; from=<a@x.test> to=<b@y.test> proto=ESMTP helo=<x>"
	f("1D8CC1CA0A7F: "+reject, fmt.Sprintf("removed id=1D8CC1CA0A7F client=192.0.2.4 %q", reject))
	f("1D8CC1CA0A7F: discard: END-OF-MESSAGE from h.example[192.0.2.4]: <a@x.test>: x; from=<a@x.test>", `removed id=1D8CC1CA0A7F client=192.0.2.4 "discard: END-OF-MESSAGE from h.example[192.0.2.4]: <a@x.test>: x; from=<a@x.test>"`)
}

func TestTrap17AnOperatorTakesAMessageAway(t *testing.T) {
	f := table(t, "postfix/postsuper")
	f("4FA8DC0101: removed", `removed id=4FA8DC0101 "removed"`)
	f("4FA8DC0101: expired", "known") // qmgr tells when it is
	table(t, "postfix/qmgr")("4FA8DC0101: removed", "ended id=4FA8DC0101")
}

func TestTrap22FailedLoginsAreNoSends(t *testing.T) {
	f := table(t, "postfix/smtpd")
	f("warning: h.example[198.51.100.2]: SASL LOGIN authentication failed: UGFzc3dvcmQ6", "login failed client=198.51.100.2")
	f("warning: unknown[192.0.2.237]:55729: SASL LOGIN authentication failed: authentication failure", "login failed client=192.0.2.237")
	f("warning: unknown[2001:db8::4]: SASL PLAIN authentication failed: (reason unavailable), sasl_username=anna, maria", "login failed <anna, maria> client=2001:db8::4")
	f("warning: unknown[192.0.2.4]: SASL PLAIN authentication failed:", "login failed client=192.0.2.4")
	f("warning: unknown[192.0.2.4]: SASL PLAIN authentication failed: x, sasl_username=(unavailable)", "login failed client=192.0.2.4")
	f("warning: unknown[192.0.2.4]: SASL LOGIN authentication failed: Connection lost to authentication server", `trouble "warning: unknown[192.0.2.4]: SASL LOGIN authentication failed: Connection lost to authentication server"`)
	f("warning: unknown[192.0.2.4]: SASL CRAM-MD5 authentication failed: Invalid authentication mechanism", "known")
	f = table(t, "plesk_saslauthd")
	f("No such user 'u@x.test' in mail authorization database", "known")
	f("failed mail authentication attempt for user 'u@x.test' (password len=10)", "login failed <u@x.test>")
	f("select timeout, exiting", "known")
	f("hello", "unknown")
	f = table(t, "saslauthd")
	f("do_auth         : auth failure: [user=anna] [service=smtp] [realm=x.test] [mech=pam] [reason=PAM auth error]", "login failed <anna>")
	f("do_auth         : auth failure: [user=a] [service=imap] x] [service=pop] [realm=] [mech=pam] [reason=Unknown]", "access failed <a] [service=imap] x>")
	f("pam_unix(smtp:auth): authentication failure; logname= uid=0 euid=0 tty= ruser= rhost=  user=anna", "login failed <anna>")
	f("hello", "unknown")
}

func TestLongIDsCarryTheirClock(t *testing.T) {
	f := func(program, body string, want time.Time) {
		t.Helper()
		if e, _ := event(program, body); e.Clock != spoor.StampOf(want) {
			t.Errorf("%s: %v, want %v", body, e.Clock.Time(), want)
		}
	}
	at := time.Date(2023, 2, 20, 13, 50, 44, 573445000, time.UTC)
	f("postfix/smtpd", "4PL3j0443nz30Ms: client=h.example[198.51.100.2]", at)
	f("postfix/pickup", "4PL3j0443nz30Ms: uid=33 from=<www-data>", at)
	f("postfix/qmgr", "4PL3j0443nz30Ms: from=<a@x.test>, size=1, nrcpt=1 (queue active)", time.Time{}) // may be tried days later
	f("postfix/cleanup", "4PL3j0443nz30Ms: message-id=<x@y.test>", time.Time{})
	f("postfix/smtpd", "4FA8DC0101: client=h.example[198.51.100.2]", time.Time{})
}
