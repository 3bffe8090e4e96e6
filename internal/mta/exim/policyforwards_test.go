package exim

import (
	"slices"
	"strings"
	"testing"

	"spoor"
	"spoor/internal/host/hosttest"
)

func eximPolicy(t *testing.T, files map[string]string, served ...string) spoor.MailPolicy {
	t.Helper()
	root := hosttest.Tree(t, files)
	var policy spoor.MailPolicy
	q := &Queue{root: root, conf: Config{File: "/etc/exim4/exim4.conf", served: map[string]bool{}}}
	for _, domain := range served {
		q.conf.serve(domain)
	}
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
	const (
		login     = "begin authenticators\nplain:\n driver = plaintext\n server_condition = true\n"
		elsewhere = "begin authenticators\ncram_md5:\n  driver = cram_md5\n  public_name = CRAM-MD5\n  client_name = x\n\nplain:\n  driver = plaintext\n  public_name = PLAIN\n  client_send = x\n" // of Debian
	)
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
	f(false, elsewhere)
	f(true, elsewhere+"plain_server:\n  driver = plaintext\n  public_name = PLAIN\n  server_condition = ${if eq{$auth3}{x}}\n")
	f(true, elsewhere+"dovecot:\n  driver = dovecot\n  public_name = LOGIN\n  server_socket = /run/dovecot/auth-client\n")
	f(false, "begin authenticators\ncram:\n driver = cram_md5\n public_name = CRAM-MD5\n server_secret = x\n")
	f(false, "begin authenticators\ncert:\n driver = tls\n server_param1 = x\n")
	f(true, "begin authenticators\nLOGIN:\n driver = cyrus_sasl\n")
	f(true, "begin authenticators\nplain :\n driver = plaintext\n server_condition = true\n")
	f(false, login+" server_advertise_condition = ${if eq{$tls_in_cipher}{}{}{*}}\n")
}

func TestADomainThatIsAnotherNameOfOneElsewhere(t *testing.T) {
	policy := eximPolicy(t, map[string]string{
		"etc/exim4/exim4.conf":             "begin acl\n",
		"etc/valiases/old.example":         "*: :fail: nobody\n",
		"etc/valiases/second.example":      "*: all@far.example\n",
		"etc/valiases/refuses.example":     "*: :fail: nobody\n",
		"etc/vdomainaliases/old.example":   "old.example: elsewhere.example\n",
		"etc/vdomainaliases/third.example": "third.example: refuses.example\n",
		"etc/vdomainaliases/other.example": "other.example: second.example\n",
		"etc/vdomainaliases/empty.example": "",
	}, "second.example", "refuses.example")
	words := policyWords(&policy)
	for _, f := range policy.Forwards {
		words = append(words, f.Address+" to "+f.Target)
	}
	want := "old.example forward @elsewhere.example, refuses.example reject, second.example forward all@far.example, third.example reject, @old.example to @elsewhere.example"
	slices.Sort(words)
	wanted := strings.Split(want, ", ")
	slices.Sort(wanted)
	if !slices.Equal(words, wanted) {
		t.Errorf("got  %s\nwant %s", words, wanted)
	}
}
