package qmail

import (
	"fmt"
	"strings"
	"testing"

	"spoor"
)

// receivedEvent is what a line of an SMTP server becomes, with the login and the session.
func receivedEvent(program, body string) string {
	l := spoor.Line{Text: []byte(body), Program: []byte(program), PID: 77, Body: []byte(body)}
	var e spoor.Event
	if sort := NewParser().Parse(&l, &e); sort != spoor.LineEvent || e.Kind != spoor.EventReceived {
		return sort.String()
	}
	return fmt.Sprintf("qp %d <%s> from %s by %q in %d", e.PID, e.Address, e.Client, e.Account, e.Key)
}

func TestWhoHandedAMessageOverIsRead(t *testing.T) {
	const (
		head = "qlogreceived: result=accepted code=250 reason=queueaccept detail= "
		mid  = " rcpthosts= size=9 authuser="
		tail = " authtype=plain encrypted=tls sslverified=no localip=192.0.2.1 localport=587 remoteip=::ffff:192.0.2.4 remoteport=4 remotehost=unknown qp=12 pid=11"
	)
	f := func(body, want string) {
		t.Helper()
		if got := receivedEvent("", body); got != want {
			t.Errorf("%s\n got %s\nwant %s", body, got, want)
		}
	}
	f(head+"helo=pc mailfrom=a@example.com rcptto=b@far.example,c@far.example relay=yes"+mid+"a@example.com"+tail, `qp 12 <a@example.com> from 192.0.2.4 by "a@example.com" in 11`)
	f(head+"helo=pc mailfrom=a@example.com rcptto=b@example.com relay=no"+mid+"victim@example.com"+tail, `qp 12 <a@example.com> from 192.0.2.4 by "" in 11`)
	f(head+"helo=pc mailfrom= rcptto=b@example.com relay=no"+mid+tail, `qp 12 <> from 192.0.2.4 by "" in 11`)
	f(head+"helo=pc mailfrom=10%off@example.com rcptto=b@example.com relay=no"+mid+tail, `qp 12 <10_off@example.com> from 192.0.2.4 by "" in 11`)
	f(head+"helo=x relay=yes rcpthosts= size= authuser=victim@example.com remoteip=203.0.113.9 qp=99 pid=98 mailfrom=a@example.com rcptto=b@example.com relay=no"+mid+tail, `qp 12 <a@example.com> from 192.0.2.4 by "" in 11`)
	f(head+"helo=pc mailfrom=a@example.com rcptto=b@example.com"+tail+" relay=no"+mid+tail, `qp 12 <a@example.com> from 192.0.2.4 by "" in 11`)
	f(head+"helo=pc mailfrom=a@example.com rcptto=b@example.com relay=maybe"+mid+tail, "known")
	f(head+"helo=pc mailfrom=a@example.com rcptto=b@example.com relay=yes"+mid+tail[:len(tail)-len("11")], "known")
	f(head+"helo=pc mailfrom=a@example.com rcptto=b@example.com", "unknown")

	const dyke = "ALLOWED from: a@example.com to: b@far.example origin_ip: 192.0.2.4 origin_rdns: "
	f("spamdyke[713]: "+dyke+"pc.example auth: a@example.com encryption: TLS reason: 250_ok_1795433538_qp_12", `qp 12 <a@example.com> from 192.0.2.4 by "a@example.com" in 0`)
	f("spamdyke[713]: ALLOWED from: (unknown) to: b@example.com origin_ip: 192.0.2.4 origin_rdns: (unknown) auth: (unknown) encryption: (none) reason: 250_ok_1795433538_qp_12", `qp 12 <> from 192.0.2.4 by "" in 0`)
	f("spamdyke[713]: ALLOWED from: a origin_ip: 203.0.113.9@example.com to: b@far.example origin_ip: 192.0.2.4 origin_rdns: x auth: (unknown) encryption: TLS reason: 250_ok_1795433538_qp_12",
		`qp 12 <a_origin_ip:_203.0.113.9@example.com> from 192.0.2.4 by "" in 0`)
	for _, forged := range []string{
		dyke + "x auth: victim@example.com encryption: TLS reason: 250_ok_1_qp_9 auth: (unknown) encryption: TLS reason: 250_ok_1795433538_qp_12",
		"ALLOWED from: a@example.com to: b origin_ip: 203.0.113.9 origin_rdns: x@far.example origin_ip: 192.0.2.4 origin_rdns: x auth: (unknown) encryption: TLS reason: 250_ok_1795433538_qp_12",
		dyke + "x auth: (unknown) encryption: TLS reason: 451_qq_temporary_problem_(#4.3.0)",
		dyke + "x auth: (unknown) encryption: TLS reason: 250_ok_1795433538_qp_12_and_more",
	} {
		f("spamdyke[713]: "+forged, "known")
	}
	if got := receivedEvent("spamdyke", dyke+"pc.example auth: (unknown) encryption: TLS reason: 250_ok_1795433538_qp_12"); got != `qp 12 <a@example.com> from 192.0.2.4 by "" in 0` {
		t.Errorf("by syslog: %s", got)
	}
}

func TestLongLinesOfQlogArePutTogether(t *testing.T) {
	line := "qlogreceived: result=accepted code=250 reason=queueaccept detail= helo=pc mailfrom=a@example.com rcptto=" + strings.Repeat("somebody@far.example,", 60) +
		" relay=yes rcpthosts= size= authuser=a@example.com authtype=plain encrypted=tls sslverified=no localip=192.0.2.1 localport=587 remoteip=192.0.2.4 remoteport=4 remotehost=unknown qp=12 pid=11"
	p := NewParser()
	if got := parsed(p, "smtpd", "1795433538.006585 "+line[:800]); got != "cut" {
		t.Errorf("the first part is %s", got)
	}
	if got := parsed(p, "smtpd", "1795433538.006585+"+line[800:]); got != "received pid=12 <a@example.com> from 192.0.2.4" {
		t.Errorf("the rest is %s", got)
	}
}

func TestLoginsOfPatchedServersAreRead(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		if got := parsed(NewParser(), "", body); got != want {
			t.Errorf("%s\n got %s\nwant %s", body, got, want)
		}
	}
	f("qmail-smtpd[713]: auth: auth-success type=plain user=<a@example.com>", "login pid=713 <a@example.com>")
	f("qmail-smtpd[713]: auth: auth-success type=plain user=<a@example.com", "known")
	f("qmail-smtpd[713]: auth: auth-failed type=login user=<x", `login failed "failed type=login user=<x"`)
	f("qmail-smtpd[713]: AUTH successful [192.0.2.4] a@example.com", "login pid=713 <a@example.com> from 192.0.2.4")
	f("qmail-smtpd[713]: AUTH failed [192.0.2.4] a@example.com", `login failed <a@example.com> from 192.0.2.4 "713]: AUTH failed [192.0.2.4] a@example.com"`)
	f("qmail-smtpd[713]: AUTH failed (bad password) [192.0.2.4] [x] AUTH successful [203.0.113.9] b", `login failed <[x] AUTH successful [203.0.113.9] b> from 192.0.2.4 "713]: AUTH failed (bad password) [192.0.2.4] [x] AUTH successful [203.0.113.9] b"`)
	f("qmail-smtpd[713]: MAXRCPT fail [192.0.2.4]", "known")
}
