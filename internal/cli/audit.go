package cli

import (
	"context"
	"net/netip"
	"strconv"
	"strings"

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
	command.AddCommand(&cobra.Command{
		Use:   "ls",
		Short: "what each domain does with mail for users that do not exist; who may relay",
		Long: `ls reads the standing policy and lists what is wrong with it, worst first:
domains that forward or bounce mail for users that do not exist, entries of the
relay list that are too wide or that spam was seen from, SMTP services that let
everybody relay, limits that can be off unnoticed, PHP that does not record which
script sends. It changes nothing.`,
		Example: `  spoor audit ls
  spoor audit ls -o ndjson | jq 'select(.severity == "high")'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.auditLs(cmd.Context()) },
	})
	return command
}

func (o *options) auditLs(ctx context.Context) error {
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
	var policy spoor.MailPolicy
	if s.plesk != nil {
		var err error
		if policy, err = s.plesk.MailPolicy(ctx); err != nil {
			return err
		}
	}
	if q, ok := s.queue.(mta.Policies); ok {
		q.MailPolicy(&policy)
	}
	if q, ok := s.queue.(*qmail.Queue); ok {
		s.defaultPolicies(q, &policy)
	} else {
		policy.Short = false // what it opens is a hole of Plesk's qmail
	}
	panel.PHPPolicy(s.root, &policy)
	a.policy = policy
	a.findings = audit.Findings(&audit.Facts{
		Policy: policy, Serves: s.facts().Serves, SpamClients: a.spamClients(), NewPlesk: s.pleskMajor() >= newRelayDefault,
	})
	return nil
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
