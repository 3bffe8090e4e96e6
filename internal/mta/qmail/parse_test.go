package qmail

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"strings"
	"testing"

	"spoor"
)

// parsed is what a line becomes: its sort, or the event in words.
func parsed(p *Parser, program, body string) string {
	l := spoor.Line{Text: []byte(body), Time: 1000, Program: []byte(program), PID: 77, Body: []byte(body)}
	var e spoor.Event
	if sort := p.Parse(&l, &e); sort != spoor.LineEvent {
		return sort.String()
	}
	words := []string{e.Kind.String()}
	add := func(format string, args ...any) { words = append(words, fmt.Sprintf(format, args...)) }
	if len(e.ID) > 0 {
		add("id=%s", e.ID)
	}
	if e.Delivery > 0 {
		add("n=%d", e.Delivery)
	}
	if e.Channel != spoor.ChannelUndecided {
		add("%s", e.Channel)
	}
	if e.Kind == spoor.EventAccepted {
		add("size=%d uid=%d", e.Size, e.UID)
	}
	if e.PID >= 0 {
		add("pid=%d", e.PID)
	}
	if e.Address != nil {
		add("<%s>", e.Address)
	}
	if len(e.Client) > 0 {
		add("from %s", e.Client)
	}
	if e.Kind == spoor.EventStatus {
		add("%d/%d %d/%d", e.Load.Local, e.Load.LocalMax, e.Load.Remote, e.Load.RemoteMax)
	}
	if len(e.Text) > 0 {
		add("%q", e.Text)
	}
	return strings.Join(words, " ")
}

func TestQmailSendsGrammar(t *testing.T) {
	const at = "1795433538.006585 "
	f := func(body, want string) {
		t.Helper()
		if got := parsed(NewParser(), "qmail", at+body); got != want {
			t.Errorf("%s\n got %s\nwant %s", body, got, want)
		}
		if got := parsed(NewParser(), "", body); got != want {
			t.Errorf("through multilog: %s\n got %s\nwant %s", body, got, want)
		}
	}
	f("status: local 0/10 remote 3/20", "status 0/10 3/20")
	f("status: local 0/10 remote 3/20 exitasap", "status 0/10 3/20")
	f("status: local 0/10 remote 3/20 suppl0 1/20 suppl1 0/20", "status 0/10 3/20")
	f("status: local 0/10 remote 3/20 suppl0", "unknown")
	f("starting delivery 9: msg 966996 to suppl0 x@aol.example", "attempt id=966996 n=9 remote <x@aol.example>")
	f("starting delivery 9: msg 966996 to suppl0", "unknown")
	f("status: exiting", "stopped")
	f("new msg 966995", "known")
	f("info msg 966995: bytes 1365 from <a.b@corp.example> qp 24079 uid 10003", "accepted id=966995 size=1365 uid=10003 pid=24079 <a.b@corp.example>")
	f("info msg 966995: bytes 1365 from <> qp 24079 uid 7796", "accepted id=966995 size=1365 uid=7796 pid=24079 <>")
	f("info msg 966995: bytes 1365 from <#@[]> qp 24079 uid 7796", "accepted id=966995 size=1365 uid=7796 pid=24079 <#@[]>")
	f("starting delivery 7: msg 966996 to remote x@aol.example", "attempt id=966996 n=7 remote <x@aol.example>")
	f("starting delivery 8: msg 966996 to local alias-shop-a@shop.example", "attempt id=966996 n=8 local <alias-shop-a@shop.example>")
	f("delivery 576: success: did_0+1+0/qp_24869/", `delivered n=576 "did_0+1+0/qp_24869/"`)
	f("delivery 5: deferral: Sorry,_I_couldn't_find_any_host._(#4.1.2)/", `deferred n=5 "Sorry,_I_couldn't_find_any_host._(#4.1.2)/"`)
	f("delivery 5: failure: Sorry,_no_mailbox_here_by_that_name._(#5.1.1)/", `failed n=5 "Sorry,_no_mailbox_here_by_that_name._(#5.1.1)/"`)
	f("delivery 5: report mangled, will defer", `deferred n=5 "report mangled, will defer"`)
	f("bounce msg 967224 qp 24801", "bounced id=967224 pid=24801")
	f("double bounce: discarding bounce/12", "known")
	f("triple bounce: discarding bounce/12", "known")
	f("end msg 966995", "ended id=966995")
	f("warning: trouble opening remote/19/966995; will try again later", `trouble "warning: trouble opening remote/19/966995; will try again later"`)
	f("alert: unable to append to bounce message; HELP! sleeping...", `trouble "alert: unable to append to bounce message; HELP! sleeping..."`)
	f("end msg x", "unknown")
	f("starting delivery 8: msg 966996 to somewhere else", "unknown")
	f("something new", "unknown")
}

func TestSMTPServersLines(t *testing.T) {
	f := func(program, body, want string) {
		t.Helper()
		if got := parsed(NewParser(), program, body); got != want {
			t.Errorf("%s: %s\n got %s\nwant %s", program, body, got, want)
		}
	}
	const at = "1795433538.006585 "
	f("smtpd", at+"tcpserver: status: 1/40", "known")
	f("smtpd", at+"tcpserver: pid 24580 from 203.0.113.45", "connect pid=24580 from 203.0.113.45")
	f("smtpd", at+"tcpserver: pid 24580 from ::ffff:203.0.113.45", "connect pid=24580 from 203.0.113.45")
	f("smtpd", at+"tcpserver: ok 24580 mail.host.example:127.0.0.1:3500 :203.0.113.45::59091", "known")
	f("smtpd", at+"tcpserver: end 24580 status 0", "disconnect pid=24580")
	f("smtpd", at+"tcpserver: deny 31844 mail.host.example:192.0.2.1:25 :198.51.100.61::37331",
		`rejected pid=31844 from 198.51.100.61 "deny 31844 mail.host.example:192.0.2.1:25 :198.51.100.61::37331"`)
	f("qmail", at+"rblsmtpd: 198.51.100.77 pid 19597 sbl-xbl.example.org: 451 http://example.org/?ip=198.51.100.77",
		`rejected pid=19597 from 198.51.100.77 " sbl-xbl.example.org: 451 http://example.org/?ip=198.51.100.77"`)
	f("qmail", at+"qmail-smtpd: 421 badiprbl: ip 198.51.100.54 rbl: example.com", `rejected from 198.51.100.54 "421 badiprbl: ip 198.51.100.54 rbl: example.com"`)
	for _, patched := range []string{
		"CHKUSER accepted rcpt: from <a@far.example::> remote <mx:mx.far.example:192.0.2.4> rcpt <b@example.com> : found existing recipient",
		"qmail-smtpd[713]: Received-SPF: pass (example.com: domain of far.example designates 192.0.2.4)", "simscan:[713]:CLEAN (0.00/12.00):0.8s:subject:192.0.2.4:a@far.example:b@example.com",
		"spamdyke[713]: DENIED_RBL_MATCH from: a@far.example to: b@example.com origin_ip: 192.0.2.4 origin_rdns: mx.far.example auth: (unknown) encryption: TLS reason: (empty)",
		"qlogenvelope: result=accepted code=250 reason=rcptto detail=chkuser helo=pc mailfrom=a@example.com rcptto=b@far.example relay=yes rcpthosts=yes size= authuser= authtype= encrypted= sslverified=no localip=192.0.2.1 localport=25 remoteip=192.0.2.4 remoteport=4 remotehost=unknown qp= pid=11",
	} {
		f("", patched, "known")
	}
	const rest = " authtype=plain encrypted=tls sslverified=no localip=192.0.2.1 localport=587 remoteip=192.0.2.4 remoteport=4 remotehost=unknown qp= pid=11"
	f("", "qlogenvelope: result=rejected code=535 reason=authfailed detail= helo=pc mailfrom= rcptto= relay=no rcpthosts= size= authuser=a@example.com"+rest, "login failed <a@example.com> from 192.0.2.4")
	f("", "qlogenvelope: result=rejected code=550 reason=chkuser detail=nomailbox helo=pc authuser=x remoteip=192.0.2.9 mailfrom= rcptto=b@example.com relay=no rcpthosts= size= authuser="+rest,
		`rejected from 192.0.2.4 "550 reason=chkuser"`)
	f("", "qlogenvelope: result=rejected", "unknown")
	f("relaylock", "/var/qmail/bin/relaylock: mail from 198.51.100.7:4242 (not defined)", "connect from 198.51.100.7")
	f("/var/qmail/bin/relaylock", "mail from 2001:db8::7:4242 (not defined)", "connect from 2001:db8::7")
	f("relaylock", "what", "unknown")
}

// TestSMTPAuth holds the forms of Plesk's lines, with the traps of the old
// recipe: the user stands in another column in each.
func TestSMTPAuth(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		if got := parsed(NewParser(), "smtp_auth", body); got != want {
			t.Errorf("%s\n got %s\nwant %s", body, got, want)
		}
	}
	f("SMTP connect from unknown@ [207.0.2.194]", "connect from 207.0.2.194")
	f("smtp_auth: SMTP user info : /var/qmail/mailnames/example.com/info logged in from unknown@ [192.0.2.194]", "login pid=77 <info@example.com> from 192.0.2.194")
	f("SMTP user test@example.com : logged in from server1.example.net [192.0.2.130]", "login pid=77 <test@example.com> from 192.0.2.130")
	f("smtp_auth: FAILED: user1 - password incorrect  from unknown@ [192.0.2.194]", "login failed pid=77 <user1> from 192.0.2.194")
	f("FAILED: user@example.com - password incorrect from host81.example.org [192.0.2.4]", "login failed pid=77 <user@example.com> from 192.0.2.4")
	f("No such user 'a@example.com' in mail authorization database", "login failed <a@example.com>")
	f("SMTP user Mixed.Case+tag@Example.COM : logged in from x [2001:db8::1]", "login pid=77 <Mixed.Case+tag@Example.COM> from 2001:db8::1")
	f("SMTP user od[d] : na,me : /var/qmail/mailnames/example.com/odd logged in from x [192.0.2.1]", "login pid=77 <odd@example.com> from 192.0.2.1")
	f("SMTP user short : logged in from x [192.0.2.1]", "login pid=77 <short> from 192.0.2.1")
	f("SMTP user  : logged in from x [192.0.2.1]", "unknown")
	f("a new sort of line", "unknown")
}

func TestVpopmailsLogins(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		if got := parsed(NewParser(), "vpopmail", body); got != want {
			t.Errorf("%s\n got %s\nwant %s", body, got, want)
		}
	}
	const anna = "<anna@example.com> from 192.0.2.4"
	f("vchkpw-smtp: (LOGIN) login success anna@example.com:192.0.2.4", "login "+anna)
	f("vchkpw-submission: (CRAM-MD5) login success anna@example.com:::ffff:192.0.2.4", "login "+anna)
	f("vchkpw-smtps: login success anna@example.com:2001:db8::4", "login <anna@example.com> from 2001:db8::4")
	f("vchkpw-smtp: system password login success anna:192.0.2.4", "login <anna> from 192.0.2.4")
	f("vchkpw-smtp: password fail anna@example.com:192.0.2.4", "login failed "+anna)
	f("vchkpw-smtp: password fail (pass: '') bob@example.com:192.0.2.9') anna@example.com:192.0.2.4", "login failed "+anna)
	f("vchkpw-smtp: vpopmail user not found anna@example.com:192.0.2.4", "login failed "+anna)
	f("vchkpw-submission: null password given anna@example.com:192.0.2.4", "login failed "+anna)
	f("vchkpw-smtp: invalid user/domain characters a:192.0.2.9:192.0.2.4", "login failed <a:192.0.2.9> from 192.0.2.4")
	f("vchkpw-pop3: (PLAIN) login success anna@example.com:192.0.2.4", "access "+anna)
	f("vchkpw-webmail: (PLAIN) login success anna@example.com:127.0.0.1", "access <anna@example.com> from 127.0.0.1")
	f("vchkpw-imaps: password fail anna@example.com:192.0.2.4", "access failed "+anna)
	f("vchkpw-smtp: setuid 89 failed errno 1 anna@example.com:192.0.2.4", "known")
	f("vdelivermail: something", "known")
	f("vchkpw-smtp: password fail (pass: 'x", "known")
	f("vchkpw-smtp: password fail anna", "unknown")
	f("vchkpw-smtp: password fail a:b@c", "unknown")
	f("vchkpw-smtp: password fail :", "login failed <>")
}

func TestPlesksHandlers(t *testing.T) {
	f := func(program, body, want string) {
		t.Helper()
		if got := parsed(NewParser(), program, body); got != want {
			t.Errorf("%s: %s\n got %s\nwant %s", program, body, got, want)
		}
	}
	f("qmail-queue-handlers", "from=info@example.com", "handover pid=77 <info@example.com>")
	f("qmail-queue-handlers", "from=", "handover pid=77 <>")
	f("qmail-queue-handlers", "to=x@example.org", "handover remote pid=77 <x@example.org>")
	f("qmail-queue-handlers", "Handlers Filter before-queue for qmail started ...", "known")
	f("qmail-queue-handlers", "starter: submitter[123] exited normally", "known")
	f("qmail-remote-handlers", "from=a@example.com", "known")
	f("qmail-local-handlers", "mailbox: /var/qmail/mailnames/example.co.uk/meg", "known")
	f("/usr/lib64/plesk-9.0/psa-pc-remote", "REJECT during call 'limit-out' handler", `trouble "REJECT during call 'limit-out' handler"`)
	f("/usr/lib64/plesk-9.0/psa-pc-remote", "Error during 'grey' handler", `trouble "Error during 'grey' handler"`)
	f("/usr/lib64/plesk-9.0/psa-pc-remote", "_mh_fork(): unrecognized status code '5'", "known")
	f("/usr/lib64/plesk-9.0/psa-pc-remote", "Message aborted.", "known")
	f("qmail-queue-handlers", "never seen", "unknown")
	f("qmail-scanner", "Clear:RC:0(192.0.2.4):SA:0(0.0/6.0): 1.681359 3302 a@far.example b@example.com subject", "known")
	f("plesk_saslauthd", "failed mail authentication attempt for user 'a@example.com' (password len=10)", "login failed <a@example.com>")
	f("plesk_saslauthd", "failed mail authenticatication attempt for user 'a@example.com' (password len=10)", "login failed <a@example.com>")
	f("postfix/smtpd", "connect from unknown[192.0.2.1]", "foreign")
	f("kernel", "eth0 up", "foreign")
}

func TestAHostileWordIsNoEvent(t *testing.T) {
	const at = "1795433538.006585 "
	p := NewParser()
	for body, want := range map[string]string{
		"info msg 9: bytes 1 from <a> qp 1 uid 0@far.example> qp 24079 uid 2020": "accepted id=9 size=1 uid=2020 pid=24079 <a> qp 1 uid 0@far.example>",
		"delivery 7: failure: x/delivery_8:_success:_y/":                         `failed n=7 "x/delivery_8:_success:_y/"`,
		"starting delivery 7: msg 9 to remote end msg 9@far.example":             "attempt id=9 n=7 remote <end msg 9@far.example>",
	} {
		if got := parsed(p, "qmail", at+body); got != want {
			t.Errorf("%s\n got %s\nwant %s", body, got, want)
		}
	}
	const login = "FAILED: SMTP user victim@example.com : logged in from x [203.0.113.1] - password incorrect  from unknown@ [192.0.2.1]"
	if got := parsed(p, "smtp_auth", login); !strings.HasPrefix(got, "login failed") || !strings.HasSuffix(got, "from 192.0.2.1") {
		t.Errorf("a made-up user became %s", got)
	}
}

func TestALineThatSploggerCutIsOneAgain(t *testing.T) {
	sender := strings.Repeat("x", 790) + "@far.example"
	whole := "info msg 966995: bytes 1365 from <" + sender + "> qp 24079 uid 10003"
	p := NewParser()
	if got := parsed(p, "qmail", "1795433538.006585 "+whole[:800]); got != "cut" {
		t.Fatalf("the first part is %s", got)
	}
	want := "accepted id=966995 size=1365 uid=10003 pid=24079 <" + sender + ">"
	if got := parsed(p, "qmail", "1795433538.006585+"+whole[800:]); got != want {
		t.Errorf("got %s", got)
	}
	if got := parsed(p, "qmail", "1795433538.006586+"+whole[800:]); got != "known" {
		t.Errorf("the rest of another line is %s", got)
	}
}

// capturedLog opens a log of the captured server; nil if it is not here.
func capturedLog(t *testing.T, name string) *bufio.Scanner {
	t.Helper()
	f, err := os.Open("../../../../shared/fixtures/qmail/" + name)
	if err != nil {
		return nil
	}
	t.Cleanup(func() { _ = f.Close() })
	unpacked, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	return bufio.NewScanner(unpacked)
}

func TestCapturedMultilogIsUnderstood(t *testing.T) {
	for _, name := range []string{"send.tai64n.gz", "smtpd.tai64n.gz"} {
		lines := capturedLog(t, name)
		if lines == nil {
			t.Skip("the captured server is not here")
		}
		p, n := NewParser(), 0
		for lines.Scan() {
			_, body, _ := strings.Cut(lines.Text(), " ")
			if got := parsed(p, "", body); got == "unknown" || got == "foreign" {
				t.Errorf("%s: %s is %s", name, body, got)
			}
			n++
		}
		if n < 100 {
			t.Errorf("%s has %d lines", name, n)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"1795433538.006585 info msg 966995: bytes 1365 from <a@b> qp 24079 uid 10003", "1795433538.006585+rest", "delivery 1: failure: 550_no/",
		"smtp_auth: SMTP user info : /var/qmail/mailnames/example.com/info logged in from unknown@ [192.0.2.1]", "tcpserver: deny 1 a:b:c :d::e", "from=a", "LOGIN, user=a, ip=[::ffff:192.0.2.1]",
	} {
		f.Add("qmail", seed)
		f.Add("smtp_auth", seed)
	}
	f.Fuzz(func(t *testing.T, program, body string) {
		p := NewParser()
		l := spoor.Line{Text: []byte(body), Program: []byte(program), PID: -1, Body: []byte(body)}
		var first, again spoor.Event
		sort := p.Parse(&l, &first)
		if !bytes.Equal(l.Body, []byte(body)) {
			t.Fatal("the line was changed")
		}
		if sort != NewParser().Parse(&l, &again) || sort == spoor.LineEvent && (first.Kind != again.Kind || !bytes.Equal(first.Address, again.Address)) {
			t.Fatalf("%q of %q is %v, then %v", body, program, sort, again.Kind)
		}
		if sort == spoor.LineEvent && first.Kind == spoor.EventNone {
			t.Fatal("an event without a kind")
		}
	})
}

func BenchmarkParse(b *testing.B) {
	bodies := []string{
		"1795433538.006585 status: local 0/10 remote 3/20", "1795433538.006585 starting delivery 7: msg 966996 to remote x@aol.example",
		"1795433538.006585 delivery 5: deferral: 127.0.0.1_does_not_like_recipient./Remote_host_said:_451_4.7.1_<x@y.example>:_Too_many_messages/Giving_up_on_127.0.0.1./",
		"1795433538.006585 info msg 966995: bytes 1365 from <a.b@corp.example> qp 24079 uid 10003",
	}
	lines := make([]spoor.Line, len(bodies))
	for i, body := range bodies {
		lines[i] = spoor.Line{Text: []byte(body), Program: []byte("qmail"), PID: -1, Body: []byte(body)}
	}
	p := NewParser()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		var e spoor.Event
		p.Parse(&lines[i%len(lines)], &e)
	}
}

func TestOfAnEnvelopeTheFirstRecipientIsTold(t *testing.T) {
	p := NewParser()
	var got []string
	for _, body := range []string{"from=a@example.com", "to=x@example.org", "to=y@example.org", "from=b@example.com", "to=z@example.org"} {
		got = append(got, parsed(p, "qmail-queue-handlers", body))
	}
	want := "handover pid=77 <a@example.com>|handover remote pid=77 <x@example.org>|known|handover pid=77 <b@example.com>|handover remote pid=77 <z@example.org>"
	if strings.Join(got, "|") != want {
		t.Errorf("got %s", strings.Join(got, "|"))
	}
}
