package cli

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"spoor"
	"spoor/internal/audit"
	"spoor/internal/mta"
	"spoor/internal/panel"
	"spoor/internal/report"
)

// mendFlags are those of spoor audit fix.
type mendFlags struct {
	changeFlags
	all bool
}

func auditFixCommand(o *options) *cobra.Command {
	f := &mendFlags{}
	cmd := &cobra.Command{
		Use:   "fix CHECK [SUBJECT…]",
		Short: "mend what the audit has found; the plan is shown first, and spoor undo takes it back",
		Long: `fix mends findings of one check of "spoor audit ls": all of one subject (a domain, an
entry of the relay list, a file), or those that are named, or with --all every one.

    nonexistent-user   mail for users that do not exist is refused
    relay-list         an entry may not relay any more; one at a time, with what
                       would break: who has sent through it
    limits-off         mail waits while the program that limits it is gone
    submission-tls     passwords are taken over TLS only
    php-mail-header    PHP names the script in the header and in a log for each pool

The panel's own command comes first, where its help proves that it can that; what
cannot be proven is printed, not run. Every previous value is recorded.`,
		Example: `  spoor audit fix -n nonexistent-user shop.test
  spoor audit fix nonexistent-user --all
  spoor audit fix relay-list 203.0.113.0/24
  spoor audit fix php-mail-header /etc/php/8.2/fpm/php.ini`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return o.auditFix(cmd.Context(), args, f) },
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&f.all, "all", false, "every finding of the check")
	return cmd
}

// mendable are the checks that can be mended.
func mendable() []string {
	return []string{audit.CheckNonexistentUser, audit.CheckRelayList, audit.CheckLimitsOff, audit.CheckSubmissionTLS, audit.CheckPHPMailHeader}
}

func (o *options) auditFix(ctx context.Context, args []string, f *mendFlags) error {
	if len(args) == 0 {
		return usageTry(errors.New("name a check of spoor audit ls: "+orList(mendable())), "spoor audit fix --help")
	}
	s, err := o.examine(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	if _, err := o.finishCutOff(ctx, s, &f.changeFlags); err != nil {
		return err
	}
	p, err := o.mendPlan(ctx, s, args, f)
	if err != nil {
		return err
	}
	return o.carryOut(ctx, s, p, &f.changeFlags)
}

// allFlag is the word for every finding of a check.
const allFlag = "--all"

// mendPlan is the plan that mends what the audit finds: a check and its subjects.
func (o *options) mendPlan(ctx context.Context, s *server, args []string, f *mendFlags) (*spoor.Plan, error) {
	a, err := s.answer(ctx, o)
	if err != nil {
		return nil, err
	}
	findings, err := o.chosenFindings(a, args, f)
	if err != nil {
		return nil, err
	}
	m := s.mending(ctx, a, findings)
	if !effectual(m.Steps) {
		return nil, cannotMend(args[0], &m)
	}
	words := args
	if f.all {
		words = append(slices.Clone(args), allFlag)
	}
	return &spoor.Plan{
		Action: spoor.ActionAuditFix, Host: s.host, Root: s.root.Dir(), MTA: s.adapter.Name, Selector: words,
		Steps: m.Steps, Open: append(m.Open, m.Refused...), ByHand: m.ByHand, Breaks: m.Breaks,
	}, nil
}

// withFixes names the command that mends each finding, where panel or MTA may have a
// way.
func (s *server) withFixes(a *answer, list []spoor.Finding) []spoor.Finding {
	_, byPanel := s.panel.(panel.Mender)
	queue, ok := s.queue.(mta.Mender)
	for i := range list {
		f := &list[i]
		byMTA := ok && queue.Mends(f.Check)
		fromPanel := byPanel && len(f.Evidence) > 0 && f.Evidence[0].What == "psa"
		if d := domainOf(a, f); d != nil && d.Relayed {
			continue // who its users are is known elsewhere
		}
		if slices.Contains(mendable(), f.Check) && (fromPanel || byMTA || f.Check == audit.CheckPHPMailHeader) {
			f.Fix = report.Command("spoor", "audit", "fix", f.Check, f.Subject)
		}
	}
	return list
}

// chosenFindings are the findings that the arguments mean.
func (o *options) chosenFindings(a *answer, args []string, f *mendFlags) ([]spoor.Finding, error) {
	check, subjects := args[0], args[1:]
	found := slices.DeleteFunc(slices.Clone(a.findings), func(one spoor.Finding) bool { return one.Check != check })
	if len(found) == 0 {
		if !slices.Contains(mendable(), check) {
			return nil, usageTry(fmt.Errorf("%q is no check that spoor can mend: want %s", check, orList(mendable())), o.spoor("audit ls"))
		}
		return nil, nothing("the audit finds nothing of "+check, o.spoor("audit ls"))
	}
	all := found
	found = slices.DeleteFunc(slices.Clone(found), func(one spoor.Finding) bool {
		return len(subjects) > 0 && !slices.Contains(subjects, one.Subject)
	})
	switch {
	case len(found) == 0:
		return nil, nothing(check+" finds nothing of "+strings.Join(subjects, ", ")+": want "+subjectsOf(all), o.spoor("audit ls"))
	case check == audit.CheckRelayList && len(found) > 1:
		return nil, usageTry(errors.New("entries of the relay list are taken out one at a time, with what each would break: name one of "+subjectsOf(found)), o.spoor("audit fix relay-list "+found[0].Subject+" -n"))
	case len(found) > 1 && len(subjects) == 0 && !f.all:
		return nil, usageTry(fmt.Errorf("%d findings: name those that are meant, or give --all: %s", len(found), subjectsOf(found)), o.spoor("audit fix "+check+" --all -n"))
	}
	return found, nil
}

// subjectsOf names the subjects of findings.
func subjectsOf(list []spoor.Finding) string {
	const most = 20
	var words []string
	for i := range list {
		if i == most {
			return strings.Join(words, ", ") + fmt.Sprintf(" and %d more", len(list)-most)
		}
		words = append(words, list[i].Subject)
	}
	return strings.Join(words, ", ")
}

func cannotMend(check string, m *spoor.Measures) error {
	so := "nothing was changed"
	if len(m.Refused) > 0 {
		so += ": " + strings.Join(m.Refused, "; ")
	}
	if len(m.ByHand) > 0 {
		so += "; by hand: " + strings.Join(m.ByHand, "; ")
	}
	return refuse("spoor knows no safe way to mend "+check+" on this server", so, "")
}

// mending are the steps that mend findings. The panel's own come first; where it
// has any, or none that it can prove, the files that it makes are left alone.
func (s *server) mending(ctx context.Context, a *answer, findings []spoor.Finding) spoor.Measures {
	var all spoor.Measures
	_, managed := s.panel.(panel.Managed)
	for i := range findings {
		m := &spoor.Mending{Finding: findings[i], Live: s.root.Live(), Managed: managed, Domain: domainOf(a, &findings[i])}
		one := spoor.Measures{}
		if p, ok := s.panel.(panel.Mender); ok {
			one.Add(p.Mend(ctx, programs{}, m))
		}
		if findings[i].Check == audit.CheckPHPMailHeader {
			one.Add(panel.MendPHP(s.root, s.passwd, m))
		}
		if q, ok := s.queue.(mta.Mender); ok && len(one.Steps)+len(one.ByHand) == 0 {
			one.Add(q.Mend(m))
		}
		one.Breaks = append(one.Breaks, s.wouldBreak(a, &findings[i])...)
		all.Add(one)
	}
	return onlyPossible(all, s.root.Live())
}

// domainOf is the policy that a finding is about.
func domainOf(a *answer, f *spoor.Finding) *spoor.DomainPolicy {
	if f.Check != audit.CheckNonexistentUser {
		return nil
	}
	for i := range a.policy.Domains {
		if a.policy.Domains[i].Domain == f.Subject {
			return &a.policy.Domains[i]
		}
	}
	return nil
}

// wouldBreak tells who sends through an entry of the relay list, and what usually
// does where nothing is seen.
func (s *server) wouldBreak(a *answer, f *spoor.Finding) []string {
	prefix, err := netip.ParsePrefix(f.Subject)
	if f.Check != audit.CheckRelayList || err != nil {
		return nil
	}
	var words []string
	others := 0
	tell := func(line *report.SourceLine) {
		addr, err := netip.ParseAddr(line.Verdict.Source.Name)
		if line.Verdict.Source.Kind != spoor.KindNetwork || err != nil || !prefix.Contains(addr.Unmap()) {
			return
		}
		if len(words) == mostTold {
			others++
			return
		}
		n := line.Traffic.Messages
		if line.Traffic.History != nil {
			n = line.Traffic.Unlogged + line.Traffic.History.Accepted
		}
		words = append(words, fmt.Sprintf("%s has sent %s without a login (%s)", addr, messages(n), line.Verdict.Class))
	}
	for i := range a.sources {
		tell(&a.sources[i])
	}
	for line := range a.minor {
		tell(&line)
	}
	if others > 0 {
		words = append(words, fmt.Sprintf("%d more addresses of it have sent without a login", others))
	}
	if prefix.Contains(netip.AddrFrom4([4]byte{127, 0, 0, 1})) || prefix.Contains(netip.IPv6Loopback()) {
		words = append(words, "webmail, mailing lists, monitoring and scripts of this machine that send to 127.0.0.1 without a login")
	}
	if len(words) == 0 {
		words = append(words, "nobody has sent through it in the log that was read; monitoring and printers may do so rarely")
	}
	return words
}

// mostTold is how many senders are named.
const mostTold = 10

func messages(n int) string {
	if n == 1 {
		return "1 message"
	}
	return fmt.Sprintf("%d messages", n)
}
