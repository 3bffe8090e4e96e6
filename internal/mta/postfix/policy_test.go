package postfix

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/host/hosttest"
)

// policyOf reads the policy of a server with these files below /etc/postfix.
func policyOf(t *testing.T, files map[string]string) spoor.MailPolicy {
	t.Helper()
	tree := map[string]string{}
	for name, text := range files {
		tree["etc/postfix/"+name] = text
	}
	root := hosttest.Tree(t, tree)
	var gaps spoor.Gaps
	conf, _ := ReadConfig(root, &host.Passwd{}, &gaps)
	var policy spoor.MailPolicy
	LogOnly(root, conf).MailPolicy(&policy)
	return policy
}

// inWords lists a policy, but for who may submit.
func inWords(p *spoor.MailPolicy) []string {
	var words []string
	for _, r := range p.Relay {
		words = append(words, fmt.Sprintf("relay %s %s:%d", r.Prefix, strings.TrimPrefix(r.Place.File, "/etc/postfix/"), r.Place.Line))
	}
	for _, d := range p.Domains {
		words = append(words, strings.TrimSpace(fmt.Sprintf("%s %s %s", d.Domain, d.Policy, d.Target)))
	}
	for _, w := range p.Weak {
		if w.Kind != spoor.WeakAnyoneSubmits {
			words = append(words, strings.TrimSpace(fmt.Sprintf("%s: %s %s", w.Kind, w.Subject, w.Value)))
		}
	}
	for _, g := range p.Gaps {
		words = append(words, "gap "+g.Reason)
	}
	return words
}

// debian is what the package of Debian 12 installs for an Internet site.
const (
	debianMain = "compatibility_level = 3.6\nsmtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated defer_unauth_destination\n" +
		"myhostname = mx.example.com\nmydestination = $myhostname, localhost.localdomain, localhost\n" +
		"mynetworks = 127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128\ninet_interfaces = all\n"
	debianMaster = "smtp      inet  n       -       y       -       -       smtpd\n" +
		"#submission inet n       -       y       -       -       smtpd\n#  -o syslog_name=postfix/submission\n" +
		"pickup    unix  n       -       y       60      1       pickup\n"
)

func TestWhoMayRelayThroughPostfix(t *testing.T) {
	f := func(name, main, master string, want ...string) {
		t.Helper()
		policy := policyOf(t, map[string]string{
			"main.cf": main, "master.cf": master,
			"clients": "192.0.2.7 OK\n198.51.100 relay\n203.0.113.9 REJECT\n.partner.example OK\n192.0.2.8 DUNNO\n",
			"cidr":    "203.0.113.0/28 permit\n", "senders": "boss@example.com OK\n", "refused": "spam@example.net REJECT\n",
			"nets": "# ours\n192.0.2.0/24\n!192.0.2.1\n",
		})
		if got := inWords(&policy); !slices.Equal(got, want) {
			t.Errorf("%s:\n%s\nwant:\n%s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	const host = "compatibility_level = 3.6\nmyhostname = mx.example.com\nmydestination =\n"
	const smtp = "smtp inet n - y - - smtpd\n"
	f("Debian's default", debianMain, debianMaster,
		"relay 127.0.0.0/8 main.cf:5", "relay ::1/128 main.cf:5", "mx.example.com reject")
	f("nothing is set", host, smtp)
	f("an old default", "mydestination =\n", smtp, "whole networks: mynetworks subnet")
	f("an old default that only this machine reaches", "mydestination =\ninet_interfaces = loopback-only\n", smtp)
	f("networks by class", host+"mynetworks_style = class\n", smtp, "whole networks: mynetworks class")
	f("a file of networks, with exceptions", host+"mynetworks = /etc/postfix/nets, !192.0.2.2, cidr:/etc/postfix/cidr\n", smtp,
		"relay 192.0.2.0/24 nets:2", "relay 203.0.113.0/28 cidr:1")
	f("networks elsewhere", host+"mynetworks = mysql:/etc/postfix/my.cf nonsense\n", smtp,
		"gap who may relay is also in mysql:/etc/postfix/my.cf, whose content is not a text", "gap an entry of mynetworks was not understood: nonsense")
	f("networks that may not relay", host+"mynetworks = 192.0.2.0/24\nsmtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination\n", smtp)
	f("everybody", host+"smtpd_relay_restrictions = permit\n", smtp, "open relay: smtp")
	f("everybody, behind a list that refuses them", host+"smtpd_relay_restrictions = permit\nsmtpd_recipient_restrictions = reject_unauth_destination\n", smtp)
	f("a list without an end", host+"smtpd_relay_restrictions = permit_sasl_authenticated\n", smtp, "open relay: smtp")
	f("a refusal that only warns", host+"smtpd_relay_restrictions = warn_if_reject reject_unauth_destination\n", smtp, "open relay: smtp")
	f("the old way", host+"mynetworks = 192.0.2.1\nsmtpd_relay_restrictions =\nsmtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination\n", smtp,
		"relay 192.0.2.1/32 main.cf:4")
	f("a class of restrictions", host+"smtpd_restriction_classes = ours\n#\nours = reject_unauth_destination\nsmtpd_relay_restrictions = ours\n", smtp)
	f("a class that names itself", host+"smtpd_restriction_classes = theirs ours\n#\nours = theirs\n#\ntheirs = ours, theirs\nsmtpd_relay_restrictions = ours, reject\n", smtp)
	f("a policy server in braces", host+"smtpd_relay_restrictions = check_policy_service { inet:127.0.0.1:10, permit }, reject\n", smtp)

	const last = ", reject_unauth_destination\n"
	f("clients by a table", host+"smtpd_relay_restrictions = check_client_access hash:/etc/postfix/clients"+last, smtp,
		"relay 192.0.2.7/32 clients:1", "relay 198.51.100.0/24 clients:2", "named relay: check_client_access .partner.example")
	f("clients by a table in one list of two", host+"smtpd_relay_restrictions = reject_unauth_destination\nsmtpd_recipient_restrictions = check_client_access hash:/etc/postfix/clients"+last, smtp)
	f("clients after the refusal", host+"smtpd_relay_restrictions = reject_unauth_destination, check_client_access hash:/etc/postfix/clients\n", smtp)
	f("senders", host+"smtpd_relay_restrictions = check_sender_access hash:/etc/postfix/senders"+last, smtp,
		"forgeable relay: check_sender_access hash:/etc/postfix/senders sender address")
	f("senders that are refused", host+"smtpd_relay_restrictions = check_sender_access hash:/etc/postfix/refused"+last, smtp)
	f("other people's lists", host+"smtpd_relay_restrictions = permit_dnswl_client list.example, permit_mx_backup"+last, smtp,
		"outside relay: permit_dnswl_client the list list.example", "outside relay: permit_mx_backup the MX record of the recipient's domain")
	f("bare names", host+"smtpd_relay_restrictions = permit_naked_ip_address, permit_tls_all_clientcerts"+last, smtp,
		"forgeable relay: permit_naked_ip_address HELO name", "forgeable relay: permit_tls_all_clientcerts TLS certificate, whoever signed it")

	f("submission for those who log in", host+"mynetworks = 192.0.2.0/24\nsmtpd_relay_restrictions = reject_unauth_destination\n",
		smtp+"submission inet n - y - - smtpd\n  -o smtpd_sasl_auth_enable=yes\n  -o smtpd_client_restrictions=permit_sasl_authenticated,reject\n",
		"cleartext login: submission smtpd_tls_auth_only")
	f("submission that demands TLS", host+"mynetworks = 192.0.2.0/24\nsmtpd_relay_restrictions = reject_unauth_destination\n",
		smtp+"submission inet n - y - - smtpd\n  -o smtpd_sasl_auth_enable=yes -o smtpd_tls_security_level=encrypt\n"+
			"smtps inet n - y - - smtpd\n  -o smtpd_sasl_auth_enable=yes -o smtpd_tls_wrappermode=yes\n")
	f("submission for everybody", host, smtp+"submission inet n - y - - smtpd\n  -o smtpd_relay_restrictions=permit\n", "open relay: submission")
	f("a service with blanks in its override", host, "smtp inet n - y - - smtpd -o { smtpd_relay_restrictions = permit_sasl_authenticated, permit }\n", "open relay: smtp")
	f("a service with networks of its own", host+"mynetworks =\n", smtp+"2525 inet n - y - - smtpd -o mynetworks=198.51.100.0/24\n", "relay 198.51.100.0/24 master.cf:2")
	f("mail that comes back from a filter", host+"mynetworks =\n", "127.0.0.1:10025 inet n - y - - smtpd\n  -o mynetworks=0.0.0.0/0 -o smtpd_relay_restrictions=permit\n")
	f("behind postscreen", host+"smtpd_relay_restrictions = permit\n", "smtp inet n - y - 1 postscreen\nsmtpd pass - - y - - smtpd\n", "open relay: smtpd")
	f("without master.cf's SMTP server", host+"smtpd_relay_restrictions = permit\n", "pickup unix n - y 60 1 pickup\n")

	const auth = "smtpd_tls_auth_only = yes\n#\n"
	f("anonymous logins", host+auth+"smtpd_sasl_auth_enable = yes\nsmtpd_sasl_security_options = noplaintext\n", smtp, "anonymous login: smtpd_sasl_security_options")
	f("no anonymous logins", host+"smtpd_sasl_auth_enable = yes\nsmtpd_sasl_security_options = noanonymous, noplaintext\n", smtp)
	f("nobody is asked", host+auth+"smtpd_sasl_auth_enable = yes\nsmtpd_sasl_exceptions_networks = static:all\n", smtp, "hidden login: smtpd_sasl_exceptions_networks")
	f("Plesk's limiter may fail", host+"smtpd_milters = , inet:127.0.0.1:12768\nmilter_default_action = accept\n", smtp, "limits off: milter_default_action Plesk's psa-pc-remote")
	f("Plesk's limiter must not fail", host+"smtpd_milters = , inet:127.0.0.1:12768\n", smtp)
	f("another milter may fail", host+"smtpd_milters = inet:127.0.0.1:8891\nmilter_default_action = accept\n", smtp)
}

func TestUnknownUsersOfPostfix(t *testing.T) {
	f := func(name, main string, want ...string) {
		t.Helper()
		policy := policyOf(t, map[string]string{
			"main.cf": "compatibility_level = 3.6\nmyhostname = mx.example.com\nmydestination = $myhostname, localhost\n" + main,
			"virtual": "shop.example ok\n@shop.example boss@far.example\ninfo@shop.example anna\n@copy.example @shop.example\n@mx.example.com root\n",
			"boxes":   "@box.example box.example/all/\n", "relays": "backup.example ok\n", "names": "one.example\n# two.example\nthree.example\n",
		})
		got := inWords(&policy)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s:\n%s\nwant:\n%s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	const virtual = "virtual_alias_maps = hash:/etc/postfix/virtual\n"
	f("the default rejects", "", "mx.example.com reject")
	f("a catch-all", virtual+"virtual_alias_domains = shop.example, copy.example, other.example\n",
		"copy.example bounce", "mx.example.com forward root", "other.example reject", "shop.example forward boss@far.example")
	f("a catch-all mailbox", "virtual_mailbox_domains = box.example\nvirtual_mailbox_maps = hash:/etc/postfix/boxes\n",
		"box.example forward box.example/all/", "mx.example.com reject")
	f("no list of local users", "local_recipient_maps =\n", "mx.example.com bounce")
	f("no list of local users, and one who has them all", "local_recipient_maps =\nluser_relay = boss@far.example\n", "mx.example.com forward boss@far.example")
	f("one who would have them all", "luser_relay = boss@far.example\n", "mx.example.com reject")
	f("nobody looks", "smtpd_reject_unlisted_recipient = no\nvirtual_alias_domains = other.example\n", "mx.example.com bounce", "other.example bounce")
	f("one list looks", "smtpd_reject_unlisted_recipient = no\nsmtpd_recipient_restrictions = reject_unlisted_recipient\n", "mx.example.com reject")
	f("a domain that is handed on", "relay_domains = hash:/etc/postfix/relays, backup2.example\n", "backup.example bounce", "backup2.example bounce", "mx.example.com reject")
	f("one whose users are listed", "relay_domains = backup.example\nrelay_recipient_maps = hash:/etc/postfix/relays\n", "backup.example reject", "mx.example.com reject")
	f("one whose server is asked", "relay_domains = backup.example\nsmtpd_recipient_restrictions = reject_unverified_recipient\n", "backup.example reject", "mx.example.com reject")
	f("a file of names", "virtual_alias_domains = /etc/postfix/names, !no.example, .sub.example\n", "mx.example.com reject", "one.example reject", "three.example reject")
	f("a table elsewhere", "virtual_alias_maps = mysql:/etc/postfix/my.cf\nvirtual_alias_domains = other.example\n",
		"gap catch-alls in mysql:/etc/postfix/my.cf are not known: it is no text that can be read", "mx.example.com reject", "other.example reject")
}

func TestWhatThePanelSaysOfADomainCounts(t *testing.T) {
	root := hosttest.Tree(t, map[string]string{"etc/postfix/main.cf": "mydestination = a.example, b.example\nlocal_recipient_maps =\n"})
	var gaps spoor.Gaps
	conf, _ := ReadConfig(root, &host.Passwd{}, &gaps)
	policy := spoor.MailPolicy{Domains: []spoor.DomainPolicy{{Domain: "a.example", Policy: spoor.NonexistentReject}}}
	LogOnly(root, conf).MailPolicy(&policy)
	if len(policy.Domains) != 2 || policy.Domains[0].Policy != spoor.NonexistentReject || policy.Domains[1].Domain != "b.example" {
		t.Errorf("%+v", policy.Domains)
	}
}

func TestWhoMaySubmit(t *testing.T) {
	for main, want := range map[string]int{"": 0, "authorized_submit_users = static:anyone\n": 1, "authorized_submit_users = !www-data, static:all\n": -1} {
		line := -1
		policy := policyOf(t, map[string]string{"main.cf": main})
		for _, w := range policy.Weak {
			if w.Kind == spoor.WeakAnyoneSubmits {
				line = w.Place.Line
			}
		}
		if line != want {
			t.Errorf("%q: line %d, want %d", main, line, want)
		}
	}
}

func FuzzMailPolicy(f *testing.F) {
	f.Add(debianMain, debianMaster)
	f.Add("smtpd_relay_restrictions = check_client_access\nmynetworks = ${mynetworks} [::/0\n", "smtp inet n - - - - smtpd -o\n")
	f.Add("mynetworks = $(mynetworks_style\nrelay_domains = /etc/postfix/main.cf\n", "a:b:c inet n - - - - smtpd -o {\n")
	f.Fuzz(func(t *testing.T, main, master string) {
		policy := policyOf(t, map[string]string{"main.cf": main, "master.cf": master})
		for _, r := range policy.Relay {
			if !r.Prefix.IsValid() || r.Place.File == "" {
				t.Fatalf("%+v", r)
			}
		}
		for _, d := range policy.Domains {
			if d.Domain == "" || d.Place.File == "" {
				t.Fatalf("%+v", d)
			}
		}
		for _, w := range policy.Weak {
			if w.Subject == "" || w.Place.File == "" {
				t.Fatalf("%+v", w)
			}
		}
	})
}
