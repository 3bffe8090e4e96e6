package exim

import (
	"fmt"
	"strings"
	"testing"

	"spoor"
)

func TestFailedLoginsAreRead(t *testing.T) {
	f := func(body, want string) { t.Helper(); tells(t, body, want) }
	f("plain authenticator failed for ([192.0.2.1]) [192.0.2.2]: 535 Incorrect authentication data (set_id=anna@example.com)", "login failed address=anna@example.com client=192.0.2.2")
	f("[29971] login authenticator failed for H=([192.0.2.1]) [192.0.2.2]:45873: 535 Incorrect authentication data (set_id=anna)", "login failed pid=29971 address=anna client=192.0.2.2")
	f("dovecot_login authenticator failed for (User) [2001:db8::37]:21298 I=[198.51.100.1]:465 Ci=30416: 535 Incorrect authentication data (set_id=a@example.com)",
		"login failed address=a@example.com client=2001:db8::37")
	f("login authenticator failed for host.example (USER) [192.0.2.2]: 535 Incorrect authentication data: 1 Time(s)", "login failed client=192.0.2.2")
	f("login authenticator failed for [192.0.2.2]: 535 Incorrect authentication data (set_id=a): 2 Time(s)", "login failed address=a client=192.0.2.2")
	f("plain authenticator failed for U=www-data: 535 Incorrect authentication data (set_id=a)", "login failed address=a")
	f("plain authenticator failed for (x) [192.0.2.2]: 435 Unable to authenticate at present (set_id=a): socket gone",
		`trouble "plain authenticator failed for (x) [192.0.2.2]: 435 Unable to authenticate at present (set_id=a): socket gone"`)
	f("plain authenticator failed for (x) [192.0.2.2]: 501 Authentication cancelled", "known")
	f("plain authenticator failed H=mx [192.0.2.2] 535 Sorry", "known")
	f("no MAIL in SMTP connection from host.example (SERVER) [192.0.2.1]:1418 I=[198.51.100.1]:25 D=34s A=dovecot_login:anna@example.com X=TLS1.3:x:256 CV=no C=EHLO,AUTH",
		"login address=anna@example.com client=192.0.2.1")
	f("no MAIL in SMTP connection from [192.0.2.1] D=0.3s C=EHLO,QUIT", "known")
}

func TestRefusedClientsAreRead(t *testing.T) {
	f := func(body, client string) {
		t.Helper()
		got := told(logLine("2026-11-23 10:37:57 " + body))
		if !strings.HasPrefix(got, "rejected") || client != "" != strings.Contains(got, "client=") || !strings.Contains(got+" ", client+" ") {
			t.Errorf("%s\n got %s\nwant client %q", body, got, client)
		}
	}
	f("H=(yakult.test) [192.0.2.78]:3755 I=[198.51.100.1]:25 F=<a@list.test> rejected RCPT <b@c.test>: relay not permitted", "192.0.2.78")
	f("H=(yakult.test) [192.0.2.78]:3755 F=a@list.test rejected RCPT b@c.test: relay not permitted", "192.0.2.78")
	f("H=mx.a.test (m) [192.0.2.78] X=TLS1.3:x:256 CV=no SNI=mail F=<> A=plain:anna temporarily rejected RCPT <b@c.test>: greylisted", "192.0.2.78")
	f(`H=[192.0.2.78]:1 temporarily rejected connection in "connect" ACL: ratelimited`, "192.0.2.78")
	f("H=[192.0.2.78]:1 dropped by 'connect' ACL: no", "192.0.2.78")
	f("DS H=mx.a.test [192.0.2.78] F=<a@b.test> rejected after DATA: spam", "192.0.2.78")
	f(oldStyle+" H=(x) [192.0.2.78] F=<a@b.test> rejected after DATA: This message contains malware", "192.0.2.78")
	f("U=www-data F=<a@b.test> rejected RCPT <c@d.test>: no", "")
	f(oldStyle+" F=<a@b.test> rejected by non-SMTP ACL: no", "")
	f(oldStyle+" F=a@b.test H=(x) [192.0.2.78] P=esmtp rejected by local_scan(): Rejected", "192.0.2.78")
	f(newStyle+" F=<> H=mx.a.test (x) [192.0.2.78] P=smtp temporarily rejected by local_scan(): later", "192.0.2.78")
	f(newStyle+` F="a H=[192.0.2.1] b"@b.test H=(x) [192.0.2.78] P=smtp rejected by local_scan(): no`, "192.0.2.78")
	f(newStyle+" F=a@b.test U=www-data P=local rejected by local_scan(): no", "")
	f("rejected EHLO from [192.0.2.78]: syntactically invalid argument(s): (no argument given)", "192.0.2.78")
	f("rejected MAIL from (x) [192.0.2.78]:45 I=[198.51.100.1]:25: no HELO/EHLO given", "192.0.2.78")
	f("rejected MAIL FROM:<a@b.test> H=(x) [192.0.2.78]: message too big: size=9 max=1", "192.0.2.78")
	f("Connection from [192.0.2.78]:45 refused: too many connections from that IP address", "192.0.2.78")
	f("refused connection from mx.a.test [192.0.2.78] (host_reject_connection)", "192.0.2.78")
	f(`SMTP call from (000000) [2001:db8::1]:39480 dropped: too many syntax or protocol errors (last command was "123", C=EHLO)`, "2001:db8::1")
	f(`SMTP protocol synchronization error (input sent without waiting for greeting): rejected connection from H=[192.0.2.78]:25936 I=[198.51.100.1]:25 input="GET / HTTP/1.1\r\n\r\n"`, "192.0.2.78")
	f(`SMTP protocol synchronization error (next input sent too soon: pipelining was not advertised): rejected "RSET" H=ba.fr (x) [192.0.2.78]:58302 next input="QUIT\r\n"`, "192.0.2.78")
}

func TestARefusedMessageWasNeverInTheQueue(t *testing.T) {
	l, e := logLine("2026-11-23 10:37:57 "+oldStyle+" H=(x) [192.0.2.78] F=<a@b.test> rejected after DATA: spam"), spoor.Event{}
	if sort := NewParser().Parse(&l, &e); sort != spoor.LineEvent || e.ID != nil || e.Key != 0 {
		t.Errorf("%v of %q", sort, e.ID)
	}
}

func TestCommandsAreRead(t *testing.T) {
	f := func(body, want string) { t.Helper(); tells(t, body, want) }
	f("[7] cwd=/home/site1/public_html/wp-content 3 args: /usr/sbin/sendmail -t -i", `invoked pid=7 "/home/site1/public_html/wp-content"`)
	f("cwd=/ 4 args: /usr/sbin/exim4 -t -f tom@bank.test", `invoked "/"`)
	f("cwd=/srv/a b 2 args: /usr/sbin/sendmail bob@example.org", `invoked "/srv/a b"`)
	f("cwd=/srv 3 args: /usr/sbin/sendmail -f -q bob@example.org", `invoked "/srv"`)
	f("cwd=/srv 4 args: /usr/sbin/sendmail -F \"-M x\" bob@example.org", `invoked "/srv"`)
	f("cwd=/srv 2 args: /usr/sbin/exim -bs", `invoked "/srv"`)
	f("cwd=/tmp/ 3 args: /x 3 args: /usr/sbin/sendmail -t -i", `invoked "/tmp/"`)
	f("cwd=/tmp 8 args: /usr/sbin/sendmail -t -E1xVRR0-0007nl-2c", `invoked "/tmp"`)
	for _, args := range []string{
		"-Mc " + oldStyle, "-bp", "-bpc", "-bd -q10m", "-q", "-qff", "-bt bob@example.org", "-bV", "-Mf a b", "-Mvh " + oldStyle, "-C /etc/x.conf -bp", "-R example.org", "-bhc 192.0.2.1",
	} {
		f("cwd=/root 2 args: /usr/sbin/exim4 "+args, "known")
	}
	f("cwd=/var/spool/exim4 7 args: /usr/sbin/exim4 -t -oem -oi -f <> -E1xVRR0-0007nl-2c", "known")
	f("cwd= (failed) 2 args: /usr/sbin/sendmail -t", "known")
	f("cwd=/srv and nothing else", "unknown")
}

func TestOtherLinesAreToldApart(t *testing.T) {
	for _, known := range []string{
		"exim 4.96 daemon started: pid=29029, -q10m, listening for SMTP on [127.0.0.1]:{2025,2587}", "Start queue run: pid=29035", "End queue run: pid=29035 -qff", "pid 29029: SIGHUP received: re-exec daemon",
		"SMTP connection from [127.0.9.1]:54115 (TCP/IP connection count = 1)", "SMTP connection from (DESKTOP-77) [127.0.9.1]:54115 closed by QUIT", "SMTP connection from (x) [192.0.2.1] lost D=3s",
		"SMTP connection from (x) [192.0.2.1] closed by DROP in ACL", "SMTP data timeout (message abandoned) on connection from (x) [192.0.2.1] F=<a@b.test> D=5m",
		"SMTP command timeout on TLS connection from (x) [192.0.2.1] D=5m", "unexpected disconnection while reading SMTP command from [192.0.2.1] D=1s", "unexpected EOF while reading SMTP command from [192.0.2.1]",
		`SMTP syntax error in "debug" H=(x) [192.0.2.1] unrecognized command`, `SMTP protocol error in "AUTH LOGIN" H=(ylmf-pc) [192.0.2.1]:60723 I=[198.51.100.1]:587 AUTH command used when not advertised`,
		"TLS error on connection from [192.0.2.1] (SSL_accept): error:1408F10B:SSL routines:ssl3_get_record:wrong version number", "no host name found for IP address 192.0.2.8",
		"no IP address found for host test.example.com (during SMTP connection from [192.0.2.9])", "H=a.test (b) [192.0.2.1] sender verify fail for <user@example.com>: Unrouteable address",
		"H=a.test (b) [192.0.2.1] Warning: Sender rate 1.2 / 1h", "H=a.test (b) [192.0.2.1] F=<a@b.test> RCPT <c@d.test>: discarded by RCPT ACL", "U=root Warning: x", "H=a.test (b) [192.0.2.1] incomplete transaction (QUIT) from <a@b.test>",
		"DNS list lookup defer (probably timeout) for 1.2.0.192.dnsbl.test: assumed not in list", "Warning: purging the environment.", "listen backlog 20 I=[192.0.2.1]:25", "Ci=77 SMTP peer appears to have seen our banner",
		"... more arguments", "ident connection to 192.0.2.1 timed out", "VRFY failed for a H=(x) [192.0.2.1]", "list matching forced to fail: failed to find host name for 192.0.2.1",
		"WARNING: obsolete syntax used for lookup in line 12 of /etc/exim.conf",
	} {
		tells(t, known, "known")
	}
	for _, trouble := range []string{
		"Failed to get write lock for /var/spool/exim4/db/retry.lockfile: timed out", "Exim configuration error in line 12 of /etc/exim.conf:", "spam acl condition: all spamd servers failed",
		"malware acl condition: clamd /run/clamd.ctl : unable to connect to UNIX socket", "socket bind() to port 25 for address 192.0.2.1 failed: Address already in use: daemon abandoned", "3 accept() failures: Too many open files", "1 poll() failure: Bad file descriptor",
		newStyle + " User 0 set for local_delivery transport is on the never_users list", newStyle + " Tainted filename '/srv/a'", "process 77 crashed with signal 11 while delivering " + newStyle,
		newStyle + " Couldn't remove message log /var/spool/exim4/msglog/x: Permission denied", "signing_init: RSA key load failed",
		"callout transport 'remote_smtp': lmtp is non-smtp",
	} {
		if got := told(logLine("2026-11-23 10:37:57 " + trouble)); !strings.HasPrefix(got, "trouble ") {
			t.Errorf("%s is %s", trouble, got)
		}
	}
	for _, unknown := range []string{"", " ", "lorem ipsum", "H=", "H=a.test [192.0.2.1] lorem", "U=", "U=a lorem", "F=<", "[192.0.2.1] lorem", "exim lorem", "pid lorem", "SMTP lorem", "Started", "12 lorem", "process lorem", "process 7 lorem", "User lorem", "F=lorem", "F=lorem H=[192.0.2.1] lorem", "<a@b.test> lorem"} {
		tells(t, unknown, "unknown")
	}
}

func TestLinesComeWithAllHeaders(t *testing.T) {
	f := func(l spoor.Line, want string) {
		t.Helper()
		if got := told(l); got != want {
			t.Errorf("%s\n got %s\nwant %s", l.Text, got, want)
		}
	}
	const ended = "ended id=" + oldStyle
	for _, head := range []string{"2026-11-23 10:37:57 ", "2026-11-23 10:37:57.123 ", "2026-11-23 10:37:57 +0100 ", "2026-11-23 10:37:57.123 -0800 "} {
		f(logLine(head+oldStyle+" Completed"), ended)
		f(logLine(head+"[29965] "+oldStyle+" Completed"), ended[:len("ended id=")+oldID]+" pid=29965")
	}
	syslog := func(program, body string) spoor.Line {
		return spoor.Line{Text: []byte(program + body), Time: 1000, Host: []byte("mx1"), Program: []byte(program), PID: 7, Body: []byte(body)}
	}
	for _, program := range []string{"exim", "exim4", "exim-out", "/usr/sbin/exim"} {
		f(syslog(program, oldStyle+" Completed"), ended+" pid=7")
		f(syslog(program, "2026-11-23 10:37:57 "+oldStyle+" Completed"), ended+" pid=7")
		f(syslog(program, "2026-11-23 10:37:57.123 +0100 [8] "+oldStyle+" Completed"), ended+" pid=8")
	}
	f(syslog("exim", "[1/2] 2026-11-23 10:37:57 "+oldStyle+` <= a@b.test U=a P=local S=1 T="cut for b@c.te`), "accepted id="+oldStyle+" pid=7 address=a@b.test login=a size=1 count=0")
	f(syslog("exim", "[1/2] 2026-11-23 10:37:57 "+oldStyle+` <= a@b.test U=a P=local S=1 for b@c.test d@e.te`), "accepted id="+oldStyle+" pid=7 address=a@b.test login=a size=1 count=0")
	f(syslog("exim", `[2/2] 1xVRQr-0007aW-1P <= v@b.test U=v P=local S=1`), "known")
	f(syslog("exim", `[2\9] P Received: from x`), "known")
	f(logLine("2019-10-22 03:39:17 mx1.fqdn.local exim[29786]: dovecot_login authenticator failed for (User) [192.0.2.37]: 535 Incorrect authentication data (set_id=test)"),
		"login failed pid=29786 address=test client=192.0.2.37")
	f(syslog("dovecot", "imap-login: Login: user=<a@example.com>, method=PLAIN, rip=192.0.2.1, lip=192.0.2.2, mpid=77, TLS"), "access address=a@example.com client=192.0.2.1")
	f(syslog("spamd", "x"), "known")
	f(syslog("sshd", oldStyle+" Completed"), "foreign")
	f(syslog("eximious", oldStyle+" Completed"), "foreign")
}

func TestTheHeaderOfARejectedMessageIsNoLineOfItsOwn(t *testing.T) {
	for _, line := range []string{
		"Envelope-from: <a@b.test>", "Envelope-to: <c@d.test>", "    <e@f.test>", "    ...", "P Received: from x (helo=y)", "\tby mx1", "F From: <a@b.test>", "  Date: Tue, 2 Mar 1999 09:44:33 +0000", "I Message-Id: <x@y>", "*** truncated ***",
	} {
		if got := told(spoor.Line{Text: []byte(line), PID: -1, Body: []byte(line)}); got != "known" {
			t.Errorf("%q is %s", line, got)
		}
	}
}

func TestHostsAreToldApart(t *testing.T) {
	one := spoor.Line{Host: []byte("mx1"), Program: []byte("exim"), PID: 1, Body: []byte(oldStyle + " Completed")}
	other := one
	other.Host = []byte("mx2")
	p := NewParser()
	var a, b, again spoor.Event
	p.Parse(&one, &a)
	p.Parse(&other, &b)
	p.Parse(&one, &again)
	if a.Origin == b.Origin || a.Origin != again.Origin || a.Key != b.Key {
		t.Errorf("origins %x, %x, %x", a.Origin, b.Origin, again.Origin)
	}
}

func TestTheOwnerOfAConnectionIsRead(t *testing.T) {
	f := func(fields, want string) {
		t.Helper()
		var e spoor.Event
		line := logLine("2026-11-23 10:37:57 SMTP connection identification " + fields)
		got := NewParser().Parse(&line, &e).String()
		if e.Kind == spoor.EventIdentified {
			got = fmt.Sprintf("%s:%d %s %d", e.Client, e.Port, e.Login, e.UID)
		}
		if got != want {
			t.Errorf("%s\n got %s\nwant %s", fields, got, want)
		}
	}
	f("H=localhost A=127.0.0.1 P=35036 U=shop ID=1001 S=shop B=identify_local_connection", "127.0.0.1:35036 shop 1001")
	f("H=localhost A=::1 P=35036 U=shop", "::1:35036 shop -1")
	f("H=localhost A=127.0.0.1 P=0 U=shop ID=1001", "known")
	f("H=localhost A=127.0.0.1 P=65536 U=shop ID=1001", "known")
	f("H=localhost A=127.0.0.1 P=35036 ID=-1", "known")
	// Two of a kind: one stands in another field.
	f("H=x A=127.0.0.1 P=35036 U=victim ID=1002 A=127.0.0.1 P=35037 U=shop ID=1001 S=shop", "known")
	f("H=localhost A=127.0.0.1 P=35036 U=shop ID=1001 S=shop U=victim", "known")
	f("H=localhost A=127.0.0.1 P=35036 U=shop ID=1001 S=shop ID=1002", "known")
}

// Exim 4.96 through syslog: each refusal is written for mainlog and for rejectlog.
func TestTheTwoLinesOfAFailedLoginHaveOneKey(t *testing.T) {
	const failed = "plain_server authenticator failed for (client.example) [203.0.113.8]:37127: 535 Incorrect authentication data (set_id=anna@shop.test)"
	key := func(pid int, text string, program string) uint64 {
		t.Helper()
		l, e := spoor.Line{Program: []byte(program), PID: pid, Body: []byte(text), Time: 1_000_100}, spoor.Event{}
		if sort := NewParser().Parse(&l, &e); sort != spoor.LineEvent || e.Kind != spoor.EventLoginFailed {
			t.Fatalf("%s: %s %s", text, sort, e.Kind)
		}
		return e.Key
	}
	first := key(24976, "2026-11-27 18:20:16.855 [24976] "+failed, "exim")
	if again := key(24976, "2026-11-27 18:20:16.855 [24976] "+failed, "exim"); first == 0 || again != first {
		t.Errorf("keys %x and %x", first, again)
	}
	if other := key(24976, "2026-11-27 18:20:17.100 [24976] "+failed, "exim"); other == first {
		t.Error("a later login has the same key")
	}
	if bare := key(24976, failed, "exim"); bare == key(24977, failed, "exim") || bare == 0 {
		t.Error("the logins of two processes have one key")
	}
	if file := key(0, "2026-11-27 18:20:16 "+failed, ""); file != 0 {
		t.Errorf("a line of Exim's own file has the key %x", file)
	}
}
