package audit

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"spoor"
)

// named is how many addresses a finding names, and proven how many it quotes.
const (
	named  = 5
	proven = 10
)

// group gathers what is said of the addresses of one domain.
type group struct {
	words    []string
	evidence []spoor.Evidence
	bad      bool
}

// add adds words once.
func (g *group) add(words string, place spoor.Evidence) {
	if !slices.Contains(g.words, words) {
		g.words = append(g.words, words)
	}
	if len(g.evidence) < proven {
		g.evidence = append(g.evidence, place)
	}
}

func (g *group) list() string {
	if len(g.words) <= named {
		return strings.Join(g.words, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(g.words[:named], ", "), len(g.words)-named)
}

// groups are kept by domain; addresses without one are of the server.
type groups map[string]*group

func (all groups) of(address string) *group {
	domain := cmp.Or(domainOf(address), "aliases of this server")
	if all[domain] == nil {
		all[domain] = &group{}
	}
	return all[domain]
}

func domainOf(address string) string {
	if at := strings.LastIndexByte(address, '@'); at >= 0 {
		return strings.ToLower(strings.TrimRight(address[at+1:], ". >"))
	}
	return ""
}

// forwards finds addresses whose mail leaves the server: spam that they get does,
// too, and receivers hold it against this server.
func (f *Facts) forwards() []spoor.Finding {
	all := groups{}
	for i := range f.Policy.Forwards {
		forward := &f.Policy.Forwards[i]
		domain := domainOf(forward.Target)
		if domain == "" || f.Serves(domain) || domain == domainOf(forward.Address) {
			continue
		}
		g := all.of(forward.Address)
		g.add(forward.Address+" to "+forward.Target, forward.Place)
		g.bad = g.bad || f.badForward(strings.ToLower(forward.Address))
	}
	var list []spoor.Finding
	for _, domain := range slices.Sorted(maps.Keys(all)) {
		g := all[domain]
		finding := spoor.Finding{
			Check: CheckOutsideForward, Severity: low, Subject: domain, Evidence: g.evidence,
			Text: fmt.Sprintf("%s forwarded to other servers, with the spam that they get: %s", areAddresses(len(g.words)), g.list()),
		}
		if g.bad {
			finding.Severity = medium
			finding.Text += "; spam was seen on this way"
		}
		list = append(list, finding)
	}
	return list
}

// badForward reports whether spam was seen on the way of an address. One without a
// domain is a user of every domain of the server.
func (f *Facts) badForward(address string) bool {
	if f.BadForwards[address] || strings.Contains(address, "@") {
		return f.BadForwards[address]
	}
	for bad := range f.BadForwards {
		if local, _, _ := strings.Cut(bad, "@"); local == address {
			return true
		}
	}
	return false
}

// answers finds addresses that answer whoever a sender is said to be.
func (f *Facts) answers() []spoor.Finding {
	all := groups{}
	for i := range f.Policy.Answers {
		answer := &f.Policy.Answers[i]
		all.of(answer.Address).add(answer.Address, answer.Place)
	}
	var list []spoor.Finding
	for _, domain := range slices.Sorted(maps.Keys(all)) {
		g := all[domain]
		list = append(list, spoor.Finding{
			Check: CheckAutoresponder, Severity: low, Subject: domain, Evidence: g.evidence,
			Text: fmt.Sprintf("%s answered automatically; spam is answered too, to whoever its sender is said to be: %s", areAddresses(len(g.words)), g.list()),
		})
	}
	return list
}

func areAddresses(n int) string {
	if n == 1 {
		return "1 address is"
	}
	return fmt.Sprintf("%d addresses are", n)
}

// Networks from which an account's logins are worth a look, and from which they
// hardly are of one person.
const (
	someNetworks = 5
	manyNetworks = 10
)

// accounts finds accounts that are used from many networks: the sign of a stolen
// password, also while nothing is sent.
func (f *Facts) accounts() []spoor.Finding {
	var list []spoor.Finding
	for i := range f.Accounts {
		use := &f.Accounts[i]
		if use.Networks < someNetworks {
			continue
		}
		finding := spoor.Finding{
			Check: CheckManyNetworks, Severity: low, Subject: use.Account, Evidence: use.Evidence,
			Text: fmt.Sprintf("was used from %d addresses in %d networks: a telephone on the road, or a stolen password", use.Addresses, use.Networks),
		}
		switch {
		case use.Class == spoor.Spam:
			finding.Severity = high
			finding.Text += "; it sends spam"
		case use.Networks >= manyNetworks:
			finding.Severity = medium
		}
		list = append(list, finding)
	}
	return list
}

// probes judges what was found by trying.
func (f *Facts) probes() []spoor.Finding {
	var list []spoor.Finding
	for i := range f.RelayTests {
		t := &f.RelayTests[i]
		if !t.Accepted {
			continue
		}
		finding := spoor.Finding{
			Check: CheckOpenRelay, Severity: high, Subject: t.Server, Evidence: transcript(t),
			Text: fmt.Sprintf("took a recipient elsewhere, %s, from %s without authentication: an open relay, unless that address is on the relay list", t.Recipient, t.Client),
		}
		if t.Loopback {
			finding.Severity = low
			finding.Text = "lets this machine itself send everywhere without authentication, so that scripts of hacked sites can, without a trace of who they are"
		}
		list = append(list, finding)
	}
	for i := range f.Listings {
		l := &f.Listings[i]
		finding := spoor.Finding{
			Check: CheckBlocklist, Severity: high, Subject: l.Address.String(),
			Text: fmt.Sprintf("is on the list %s (%s): stop the source of the spam before asking to be taken off", l.Zone, strings.Join(l.Codes, ", ")),
		}
		if l.Reason != "" {
			finding.Evidence = []spoor.Evidence{{What: "dns", File: l.Zone, Text: l.Reason}}
		}
		list = append(list, finding)
	}
	return list
}

// transcript quotes a session.
func transcript(t *spoor.RelayTest) []spoor.Evidence {
	return []spoor.Evidence{{What: "session", File: t.Server, Text: strings.Join(t.Lines, " | ")}}
}
