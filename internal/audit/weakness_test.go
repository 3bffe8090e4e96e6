package audit

import (
	"net/netip"
	"strings"
	"testing"

	"spoor"
)

func TestEveryWeaknessIsJudged(t *testing.T) {
	texts := map[string]bool{}
	for kind := spoor.WeakOpenRelay; kind <= spoor.WeakOpenEgress; kind++ {
		f := facts()
		place := spoor.Evidence{What: "main.cf", File: "/etc/postfix/main.cf", Line: 7, Text: "x = y"}
		f.Policy.Weak = []spoor.Weakness{{Kind: kind, Subject: "parameter", Value: "a value", Place: place}}
		list := Findings(f)
		if len(list) != 1 {
			t.Fatalf("%s: %d findings", kind, len(list))
		}
		one := list[0]
		if one.Check == "unknown" || one.Severity == "" || one.Subject != "parameter" || one.Fix != "" || len(one.Evidence) != 1 || one.Evidence[0] != place {
			t.Errorf("%s: %+v", kind, one)
		}
		if texts[one.Text] || strings.HasPrefix(kind.String(), "weakness(") {
			t.Errorf("%s: %s", kind, one.Text)
		}
		texts[one.Text] = true
	}
	if judge(&spoor.Weakness{Kind: spoor.WeakOpenEgress + 1}).check != "unknown" {
		t.Error("a kind has no place in this test")
	}
}

func TestOpenRelaysComeFirst(t *testing.T) {
	f := facts()
	f.Policy.Weak = []spoor.Weakness{
		{Kind: spoor.WeakAnyoneSubmits, Subject: "authorized_submit_users"},
		{Kind: spoor.WeakNoScriptNames, Subject: "/etc/php.ini"},
		{Kind: spoor.WeakWholeNetworks, Subject: "mynetworks", Value: "subnet"},
		{Kind: spoor.WeakWholeNetworks, Subject: "mynetworks", Value: "class"},
		{Kind: spoor.WeakOpenRelay, Subject: "smtp"},
	}
	want := "high open-relay smtp, high relay-list mynetworks, medium php-mail-header /etc/php.ini, medium relay-list mynetworks, low submit-users authorized_submit_users"
	if got := inWords(Findings(f)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestAnEntryThatTwoListsHaveIsOneFinding(t *testing.T) {
	f := facts()
	f.Policy.Relay = []spoor.RelayEntry{
		{Prefix: netip.MustParsePrefix("203.0.113.0/24"), Place: spoor.Evidence{File: "psa"}},
		{Prefix: netip.MustParsePrefix("203.0.113.0/24"), Place: spoor.Evidence{File: "/etc/postfix/main.cf"}},
	}
	if list := Findings(f); len(list) != 1 || len(list[0].Evidence) != 2 {
		t.Errorf("%+v", list)
	}
}

func TestDomainsThatAreHandedOn(t *testing.T) {
	f := facts()
	f.Policy.Domains = []spoor.DomainPolicy{
		{Domain: "backup.example", Policy: spoor.NonexistentBounce, Relayed: true},
		{Domain: "known.example", Policy: spoor.NonexistentReject, Relayed: true},
		{Domain: "box.example", Policy: spoor.NonexistentForward, Target: "anna"},
		{Domain: "pipe.example", Policy: spoor.NonexistentForward, Target: "|/usr/bin/x"},
	}
	want := "high nonexistent-user pipe.example, medium nonexistent-user backup.example, medium nonexistent-user box.example"
	if got := inWords(Findings(f)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
