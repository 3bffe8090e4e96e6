package exim

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/host/hosttest"
)

func policyOf(t *testing.T, files map[string]string) spoor.MailPolicy {
	t.Helper()
	root := hosttest.Tree(t, files)
	var gaps spoor.Gaps
	var policy spoor.MailPolicy
	LogOnly(root, ReadConfig(root, &host.Passwd{}, &gaps)).MailPolicy(&policy)
	return policy
}

// policyWords lists a policy, sorted.
func policyWords(p *spoor.MailPolicy) []string {
	var words []string
	for _, r := range p.Relay {
		line := fmt.Sprintf("relay %s %s:%d", r.Prefix, r.Place.File[strings.LastIndexByte(r.Place.File, '/')+1:], r.Place.Line)
		if r.Temporary {
			line += " for a while"
		}
		words = append(words, line)
	}
	for _, d := range p.Domains {
		words = append(words, strings.TrimSpace(fmt.Sprintf("%s %s %s", d.Domain, d.Policy, d.Target)))
	}
	for _, w := range p.Weak {
		words = append(words, strings.TrimSpace(fmt.Sprintf("%s: %s %s", w.Kind, w.Subject, w.Value)))
	}
	for _, g := range p.Gaps {
		words = append(words, "gap "+g.Reason)
	}
	slices.Sort(words)
	return words
}

func TestWhoMayRelayThroughExim(t *testing.T) {
	f := func(name, main, acl string, want ...string) {
		t.Helper()
		policy := policyOf(t, map[string]string{
			"etc/exim.conf":  main + "begin acl\ncheck_rcpt:\n" + acl + "begin routers\n",
			"etc/relayhosts": "198.51.100.9\n# no\n198.51.100.10: anna\n", "etc/nets": "203.0.113.0/24\n", "etc/more.conf": "hostlist more = 192.0.2.77\n",
		})
		if got := policyWords(&policy); !slices.Equal(got, want) {
			t.Errorf("%s:\n%s\nwant:\n%s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	const check = "acl_smtp_rcpt = check_rcpt\n"
	const end = "  require domains = +local_domains\n  require verify = recipient\n  accept\n"
	f("no ACL takes no mail", "hostlist relay_from_hosts = *\n", "  accept\n")
	f("everybody", "acl_smtp_rcpt = accept\n", "", "open relay: acl_smtp_rcpt")
	f("everybody at the end", check, "  deny senders = spam@example.net\n  accept verify = recipient\n  accept\n", "open relay: check_rcpt")
	f("nobody", check, end)
	f("who logs in", check, "  accept authenticated = *\n"+end)
	f("mail from this machine without a network", check, "  accept hosts = :\n"+end)
	f("a list of hosts", "hostlist relay_from_hosts = 192.0.2.0/24 : +more : ::::1 : @[] : !192.0.2.1\n.include /etc/more.conf\n"+check,
		"  accept hosts = +relay_from_hosts\n         control = submission\n"+end, "relay 192.0.2.0/24 exim.conf:1", "relay 192.0.2.77/32 more.conf:1", "relay ::1/128 exim.conf:1")
	f("a list in lists", "hostlist a = +b\nhostlist b = +a : 192.0.2.1\n"+check, "  accept hosts = +a\n"+end, "relay 192.0.2.1/32 exim.conf:2")
	f("semicolons", "hostlist a = <; 2001:db8::/64 ; 192.0.2.1\n"+check, "  accept hosts = +a\n"+end, "relay 192.0.2.1/32 exim.conf:1", "relay 2001:db8::/64 exim.conf:1")
	f("files", check, "  accept hosts = net-iplsearch;/etc/relayhosts : /etc/nets : lsearch;/etc/none\n"+end,
		"relay 198.51.100.10/32 relayhosts:3 for a while", "relay 198.51.100.9/32 relayhosts:1 for a while", "relay 203.0.113.0/24 nets:1")
	f("everybody by a star", check, "  accept hosts = *\n"+end, "relay 0.0.0.0/0 exim.conf:4")
	f("names", check, "  accept hosts = *.partner.example\n"+end, "named relay: hosts *.partner.example")
	f("what is computed", check, "  accept hosts = ${if exists{/x}{/x}{}}\n"+end, "gap a list of hosts that may relay is computed: it is not known who is in it")
	f("a database", check, "  accept hosts = cdb;/etc/nets\n"+end, "gap who may relay is also in cdb;/etc/nets, which is no file of lines")
	f("hosts for some domains only", check, "  accept hosts = 192.0.2.1\n         domains = friends.example\n"+end)
	f("hosts after the refusal", check, "  require domains = +local_domains\n  accept hosts = 192.0.2.1\n  require verify = recipient\n")
	f("hosts that a refusal excepts", check, "  deny !hosts = 192.0.2.1\n       domains = !+local_domains\n       !authenticated = *\n  require verify = recipient\n  accept\n", "relay 192.0.2.1/32 exim.conf:4")
	f("senders", check, "  accept senders = boss@example.com\n"+end, "forgeable relay: check_rcpt sender address")
	f("an ACL that is computed", "acl_smtp_rcpt = ${if eq{1}{1}{a}{b}}\n", "  accept\n", "gap acl_smtp_rcpt was not understood: who may relay is not known")
	f("macros and what is left out", "NETS = 192.0.2.1\n.ifdef OTHER\nNETS == 192.0.2.2\n.else\nNETS == 192.0.2.3\n.endif\n.ifndef NETS\nhostlist a = *\n.else\nhostlist a = NETS\n.endif\n"+check,
		"  accept hosts = +a\n"+end, "relay 192.0.2.3/32 exim.conf:10")
	f("the web server's user is trusted", "trusted_users = mail : www-data\n"+check, end, "trusted user: trusted_users www-data")
	f("nobody verifies", "domainlist local_domains = here.example\n"+check, "  accept domains = +local_domains\n  deny\n", "accepts unknown: check_rcpt")
	f("local domains are verified", "domainlist local_domains = here.example : localhost\n"+check, "  accept domains = +local_domains\n         verify = recipient\n  deny\n", "here.example reject")
	f("relayed domains are not asked for", "domainlist relay_to_domains = backup.example\n"+check,
		"  require domains = +local_domains : +relay_to_domains\n  require verify = recipient\n  accept\n", "backup.example bounce")
	f("relayed domains are asked for", "domainlist relay_to_domains = backup.example\n"+check,
		"  require domains = +local_domains : +relay_to_domains\n  require verify = recipient/callout=20s\n  accept\n")
}

func TestUnknownUsersOfExim(t *testing.T) {
	policy := policyOf(t, map[string]string{
		"etc/exim.conf": "begin routers\nfwd:\n  driver = redirect\n  data = ${lookup{$local_part@$domain}lsearch*@{/etc/virtual.all}}\n" +
			"sys:\n  data = ${lookup{$local_part}lsearch{/etc/aliases}}\n  data = ${lookup{$local_part}lsearch*@{/etc/valiases/$domain}}\n  data = lsearch*{/etc/none}\n",
		"etc/virtual.all":                   "*@shop.example: boss@far.example\ninfo@shop.example: anna\n",
		"etc/aliases":                       "*: inert\n",
		"etc/valiases/fail.example":         "info@fail.example: anna\n*: \":fail: No Such User Here\"\n",
		"etc/valiases/hole.example":         "*: :blackhole:\n",
		"etc/valiases/user.example":         "*: anna\n",
		"etc/valiases/out.example":          "*: boss@far.example,x@y.example\n",
		"etc/valiases/none.example":         "info@none.example: anna\n",
		"etc/valiases/empty.example":        "*:\n",
		"etc/valiases/link.example":         "-> /etc/shadow",
		"etc/valiases/README":               "*: x\n",
		"etc/virtual/da.example/aliases":    "anna: anna\n*: :fail:\n",
		"etc/virtual/catch.example/aliases": "*: catch@da.example\n",
		"etc/virtual/nofile.example/passwd": "",
		"etc/virtual/domainowners":          "da.example: anna\n",
		"etc/shadow":                        "",
	})
	got := policyWords(&policy)
	want := []string{
		"catch.example forward catch@da.example", "da.example reject", "empty.example unknown", "fail.example reject",
		"gap alias file cannot be read: its catch-alls are not known", "hole.example discard", "link.example reject",
		"none.example reject", "out.example forward boss@far.example", "shop.example forward boss@far.example", "user.example forward anna",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, d := range policy.Domains {
		if d.Place.File == "" || d.Policy == spoor.NonexistentForward && d.Place.Line == 0 {
			t.Errorf("%s has no place: %+v", d.Domain, d.Place)
		}
	}
}

func TestDebiansNameIsNotThatOfAMacro(t *testing.T) {
	root := hosttest.Tree(t, map[string]string{
		"var/lib/exim4/config.autogenerated": ".ifdef MAIN_HARDCODE_PRIMARY_HOSTNAME\nprimary_hostname = MAIN_HARDCODE_PRIMARY_HOSTNAME\n.endif\nMAIN_LOCAL_DOMAINS=@:localhost:mx.example.com\ndomainlist local_domains = MAIN_LOCAL_DOMAINS\n",
	})
	var gaps spoor.Gaps
	if c := ReadConfig(root, &host.Passwd{}, &gaps); c.Hostname != "" || !c.Serves("mx.example.com") {
		t.Errorf("host %q, serves mx.example.com: %v", c.Hostname, c.Serves("mx.example.com"))
	}
}

func FuzzMailPolicy(f *testing.F) {
	f.Add("A = BA\nBAA == A\n.include /etc/exim.conf\nacl_smtp_rcpt = a\nhostlist h = <\nbegin acl\na:\n accept hosts = +h : <\n deny\n")
	f.Add(".else\n.endif\n.ifdef\nbegin acl\n=\n!verify\naccept\n\\\n")
	f.Fuzz(func(t *testing.T, text string) {
		policy := policyOf(t, map[string]string{"etc/exim.conf": text, "etc/valiases/a.example": text})
		for _, r := range policy.Relay {
			if !r.Prefix.IsValid() || r.Place.File == "" {
				t.Fatalf("%+v", r)
			}
		}
		for _, w := range policy.Weak {
			if w.Subject == "" || w.Place.File == "" {
				t.Fatalf("%+v", w)
			}
		}
	})
}
