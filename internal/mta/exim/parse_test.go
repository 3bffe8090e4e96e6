package exim

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"spoor"
)

// logLine is a line of Exim's own file as the splitter of headers hands it over:
// stamp and fraction of a second are gone.
func logLine(text string) spoor.Line {
	l := spoor.Line{Text: []byte(text), PID: -1, Body: []byte(text)}
	if isStamp(l.Body) {
		l.Time = 1000
		l.Body = l.Body[len("2026-11-23 10:37:57"):]
		if l.Body[0] == '.' {
			_, l.Body = digits(l.Body[1:])
		}
		l.Body = bytes.TrimPrefix(l.Body, []byte{' '})
	}
	return l
}

// told is what a line becomes: its sort, or the event in words.
func told(l spoor.Line) string {
	var e spoor.Event
	if sort := NewParser().Parse(&l, &e); sort != spoor.LineEvent {
		return sort.String()
	}
	words := []string{e.Kind.String()}
	add := func(name string, value []byte) {
		if value != nil {
			words = append(words, fmt.Sprintf("%s=%s", name, value))
		}
	}
	add("id", e.ID)
	if e.Channel != spoor.ChannelUndecided {
		words = append(words, e.Channel.String())
	}
	if e.PID >= 0 {
		words = append(words, fmt.Sprintf("pid=%d", e.PID))
	}
	add("address", e.Address)
	add("parent", e.Parent)
	add("client", e.Client)
	add("account", e.Account)
	add("login", e.Login)
	add("related", e.Related)
	if e.Kind == spoor.EventAccepted {
		words = append(words, fmt.Sprintf("size=%d count=%d", e.Size, e.Count))
	}
	if e.Kind == spoor.EventDeferred || e.Kind == spoor.EventFailed {
		words = append(words, e.Answer.String())
	}
	if e.Text != nil {
		words = append(words, fmt.Sprintf("%q", e.Text))
	}
	return strings.Join(words, " ")
}

// tells checks a line that follows a stamp.
func tells(t *testing.T, body, want string) {
	t.Helper()
	if got := told(logLine("2026-11-23 10:37:57 " + body)); got != want {
		t.Errorf("%s\n got %s\nwant %s", body, got, want)
	}
}

const (
	oldStyle = "1xVRQr-0007aW-1P"
	newStyle = "1xVRjF-000000001Gl-07jW"
)

func TestReceptionsAreRead(t *testing.T) {
	f := func(body, want string) { t.Helper(); tells(t, body, want) }
	f(oldStyle+" <= tom@bank.test H=(User-PC) [127.0.0.2] P=esmtpa A=plain:anna@example.com S=735 id=1.29065@example.com",
		"accepted id="+oldStyle+` address=tom@bank.test client=127.0.0.2 account=anna@example.com size=735 count=0 "1.29065@example.com"`)
	f(newStyle+" <= tom@bank.test H=mx.bank.test (User-PC) [2001:db8::2]:42369 I=[192.0.2.1]:587 Ci=77 P=esmtpsa L X=TLS1.3:TLS_AES_256_GCM_SHA384:256 CV=no "+
		`DN="CN=a b" SNI=mail.example.com A=dovecot_login:anna@example.com:tom@bank.test PRX=192.0.2.9 K S=1191 M8S=8 DKIM=bank.test RT=0.1s Q=bulk id=1.4@example.com `+
		`T="Your \"parcel\" is waiting" from <tom@bank.test> for karl@webmail.test "raj x"@nouser.test`,
		"accepted id="+newStyle+` address=tom@bank.test client=2001:db8::2 account=anna@example.com size=1191 count=2 "1.4@example.com"`)
	f(oldStyle+" <= <> R=1xVRQr-0007an-25 U=Debian-exim P=local S=2755", "accepted id="+oldStyle+" address= login=Debian-exim related=1xVRQr-0007an-25 size=2755 count=0")
	f(newStyle+` <= <> R=1xVRjF-000000001Gi-06L3 U=Debian-exim P=local S=2646 T="Mail delivery failed: returning message to sender" from <> for tom@parcel.test`,
		"accepted id="+newStyle+" address= login=Debian-exim related=1xVRjF-000000001Gi-06L3 size=2646 count=1")
	f(oldStyle+" <= site1@host.example U=site1 P=local S=420 for root", "accepted id="+oldStyle+" address=site1@host.example login=site1 size=420 count=1")
	f(oldStyle+" <= a@b.test U=mailnull P=spam-scanned S=420 id*=x@y", "accepted id="+oldStyle+` address=a@b.test login=mailnull size=420 count=0 "x@y"`)
	f(oldStyle+" <= a@b.test H=localhost [127.0.0.1] U=nobody P=smtp S=420", "accepted id="+oldStyle+" address=a@b.test client=127.0.0.1 size=420 count=0")
	f(oldStyle+" <= a@b.test U=CALLER P=local S=sss for c@d.test", "accepted id="+oldStyle+" address=a@b.test login=CALLER size=0 count=1")
	f(oldStyle+" <= a@b.test H=(x) [xx.xx.xx.xx] P=esmtpa A=login:u@example.com S=420", "accepted id="+oldStyle+" address=a@b.test client=xx.xx.xx.xx account=u@example.com size=420 count=0")
	f(oldStyle+" (= a@b.test H=[192.0.2.7] P=smtp S=420", "accepted id="+oldStyle+" address=a@b.test client=192.0.2.7 size=420 count=0")
	f(oldStyle+" <= a@b.test H=(x) [192.0.2.7] P=esmtpa A=login:John Doe S=420", "accepted id="+oldStyle+" address=a@b.test client=192.0.2.7 account=John Doe size=420 count=0")
	f(oldStyle+" <= a@b.test H=(x) [192.0.2.7] U=two words P=esmtp S=420", "accepted id="+oldStyle+" address=a@b.test client=192.0.2.7 size=420 count=0")
	f(oldStyle+` <= "odd one"@b.test DS H=(x) [192.0.2.7] P=esmtp S=420`, "accepted id="+oldStyle+` address="odd one"@b.test client=192.0.2.7 size=420 count=0`)
	f(oldStyle+` <= y@shop.test H=(x) [203.0.113.7] P=esmtpsa X=TLS1.3:x:256 CV=yes DN="O=Widgets\, Ltd,CN=client.test" A=tlsauth:O=Widgets\, Ltd,CN=client.test S=432 id=62@b.test`,
		`accepted id=`+oldStyle+` address=y@shop.test client=203.0.113.7 account=O=Widgets\, Ltd,CN=client.test size=432 count=0 "62@b.test"`)
	f(oldStyle+" <= y@shop.test H=(x) [203.0.113.7] P=esmtpsa A=plain:x S=1 id=2 S=432 id=62@b.test", "unknown")
	f(oldStyle+` <= a@b.test H=(x) [192.0.2.7]:5 I=[192.0.2.1]:465 P=esmtpsa X=TLS1.0:x:256 CV=no SNI="b.test" A=plain:a S=420 from <a@b.test> for c@d.test`,
		"accepted id="+oldStyle+" address=a@b.test client=192.0.2.7 account=a size=420 count=1")
	f(oldStyle+" <= a@b.test H=(x) [192.0.2.7] P=esmtp", "unknown")
	f(oldStyle+" <= a@b.test", "unknown")
	f(oldStyle+" <= ", "unknown")
}

func TestOnlyAReceptionTellsTheClockOfItsID(t *testing.T) {
	const second = 1591785815 // 2020-06-10 10:43:35 UTC
	for body, want := range map[string]spoor.Stamp{
		"1jiyCl-00046O-6Y <= a@b.test U=a P=local S=1":        second * 1e6,
		"1jiyCl-000000001Gl-07jW <= a@b.test U=a P=local S=1": second * 1e6,
		"1jiyCl-00046O-6Y => a@b.test R=r T=t":                0,
		"1jiyCl-00046O-6Y Completed":                          0,
	} {
		l, e := logLine("2020-06-10 12:43:35 "+body), spoor.Event{}
		if sort := NewParser().Parse(&l, &e); sort != spoor.LineEvent || e.Clock != want || e.Key != spoor.IDHash(e.ID) || e.Time != 1000 || e.Exact {
			t.Errorf("%s is %v with clock %d", body, sort, e.Clock)
		}
	}
}

func TestDeliveriesAreRead(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		tells(t, oldStyle+" "+body, strings.Replace(want, " ", " id="+oldStyle+" ", 1))
	}
	f(`=> olga@ok.test F=<anna@example.com> P=<anna@example.com> R=okdom T=to_ok S=900 H=mx.ok.test [192.0.2.1]:25 I=[192.0.2.9]:4000 X=TLS1.3:x:256 CV=yes DN="CN=mx" L K C="250 \"2.0.0\" Ok" QT=2s DT=1s`,
		`delivered remote address=olga@ok.test "250 \\\"2.0.0\\\" Ok"`)
	f(`-> raj@ok.test R=okdom T=to_ok H=mx.ok.test [192.0.2.1]* C="250 2.0.0 Ok"`, `delivered remote address=raj@ok.test "250 2.0.0 Ok"`)
	f(`>> raj@ok.test R=okdom T=to_ok H=mx.ok.test [192.0.2.1]`, `delivered remote address=raj@ok.test`)
	f(`*> raj@ok.test R=okdom T=to_ok`, `delivered local address=raj@ok.test`)
	f("=> bob <bob@example.org> R=local_user T=mail_spool", "delivered local address=bob@example.org")
	f("=> alice <bob@example.org> R=local_user T=mail_spool", "delivered local address=alice parent=bob@example.org")
	f("=> owner@bigmail.test (two@shop.test, one@shop.test) <sales@shop.test> R=rest T=smtp H=mx [192.0.2.1]", "delivered remote address=owner@bigmail.test parent=sales@shop.test")
	f("=> :blackhole: <anna@example.com> R=local_drop", "delivered local address=anna@example.com")
	f("=> |/usr/bin/procmail -t (bob@example.org) <info@example.org> R=procmail T=address_pipe", "delivered local address=info@example.org")
	f("=> /home/bob/Maildir/ (bob@example.org) <info@example.org> R=userforward T=address_directory", "delivered local address=info@example.org")
	f("=> >postmaster@example.org <info@example.org> R=vacation T=address_reply", "delivered local address=info@example.org")
	f(`=> two words@far.test <"two words"@far.test> R=lookup T=smtp H=mx [192.0.2.1]`, `delivered remote address="two words"@far.test`)
	f(`=> bob@example.org R=amavis T=amavis H=localhost [127.0.0.1] C="250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 OK id=1ssnh0-0000yl-2f"`,
		`delivered remote address=bob@example.org related=1ssnh0-0000yl-2f "250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 OK id=1ssnh0-0000yl-2f"`)
	f(`=> bob@example.org R=r T=smtp H=mx.far.test [192.0.2.1] C="250 OK id=1ssnh0-0000yl-2f"`, `delivered remote address=bob@example.org "250 OK id=1ssnh0-0000yl-2f"`)
	f(`== john doe@slow.test <"John Doe"@slow.test> R=rest T=remote defer (-44) H=127.0.0.1 [127.0.0.1]: SMTP error from remote mail server after RCPT TO:<"John Doe"@slow.test>: 450 4.2.0 greylisted, try later`,
		`deferred remote address="John Doe"@slow.test greylisted "SMTP error from remote mail server after RCPT TO:<\"John Doe\"@slow.test>: 450 4.2.0 greylisted, try later"`)
	f(`== h=[9.9.9.9] a=plain:evil s=1@slow.test <"H=[9.9.9.9] A=plain:evil S=1"@slow.test> R=rest T=remote defer (-44) H=127.0.0.1 [127.0.0.1]: SMTP error from remote mail server after RCPT TO:<"H=[9.9.9.9] A=plain:evil S=1"@slow.test>: 450 4.2.0 greylisted, try later`,
		`deferred remote address="H=[9.9.9.9] A=plain:evil S=1"@slow.test greylisted "SMTP error from remote mail server after RCPT TO:<\"H=[9.9.9.9] A=plain:evil S=1\"@slow.test>: 450 4.2.0 greylisted, try later"`)
	f("== mia@bigmail.test R=rest T=to_defer defer (-44) H=127.0.0.1 [127.0.0.1]: SMTP error from remote mail server after RCPT TO:<mia@bigmail.test>: 450 4.2.1 over quota",
		`deferred remote address=mia@bigmail.test mailbox-full "SMTP error from remote mail server after RCPT TO:<mia@bigmail.test>: 450 4.2.1 over quota"`)
	f("== mia@down.test R=downdom T=to_down defer (111): Connection refused", `deferred remote address=mia@down.test no-connection "Connection refused"`)
	f("== mia@down.test R=downdom T=to_down defer (-54): retry time not reached for any host for 'down.test'", `deferred remote address=mia@down.test other "retry time not reached for any host for 'down.test'"`)
	f("== mia@down.test routing defer (-51): retry time not reached", `deferred address=mia@down.test other "retry time not reached"`)
	f("== bob@example.org R=local T=maildir defer (-22) DT=0s: mailbox is full (MTA-imposed quota exceeded while writing to tmp/x)",
		`deferred local address=bob@example.org mailbox-full "mailbox is full (MTA-imposed quota exceeded while writing to tmp/x)"`)
	f("== mia@x.test R=r T=t defer (-45) H=mx.x.test [192.0.2.1]:25 I=[192.0.2.9]:4000: SMTP error from remote mail server after MAIL FROM:<>: 450 no",
		`deferred remote address=mia@x.test other "SMTP error from remote mail server after MAIL FROM:<>: 450 no"`)
	f("== mia@x.test R=r T=t", "unknown")
	f("== mia@x.test R=lookup T=smtp defer (60): Operation timed out", `deferred remote address=mia@x.test no-connection "Operation timed out"`)
	f("** mia@x.test R=lookup T=smtp: SMTP error from remote mail server after RCPT TO:<mia@x.test>: host mx.x.test [192.0.2.1]: 550 5.7.1 blocked using list.test", // up to 4.8x
		`failed remote address=mia@x.test blocked "SMTP error from remote mail server after RCPT TO:<mia@x.test>: host mx.x.test [192.0.2.1]: 550 5.7.1 blocked using list.test"`)
	f("** mia@x.test R=virtual_aliases: No Such User Here", `failed address=mia@x.test user-unknown "No Such User Here"`)
	f(`->   odd@bar.test <" odd"@baz.test> SRS=<SRS0=x@y.test> R=r T=t H=mx [192.0.2.1]`, `delivered remote address=odd@bar.test parent=" odd"@baz.test`)
	f("** ines@nouser.test F=<anna@example.com> R=nouser T=to_reject H=mx.nouser.test [192.0.2.1] X=TLS1.3:x:256 CV=yes: SMTP error from remote mail server after RCPT TO:<ines@nouser.test>: 550 5.1.1 User unknown",
		`failed remote address=ines@nouser.test user-unknown "SMTP error from remote mail server after RCPT TO:<ines@nouser.test>: 550 5.1.1 User unknown"`)
	f("** ines@nouser.test <list@example.org>: Unrouteable address", `failed address=ines@nouser.test parent=list@example.org user-unknown "Unrouteable address"`)
	f("** ines@nouser.test: retry timeout exceeded", `failed address=ines@nouser.test too-old "retry timeout exceeded"`)
	f("** a@x.y mua_wrapper forced failure for deferred delivery", `failed address=a@x.y other "mua_wrapper forced failure for deferred delivery"`)
	f("=> bob@example.org R=local T=maildir (shadow: failed)", "delivered local address=bob@example.org")
	f("=> bob@example.org R=local T=maildir ()", "delivered local address=bob@example.org")
	f("=> a@x.y", "unknown")
	f("=> a@x.y and so on", "unknown")
	for _, end := range []string{" ", "  ", " (", " R=", " T=", " H=", " C=", " F="} {
		f("=> a@x.y R=r T=t"+end, "unknown")
	}
}

func TestTheEndOfAMessageIsRead(t *testing.T) {
	f := func(body, want string) { t.Helper(); tells(t, newStyle+" "+body, want) }
	f("Completed", "ended id="+newStyle)
	f("Completed QT=3s", "ended id="+newStyle)
	f("removed by root", "removed id="+newStyle+` "removed by root"`)
	f("=> discarded (system filter)", "removed id="+newStyle+` "discarded (system filter)"`)
	f("=> blackhole (DATA ACL discarded recipients): no thanks", "removed id="+newStyle+` "blackhole (DATA ACL discarded recipients): no thanks"`)
	f("Sender identification U=site1 D=shop.example S=info@shop.example", "identified id="+newStyle+" login=site1")
	for _, known := range []string{
		"frozen by root", "Frozen (delivery error message)", "Message is frozen", "Unfrozen by auto-thaw", "unfrozen by root", "cancelled by root", "cancelled by timeout_frozen_after",
		"Spool file is locked (another process is handling this message)", "Spool file for 1xVRjF-000000001Gl-07jW is locked (another process is handling this message)",
		"no immediate delivery: queued by ACL", "no immediate delivery: load average 12.00", "H=mx.ok.test [192.0.2.1] Connection refused", "H=mx.ok.test [192.0.2.1]: SMTP timeout after EHLO",
		"mx.ok.test [192.0.2.1] Connection timed out", "DKIM: d=bank.test s=sel c=relaxed/relaxed a=rsa-sha256 b=2048 [verification succeeded]", "a@b.test <c@d.test>: error ignored",
		"[192.0.2.1] SSL verify error: depth=0 error=self signed certificate cert=/CN=mx", "DANE attempt failed; TLS connection to mx [192.0.2.1]: x", "<bob@x.test>: pipe transport output: hello",
		"r1 router: skipped error: domain missing", "remote host address is the local host: x.test", "lowest numbered MX record points to local host: x.test",
		"SMTP connection outbound 1455035592 1aT8yG-0002f3-Hh example.com rcpt@gmail.test", "Sender identification U=-remote- D=-remote- S=a@far.test", "Sender identification S=site1", "Sender identification U= D=x",
		"SA: Action: scanned but message isn't spam: score=1.0 required=5.0", "TLS session: (certificate verification failed): delivering unencrypted to H=mx [192.0.2.1] (not in hosts_require_tls)",
		"H=localhost (mail.example.com) [127.0.0.1]:48298 Warning: Message has been scanned: no virus or other harmful content was found", "PRDR R=<a@b.test> acceptance",
	} {
		f(known, "known")
	}
	f("Completed by nobody", "unknown")
	f("what an access control list logs may be anything", "unknown")
}

func TestTrap21BothFormsOfIDStandInOneFile(t *testing.T) {
	tells(t, oldStyle+" Completed", "ended id="+oldStyle)
	tells(t, newStyle+" Completed", "ended id="+newStyle)
	for _, none := range []string{"1xVRQr-0007aW-1 Completed", "1xVRQr-0007aW-1Px Completed", "1xVRjF-000000001Gl-07j Completed", "Completed"} {
		tells(t, none, "unknown")
	}
}

func TestADeliveryToAProgramThatMayHandTheMessageBack(t *testing.T) {
	f := func(line string, want bool) {
		t.Helper()
		var e spoor.Event
		l := spoor.Line{Body: []byte(newStyle + " => " + line)}
		if sort := NewParser().Parse(&l, &e); sort != spoor.LineEvent || e.Passed != want {
			t.Errorf("%s: %s, %v", line, sort, e.Passed)
		}
	}
	f(`g@far.example R=amavis T=amavis H=127.0.0.1 [127.0.0.1]:10024 C="250 2.6.0 Ok, id=01182-01"`, true)
	f(`list <list@shop.example> R=mailman_router T=mailman_transport`, true)
	f(`|/usr/bin/mlmmj-receive <list@shop.example> R=system_aliases T=address_pipe`, true)
	f(`g <g@far.example> R=spamcheck_router T=spamcheck`, true)
	f(`g@far.example R=lookup T=smtp H=mx.far.example [192.0.2.7] C="250 OK id=x"`, false)
	f(`bob <bob@shop.example> R=local_user T=mail_spool`, false)
	f(`bob <bob@shop.example> R=local_user T=maildir_home`, false)
	f(`bob <bob@shop.example> R=virtual_user T=dovecot_virtual_delivery C="250 2.0.0 <bob@shop.example> x Saved"`, false)
	f(`bob <bob@shop.example> R=virtual_user T=dovecot_lmtp_udp`, false)
	f(`bob@shop.example R=virtual_user T=to_mailboxes H=127.0.0.1 [127.0.0.1]:24 C="250 2.0.0 <bob@shop.example> 8Bp5 Saved"`, false)
	f(`bob <bob@shop.example> R=procmail T=procmail_pipe`, false)
	f(`bob <bob@shop.example> R=virtual_user T=dovecot_lda`, false)
	f(`|/usr/bin/procmail <bob@shop.example> R=userforward T=address_pipe`, false)
	f(`"|exec /usr/bin/procmail -a $EXTENSION" <bob@shop.example> R=userforward T=address_pipe`, false)
	f(`/home/bob/mail <bob@shop.example> R=userforward T=address_file`, false)
	f(`>bob@far.example <bob@shop.example> R=userforward T=address_reply`, false)
}
