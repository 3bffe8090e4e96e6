package qmail

import (
	"fmt"
	"strings"
	"testing"

	"spoor"
	"spoor/internal/host/hosttest"
)

func TestRulesOfTcpserver(t *testing.T) {
	f := func(rule, want string) {
		t.Helper()
		addresses, relays := relayRule(rule)
		var words []string
		if relays {
			prefixes, ok := rulePrefixes(addresses)
			for _, p := range prefixes {
				words = append(words, p.String())
			}
			if !ok {
				words = append(words, "not understood")
			}
		}
		if got := strings.Join(words, " "); got != want {
			t.Errorf("%s: %q, want %q", rule, got, want)
		}
	}
	f(`127.:allow,RELAYCLIENT=""`, "127.0.0.0/8")
	f(`192.168.1.:allow,RELAYCLIENT="",QMAILQUEUE="x"`, "192.168.1.0/24")
	f(`203.0.113.45:allow,RELAYCLIENT=""`, "203.0.113.45/32")
	f(`203.0.113.8-13:allow,RELAYCLIENT=""`, "203.0.113.8/30 203.0.113.12/31")
	f(`203.0.113.0-255:allow,RELAYCLIENT=""`, "203.0.113.0/24")
	f(`2001:db8::/32:allow,RELAYCLIENT=""`, "2001:db8::/32")
	f(`joe@203.0.113.45:allow,RELAYCLIENT=""`, "203.0.113.45/32")
	f(`:allow,RELAYCLIENT=""`, "0.0.0.0/0")
	f(`=host.example:allow,RELAYCLIENT=""`, "not understood")
	f(`203.0.113.9-3:allow,RELAYCLIENT=""`, "not understood")
	f(`:allow`, "")
	f(`:allow,QMAILQUEUE="x"`, "")
	f(`#127.:allow,RELAYCLIENT=""`, "")
	f(`10.:deny`, "")
}

func TestDefaultPolicies(t *testing.T) {
	root := hosttest.Tree(t, map[string]string{
		"var/qmail/control/me": "mail.here.test\n", "var/qmail/control/locals": "here.test\n",
		"var/qmail/alias/.qmail-default": "# all\n|bouncesaying 'nobody here'\n",
		"domains/a.test/.qmail-default":  "| /home/vpopmail/bin/vdelivermail '' bounce-no-mailbox\n",
		"domains/b.test/.qmail-default":  "&all@elsewhere.test\n",
		"domains/c.test/.qmail-default":  "all@here.test\n",
		"domains/d.test/.qmail-default":  "#\n",
		"domains/e.test/.qmail-default":  "| some-program\n",
		"domains/f.test/.qmail-default":  "./Maildir/\n",
		"domains/g.test/x":               "",
		"domains/h.test/.qmail-default":  "-> /secret",
		"domains/README/.qmail-default":  "&x@y.test\n",
		"secret":                         "&leaked@far.test\n",
	})
	var gaps spoor.Gaps
	passwd, _ := root.Passwd(&gaps)
	q := LogOnly(root, passwd, Options{})
	var policy spoor.MailPolicy
	q.MailPolicy(&policy)
	q.DefaultPolicies(&policy, "/domains", "/no/such")
	var words []string
	for _, d := range policy.Domains {
		words = append(words, fmt.Sprintf("%s %s %s:%d", d.Domain, d.Policy, d.Target, d.Place.Line))
	}
	want := "a.test bounce :1, b.test forward all@elsewhere.test:1, c.test forward all@here.test:1, d.test discard :0, e.test unknown :1, f.test forward :1, here.test bounce :2"
	if got := strings.Join(words, ", "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if !policy.NoRcptHosts {
		t.Error("a qmail without rcpthosts is no finding")
	}
}
