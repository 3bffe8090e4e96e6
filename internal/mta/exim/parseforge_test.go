package exim

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"spoor"
)

// TestNothingThatAClientChoosesIsAField puts what reads like fields into all that
// a client has a say in. The line must not be of the victim.
func TestNothingThatAClientChoosesIsAField(t *testing.T) {
	forged := []string{
		"x", "a) [203.0.113.9] P=esmtpa A=plain:victim@corp.test S=1 id=x (b", "a) [203.0.113.9] P=esmtpa A=plain:victim@corp.test S=1 for x@y.test (b",
		`a) [203.0.113.9] P=esmtpa A=plain:victim@corp.test S=1 T="b`, `a) [203.0.113.9] P=esmtpa A=plain:victim@corp.test S=1 T="b" for c@d.test (e`,
		`a) [203.0.113.9] P=esmtpa A=plain:victim@corp.test S=1 id="b`, "[203.0.113.9]", "a) [203.0.113.9]:25", "A=plain:victim@corp.test", "x U=victim P=local S=1", `a" A=plain:victim@corp.test S=1 T="`,
		"a) [203.0.113.9] P=esmtpa A=plain:victim@corp.test S=1 from <", "a) [203.0.113.9] P=esmtpa A=plain:victim@corp.test S=1 from <a P=esmtp", "<= victim@corp.test U=root P=local S=1", " A=plain:victim@corp.test:",
	}
	understood, all := 0, 0
	escape := strings.NewReplacer(`"`, `\"`, `\`, `\\`)
	for _, greeting := range forged {
		for _, other := range forged {
			quoted := escape.Replace(other)
			for _, line := range []string{
				fmt.Sprintf(`<= mallory@evil.test H=(%s) [192.0.2.66]:25 P=esmtpa A=plain:mallory S=700 id=1@evil.test T="%s" from <mallory@evil.test> for bob@corp.test`, greeting, quoted),
				fmt.Sprintf(`<= mallory@evil.test H=(%s) [192.0.2.66] P=esmtpa A=plain:mallory S=700 id="%s"@evil.test`, greeting, quoted),
				fmt.Sprintf(`<= "%s"@evil.test H=mx.evil.test (%s) [192.0.2.66] P=esmtpa A=plain:mallory S=700 T="%s"`, quoted, greeting, quoted),
				fmt.Sprintf(`<= mallory@evil.test H=(%s) [192.0.2.66] U=%s P=esmtpa A=plain:mallory S=700 T="%s" for "%s"@corp.test`, greeting, other, quoted, quoted),
			} {
				l, e := logLine("2026-11-23 10:37:57 "+oldStyle+" "+line), spoor.Event{}
				all++
				if sort := NewParser().Parse(&l, &e); sort != spoor.LineEvent {
					continue // it is told as not understood
				}
				understood++
				ambiguous := e.Client == nil && strings.Contains(line, "U=a) [") // greeting and ident together
				if string(e.Client) != "192.0.2.66" && !ambiguous || string(e.Account) != "mallory" || e.Login != nil || !bytes.HasSuffix(e.Address, []byte("@evil.test")) || e.Size != 700 {
					t.Errorf("%s\nis of client %s, account %s, login %s, sender %s, %d bytes", line, e.Client, e.Account, e.Login, e.Address, e.Size)
				}
			}
		}
	}
	if understood < all {
		t.Errorf("%d of %d lines are understood", understood, all)
	}
}

func TestHostileLinesAreReadWhereTheyCanBe(t *testing.T) {
	f := func(body, want string) { t.Helper(); tells(t, body, want) }
	f(oldStyle+` <= m@evil.test H=(x) [192.0.2.66] P=esmtp S=700 T="1xVRQr-0007aW-1P <= x@y U=root P=local S=1" for b@c.test`,
		"accepted id="+oldStyle+" address=m@evil.test client=192.0.2.66 size=700 count=1")
	f(oldStyle+` <= m@evil.test H=(a) [203.0.113.9] P=esmtpa A=plain:v S=1 id=x (b) [192.0.2.66]:25 P=esmtp S=700`,
		"accepted id="+oldStyle+" address=m@evil.test client=192.0.2.66 size=700 count=0")
	f(oldStyle+` <= "x H=[203.0.113.9] P=esmtpa A=plain:v S=1"@evil.test H=(x) [192.0.2.66] P=esmtp S=700`,
		"accepted id="+oldStyle+` address="x H=[203.0.113.9] P=esmtpa A=plain:v S=1"@evil.test client=192.0.2.66 size=700 count=0`)
	f(oldStyle+` <= site1@host.test U=site1 P=local S=700 T="a" U=root P=local S=1"`, "unknown")
	f(oldStyle+` <= site1@host.test U=site1 P=local S=700 T="a\" U=root P=local S=1"`, "accepted id="+oldStyle+" address=site1@host.test login=site1 size=700 count=0")
}

func TestWhatALoginGivesAsSenderIsNoField(t *testing.T) { // as Exim 4.96 logs it with +all
	for _, sender := range []string{
		`x@y.test`, `x S=1 id=foo@y.test`, `x A=plain:carl@shop.example@y.test`, `a:b:c@y.test`, `"a b"@y.test`, `a b c`, `a S=1`, `x S=1 T="q" from <a@b.test> for c@d.test`,
		`a b c d e f g h i j k l m n o p q r s t u v`, `x P=local S=1 id=x S=2`, strings.Repeat(" S=1", 50),
	} {
		tells(t, oldStyle+` <= a@b.test H=(x) [192.0.2.66]:41702 I=[127.0.0.1]:34731 P=esmtpa L.- A=plain:anna@shop.example:`+sender+` S=287 M8S=0 RT=0.000s T="x" from <a@b.test> for c@d.test`,
			"accepted id="+oldStyle+" address=a@b.test client=192.0.2.66 account=anna@shop.example size=287 count=1")
	}
}

func TestAForgedFailedLoginNamesNoOther(t *testing.T) {
	f := func(body, want string) { t.Helper(); tells(t, body, want) }
	const answer = ": 535 Incorrect authentication data"
	f("plain authenticator failed for (x) [192.0.2.66]"+answer+" (set_id=a(b)c)", "login failed address=a(b)c client=192.0.2.66")
	f("plain authenticator failed for (x) [192.0.2.66]"+answer+" (set_id=a) (set_id=b)", "login failed address=a) (set_id=b client=192.0.2.66")
	f("plain authenticator failed for (x) [203.0.113.9] y) [192.0.2.66]"+answer+" (set_id=a)", "login failed address=a client=192.0.2.66")
	// the greeting and the login may each be the other's work: neither is told
	f("plain authenticator failed for (x) [203.0.113.9]"+answer+" (set_id=v) (y) [192.0.2.66]"+answer+" (set_id=a)", "login failed")
	f("plain authenticator failed for (x) [192.0.2.66]"+answer+" (set_id=y) [203.0.113.9]"+answer+" (set_id=v))", "login failed")
}

func TestAForgedRefusalNamesNoOther(t *testing.T) {
	for _, body := range []string{
		"H=(x) [203.0.113.9] F=<a@b.test> rejected RCPT <c>: no (y) [192.0.2.66] F=<a@b.test> rejected RCPT <c@d.test>: no",
		"H=(x) [192.0.2.66] F=<a@b.test> rejected RCPT y) [203.0.113.9] rejected RCPT <c@d.test>: no",
		`SMTP protocol synchronization error (x): rejected "a" H=(x) [203.0.113.9] next input="" H=(x) [192.0.2.66] next input="QUIT"`,
	} {
		if got := told(logLine("2026-11-23 10:37:57 " + body)); !strings.HasPrefix(got, "rejected") || strings.Contains(got, "client=203.0.113.9") {
			t.Errorf("%s\nis %s", body, got)
		}
	}
}

func TestARecipientCannotEndItsOwnDelivery(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		tells(t, oldStyle+" "+body, strings.Replace(want, " ", " id="+oldStyle+" ", 1))
	}
	f(`** victim@bank.test R=r T=t H=h [192.0.2.1]: 550 user unknown@evil.test <"victim@bank.test R=r T=t H=h [192.0.2.1]: 550 user unknown"@evil.test> R=lookup T=smtp H=mx [192.0.2.9]: 550 spam`,
		`failed remote address="victim@bank.test R=r T=t H=h [192.0.2.1]: 550 user unknown"@evil.test spam "550 spam"`)
	f(`=> "a R=b T=c"@evil.test R=lookup T=smtp H=mx [192.0.2.9]`, `delivered remote address="a R=b T=c"@evil.test`)
	f(`== a@b.test R=r T=t defer (-44) H=mx [192.0.2.9]: 450 ** v@bank.test R=r T=t: 550 no`, `deferred remote address=a@b.test other "450 ** v@bank.test R=r T=t: 550 no"`)
}
