package exim

import (
	"net/netip"
	"strings"

	"spoor"
	"spoor/internal/host"
	"spoor/internal/mta"
)

var _ mta.Mender = (*Queue)(nil)

// Mends reports whether findings of a check can be mended in the files of Exim.
func (q *Queue) Mends(check string) bool {
	return check == "nonexistent-user" || check == "relay-list"
}

// Mend proposes how a finding of the audit is mended in the files of Exim.
func (q *Queue) Mend(m *spoor.Mending) spoor.Measures {
	switch m.Finding.Check {
	case "nonexistent-user":
		return q.mendDomain(m)
	case "relay-list":
		return q.mendRelay(m)
	default:
		return spoor.Measures{}
	}
}

// failing is what the alias files of panels have for a domain that refuses mail for
// users that do not exist (the redirect router, "Special items in redirection
// lists").
const failing = `:fail: No Such User Here`

// mendDomain has the catch-all of a panel's alias file refuse.
func (q *Queue) mendDomain(m *spoor.Mending) spoor.Measures {
	d := m.Domain
	if d == nil || d.Place.What != "aliases" || d.Place.Line == 0 {
		return spoor.Measures{}
	}
	if d.Place.File == domainAliasFile(d.Domain) {
		return q.mendDomainAlias(d.Domain)
	}
	old, ok := q.line(d.Place.File, d.Place.Line)
	key, _, found := strings.Cut(old, ":")
	if !ok || !found || strings.Trim(strings.TrimSpace(key), `"`) != "*" {
		return spoor.Measures{}
	}
	return spoor.Measures{
		Steps: []spoor.Step{{
			Kind: spoor.StepEdit, Edit: &spoor.Edit{Path: q.resolved(d.Place.File), Changes: []spoor.LineChange{{Old: old, New: "*: " + failing}}},
			What: d.Place.File + ": mail for users of " + d.Domain + " that do not exist is refused", Inverse: "the catch-all is as it was",
		}},
		Breaks: []string{"addresses of " + d.Domain + " that people use and that exist only through the catch-all: give them a forward or a mailbox of their own first"},
	}
}

// mendDomainAlias has a domain no longer be another name of one elsewhere.
func (q *Queue) mendDomainAlias(domain string) (m spoor.Measures) {
	if line, ok := domainAlias(q.root, domain); ok {
		if step, ok := q.withoutAlias(domainAliasFile(domain), line); ok {
			m.Steps = append(m.Steps, step)
			m.Breaks = append(m.Breaks, "all mail to "+domain+", which goes to "+line.value+" now: only what has a forward or a mailbox of its own here is taken then")
		}
	}
	return m
}

func (q *Queue) resolved(name string) string {
	if file, err := q.root.Resolve(name); err == nil {
		return host.Abs(file)
	}
	return name
}

// line is a line of a file as it stands there.
func (q *Queue) line(name string, number int) (string, bool) {
	data, err := q.root.ReadFile(name, aliasBytes)
	lines := strings.Split(string(data), "\n")
	if err != nil || number < 1 || number > len(lines) {
		return "", false
	}
	return lines[number-1], true
}

// mendRelay takes one network out of the lists of hosts that have it. Debian makes
// its configuration of another file.
func (q *Queue) mendRelay(m *spoor.Mending) spoor.Measures {
	prefix, err := netip.ParsePrefix(m.Finding.Subject)
	if err != nil {
		return spoor.Measures{}
	}
	var all spoor.Measures
	for _, e := range m.Finding.Evidence {
		if e.What == "psa" || !strings.HasPrefix(e.File, "/") {
			continue
		}
		hand := "take " + prefix.String() + " out of " + e.Place() + ", and have Exim read it again"
		if e.File == generated {
			all.ByHand = append(all.ByHand, "take "+prefix.String()+" out of dc_relay_nets in /etc/exim4/update-exim4.conf.conf, and run update-exim4.conf")
			continue
		}
		old, ok := q.line(e.File, e.Line)
		without, cut := cutHost(old, prefix)
		if !ok || !cut {
			all.ByHand = append(all.ByHand, hand)
			continue
		}
		all.Steps = append(all.Steps, spoor.Step{
			Kind: spoor.StepEdit, Edit: &spoor.Edit{Path: q.resolved(e.File), Changes: []spoor.LineChange{{Old: old, New: without}}},
			What: prefix.String() + " is taken out of " + e.Place() + ": it may not relay without a login", Inverse: "it is put back",
		})
	}
	if len(all.Steps) > 0 {
		around := q.stopper(&spoor.Culprit{Live: m.Live}).around(all.Steps, nil)
		all.Steps = nil
		all.Add(around)
	}
	return all
}

// cutHost takes a network out of a list of hosts, whose items are parted by colons
// (specification, "Host lists"). A list of IPv6 addresses, in which colons are
// doubled, is left alone.
func cutHost(line string, prefix netip.Prefix) (string, bool) {
	if prefix.Addr().Is6() || strings.Contains(line, "<") {
		return "", false
	}
	name, list, found := strings.Cut(line, "=")
	if !found {
		name, list = "", line
	} else {
		name += "="
	}
	items := strings.Split(list, ":")
	for i, item := range items {
		if p, err := parsePrefix(strings.TrimSpace(item)); err != nil || p != prefix {
			continue
		}
		rest := append(append([]string{}, items[:i]...), items[i+1:]...)
		without := strings.Join(rest, ":")
		if i == 0 && found {
			without = " " + strings.TrimLeft(without, " ")
		}
		return name + strings.TrimRight(without, " "), true
	}
	return "", false
}

// parsePrefix reads an address or a network.
func parsePrefix(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	return p.Masked(), err
}
