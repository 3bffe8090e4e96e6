package plesk

import (
	"context"
	"net/netip"
	"strings"

	"spoor"
	"spoor/internal/panel"
)

var _ panel.Mender = (*Panel)(nil)

// Options of Plesk's utilities.
const (
	nobodyOption = "-no_usr"                  // of domain_pref: what becomes of mail for users that do not exist
	whiteOption  = "--remove-from-white-list" // of mailserver, if its help says so
)

// Mend proposes Plesk's own commands. Plesk makes files of its database, so nothing
// is edited there.
func (p *Panel) Mend(ctx context.Context, run panel.Runner, m *spoor.Mending) spoor.Measures {
	switch m.Finding.Check {
	case "nonexistent-user":
		return p.mendDomain(ctx, run, m)
	case "relay-list":
		return p.mendRelay(ctx, run, m)
	default:
		return spoor.Measures{}
	}
}

// mendDomain has mail for users that do not exist refused. The inverse gives the
// option what it was: a word, an address or a text.
func (p *Panel) mendDomain(ctx context.Context, run panel.Runner, m *spoor.Mending) spoor.Measures {
	d := m.Domain
	if d == nil || d.Place.What != "psa" {
		return spoor.Measures{}
	}
	pref := p.tool("domain_pref")
	do := []string{pref, "-u", d.Domain, nobodyOption, "reject"}
	hand := spoor.Measures{ByHand: []string{strings.Join(do, " ")}}
	if !domainName(d.Domain) {
		return spoor.Measures{Refused: []string{"the domain has characters that no domain has"}}
	}
	before, known := formerPolicy(d)
	if !m.Live || !known || !p.helps(ctx, run, pref, nobodyOption) {
		return hand
	}
	return spoor.Measures{
		Steps: []spoor.Step{{
			Kind: spoor.StepCommand, What: "Plesk: mail for users of " + d.Domain + " that do not exist is refused",
			Inverse: "the policy is " + before + " again",
			Command: &spoor.Command{Do: do, Undo: []string{pref, "-u", d.Domain, nobodyOption, before}},
		}},
		Breaks: []string{"addresses of " + d.Domain + " that people use and that do not exist as a mailbox, alias or forward: make them first"},
	}
}

// formerPolicy is the value of the option that a policy came from.
func formerPolicy(d *spoor.DomainPolicy) (value string, known bool) {
	switch {
	case d.Policy == spoor.NonexistentForward && strings.Contains(d.Target, "@") && panel.Mailbox(d.Target):
		return d.Target, true
	case d.Policy == spoor.NonexistentBounce && d.Text != "" && !strings.HasPrefix(d.Text, "-") && !strings.Contains(d.Text, "@"):
		return d.Text, true
	case d.Policy == spoor.NonexistentDiscard:
		return "discard", true
	}
	return "", false
}

// domainName reports whether a word can be an argument.
func domainName(name string) bool {
	return name != "" && name[0] != '-' && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789.-") == ""
}

// helps reports whether a utility says that it knows an option.
func (p *Panel) helps(ctx context.Context, run panel.Runner, program, option string) bool {
	output, err := run.Run(ctx, nil, program, "--help")
	return err == nil && strings.Contains(string(output), option)
}

// mendRelay takes a network off Plesk's list of those who may relay.
func (p *Panel) mendRelay(ctx context.Context, run panel.Runner, m *spoor.Mending) spoor.Measures {
	prefix, err := netip.ParsePrefix(m.Finding.Subject)
	listed := false
	for _, e := range m.Finding.Evidence {
		listed = listed || e.What == "psa"
	}
	if err != nil || !listed {
		return spoor.Measures{}
	}
	server := p.tool("mailserver")
	do := []string{server, whiteOption, prefix.String()}
	if !m.Live || !p.helps(ctx, run, server, whiteOption) || !p.helps(ctx, run, server, "--add-to-white-list") {
		return spoor.Measures{ByHand: []string{"Tools & Settings > Mail Server Settings > White List: take off " + prefix.String(), strings.Join(do, " ")}}
	}
	return spoor.Measures{Steps: []spoor.Step{{
		Kind: spoor.StepCommand, What: "Plesk: " + prefix.String() + " may not relay without a login", Inverse: "it is on the white list again",
		Command: &spoor.Command{Do: do, Undo: []string{server, "--add-to-white-list", prefix.String()}},
	}}}
}
