package cli

import (
	"context"
	"errors"
	"net/netip"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"spoor"
	"spoor/internal/audit"
	"spoor/internal/mta"
	"spoor/internal/mta/qmail"
	"spoor/internal/panel"
	"spoor/internal/report"
)

func auditCommand(o *options) *cobra.Command {
	command := &cobra.Command{
		Use:   "audit",
		Short: "weaknesses that let spam in or out, whoever sends it",
		Args:  noCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	p := &probes{}
	ls := &cobra.Command{
		Use:   "ls",
		Short: "what each domain does with mail for users that do not exist; who may relay",
		Long: `ls reads the standing policy and lists what is wrong with it, worst first:
domains that forward or bounce mail for users that do not exist, entries of the
relay list that are too wide or that spam was seen from, SMTP services that let
everybody relay or take passwords without TLS, limits that can be off unnoticed,
forwards to other servers, those of users' own files too, automatic answers,
accounts that are used from many networks, sites that can send past the mail system, PHP that does not record
which script sends. It changes nothing.

On the running server it also tries (--probe): its own mail server is offered a
recipient elsewhere, from each of this machine's addresses, and no mail is sent;
and DNS blocklists are asked about its public addresses.`,
		Example: `  spoor audit ls
  spoor audit ls -o ndjson | jq 'select(.severity == "high")'
  spoor audit ls --probe no`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.auditLs(cmd.Context(), p) },
	}
	p.add(ls)
	command.AddCommand(ls, auditFixCommand(o))
	return command
}

func (o *options) auditLs(ctx context.Context, p *probes) error {
	format, err := o.format("table", "wide", "json", "ndjson")
	if err != nil {
		return err
	}
	s, err := o.examine(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	a, err := s.answer(ctx, o)
	if err != nil {
		return err
	}
	s.ownForwards(a)
	if err := s.probe(ctx, p, a); err != nil {
		return err
	}
	page := &report.Audit{
		Head: s.pageHead(o), Domains: map[spoor.NonexistentPolicy]int{}, Relay: len(a.policy.Relay), Findings: a.findings,
		Complete: len(a.policy.Gaps) == 0, Gaps: a.policy.Gaps,
	}
	for i := range a.policy.Domains {
		page.Domains[a.policy.Domains[i].Policy]++
	}
	switch format {
	case "json":
		err = page.JSON(o.env.Out)
	case "ndjson":
		err = page.NDJSON(o.env.Out)
	default:
		err = page.Text(o.env.Out, o.style())
	}
	if err == nil && !page.Complete {
		err = partial()
	}
	return err
}

// audit reads the standing policy and judges it. What spam was seen from counts
// against who may relay.
func (s *server) audit(ctx context.Context, a *answer) error {
	policy, err := s.relayPolicy(ctx)
	if err != nil {
		return err
	}
	if q, ok := s.queue.(*qmail.Queue); ok {
		s.defaultPolicies(q, &policy)
	} else {
		policy.Short = false // what it opens is a hole of Plesk's qmail
	}
	panel.PHPPolicy(s.root, &policy)
	if len(s.panel.Sites()) > 0 {
		panel.EgressPolicy(s.root, s.rulesets(ctx), &policy)
	}
	a.policy = policy
	a.findings = s.withFixes(a, audit.Findings(s.auditFacts(a)))
	return nil
}

// relayPolicy is what panel and MTA say of domains and of those who may relay.
func (s *server) relayPolicy(ctx context.Context) (policy spoor.MailPolicy, err error) {
	if s.plesk != nil {
		if policy, err = s.plesk.MailPolicy(ctx); err != nil {
			return policy, err
		}
	}
	if q, ok := s.queue.(mta.Policies); ok {
		q.MailPolicy(&policy)
	}
	return policy, nil
}

// ownForwards adds what users themselves forward, and judges anew: files of every home
// folder are looked at, which an answer about the queue need not wait for.
func (s *server) ownForwards(a *answer) {
	panel.OwnForwards(s.root, s.passwd, s.panel.Sites(), &a.policy, s.plesk != nil && !a.policy.Unasked)
	a.findings = s.withFixes(a, audit.Findings(s.auditFacts(a)))
}

// auditFacts are what the findings rest on, but for what probes find.
func (s *server) auditFacts(a *answer) *audit.Facts {
	return &audit.Facts{
		Policy: a.policy, Serves: s.facts().Serves, SpamClients: a.spamClients(), NewPlesk: s.pleskMajor() >= newRelayDefault,
		BadForwards: a.badForwards(), Accounts: a.accountUses(),
	}
}

// rulesets are the rules of the firewall that are in force, where this is the
// running server. What cannot be asked is not there.
func (s *server) rulesets(ctx context.Context) []panel.Ruleset {
	if !s.root.Live() {
		return nil
	}
	var list []panel.Ruleset
	missing := 0
	questions := [...][]string{{"nft", "list", "ruleset"}, {"iptables-save"}, {"iptables-legacy-save"}}
	for _, program := range questions {
		ctx, cancel := context.WithTimeout(ctx, rulesetTimeout)
		text, err := (programs{}).Run(ctx, nil, program[0], program[1:]...)
		cancel()
		if err == nil {
			list = append(list, panel.Ruleset{Name: strings.Join(program, " "), Text: string(text)})
		} else if errors.Is(err, exec.ErrNotFound) {
			missing++
		}
	}
	if missing == len(questions) {
		list = append(list, panel.Ruleset{Name: "nft and iptables, which are not installed"})
	}
	return list
}

// rulesetTimeout bounds a question to the firewall.
const rulesetTimeout = 5 * time.Second

// badForwards are the addresses whose forward passes on what looks like spam.
func (a *answer) badForwards() map[string]bool {
	bad := map[string]bool{}
	for i := range a.sources {
		if v := &a.sources[i].Verdict; v.Source.Kind == spoor.KindForward && v.Class != spoor.Normal {
			bad[strings.ToLower(v.Source.Name)] = true
		}
	}
	return bad
}

// accountUses are where accounts logged in from, by the log.
func (a *answer) accountUses() []audit.AccountUse {
	var list []audit.AccountUse
	for i := range a.sources {
		t := &a.sources[i].Traffic
		if t.Source.Kind != spoor.KindAccount || t.History == nil {
			continue
		}
		list = append(list, audit.AccountUse{
			Account: t.Source.Name, Networks: t.History.Networks, Addresses: t.History.Clients.Distinct,
			Class: a.sources[i].Verdict.Class, Evidence: t.History.Evidence,
		})
	}
	return list
}

// defaultPolicies reads what .qmail-default files say, where no database was
// asked.
func (s *server) defaultPolicies(q *qmail.Queue, policy *spoor.MailPolicy) {
	if s.plesk == nil {
		q.DefaultPolicies(policy, "/home/vpopmail/domains", "/var/vpopmail/domains")
		return
	}
	if !policy.Unasked {
		return
	}
	q.DefaultPolicies(policy, s.plesk.Conf().MailNames)
	policy.Gaps = append(policy.Gaps, spoor.Gap{
		File: s.plesk.Conf().MailNames, Reason: "psa was not asked: policies are those of .qmail-default files; the relay list is not known", Count: 1,
	})
}

// newRelayDefault is the version of Plesk from which localhost is not on the
// relay list by default.
const newRelayDefault = 12

func (s *server) pleskMajor() int {
	if s.plesk == nil {
		return 0
	}
	major, _, _ := strings.Cut(s.plesk.Version(), ".")
	n, err := strconv.Atoi(major)
	if err != nil {
		return 0
	}
	return n
}

// spamClients are the addresses that spam came from without authentication.
func (a *answer) spamClients() []netip.Addr {
	var list []netip.Addr
	for i := range a.sources {
		v := &a.sources[i].Verdict
		if v.Class != spoor.Spam || v.Source.Kind != spoor.KindNetwork {
			continue
		}
		if client, err := netip.ParseAddr(v.Source.Name); err == nil {
			list = append(list, client)
		}
	}
	return list
}
