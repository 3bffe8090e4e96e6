package redact

import (
	"strings"
	"testing"
)

func TestAddresses(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := Addresses(in, nil); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	f("", "")
	f("no address", "no address")
	f("to=<ada.lovelace@example.org>, relay=mx.example.org", "to=<a***@example.org>, relay=mx.example.org")
	f("sasl_username=info@shop.test", "sasl_username=i***@shop.test")
	f("A=dovecot_login:info@shop.test S=812", "A=dovecot_login:i***@shop.test S=812")
	f("<bounce-7-ada=example.org@lists.test>", "<b***@lists.test>")
	f(`"ada lovelace"@example.org`, "a***@example.org")
	f(`<"a\"b"@example.org>`, `<a***@example.org>`)
	f("x@y", "***@y")
	f("größe@exämple.org", "g***@exämple.org")
	f("user@[192.0.2.1] next", "u***@[192.0.2.1] next")
	f("a@b@c", "***@***@c")
	f("@", "@")
	f("@@@", "@@@")
	f("one@x.test,two@x.test;three@x.test", "o***@x.test,t***@x.test;t***@x.test")
}

func TestMessageIdentifiersStay(t *testing.T) {
	for _, line := range []string{
		"Message-ID: <20261126.7@mail.test>", "message-id=<20261126.7@mail.test>", "<= x H=y id=20261126.7@mail.test",
		"References: <1@mail.test> <2@mail.test>",
	} {
		if got := Addresses(line, nil); got != line {
			t.Errorf("%q became %q", line, got)
		}
	}
}

func TestKeptAddressesStay(t *testing.T) {
	keep := func(address string) bool { return strings.HasSuffix(address, "@shop.test") }
	got := Addresses("from=<info@shop.test> to=<ada@example.org>", keep)
	if want := "from=<info@shop.test> to=<a***@example.org>"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzAddresses(f *testing.F) {
	f.Add("to=<ada@example.org>")
	f.Add("\"a b\"@c \xff@\xfe <message-id=x@y")
	f.Fuzz(func(t *testing.T, text string) {
		once := Addresses(text, nil)
		if n := strings.Count(text, "@"); strings.Count(once, "@") > n {
			t.Errorf("%q: addresses were added: %q", text, once)
		}
		if len(once) > len(text)+len(hidden)*strings.Count(text, "@") {
			t.Errorf("%q: grew to %q", text, once)
		}
	})
}
