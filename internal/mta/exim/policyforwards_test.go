package exim

import (
	"strings"
	"testing"

	"spoor"
	"spoor/internal/host/hosttest"
)

func eximPolicy(t *testing.T, files map[string]string) spoor.MailPolicy {
	t.Helper()
	root := hosttest.Tree(t, files)
	var policy spoor.MailPolicy
	q := &Queue{root: root, conf: Config{File: "/etc/exim4/exim4.conf"}}
	q.MailPolicy(&policy)
	return policy
}

func TestForwardsAndAnswersOfPanelsWithExim(t *testing.T) {
	policy := eximPolicy(t, map[string]string{
		"etc/exim4/exim4.conf":              "begin acl\n",
		"etc/valiases/shop.example":         "info@shop.example: boss@far.example, ada\n*: :fail: nobody\naway@shop.example: |/usr/local/cpanel/bin/autorespond away\n",
		"etc/virtual/site.example/aliases":  "sales: boss@far.example\nhole: :blackhole:\nprogram: |/usr/bin/list\n",
		"etc/virtual/site.example/unlisted": "x",
	})
	var words []string
	for _, f := range policy.Forwards {
		words = append(words, f.Address+" to "+f.Target)
	}
	for _, r := range policy.Answers {
		words = append(words, r.Address+" answers")
	}
	want := "info@shop.example to boss@far.example, sales@site.example to boss@far.example, away@shop.example answers"
	if got := strings.Join(words, ", "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestWhomEximOffersToLogIn(t *testing.T) {
	const login = "begin authenticators\nplain:\n driver = plaintext\n"
	f := func(want bool, conf string) {
		t.Helper()
		policy := eximPolicy(t, map[string]string{"etc/exim4/exim4.conf": conf})
		got := false
		for _, w := range policy.Weak {
			got = got || w.Kind == spoor.WeakCleartextLogin
		}
		if got != want {
			t.Errorf("%q: %v, want %v", conf, got, want)
		}
	}
	f(false, "primary_hostname = x\n")
	f(true, login)
	f(true, "auth_advertise_hosts = *\n"+login)
	f(false, "auth_advertise_hosts = ${if eq{$tls_in_cipher}{}{}{*}}\n"+login)
	f(false, "auth_advertise_hosts =\n"+login)
	f(false, login+" server_advertise_condition = ${if eq{$tls_in_cipher}{}{}{*}}\n")
}
