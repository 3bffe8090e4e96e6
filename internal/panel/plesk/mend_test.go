package plesk

import (
	"context"
	"errors"
	"strings"
	"testing"

	"spoor"
	"spoor/internal/host/hosttest"
)

// help is what utilities of Plesk say of themselves, by name: recorded words, since
// Plesk itself is not to be had here.
type help map[string]string

func (h help) Run(_ context.Context, _ []byte, name string, args ...string) ([]byte, error) {
	text, ok := h[name[strings.LastIndexByte(name, '/')+1:]]
	if !ok || len(args) != 1 || args[0] != "--help" {
		return nil, errors.New("no such utility, or it was asked to do something")
	}
	return []byte(text), nil
}

func mended(t *testing.T, run help, m *spoor.Mending) (string, spoor.Measures) {
	t.Helper()
	root := hosttest.Tree(t, map[string]string{"etc/psa/psa.conf": "PRODUCT_ROOT_D /opt/psa\n"})
	passwd, _ := root.Passwd(&spoor.Gaps{})
	p, err := Open(t.Context(), root, passwd)
	if err != nil {
		t.Fatal(err)
	}
	measures := p.Mend(t.Context(), run, m)
	var words []string
	for i := range measures.Steps {
		c := measures.Steps[i].Command
		words = append(words, strings.Join(c.Do, " ")+" / "+strings.Join(c.Undo, " "))
	}
	return strings.Join(words, "\n"), measures
}

func domainMending(d spoor.DomainPolicy) *spoor.Mending {
	d.Place.What = "psa"
	return &spoor.Mending{Finding: spoor.Finding{Check: "nonexistent-user", Subject: d.Domain}, Domain: &d, Live: true, Managed: true}
}

func TestPoliciesOfPleskAreMendedAndCanBeTakenBack(t *testing.T) {
	pref := help{"domain_pref": "Usage: domain_pref -u <domain> [-no_usr <email>|<text>|reject]"}
	f := func(d spoor.DomainPolicy, want string) {
		t.Helper()
		if got, _ := mended(t, pref, domainMending(d)); got != want {
			t.Errorf("%+v:\ngot  %s\nwant %s", d, got, want)
		}
	}
	const do = "/opt/psa/bin/domain_pref -u shop.test -no_usr reject / /opt/psa/bin/domain_pref -u shop.test -no_usr "
	f(spoor.DomainPolicy{Domain: "shop.test", Policy: spoor.NonexistentForward, Target: "all@elsewhere.test"}, do+"all@elsewhere.test")
	f(spoor.DomainPolicy{Domain: "shop.test", Policy: spoor.NonexistentBounce, Text: "No such user"}, do+"No such user")
	f(spoor.DomainPolicy{Domain: "shop.test", Policy: spoor.NonexistentDiscard}, do+"discard")
	f(spoor.DomainPolicy{Domain: "shop.test", Policy: spoor.NonexistentBounce}, "") // what it was is not known
	f(spoor.DomainPolicy{Domain: "-x;y", Policy: spoor.NonexistentDiscard}, "")
}

func TestWhatPleskDoesNotProveIsNotRun(t *testing.T) {
	d := spoor.DomainPolicy{Domain: "shop.test", Policy: spoor.NonexistentDiscard}
	for _, run := range []help{{}, {"domain_pref": "Usage: domain_pref -u <domain>"}} {
		steps, m := mended(t, run, domainMending(d))
		if steps != "" || len(m.ByHand) != 1 || m.ByHand[0] != "/opt/psa/bin/domain_pref -u shop.test -no_usr reject" {
			t.Errorf("%v: %q, by hand %q", run, steps, m.ByHand)
		}
	}
	tree := domainMending(d)
	tree.Live = false
	if steps, _ := mended(t, help{"domain_pref": "-no_usr"}, tree); steps != "" {
		t.Errorf("a tree of files: %s", steps)
	}
}

func TestTheWhiteListOfPlesk(t *testing.T) {
	m := &spoor.Mending{Live: true, Finding: spoor.Finding{
		Check: "relay-list", Subject: "203.0.113.0/24", Evidence: []spoor.Evidence{{What: "psa"}},
	}}
	got, _ := mended(t, help{"mailserver": "--add-to-white-list <ip>\n--remove-from-white-list <ip>\n"}, m)
	if want := "/opt/psa/bin/mailserver --remove-from-white-list 203.0.113.0/24 / /opt/psa/bin/mailserver --add-to-white-list 203.0.113.0/24"; got != want {
		t.Errorf("got %s", got)
	}
	if got, measures := mended(t, help{"mailserver": "--add-to-black-list <domain>"}, m); got != "" || len(measures.ByHand) == 0 {
		t.Errorf("%s, %q", got, measures.ByHand)
	}
}
