package audit

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"spoor"
)

func facts() *Facts {
	return &Facts{
		Policy: spoor.MailPolicy{},
		Serves: func(domain string) bool { return domain == "here.example" },
	}
}

// inWords lists findings for comparison.
func inWords(list []spoor.Finding) string {
	var words []string
	for _, f := range list {
		words = append(words, f.Severity+" "+f.Check+" "+f.Subject)
	}
	return strings.Join(words, ", ")
}

func TestRangesThatMayRelay(t *testing.T) {
	f := func(prefix, want string) {
		t.Helper()
		one := facts()
		one.Policy.Relay = []spoor.RelayEntry{{Prefix: netip.MustParsePrefix(prefix)}}
		got := ""
		if list := Findings(one); len(list) > 0 {
			got = list[0].Severity
		}
		if got != want {
			t.Errorf("%s is %q, want %q", prefix, got, want)
		}
	}
	f("0.0.0.0/0", "high")
	f("::/0", "high")
	f("203.0.0.0/8", "high")
	f("203.0.112.0/23", "high")
	f("203.0.113.0/24", "medium")
	f("203.0.113.0/25", "medium")
	f("203.0.113.7/32", "medium")
	f("127.0.0.0/8", "low")
	f("127.0.0.1/32", "low")
	f("126.0.0.0/7", "high")
	f("::1/128", "low")
	f("10.0.0.0/8", "low")
	f("10.0.0.0/7", "high")
	f("192.168.1.0/24", "low")
	f("172.16.0.0/12", "low")
	f("172.0.0.0/8", "high")
	f("fd00::/8", "low")
	f("2001:db8::/48", "high")
	f("2001:db8::/64", "medium")
}

func TestWhatSpamWasSeenFromComesFirst(t *testing.T) {
	f := facts()
	f.SpamClients = []netip.Addr{netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("198.51.100.8")}
	f.Policy.Relay = []spoor.RelayEntry{
		{Prefix: netip.MustParsePrefix("127.0.0.1/32")},
		{Prefix: netip.MustParsePrefix("10.0.0.0/8")},
		{Prefix: netip.MustParsePrefix("198.51.100.0/24"), Temporary: true},
		{Prefix: netip.MustParsePrefix("192.0.2.1/32"), Temporary: true},
	}
	list := Findings(f)
	want := "high relay-list 10.0.0.0/8, high relay-list 198.51.100.0/24, low relay-list 127.0.0.1/32, low relay-list POP before SMTP"
	if got := inWords(list); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if !strings.Contains(list[1].Text, "198.51.100.7 and 1 more") {
		t.Errorf("%s", list[1].Text)
	}
}

func TestDomainsByWhatTheyDo(t *testing.T) {
	f := facts()
	for i, policy := range []spoor.NonexistentPolicy{spoor.NonexistentReject, spoor.NonexistentDiscard, spoor.NonexistentForward, spoor.NonexistentBounce, spoor.NonexistentUnknown} {
		f.Policy.Domains = append(f.Policy.Domains, spoor.DomainPolicy{Domain: string(rune('a'+i)) + ".example", Policy: policy, Target: "x@here.example"})
	}
	f.Policy.Domains = append(f.Policy.Domains,
		spoor.DomainPolicy{Domain: "out.example", Policy: spoor.NonexistentForward, Target: "x@far.example"},
		spoor.DomainPolicy{Domain: "z.example", Policy: spoor.NonexistentBounce, Disabled: true})
	list := Findings(f)
	want := "high nonexistent-user c.example, high nonexistent-user d.example, high nonexistent-user out.example, medium nonexistent-user e.example, low nonexistent-user b.example, low nonexistent-user z.example"
	if got := inWords(list); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if i := slices.IndexFunc(list, func(f spoor.Finding) bool { return f.Subject == "out.example" }); !strings.Contains(list[i].Text, "elsewhere") {
		t.Errorf("a catch-all to another server: %s", list[i].Text)
	}
}

func TestHowServersAreStarted(t *testing.T) {
	f := facts()
	f.Policy.NoRcptHosts, f.Policy.Short = true, true
	f.Policy.Services = []spoor.SMTPService{{Name: "smtp_psa", RelayLock: true}, {Name: "smtps_psa"}, {Name: "submission_psa", RelayLock: true, RelayClient: true}}
	want := "high rcpthosts control/rcpthosts, high short-names allow_short_pop3_names, high smtp-service submission_psa, medium smtp-service smtps_psa"
	if got := inWords(Findings(f)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if list := Findings(facts()); len(list) != 0 {
		t.Errorf("a server in order has %s", inWords(list))
	}
}
