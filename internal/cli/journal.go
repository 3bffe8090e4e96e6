package cli

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"spoor/internal/remedy"
	"spoor/internal/report"
)

func journalCommand(o *options) *cobra.Command {
	journal := &cobra.Command{
		Use:   "journal",
		Short: "what spoor has changed: when, by whom, why",
		Long: `journal lists every plan that was carried out on this server, the last one last:
what it did, who ran it and why, whether it was taken back. The journal is a file
of JSON lines in the state folder (docs/cleanup.md), written and synced before
each step and after it.`,
		Args: noCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.journal(cmd.Context(), nil) },
	}
	journal.AddCommand(&cobra.Command{
		Use: "ls", Short: "every plan", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.journal(cmd.Context(), nil) },
	}, &cobra.Command{
		Use: "show PLAN", Short: "one plan: its receipt, and what was left out", Args: oneArg("name one plan of spoor journal"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.journal(cmd.Context(), args) },
	}, journalAbandonCommand(o))
	return journal
}

func (o *options) journal(ctx context.Context, plans []string) error {
	format, err := o.format("table", "wide", "json")
	if err != nil {
		return err
	}
	s, err := o.examine(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	state, top, err := o.lookState(s)
	if err != nil {
		return err
	}
	defer func() { _ = top.Close() }()
	defer state.Close()
	if len(plans) > 0 {
		return o.journalShow(s, state, plans[0], format)
	}
	page := &report.Journal{Head: s.pageHead(o)}
	for _, past := range state.Journal.Plans() {
		page.Entries = append(page.Entries, entryOf(past))
	}
	if format == "json" {
		return page.JSON(o.env.Out)
	}
	return page.Text(o.env.Out, o.style())
}

func entryOf(p *remedy.Past) report.JournalEntry {
	return report.JournalEntry{
		Plan: p.Plan, Action: p.Action, Start: p.Start, End: p.End, By: p.Record.By, Reason: p.Record.Reason,
		Selector: p.Record.Selector, Messages: p.Record.Messages, Done: p.Done(), Steps: p.Record.Steps, StepsDone: p.StepsDone(), Expires: p.Record.Expires, Failure: p.Failure,
		Undoes: p.Record.Undoes, UndoneBy: p.UndoneBy, Purged: p.Purged, GivenUp: p.GivenUp,
	}
}

func (o *options) journalShow(s *server, state *remedy.State, plan, format string) error {
	past := state.Journal.Plans()
	i := slices.IndexFunc(past, func(p *remedy.Past) bool { return p.Plan == plan })
	if i < 0 {
		return nothing("there is no such plan in the journal", o.spoor("journal"))
	}
	if past[i].Action == string(remedy.EventRetention) { // it has no messages
		page := &report.Journal{Head: s.pageHead(o), Entries: []report.JournalEntry{entryOf(past[i])}}
		if format == "json" {
			return page.JSON(o.env.Out)
		}
		return page.Text(o.env.Out, o.style())
	}
	p, err := state.Plan(plan)
	if err != nil {
		return err
	}
	receipt := past[i].Receipt(p.Action)
	receipt.Remarks = p.Remarks
	if format != "json" {
		page := &report.Journal{Head: s.pageHead(o), Entries: []report.JournalEntry{entryOf(past[i])}}
		if err := page.Text(o.env.Out, o.style()); err != nil {
			return err
		}
	}
	return o.showReceipt(s, receipt, format)
}
