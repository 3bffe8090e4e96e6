package redact

import (
	"bytes"
	"strings"
	"testing"
)

func fixed() *Names { return New([]byte("0123456789abcdef")) }

func text(n *Names, in string) string {
	b := []byte(in)
	n.Text(b)
	return string(b)
}

func TestNamesAreReplacedAndTheRestStays(t *testing.T) {
	n := fixed()
	n.Learn("web12")
	n.Learn("client") // a word of every log
	in := "Nov 23 10:06:57 mx1 postfix/smtpd[23334]: 4FA8DC: client=host7.dsl.shop.test[192.0.2.7], sasl_username=Info@Shop.test, user web12 in /var/www/vhosts/shop.test/mail.php"
	got := text(n, in)
	if len(got) != len(in) {
		t.Fatalf("the length changed: %q", got)
	}
	for _, gone := range []string{"host7", "shop", "Shop", "Info", "web12"} {
		if strings.Contains(got, gone) {
			t.Errorf("%q is still in %q", gone, got)
		}
	}
	for _, stays := range []string{"Nov 23 10:06:57", "postfix/smtpd[23334]: 4FA8DC: client=", ".dsl.", "[192.0.2.7], sasl_username=", ".test, user ", "/var/www/vhosts/", "/mail.php"} {
		if !strings.Contains(got, stays) {
			t.Errorf("%q is not in %q any more", stays, got)
		}
	}
}

func TestEqualNamesStayEqual(t *testing.T) {
	n := fixed()
	one := text(n, "to=<ada@shop.test>")
	other := text(n, "sasl_username=ada@Shop.test;")
	if strings.TrimSuffix(strings.TrimPrefix(one, "to=<"), ">") != strings.TrimSuffix(strings.ToLower(strings.TrimPrefix(other, "sasl_username=")), ";") {
		t.Errorf("%q and %q differ", one, other)
	}
	if text(n, "x ada@shop.test") == text(New([]byte("another key 16 b")), "x ada@shop.test") {
		t.Error("the key makes no difference")
	}
}

func TestPublicReceiversStay(t *testing.T) {
	const in = "relay=gmail-smtp-in.l.google.com[192.0.2.1]:25 blocked using zen.spamhaus.org"
	if got := text(fixed(), in); !strings.Contains(got, ".google.com[") || !strings.Contains(got, ".spamhaus.org") {
		t.Errorf("got %q", got)
	}
}

func TestNumbersAndFilesAreNoDomains(t *testing.T) {
	for _, in := range []string{"dsn=5.1.1 delays=0.1/0/0/0.05", "X=TLS1.3:AES", "33:mailer.php", "/usr/lib/x.so", "3.7.11", "[192.0.2.1]"} {
		if got := text(fixed(), in); got != in {
			t.Errorf("%q became %q", in, got)
		}
	}
}

func TestLinesOfMessages(t *testing.T) {
	f := func(field, line string, stays, gone []string) {
		t.Helper()
		b := []byte(line)
		fixed().Line(field, b)
		for _, word := range stays {
			if !bytes.Contains(b, []byte(word)) {
				t.Errorf("%q is not in %q", word, b)
			}
		}
		for _, word := range gone {
			if bytes.Contains(b, []byte(word)) {
				t.Errorf("%q is still in %q", word, b)
			}
		}
		if len(b) != len(line) {
			t.Errorf("%q has another length than %q", b, line)
		}
	}
	f("Subject", "Subject: Dear Ada, your visa", []string{"Subject: "}, []string{"Dear", "Ada", "visa"})
	f("To", `To: "Ada Lovelace" <ada@shop.test>`, []string{"To: ", ".test>"}, []string{"Ada", "Lovelace", "shop"})
	f("Received", "Received: from x.shop.test (unknown [192.0.2.3]) by mx.shop.test with ESMTPSA", []string{"Received: from", "with ESMTPSA", "[192.0.2.3]"}, []string{"shop"})
	f("X-PHP-Originating-Script", "X-PHP-Originating-Script: 33:mailer.php", []string{"33:mailer.php"}, nil)
	f("", "Grüße an Ada", nil, []string{"Gr", "Ada", "ü"})
	f("", "Final-Recipient: rfc822; ada@shop.test", []string{"Final-Recipient: rfc822; "}, []string{"ada", "shop"})
	f("", "Hi. This is the qmail-send program at mx.shop.test.", []string{"Hi. This is the qmail-send program at "}, []string{"shop"})
}

func FuzzNames(f *testing.F) {
	f.Add([]byte("to=<ada@shop.test> Grüße \xff@\xfe\x00F\x00"))
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, change := range []func(n *Names, b []byte){(*Names).Text, (*Names).Words, func(n *Names, b []byte) { n.Line("", b) }, func(n *Names, b []byte) { n.Line("To", b) }} {
			once, again := bytes.Clone(in), bytes.Clone(in)
			n := fixed()
			change(n, once)
			change(n, again)
			if len(once) != len(in) || !bytes.Equal(once, again) {
				t.Errorf("%q became %q and %q", in, once, again)
			}
			for i := range in {
				if in[i] < ' ' && once[i] != in[i] {
					t.Errorf("a control character of %q changed: %q", in, once)
				}
			}
		}
	})
}

func TestSubjectsInLogs(t *testing.T) {
	f := func(line, gone string, stays ...string) {
		t.Helper()
		b := []byte(line)
		fixed().Log(b)
		if bytes.Contains(b, []byte(gone)) || len(b) != len(line) {
			t.Errorf("%q became %q", line, b)
		}
		for _, word := range stays {
			if !bytes.Contains(b, []byte(word)) {
				t.Errorf("%q is not in %q", word, b)
			}
		}
	}
	f(`2026-11-23 10:06:57 1rAbcD-0001 <= a@b.test H=x [192.0.2.1] P=esmtpsa S=812 T="Dear \"Ada\" visa" for c@d.test`, "visa", "P=esmtpsa S=812 T=\"", `" for `)
	f("warning: header Subject: Dear Ada visa from mx.shop.test[192.0.2.1]; from=<>", "visa", "header Subject: ", " from ", "[192.0.2.1]; from=<>")
	f("mail() on [/var/www/x.php:12]: To: a@b.test -- Headers:  Subject: Dear Ada visa", "visa", "mail() on [/var/www/x.php:12]: To: ")
	f(`T="never ends`, "nothing", "T=")
}
