package panel

import (
	"strings"
	"testing"

	"spoor"
	"spoor/internal/host/hosttest"
)

func TestWhetherSitesCanSendPastTheMailSystem(t *testing.T) {
	f := func(open bool, files map[string]string, rules ...Ruleset) {
		t.Helper()
		files["etc/hostname"] = "mx1"
		var policy spoor.MailPolicy
		EgressPolicy(hosttest.Tree(t, files), rules, &policy)
		if got := len(policy.Weak) == 1; got != open {
			t.Errorf("%v %v: open %v, want %v: %+v", files, rules, got, open, policy.Weak)
		}
	}
	f(false, map[string]string{}) // nothing tells
	f(true, map[string]string{"etc/nftables.conf": "tcp dport 25 accept\n# meta skuid 33 tcp dport 25 drop\n"})
	f(false, map[string]string{"etc/nftables.conf": "  meta skuid 33 tcp dport { 25, 465, 587 } reject\n"})
	f(true, map[string]string{"etc/nftables.conf": "meta skuid 33 tcp dport 2525 reject\n"})
	f(false, map[string]string{"etc/iptables/rules.v4": "-A OUTPUT -p tcp -m multiport --dports 25,465 -m owner --uid-owner 33 -j REJECT\n"})
	f(false, map[string]string{"etc/csf/csf.conf": "SMTP_BLOCK = \"1\"\n"})
	f(true, map[string]string{"etc/csf/csf.conf": "SMTP_BLOCK = \"0\"\n"})
	f(false, map[string]string{"var/cpanel/cpanel.config": "smtpmailgidonly=1\n"})
	f(false, map[string]string{}, Ruleset{Name: "nft", Text: "meta skuid != 0 tcp dport smtp drop\n"})
	f(true, map[string]string{}, Ruleset{Name: "nft", Text: "table inet filter {\n}\n"})
}

func TestTheFindingNamesWhatWasLookedAt(t *testing.T) {
	var policy spoor.MailPolicy
	EgressPolicy(hosttest.Tree(t, map[string]string{"etc/csf/csf.conf": "SMTP_BLOCK = \"0\"\n", "etc/nftables.conf": "\n"}), nil, &policy)
	if len(policy.Weak) != 1 || policy.Weak[0].Value != "/etc/csf/csf.conf, /etc/nftables.conf" || !strings.Contains(policy.Weak[0].Place.Text, "no rule") {
		t.Errorf("%+v", policy.Weak)
	}
}
