package postfix

import (
	"fmt"
	"strings"
	"testing"

	"spoor"
)

// parsed is what a line becomes: its sort, or the event in words.
func parsed(program, body string) string {
	e, sort := event(program, body)
	if sort != spoor.LineEvent {
		return sort.String()
	}
	words := []string{e.Kind.String()}
	add := func(format string, args ...any) { words = append(words, fmt.Sprintf(format, args...)) }
	field := func(name string, value []byte) {
		if len(value) > 0 {
			add("%s=%s", name, value)
		}
	}
	field("id", e.ID)
	if e.Channel != spoor.ChannelUndecided {
		add("%s", e.Channel)
	}
	if e.Kind == spoor.EventQueued {
		add("size=%d count=%d", e.Size, e.Count)
	}
	if e.Address != nil {
		add("<%s>", e.Address)
	}
	field("was", e.Parent)
	field("client", e.Client)
	field("account", e.Account)
	if e.UID >= 0 {
		add("uid=%d", e.UID)
	}
	field("related", e.Related)
	if e.Answer != 0 {
		add("(%s)", e.Answer)
	}
	if len(e.Text) > 0 {
		add("%q", e.Text)
	}
	return strings.Join(words, " ")
}

func event(program, body string) (spoor.Event, spoor.LineSort) {
	l := spoor.Line{Text: []byte(body), Time: 1000, Host: []byte("mx1"), Program: []byte(program), PID: 77, Body: []byte(body)}
	var e spoor.Event
	sort := NewParser().Parse(&l, &e)
	return e, sort
}

// table checks lines of one program.
func table(t *testing.T, program string) func(body, want string) {
	return func(body, want string) {
		t.Helper()
		if got := parsed(program, body); got != want {
			t.Errorf("%s: %s\n got %s\nwant %s", program, body, got, want)
		}
	}
}

func TestSMTPDSaysWhoHandsOverAMessage(t *testing.T) {
	f := table(t, "postfix/smtpd")
	f("connect from unknown[192.0.2.4]", "known")
	f("connect from h.example[192.0.2.4]:55729", "known")
	f("disconnect from unknown[unknown] ehlo=1 auth=0/1 quit=1 commands=2/3", "known")
	f("4FA8DC0101: client=h.example[198.51.100.2]", "submitted id=4FA8DC0101 client=198.51.100.2")
	f("4jY1nY1GcDz5vSQ: client=h.example[198.51.100.2]:4711", "submitted id=4jY1nY1GcDz5vSQ client=198.51.100.2")
	f("4FA8DC0101: client=h.example[198.51.100.2], sasl_method=PLAIN, sasl_username=anna@example.com", "submitted id=4FA8DC0101 client=198.51.100.2 account=anna@example.com")
	f("4FA8DC0101: client=h.example[198.51.100.2], sasl_method=PLAIN, sasl_username=anna@example.com, sasl_sender=boss@example.com", "submitted id=4FA8DC0101 client=198.51.100.2 account=anna@example.com")
	f("995DCD6C315: client=localhost[127.0.0.1], orig_client=h.example[198.51.100.2]", "submitted id=995DCD6C315 client=198.51.100.2")
	f("995DCD6C315: client=localhost[127.0.0.1], orig_queue_id=D989FD6C302, orig_client=h.example[198.51.100.2]", "submitted id=995DCD6C315 client=198.51.100.2 related=D989FD6C302")
	f("995DCD6C315: client=localhost[127.0.0.1], sasl_method=PLAIN, sasl_username=anna, orig_queue_id=4jY1nY1GcDz5vSQ, orig_client=unknown[unknown]",
		"submitted id=995DCD6C315 account=anna related=4jY1nY1GcDz5vSQ")
	for _, login := range []string{"a, sasl_username=b", "a, orig_client=h[1, sasl_username=b]", "a, sasl_sender=b, sasl_username=c", "status=sent (a, b"} { // of anybody's choice
		f("4FA8DC0101: client=h.example[198.51.100.2], sasl_method=PLAIN, sasl_username="+login, "submitted id=4FA8DC0101 client=198.51.100.2 account="+login)
		f("4FA8DC0101: client=localhost[127.0.0.1], sasl_method=PLAIN, sasl_username="+login+", orig_client=h.example[198.51.100.2]", "submitted id=4FA8DC0101 client=198.51.100.2 account="+login)
	}
	for _, sender := range []string{ // as Postfix 3.7 logs AUTH= of who has logged in
		`"x, orig_queue_id=4FA8DC0101`, `"x, orig_client=h.test[198.51.100.9]`, `"x, sasl_username=carl@example.com`, `"x, sasl_username=carl@example.com"`,
		`<x, orig_queue_id=4FA8DC0101`, `x,\ orig_queue_id=4FA8DC0101`, `x,sasl_username=b`, `"x y"`,
	} {
		f("7F93B9D2B25: client=h.example[198.51.100.2], sasl_method=PLAIN, sasl_username=anna@example.com, sasl_sender="+sender, "submitted id=7F93B9D2B25 client=198.51.100.2 account=anna@example.com")
	}
	f("NOQUEUE: client=h.example[198.51.100.2], sasl_method=PLAIN, sasl_username=anna@example.com", "known")
	f("4FA8DC0101: client=h.example", "unknown")
	f("4FA8DC0101: client=h.example[198.51.100.2] and more", "unknown")
	f("something new", "unknown")
	f("", "unknown")
}

func TestAFilterBeforeTheQueueHandsOverTheMailOfALogin(t *testing.T) {
	f := table(t, "postfix/submission/smtpd")
	const accepted, envelope = "proxy-accept: END-OF-MESSAGE: 250 2.0.0 Ok: queued as ", "; from=<alice@shop.example> to=<m@slow.example> proto=ESMTP helo=<client.example>"
	f(accepted+"78FF798CAD2"+envelope+" sasl_username=<alice>", "proxied id=78FF798CAD2 account=alice")
	f(accepted+"4jbBRR44mnz1SD5C"+envelope+" sasl_username=<a, b>c@x.test>", "proxied id=4jbBRR44mnz1SD5C account=a, b>c@x.test")
	f("proxy-accept: END-OF-MESSAGE: 250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 78FF798CAD2"+envelope+" sasl_username=<alice>", "proxied id=78FF798CAD2 account=alice")
	f(accepted+"78FF798CAD2"+envelope, "known")
	f("proxy-accept: END-OF-MESSAGE: 250 taken"+envelope+" sasl_username=<alice>", "known")
	f("proxy-reject: END-OF-MESSAGE: 550 5.7.1 queued as 78FF798CAD2"+envelope+" sasl_username=<alice>", "known")
	// who has not logged in forges none: sender and recipient stand before the last proto=
	const forged = ` proto=ESMTP helo=<x> sasl_username=<boss>`
	f(accepted+`78FF798CAD2; from=<"a>`+forged+`"@x.test> to=<"b>`+forged+`"@y.test> proto=ESMTP helo=<client.example>`, "known")
	f(accepted+`78FF798CAD2; from=<"a; from=<x> queued as 4FA8DC0101`+forged+`"@x.test> to=<b@y.test> proto=ESMTP helo=<x> sasl_username=<alice>`, "proxied id=78FF798CAD2 account=alice")
}

func TestSMTPDRefuses(t *testing.T) {
	f := table(t, "postfix/smtpd")
	const reject = "reject: RCPT from unknown[192.0.2.4]: 554 5.7.1 <b@y.test>: Relay access denied; from=<a@x.test> to=<b@y.test> proto=ESMTP helo=<x>"
	f("NOQUEUE: "+reject, fmt.Sprintf("rejected client=192.0.2.4 %q", reject))
	f("00ADB3C0899: "+reject, fmt.Sprintf("rejected id=00ADB3C0899 client=192.0.2.4 %q", reject))
	f(reject, fmt.Sprintf("rejected client=192.0.2.4 %q", reject)) // Postfix 1
	f("NOQUEUE: reject: CONNECT from h.example[2001:db8::4]:4711: 450 4.7.25 Client host rejected; proto=SMTP", `rejected client=2001:db8::4 "reject: CONNECT from h.example[2001:db8::4]:4711: 450 4.7.25 Client host rejected; proto=SMTP"`)
	f("NOQUEUE: reject: RCPT from unknown[unknown]: 421 4.3.0 x", `rejected "reject: RCPT from unknown[unknown]: 421 4.3.0 x"`)
	f("NOQUEUE: milter-reject: MAIL from h.example[192.0.2.4]: 451 4.7.1 Service unavailable", `rejected client=192.0.2.4 "milter-reject: MAIL from h.example[192.0.2.4]: 451 4.7.1 Service unavailable"`)
	f("NOQUEUE: reject_warning: RCPT from h.example[192.0.2.4]: 554 5.7.1 no", "known")
	f("NOQUEUE: filter: RCPT from h.example[192.0.2.4]: <a@x.test>: Sender address triggers FILTER smtp-amavis:[127.0.0.1]:10026", "known")
	f("NOQUEUE: warn: RCPT from h.example[192.0.2.4]: look", "known")
	f("NOQUEUE: discard: RCPT from h.example[192.0.2.4]: <b@y.test>: Recipient address triggers DISCARD action", "known")
	f("proxy-accept: END-OF-MESSAGE: 250 2.0.0 Ok: queued as 995DCD6C315; from=<a@x.test> to=<b@y.test> proto=ESMTP helo=<x>", "known")
	f("NOQUEUE: lost connection after CONNECT from unknown[192.0.2.25]", "known")
	f("4FA8DC0101: lost connection after DATA (1234 bytes) from unknown[192.0.2.25]", "known")
	f("NOQUEUE: abort: TLS from h.example[192.0.2.4]: No client certificate presented", "known")
	f("NOQUEUE: reject: what", "unknown")
	f("NOQUEUE: abduct: RCPT from h.example[192.0.2.4]: x", "unknown")
}

func TestSMTPDRemarks(t *testing.T) {
	f := table(t, "postfix/submission/smtpd")
	for _, body := range []string{
		"lost connection after AUTH from unknown[192.0.2.4]", "timeout after END-OF-MESSAGE from h.example[192.0.2.4]", "too many errors after RCPT from h.example[192.0.2.4]",
		"improper command pipelining after EHLO from h.example[192.0.2.4]: MAIL FROM:<a>", "discarding EHLO keywords: CHUNKING", "SSL_accept error from unknown[192.0.2.4]: lost connection",
		"Anonymous TLS connection established from unknown[192.0.2.4]: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)", "TLS SNI mail.example from h.example[192.0.2.4] not matched, using default chain",
		"h.example[192.0.2.4]: Issuing session ticket, key expiration: 1795430000", "setting up TLS connection from h.example[192.0.2.4]", "initializing the server-side TLS engine",
		"table hash:/etc/postfix/access(0,lock|fold_fix) has changed -- restarting", "using backwards-compatible default setting smtputf8_enable=no to accept non-ASCII sender address \"ä\" from h.example[192.0.2.4]",
		"redirecting hash:/etc/postfix/access to lmdb:/etc/postfix/access",
		"> h.example[192.0.2.4]: 250-PIPELINING", "< h.example[192.0.2.4]: EHLO x", "match_hostname: smtpd_client_event_limit_exceptions: h.example ~? 127.0.0.0/8", "private/anvil socket: wanted attribute: status",
		"warning: hostname bad.example.com does not resolve to address 192.0.2.44: Name or service not known", "warning: 192.0.2.44: hostname bad.example.com verification failed: Name or service not known",
		"warning: non-SMTP command from unknown[192.0.2.4]: GET / HTTP/1.1", "warning: Connection rate limit exceeded: 31 from h.example[192.0.2.4] for service smtpd", "warning: TLS library problem: error:0A00010B:SSL routines::wrong version number",
		"warning: Illegal address syntax from unknown[192.0.2.4] in MAIL command: <x", "warning: SASL authentication failure: Password verification failed", "warning: unknown[192.0.2.4]: SASL LOGIN authentication aborted",
	} {
		f(body, "known")
	}
	f("warning: SASL: Connect to Dovecot auth socket 'private/auth' failed: No such file or directory", `trouble "warning: SASL: Connect to Dovecot auth socket 'private/auth' failed: No such file or directory"`)
	f("fatal: no SASL authentication mechanisms", `trouble "fatal: no SASL authentication mechanisms"`)
	f("warning: 4FA8DC0101: queue file size limit exceeded", `trouble id=4FA8DC0101 "warning: 4FA8DC0101: queue file size limit exceeded"`)
	f("Anonymous donation established", "unknown")
	f("h.example[192.0.2.4]: hello", "unknown")
}

func TestServicesThatReplaceBerkeleyDB(t *testing.T) {
	f := table(t, "postfix/nbdb_reindexd")
	f("successfully executed 'postmap lmdb:/etc/postfix/access' as uid 0", "known")
	f("target file '/etc/postfix/access.lmdb' already exists, skipping this request", "known")
	f("redirecting hash:/etc/aliases to lmdb:/etc/aliases", "known")
	f("redirecting everything", "unknown")
}

func TestADeliveryEnds(t *testing.T) {
	f := table(t, "postfix/smtp")
	f("4C30BC0100: to=<eva@bigmail.test>, relay=mx.bigmail.test[203.0.113.9]:25, delay=0.5, delays=0.1/0/0.2/0.2, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 4F2A9C01)",
		`delivered id=4C30BC0100 remote <eva@bigmail.test> "250 2.0.0 Ok: queued as 4F2A9C01"`)
	f("4C30BC0100: to=<eva@bigmail.test>, orig_to=<x@shop.test>, relay=mx[203.0.113.9]:25, conn_use=2, delay=0.02, delays=0/0.01/0/0.01, tls=dane/requiretls, dsn=4.2.1, status=deferred (host mx[203.0.113.9] said: 450 4.2.1 over quota (in reply to RCPT TO command))",
		`deferred id=4C30BC0100 remote <eva@bigmail.test> was=x@shop.test (mailbox-full) "host mx[203.0.113.9] said: 450 4.2.1 over quota (in reply to RCPT TO command)"`)
	f("4C30BC0100: to=<eva@bigmail.test>, relay=none, delay=30, delays=0/0/30/0, dsn=4.4.1, status=deferred (connect to mx[203.0.113.9]:25: Connection refused)",
		`deferred id=4C30BC0100 remote <eva@bigmail.test> (no-connection) "connect to mx[203.0.113.9]:25: Connection refused"`)
	f("4C30BC0100: to=<eva@bigmail.test>, relay=mx[2001:db8::9]:25, delay=1, delays=0/0/0/1, dsn=5.1.1, status=bounced (host mx[2001:db8::9] said: 550 5.1.1 User unknown (in reply to RCPT TO command))",
		`failed id=4C30BC0100 remote <eva@bigmail.test> (user-unknown) "host mx[2001:db8::9] said: 550 5.1.1 User unknown (in reply to RCPT TO command)"`)
	f("4C30BC0100: to=<eva@bigmail.test>, relay=none, delay=1, delays=0/0/0/1, dsn=5.1.1, status=SOFTBOUNCE (unknown user)", `deferred id=4C30BC0100 remote <eva@bigmail.test> (user-unknown) "unknown user"`)
	f("D989FD6C302: to=<w@example.com>, relay=127.0.0.1[127.0.0.1]:10024, delay=2.9, delays=0.31/0.01/0/2.6, dsn=2.6.0, status=sent (250 2.6.0 Ok, id=01182-01, from MTA([127.0.0.1]:10025): 250 2.0.0 Ok: queued as 995DCD6C315)",
		`delivered id=D989FD6C302 remote <w@example.com> related=995DCD6C315 "250 2.6.0 Ok, id=01182-01, from MTA([127.0.0.1]:10025): 250 2.0.0 Ok: queued as 995DCD6C315"`)
	f("08FB63B8A4: to=<jo@jo.test>, relay=mx[203.0.113.9], delay=6, status=sent (250 ok)", `delivered id=08FB63B8A4 remote <jo@jo.test> "250 ok"`) // Postfix 2.2
	f("3E29030F8637E: to=<u@x.test>, relay=none, delay=0.01, delays=0.01/0/0/0, dsn=5.1.1, status=undeliverable-but-not-cached (User unknown)", "known")
	f("3E29030F8637E: host mx[203.0.113.9] said: 450 4.7.1 later (in reply to RCPT TO command)", "known")
	f("3E29030F8637E: lost connection with mx[203.0.113.9] while sending RCPT TO", "known")
	f("3E29030F8637E: Cannot start TLS: handshake failure", "known")
	f("3E29030F8637E: replace: header Received: from a: Received: from b", "known")
	f("connect to mx.bigmail.test[203.0.113.9]:25: Connection timed out", "known")
	f("mx.bigmail.test[203.0.113.9]:25: re-using session with untrusted certificate, look for details earlier in the log", "known")
	f("3E29030F8637E: to=<u@x.test>, relay=none, delay=0.01, status=lost (x)", "unknown")
	f("3E29030F8637E: to=<u@x.test>, status=sent (x)", "unknown")
	f("3E29030F8637E: hello world", "unknown")
	f("4C30BC0100: to=<eva@bigmail.test>, relay=mx[203.0.113.9]:25, delay=0.02, delays=0/0Nov 23 11:40:01 mx1 postfix/smtp[31]: 4C30BC0222: to=<tom@other.test>, relay=mx[203.0.113.7]:25, delay=1, dsn=5.1.1, status=bounced (x)",
		"unknown") // a line that was cut: the outcome is of the next
	f("ignoring DNS RR: mx.bigmail.test. 300 IN AAAA 2001:db8::9", "known")
}

func TestALocalDeliveryEnds(t *testing.T) {
	for _, program := range []string{"postfix/local", "postfix/lmtp", "postfix/virtual", "postfix/pipe"} {
		f := table(t, program)
		f("0F5383D: to=<tom@example.com>, orig_to=<admin@example.com>, relay=dovecot, delay=3.4, delays=3.3/0.03/0/0.12, dsn=2.0.0, status=sent (delivered via dovecot service)",
			`delivered id=0F5383D local <tom@example.com> was=admin@example.com "delivered via dovecot service"`)
	}
	f := table(t, "postfix/local")
	f("C724C104301: to=<localuser@example.com>, relay=local, delay=0.68, delays=0.66/0.01/0/0.01, dsn=2.0.0, status=sent (forwarded as 134DD104307)",
		`delivered id=C724C104301 local <localuser@example.com> related=134DD104307 "forwarded as 134DD104307"`)
	f("2A22C263F6: to=user@hostname.example.com, orig_to=root@localhost, relay=local, delay=0.07, delays=0.04/0/0/0.03, dsn=2.0.0, status=sent (delivered to command: procmail -a \"$EXTENSION\")",
		`delivered id=2A22C263F6 local <user@hostname.example.com> was=root@localhost "delivered to command: procmail -a \"$EXTENSION\""`)
	f = table(t, "postfix/lmtp")
	f("D989FD6C302: to=<w@example.com>, relay=127.0.0.1[127.0.0.1]:10024, delay=2.9, delays=0.31/0.01/0/2.6, dsn=2.0.0, status=sent (250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 995DCD6C315)",
		`delivered id=D989FD6C302 remote <w@example.com> related=995DCD6C315 "250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 995DCD6C315"`) // a filter
	f("0F5383D: to=<tom@example.com>, relay=mail.example.com[private/dovecot-lmtp], delay=0.1, delays=0/0/0/0.1, dsn=2.0.0, status=sent (250 2.0.0 <tom@example.com> YADINsQCDs5BH8Pg Saved)",
		`delivered id=0F5383D local <tom@example.com> "250 2.0.0 <tom@example.com> YADINsQCDs5BH8Pg Saved"`)
}

func TestPickupSaysWhichUserSubmits(t *testing.T) {
	f := table(t, "postfix/pickup")
	f("CB2BBC0120: uid=33 from=<www-data>", "submitted id=CB2BBC0120 uid=33")
	f("CB2BBC0120: uid=0 from=<>", "submitted id=CB2BBC0120 uid=0")
	f("4jY1nY215Yz5vSs: uid=103 from=<anna@example.com> orig_id=99961C00CB", "submitted id=4jY1nY215Yz5vSs uid=103 related=99961C00CB")
	f("CB2BBC0120: uid=33 from=www-data", "unknown")
	f("CB2BBC0120: uid=99999999999 from=<a>", "unknown")
	f("warning: maildrop/4F2A9C01: file has 2 links", `trouble "warning: maildrop/4F2A9C01: file has 2 links"`)
}

func TestCleanupSaysWhatAPolicyDid(t *testing.T) {
	f := table(t, "postfix/cleanup")
	f("4FA8DC0101: message-id=<1795428397315.23137.4@example.com>", `named id=4FA8DC0101 "<1795428397315.23137.4@example.com>"`)
	f("4FA8DC0101: message-id=<>", `named id=4FA8DC0101 "<>"`)
	f("4FA8DC0101: message-id==?utf-8?B?PDIw?=", `named id=4FA8DC0101 "=?utf-8?B?PDIw?="`)
	f("4FA8DC0101: resent-message-id=<x@y.test>", "known")
	f("4FA8DC0101: milter-reject: END-OF-MESSAGE from h.example[192.0.2.4]: 5.7.1 Blocked; from=<a@x.test> to=<b@y.test> proto=ESMTP helo=<x>",
		`removed id=4FA8DC0101 client=192.0.2.4 "milter-reject: END-OF-MESSAGE from h.example[192.0.2.4]: 5.7.1 Blocked; from=<a@x.test> to=<b@y.test> proto=ESMTP helo=<x>"`)
	f("4FA8DC0101: milter-hold: END-OF-MESSAGE from h.example[192.0.2.4]: milter triggers HOLD action; from=<a@x.test>", "known")
	f("4FA8DC0101: reject: header Subject: pills from h.example[192.0.2.4]; from=<a@x.test> to=<b@y.test> proto=ESMTP helo=<x>: 5.7.1 no",
		`removed id=4FA8DC0101 "reject: header Subject: pills from h.example[192.0.2.4]; from=<a@x.test> to=<b@y.test> proto=ESMTP helo=<x>: 5.7.1 no"`)
	f("4FA8DC0101: discard: body x from local; from=<a@x.test>", `removed id=4FA8DC0101 "discard: body x from local; from=<a@x.test>"`)
	f("4FA8DC0101: canceled", `removed id=4FA8DC0101 "canceled"`)
	f("4FA8DC0101: removed (canceled)", `removed id=4FA8DC0101 "removed (canceled)"`)
	f("4FA8DC0101: info: header Subject: hello from local; from=<a@x.test> to=<b@y.test>", "known")
	f("4FA8DC0101: warning: header X-PHP-Originating-Script: 33:mailer.php from local; from=<a@x.test> to=<b@y.test>", "known")
	f("4FA8DC0101: milter-header-redirect: header X-Spam-Status: Yes from h.example[192.0.2.4]; from=<a@x.test>: tom@example.com", "known")
	f("warning: 9BECF3F19D: sender_canonical_maps map lookup problem for a@x.test -- message not accepted, try again later",
		`trouble id=9BECF3F19D "warning: 9BECF3F19D: sender_canonical_maps map lookup problem for a@x.test -- message not accepted, try again later"`)
	f("4FA8DC0101: to=<b@y.test>, relay=none, delay=0.01, delays=0.01/0/0/0, dsn=5.7.1, status=bounced (message rejected)", `failed id=4FA8DC0101 remote <b@y.test> (policy) "message rejected"`)
	f("4FA8DC0101: reject: hello", "unknown")
	f("4FA8DC0101: nonsense", "unknown")
}

func TestQmgrSaysWhatIsInTheQueue(t *testing.T) {
	f := table(t, "postfix/qmgr")
	f("4FA8DC0101: from=<pedro@parcel.test>, size=907, nrcpt=4 (queue active)", "queued id=4FA8DC0101 size=907 count=4 <pedro@parcel.test>")
	f("4FA8DC0101: from=<>, size=2907, nrcpt=1 (queue active)", "queued id=4FA8DC0101 size=2907 count=1 <>")
	f("7E0E6196: from=<xxx@hotmail.test>, size=1141 (queue active)", "queued id=7E0E6196 size=1141 count=0 <xxx@hotmail.test>")
	f("4FA8DC0101: removed", "ended id=4FA8DC0101")
	f("4FA8DC0101: from=<pedro@parcel.test>, status=expired, returned to sender", `failed id=4FA8DC0101 (too-old) "expired, returned to sender"`)
	f("4FA8DC0101: from=<>, status=force-expired, returned to sender", `failed id=4FA8DC0101 (too-old) "force-expired, returned to sender"`)
	f("4FA8DC0101: to=<a@b.test>, relay=none, delay=9, delays=9/0/0/0, dsn=4.3.0, status=deferred (mail transport unavailable)", `deferred id=4FA8DC0101 remote <a@b.test> (local) "mail transport unavailable"`)
	f("ED06590130AA1C9D6D862: skipped, still being delivered", "known")
	f("warning: problem talking to service rewrite: Connection reset by peer", `trouble "warning: problem talking to service rewrite: Connection reset by peer"`)
	f("4FA8DC0101: from=<pedro@parcel.test>, size=x, nrcpt=4 (queue active)", "unknown")
	f("4FA8DC0101: from=<pedro@parcel.test>, size=907, nrcpt=4 (queue passive)", "unknown")
	f("4FA8DC0101: vanished", "unknown")
}

func TestBounceAndPostsuper(t *testing.T) {
	f := table(t, "postfix/bounce")
	f("4FA8DC0101: sender non-delivery notification: 554ACC0104", `bounced id=4FA8DC0101 related=554ACC0104 "sender non-delivery"`)
	f("4FA8DC0101: postmaster non-delivery notification: 4jY1nY1GcDz5vSQ", `bounced id=4FA8DC0101 related=4jY1nY1GcDz5vSQ "postmaster non-delivery"`)
	f("4FA8DC0101: sender delay notification: 554ACC0104", `bounced id=4FA8DC0101 related=554ACC0104 "sender delay"`)
	f("4FA8DC0101: no trace file -- not sending a notification", "known")
	f("4FA8DC0101: made-up notification: 554ACC0104", "unknown")
	f("4FA8DC0101: sender non-delivery notification: 554ACC0104 and more", "unknown")
	f = table(t, "postfix/postsuper")
	f("Deleted: 2 messages", "known")
	f("4FA8DC0101: requeued", "known")
	f("4FA8DC0101: eaten", "unknown")
}

func TestPostscreenRefuses(t *testing.T) {
	f := table(t, "postfix/postscreen")
	const reject = "reject: RCPT from [192.0.2.9]:4242: 550 5.7.1 Service unavailable; client [192.0.2.9] blocked using bl.example.org; from=<a@x.test>, to=<b@y.test>, proto=ESMTP, helo=<x>"
	f("NOQUEUE: "+reject, fmt.Sprintf("rejected client=192.0.2.9 %q", reject))
	f("NOQUEUE: reject: CONNECT from [2001:db8::9]:4242: too many connections", `rejected client=2001:db8::9 "reject: CONNECT from [2001:db8::9]:4242: too many connections"`)
	for _, body := range []string{
		"CONNECT from [192.0.2.9]:4242 to [192.0.2.1]:25", "PASS OLD [192.0.2.9]:4242", "PASS NEW [2001:db8::9]:4242", "PREGREET 14 after 0.08 from [192.0.2.9]:4242: EHLO ylmf-pc\\r\\n",
		"DNSBL rank 3 for [192.0.2.9]:4242", "HANGUP after 16 from [192.0.2.9]:4242 in tests after SMTP handshake", "DISCONNECT [192.0.2.9]:4242", "WHITELISTED [192.0.2.9]:4242", "DENYLISTED [192.0.2.9]:4242",
		"COMMAND TIME LIMIT from [192.0.2.9]:4242 after CONNECT", "BARE NEWLINE from [192.0.2.9]:4242 after DATA", "NON-SMTP COMMAND from [192.0.2.9]:4242 after CONNECT: GET / HTTP/1.1",
		"cache btree:/var/lib/postfix/postscreen_cache full cleanup: retained=4 dropped=1 entries",
	} {
		f(body, "known")
	}
	f("CONNECT somehow", "unknown")
	f("NOQUEUE: dance: RCPT from [192.0.2.9]:4242: x", "unknown")
}

func TestServicesAndCommands(t *testing.T) {
	f := func(program, body, want string) {
		t.Helper()
		table(t, "postfix/"+program)(body, want)
	}
	f("anvil", "statistics: max connection rate 1/60s for (smtpd:2001:db8::3) at Oct 26 17:46:59", "known")
	f("scache", "statistics: domain lookup hits=0 miss=1 success=0%", "known")
	f("master", "daemon started -- version 3.5.6, configuration /etc/postfix", "known")
	f("master", "terminating on signal 15", "known")
	f("master", "warning: process /usr/lib/postfix/smtpd pid 9829 exit status 1", `trouble "warning: process /usr/lib/postfix/smtpd pid 9829 exit status 1"`)
	f("postfix-script", "the Postfix mail system is running: PID: 1713", "known")
	f("dnsblog", "addr 192.0.2.9 listed by domain psbl.surriel.com as 127.0.0.2", "known")
	f("tlsproxy", "CONNECT from [192.0.2.9]:4242", "known")
	f("verify", "cache btree:/var/lib/postfix/verify_cache full cleanup: retained=4 dropped=1 entries", "known")
	f("trivial-rewrite", "table hash:/etc/postfix/transport(0,lock|fold_fix) has changed -- restarting", "known")
	f("discard", "25F2E5E061: to=<g@example.com>, relay=none, delay=0.05, delays=0.05/0/0/0, dsn=2.0.0, status=sent (example.com)", `delivered id=25F2E5E061 remote <g@example.com> "example.com"`)
	f("sendmail", "fatal: www-data(33): message file too big", `trouble uid=33 "fatal: www-data(33): message file too big"`)
	f("postdrop", "warning: uid=33: ignoring attribute record: a=b", `trouble uid=33 "warning: uid=33: ignoring attribute record: a=b"`)
	f("sendmail", "fatal: open /etc/postfix/main.cf: Permission denied", `trouble "fatal: open /etc/postfix/main.cf: Permission denied"`)
	f("policyd-spf", "prepend Received-SPF: Pass (mailfrom) identity=mailfrom", "known")
	f("master", "reload configuration /etc/postfix", "known") // Postfix 2.2
	f("postfix-script", "See http://www.postfix.org/COMPATIBILITY_README.html for details", "known")
	f("postfix-script", `To disable backwards compatibility use "postconf compatibility_level=3.6" and "postfix reload"`, "known")
	f("smtpd", "cannot load Certificate Authority data: disabling TLS support", "known")
	f("anvil", "lies, damned lies", "unknown")
	f("never-heard-of", "hello", "unknown")
}

func TestAVerboseDaemonIsUnderstood(t *testing.T) {
	for program, bodies := range map[string][]string{
		"qmgr": {
			"request: 87 (W)", "request ignored", "done incoming queue scan", "start sorted recipient list", "end sorted recipient list", "start move queue active -> incoming",
			"end move queue active -> incoming", "wakeup 4F2A9C0101 after 1000 secs", "rewrite stream disconnect",
		},
		"smtpd":   {"unknown_address_tempfail_action = defer_if_permit", "fsspace: .: block size 4096, blocks free 7612345", "before input_transp_cleanup: cleanup flags = enable_milters", "proxymap stream disconnect"},
		"smtp":    {"smtp socket: wanted attribute: queue_id", "host name lookup methods: dns", "lookup far.example type MX flags 0", "begin far.example address list", "pref   10 host mx.far.example/203.0.113.9", "end far.example address list", "connecting to far.example port 25"},
		"cleanup": {"initial envelope S anna@example.com", "extracted envelope E", "cleanup flags = enable_milters", "open incoming/4F2A9C0101"},
	} {
		for _, body := range bodies {
			table(t, "postfix/"+program)(body, "known")
		}
	}
}

func TestNonsenseIsUnknown(t *testing.T) {
	for program, d := range daemons {
		if d == daemonScript {
			continue // says what its author likes
		}
		for _, body := range []string{
			"the quick brown fox", "Hello: world", "to=<a@b.test>", "from=<a@b.test>", "client=h[192.0.2.4]", "4FA8DC0101: ", "4FA8DC0101: the quick brown fox", "4FA8DC0101 removed", "statistics", "NOQUEUE: fox",
			"host is up", "h.test[192.0.2.4]: fox", "connection lost", "a: b: c", "x", " ", "4FA8DC0101: status=sent (250 ok)", "4FA8DC0101: to=<a@b.test>", "4FA8DC0101: from=<a@b.test>",
		} {
			if got := parsed("postfix/"+program, body); got != "unknown" {
				t.Errorf("%s: %q is %s", program, body, got)
			}
		}
	}
}

func TestTheProgramDecidesFirst(t *testing.T) {
	const submitted = "submitted id=4FA8DC0101 client=198.51.100.2"
	for program, want := range map[string]string{
		"postfix/smtpd": submitted, "postfix/submission/smtpd": submitted, "postfix/10025/smtpd": submitted, "postfix-239.58.50.50/smtpd": submitted, "example.com/smtpd": submitted, "mx/in/smtpd": submitted,
		"smtpd": "foreign", "kernel": "foreign", "/usr/lib/x/smtpd": "foreign", "cyrus/smtpd": "foreign", "qmail/smtpd": "foreign", "": "foreign",
		"opendkim": "known", "amavis": "known", "postgrey": "known", "spamd": "known", "rspamd": "known", "mailman": "known", "postsrsd": "known", "/usr/lib64/plesk-9.0/psa-pc-remote": "known",
	} {
		if got := parsed(program, "4FA8DC0101: client=h.example[198.51.100.2]"); got != want {
			t.Errorf("%q: got %s, want %s", program, got, want)
		}
	}
	for _, command := range []string{"postfix", "postmulti", "postconf"} {
		const warning = "warning: /etc/postfix/main.cf, line 7: overriding earlier entry: mynetworks=127.0.0.0/8"
		if got := parsed(command, warning); got != fmt.Sprintf("trouble %q", warning) {
			t.Errorf("before main.cf was read: %s: %s", command, got)
		}
	}
	if got := parsed("postfix", "Postfix is running with backwards-compatible default settings"); got != "known" {
		t.Errorf("before main.cf was read: %s", got)
	}
	if got := parsed("/postfix-script", "stopping the Postfix mail system"); got != "known" {
		t.Errorf("without a syslog_name: %s", got)
	}
}

func TestADeliveryToAProgramThatMayHandTheMessageBack(t *testing.T) {
	f := func(program, rest string, want bool) {
		t.Helper()
		var e spoor.Event
		l := spoor.Line{Program: []byte("postfix/" + program), Body: []byte("4FA8DC0101: to=<g@far.example>, " + rest)}
		if sort := NewParser().Parse(&l, &e); sort != spoor.LineEvent || e.Passed != want {
			t.Errorf("%s: %s: %s, %v", program, rest, sort, e.Passed)
		}
	}
	const times = ", delay=0.05, delays=0.05/0/0/0, dsn=2.0.0, status="
	f("smtp", "relay=127.0.0.1[127.0.0.1]:10024"+times+"sent (250 2.6.0 Ok, id=01182-01)", true)
	f("smtp", "relay=localhost[::1]:10024"+times+"sent (250 Ok)", true)
	f("lmtp", "relay=127.0.0.1[127.0.0.1]:10024"+times+"sent (250 2.6.0 Ok, id=01182-01)", true)
	f("pipe", "relay=filter"+times+"sent (delivered via filter service)", true)
	f("pipe", "relay=mailman"+times+"sent (delivered via mailman service (x))", true)
	f("local", "relay=local"+times+"sent (delivered to command: /usr/bin/mlmmj-receive -L /var/spool/mlmmj/l/)", true)
	f("local", "relay=local"+times+"sent (delivered to command: \"|IFS=' ' && exec /usr/bin/procmail-forward\")", true)
	f("local", "relay=local"+times+"sent (delivered to command: procmail -a \"$EXTENSION\")", false)
	f("local", "relay=local"+times+"sent (delivered to command: exec /usr/bin/procmail -f -)", false)
	f("local", "relay=local"+times+"sent (delivered to command: /usr/bin/procmail-wrapper -o -a $DOMAIN -d $LOGNAME)", false)
	f("local", "relay=local"+times+"sent (delivered to command: /usr/lib/dovecot/deliver)", false)
	f("local", "relay=local"+times+"sent (delivered to command: /usr/lib/dovecot/dovecot-lda -f \"$SENDER\" -a \"$RECIPIENT\")", false)
	f("smtp", "relay=mx.far.example[192.0.2.7]:25"+times+"sent (250 2.0.0 Ok: queued as 4FA8DC0102)", false)
	f("smtp", "relay=mx.far.example[192.0.2.7]:25"+times+"sent (delivered via filter service)", false)
	f("smtp", "relay=127.0.0.1[127.0.0.1]:10024"+times+"deferred (connect to 127.0.0.1[127.0.0.1]:10024: Connection refused)", false)
	f("local", "relay=local"+times+"sent (delivered to maildir)", false)
	f("local", "relay=local"+times+"sent (delivered to mailbox)", false)
	f("virtual", "relay=virtual"+times+"sent (delivered to maildir)", false)
	f("lmtp", "relay=mx[private/dovecot-lmtp]"+times+"sent (250 2.0.0 <g@far.example> 8Bp5 Saved)", false)
	f("lmtp", "relay=mx[/run/cyrus/lmtp]"+times+"sent (250 2.1.5 Ok SESSIONID=<x>)", false)
	f("pipe", "relay=dovecot"+times+"sent (delivered via dovecot service)", false)
}
