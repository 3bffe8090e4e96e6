package cli

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"

	"github.com/spf13/cobra"

	"spoor"
	"spoor/internal/audit"
	"spoor/internal/probe"
)

// probes are the flags of what an audit tries.
type probes struct {
	when     string
	port     uint16
	zones    []string
	resolver string
}

func (p *probes) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&p.when, "probe", "auto", "try whether this server relays, and whether it is on blocklists: `WHEN` is yes, no, or auto for the running server")
	flags.Uint16Var(&p.port, "smtp-port", smtpPort, "`PORT` of the mail server to try")
	flags.StringArrayVar(&p.zones, "dnsbl", nil, "ask this `ZONE` instead of the usual blocklists (repeatable; none asks no list)")
	flags.StringVar(&p.resolver, "resolver", "", "ask this DNS server, `HOST:PORT`, instead of that of /etc/resolv.conf")
}

const smtpPort = 25

// noZone is the value of --dnsbl that asks no list.
const noZone = "none"

// probe tries what the flags allow, and judges anew.
func (s *server) probe(ctx context.Context, p *probes, a *answer) error {
	switch p.when {
	case "no":
		return nil
	case "auto":
		if !s.root.Live() {
			return nil
		}
	case "yes":
		if !s.root.Live() {
			return usage(errors.New("--probe yes: only the running server can be tried, not one below --root"))
		}
	default:
		return usage(errors.New("--probe " + p.when + ": want yes, no or auto"))
	}
	facts := s.auditFacts(a)
	addresses, err := probe.Addresses()
	if err != nil {
		a.policy.Gaps = append(a.policy.Gaps, spoor.Gap{File: "addresses of this machine", Reason: err.Error(), Count: 1})
	}
	facts.RelayTests = a.tryRelay(ctx, addresses, p.port)
	if !slices.Equal(p.zones, []string{noZone}) {
		facts.Listings = a.askLists(ctx, addresses, p)
	}
	a.findings = s.withFixes(a, audit.Findings(facts))
	return ctx.Err()
}

// tryRelay tries the mail server from each address. An address at which nobody
// listens is not told.
func (a *answer) tryRelay(ctx context.Context, addresses []netip.Addr, port uint16) []spoor.RelayTest {
	tests := make([]*spoor.RelayTest, len(addresses))
	problems := make([]error, len(addresses))
	var group sync.WaitGroup
	for i, addr := range addresses {
		group.Go(func() { tests[i], problems[i] = probe.Relay(ctx, netip.AddrPortFrom(addr, port)) })
	}
	group.Wait()
	var list []spoor.RelayTest
	for i, t := range tests {
		if problems[i] == nil {
			list = append(list, *t)
		} else if len(t.Lines) > 0 {
			a.policy.Gaps = append(a.policy.Gaps, spoor.Gap{File: t.Server, Reason: problems[i].Error() + ": whether it relays is not known", Count: 1})
		}
	}
	return list
}

// askLists asks every list about every public address.
func (a *answer) askLists(ctx context.Context, addresses []netip.Addr, p *probes) []spoor.Listing {
	addresses = slices.DeleteFunc(slices.Clone(addresses), func(addr netip.Addr) bool { return !probe.Public(addr) })
	if len(addresses) == 0 {
		return nil
	}
	resolver, err := probe.NewResolver(p.resolver, "/etc/resolv.conf")
	if err != nil {
		a.policy.Gaps = append(a.policy.Gaps, spoor.Gap{File: "DNS", Reason: err.Error() + ": blocklists were not asked", Count: 1})
		return nil
	}
	zones := p.zones
	if len(zones) == 0 {
		zones = probe.Zones()
	}
	var mu sync.Mutex
	var list []spoor.Listing
	var gaps spoor.Gaps
	var group sync.WaitGroup
	for _, zone := range zones {
		group.Go(func() {
			for _, addr := range addresses {
				l, err := resolver.Listed(ctx, addr, zone)
				if err != nil {
					gaps.Add(zone, "blocklist was not asked: "+err.Error())
					return
				}
				if l != nil {
					mu.Lock()
					list = append(list, *l)
					mu.Unlock()
				}
			}
		})
	}
	group.Wait()
	a.policy.Gaps = append(a.policy.Gaps, gaps.List()...)
	return list
}
