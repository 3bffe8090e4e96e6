package redact

import (
	"encoding/base64"
	"mime"
	"strings"
	"testing"
	"unicode/utf8"
)

func ours(address string) bool { return strings.HasSuffix(strings.ToLower(address), "@shop.test") }

func TestNamesOfOthersAreMasked(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := Header(in, ours); got != want {
			t.Errorf("%q:\ngot  %q\nwant %q", in, got, want)
		}
	}
	f("To: Ada Lovelace <ada@example.org>\r\n", "To: A*** <a***@example.org>\r\n")
	f("To: \"Lovelace, Ada\" <ada@example.org>, Grace <grace@example.org>\n", "To: L*** <a***@example.org>, G*** <g***@example.org>\n")
	f("cc : ada@example.org (Ada (the first) Lovelace), grace@example.org\n", "cc : a***@example.org (A***), g***@example.org\n")
	f("From: \"Shop, Ltd.\" <Info@shop.test>\n", "From: \"Shop, Ltd.\" <Info@shop.test>\n")
	f("From: info@shop.test (Shop)\n", "From: info@shop.test (Shop)\n")
	f("To: =?UTF-8?B?w4VzYQ==?= =?utf-8?q?_L=C3=B6f?= <asa@example.org>\n", "To: Å*** <a***@example.org>\n")
	f("To: =?iso-8859-1?Q?=C5sa?=\r\n =?iso-8859-1?Q?_L=F6f?=\r\n <asa@example.org>,\r\n\tgrace@example.org\r\nSubject: x\r\n", "To: Å***\r\n <a***@example.org>,\r\n\tg***@example.org\r\nSubject: x\r\n")
	f("To: =?x-unknown?Q?Asa?= <asa@example.org>\n", "To: A*** <a***@example.org>\n")
	f("To: \"=?utf-8?q?Asa?=\" <asa@example.org>\n", "To: A*** <a***@example.org>\n")
	f("Reply-To: <ada@example.org>\n", "Reply-To: <a***@example.org>\n")
	f("To: undisclosed-recipients:;\n", "To: undisclosed-recipients:;\n")
	f("To: Family: Ada <ada@example.org>, grace@example.org;\n", "To: F***: A*** <a***@example.org>, g***@example.org;\n")
	f("Return-Path: <>\n", "Return-Path: <>\n")
	f("Subject: Ada, your order\n", "Subject: Ada, your order\n")
	f("Message-ID: <1@example.org>\n", "Message-ID: <1@example.org>\n")
	f("", "")
}

func TestHostileNamesAreMasked(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := Header(in, ours); got != want {
			t.Errorf("%q:\ngot  %q\nwant %q", in, got, want)
		}
	}
	f("To: Ada Lovelace\n", "To: A***\n")
	f("To: \"Ada Lovelace\n", "To: A***")
	f("To: (Ada Lovelace\n", "To: (A***)")
	f("To: <Ada Lovelace>\n", "To: <A***>\n")
	f("To: <Ada Lovelace\n", "To: <A***>")
	f("To: \"Ada \\\" Lovelace\" <ada@example.org>\n", "To: A*** <a***@example.org>\n")
	f("To: <ada@example.org> Ada Lovelace\n", "To: <a***@example.org> A***\n")
	f("To: Ada <x@y.test> Lovelace <ada@example.org>\n", "To: A*** <***@y.test> L*** <a***@example.org>\n")
	f("To: \"Ada\"Lovelace <ada@example.org>\n", "To: A*** <a***@example.org>\n")
	f("To: ada.lovelace@example.org <ada@example.org>\n", "To: a*** <a***@example.org>\n")
	f("To: \"ada@example.org\"\n", "To: a***\n")
	f("To: \"ada lovelace\"@example.org\n", "To: a***@example.org\n")
	f("To: ada@[IPv6:2001:db8::1], Grace <grace@[192.0.2.1]>\n", "To: a***@[IPv6:2001:db8::1], G*** <g***@[192.0.2.1]>\n")
	f("To: ada@ <grace@>\n", "To: a*** <g***>\n")
	f("To: \u202eadA <ada@example.org>\n", "To: *** <a***@example.org>\n")
	f("To: \x1b[2JAda <ada@example.org>\n", "To: *** <a***@example.org>\n")
	f("To: A <ada@example.org>\n", "To: *** <a***@example.org>\n")
	f("From: \"Ada <ada@example.org>\" <info@shop.test>\n", "From: \"Ada <a***@example.org>\" <info@shop.test>\n")
	f("From: =?utf-8?B?"+base64.StdEncoding.EncodeToString([]byte("ada@example.org"))+"?= <info@shop.test>\n", "From: a***@example.org <info@shop.test>\n")
	f("Subject: =?utf-8?Q?for_ada=40exam?=\r\n =?utf-8?Q?ple.org?=\r\nX: 1\r\n", "Subject: for a***@example.org\r\nX: 1\r\n")
	f("Subject: =?x-own?Q?for_ada=40example.org?=\n", "Subject: for a***@example.org\n")
	f("Subject: =?utf-8?Q?just_words?=\n", "Subject: =?utf-8?Q?just_words?=\n")
	f("Subject: =?utf-8?Q?torn ada@example.org\n", "Subject: =?utf-8?Q?torn a***@example.org\n")
}

func TestNamesThatLogsQuoteAreMasked(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := Header(in, ours); got != want {
			t.Errorf("%q:\ngot  %q\nwant %q", in, got, want)
		}
	}
	f("postfix/cleanup[1]: 4X: warning: header From: Ada from Berlin <ada@example.org> from local; from=<info@shop.test>",
		"postfix/cleanup[1]: 4X: warning: header From: A*** <a***@example.org> from local; from=<info@shop.test>")
	f("postfix/cleanup[1]: 4X: warning: header Subject: Ada from Berlin from local; from=<info@shop.test>",
		"postfix/cleanup[1]: 4X: warning: header Subject: Ada from Berlin from local; from=<info@shop.test>")
	f("[23-Nov-2026] mail() on [/x/mailer.php:3]: To: Ada Lovelace <ada@example.org> -- Headers: From: Grace <grace@example.org> X-Mailer: PHP Cc: Ada, Bea",
		"[23-Nov-2026] mail() on [/x/mailer.php:3]: To: A*** <a***@example.org> -- Headers: From: G*** <g***@example.org> X-Mailer: PHP Cc: A***, B***")
	f("to=<ada@example.org>, relay=mx", "to=<a***@example.org>, relay=mx")
}

// FuzzHeader plants a name in a display name and wants no trace of it.
func FuzzHeader(f *testing.F) {
	f.Add("Ada \"the\" <ada@example.org>", "x, y", true)
	f.Add("=?utf-8?Q?=C5?=", "(\\", false)
	f.Add("<\"", ":;", true)
	f.Fuzz(func(t *testing.T, before, behind string, encoded bool) {
		const secret = "Zyxwvutsrq"
		name := secret + " " + secret
		if encoded {
			name = mime.BEncoding.Encode("utf-8", name+"é")
		}
		text := "To: " + before + " " + name + " " + behind
		got := Header(text, nil)
		if first, _, _ := strings.Cut(text, "\n"); strings.Contains(first, name) && !strings.Contains(before, "@") && !strings.Contains(behind, "@") {
			if strings.Contains(got, secret) || strings.Contains(decoded(got), secret) {
				t.Errorf("%q became %q", text, got)
			}
		}
		if most := len(text) + (utf8.UTFMax+len(hidden))*(len(text)+1); len(got) > most {
			t.Errorf("%q grew to %q", text, got)
		}
	})
}
