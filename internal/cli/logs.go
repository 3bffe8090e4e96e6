package cli

import (
	"context"

	"github.com/spf13/cobra"

	"spoor"
	"spoor/internal/report"
)

func logsCommand(o *options) *cobra.Command {
	command := &cobra.Command{
		Use:   "logs",
		Short: "what the mail log holds, and whether it can be trusted",
		Args:  noCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	command.AddCommand(&cobra.Command{
		Use:   "check",
		Short: "what was read of the mail log, what was understood, and what was not",
		Long: `check reads the whole mail log and counts: lines, lines that were understood,
lines of the mail system in an unknown form (with the first three of each
program), and how year and time zone of each file are known.

It ends with status 4 if not one line was understood.`,
		Example: `  spoor logs check
  spoor logs check --log /var/log/maillog.1`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.logsCheck(cmd.Context()) },
	})
	return command
}

func (o *options) logsCheck(ctx context.Context) error {
	format, err := o.format("table", "wide", "json")
	if err != nil {
		return err
	}
	s, err := o.examine(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	coverage, err := s.scanLog(ctx, o, func(*spoor.Block) error { return nil })
	if err != nil {
		return err
	}
	page := &report.LogCheck{Head: s.pageHead(o), Coverage: coverage, Gaps: s.allGaps(nil)}
	if format == "json" {
		err = page.JSON(o.env.Out)
	} else {
		err = page.Text(o.env.Out, o.style())
	}
	if err == nil {
		err = o.checkCoverage(coverage, "")
	}
	return err
}
