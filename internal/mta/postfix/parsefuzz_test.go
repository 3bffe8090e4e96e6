package postfix

import (
	"bytes"
	"testing"

	"spoor"
)

// within reports whether a slice of an event is a part of the line.
func within(part, line []byte) bool {
	return len(part) == 0 || bytes.Contains(line, part)
}

func FuzzParse(f *testing.F) {
	for text := range bytes.Lines([]byte(commonLines)) {
		l := splitLine(bytes.TrimSuffix(text, []byte{'\n'}))
		f.Add(string(l.Program), string(l.Body))
	}
	for _, seed := range [...][2]string{
		{"postfix/smtpd", "995DCD6C315: client=localhost[127.0.0.1], sasl_method=PLAIN, sasl_username=a, b, orig_queue_id=D989FD6C302, orig_client=h.example[198.51.100.2]:4711"},
		{"postfix/smtpd", "NOQUEUE: reject: RCPT from unknown[2001:db8::4]: 554 5.7.1 x; from=<> proto=ESMTP helo=<>"},
		{"postfix/smtpd", "warning: unknown[192.0.2.4]: SASL LOGIN authentication failed: x, sasl_username=y"},
		{"postfix/smtp", `4C30BC0100: to=<"a\">, relay="@b>, orig_to=c, relay=127.0.0.1[127.0.0.1]:1, delay=1, dsn=2.0.0, status=sent (queued as 995DCD6C315)`},
		{"postfix/smtp", "4C30BC0100: to=a@b, relay=none, delay=6, status=SOFTBOUNCE"},
		{"postfix/pickup", "CB2BBC0120: uid=103 from=<a> orig_id=99961C00CB"},
		{"postfix/cleanup", "4FA8DC0101: milter-reject: END-OF-MESSAGE from h[192.0.2.4]: x; from=<a>"},
		{"postfix/cleanup", "4FA8DC0101: reject: header Subject: x from local; from=<a>: no"},
		{"postfix/qmgr", "4FA8DC0101: from=<a>, status=expired, returned to sender"},
		{"postfix/bounce", "4FA8DC0101: sender non-delivery notification: 554ACC0104"},
		{"postfix/postsuper", "4FA8DC0101: removed"},
		{"postfix/postscreen", "NOQUEUE: reject: RCPT from [192.0.2.9]:4242: 450 x"},
		{"postfix/master", "fatal: a(33): x"},
		{"dovecot", "imap-login: Disconnected (auth failed, 1 attempts): user=<a>, method=PLAIN, rip=192.0.2.4, lip=x"},
		{"auth", "pam_unix(dovecot:auth): authentication failure; ruser=a rhost=1.2.3.4  user=b"},
		{"saslauthd", "do_auth : auth failure: [user=a] [service=smtp] [realm=]"},
		{"", "auth: Info: sql(a,1.2.3.4,<x>): unknown user"},
		{"imapd", "LOGIN FAILED, user=a, ip=[::ffff:1.2.3.4]"},
		{"timsieved", "badlogin: h [1.2.3.4] PLAIN a SASL(-13)"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, program, body string) {
		l := spoor.Line{Text: []byte(body), Time: 1000, Program: []byte(program), PID: -1, Body: []byte(body)}
		var first, again spoor.Event
		p := NewParser()
		sort := p.Parse(&l, &first)
		if string(l.Body) != body || string(l.Program) != program {
			t.Fatal("the line was changed")
		}
		if p.Parse(&l, &again) != sort || sort == spoor.LineEvent && (first.Kind != again.Kind || !bytes.Equal(first.Address, again.Address) || first.Origin != again.Origin) {
			t.Fatalf("%q of %q is %v, then another thing", body, program, sort)
		}
		if sort != spoor.LineEvent {
			return
		}
		if first.Kind == spoor.EventNone || first.Time != 1000 {
			t.Fatalf("an event of kind %v at %v", first.Kind, first.Time)
		}
		for _, part := range [][]byte{first.ID, first.Related, first.Account, first.Address, first.Parent, first.Client, first.Text} {
			if !within(part, l.Body) {
				t.Fatalf("%q is not in %q", part, body)
			}
		}
		checkEvent(t, &first)
	})
}

// checkEvent holds an event against what its consumers rely on.
func checkEvent(t *testing.T, e *spoor.Event) {
	t.Helper()
	if len(e.ID) > 0 && (!isID(e.ID) || e.Key == 0 || string(e.ID) == noQueue) {
		t.Fatalf("queue ID %q", e.ID)
	}
	if e.Related != nil && !isID(e.Related) {
		t.Fatalf("queue ID %q", e.Related)
	}
	if bytes.ContainsAny(e.Client, " []<>,") || e.Count < 0 || e.Size < 0 || e.UID < -1 {
		t.Fatalf("client %q, %d recipients, %d bytes, UID %d", e.Client, e.Count, e.Size, e.UID)
	}
	switch e.Kind {
	case spoor.EventSubmitted, spoor.EventQueued, spoor.EventNamed, spoor.EventDelivered, spoor.EventDeferred, spoor.EventFailed, spoor.EventEnded, spoor.EventBounced, spoor.EventRemoved:
		if len(e.ID) == 0 {
			t.Fatalf("%v without an ID", e.Kind)
		}
	}
}

func TestADroppedLineAllocatesNothing(t *testing.T) {
	p := NewParser()
	for text := range bytes.Lines([]byte(commonLines)) {
		l := splitLine(bytes.TrimSuffix(text, []byte{'\n'}))
		var e spoor.Event
		p.Parse(&l, &e) // its tag is known from here on
		if n := testing.AllocsPerRun(100, func() {
			e = spoor.Event{}
			p.Parse(&l, &e)
		}); n != 0 {
			t.Errorf("%v allocations: %s", n, text)
		}
	}
	for program, body := range map[string]string{
		"postfix/smtps/smtpd": "warning: unknown[192.0.2.4]: SASL LOGIN authentication failed: (reason unavailable), sasl_username=anna@example.com", "postfix/submission/smtpd": "warning: 192.0.2.4: address not listed for hostname x.example",
		"postfix/lmtp": "D989FD6C302: to=<w@example.com>, relay=127.0.0.1[127.0.0.1]:10024, delay=2, delays=0/0/0/2, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 995DCD6C315)", "postfix/pickup": "CB2BBC0120: uid=103 from=<a> orig_id=99961C00CB",
		"postfix/qmgr": "4FA8DC0101: from=<pedro@parcel.test>, status=expired, returned to sender", "auth": "pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=anna rhost=192.0.2.4  user=anna",
		"postfix/smtpd": "warning: hostname x.example does not resolve to address 192.0.2.4", "postfix/smtp": "4C30BC0100: host mx[203.0.113.9] said: 450 4.7.1 later", "kernel": "eth0 up",
		"postfix/cleanup": "4FA8DC0101: info: header Subject: x from local; from=<a>", "dovecot": "imap(a@example.com)<7><x>: Logged out in=1 out=2", "amavis": "(1-1) Passed CLEAN", "postfix/anvil": "nonsense",
	} {
		l := spoor.Line{Program: []byte(program), Body: []byte(body)}
		var e spoor.Event
		p.Parse(&l, &e)
		if n := testing.AllocsPerRun(100, func() { p.Parse(&l, &e) }); n != 0 {
			t.Errorf("%v allocations: %s: %s", n, program, body)
		}
	}
}

func TestTagsThatAreRememberedAreBounded(t *testing.T) {
	p := NewParser()
	var e spoor.Event
	for i := range maxTags + 10 {
		p.Parse(&spoor.Line{Program: []byte{'x', byte(i), byte(i >> 8)}}, &e)
	}
	if len(p.tags) > maxTags {
		t.Errorf("%d tags", len(p.tags))
	}
}
