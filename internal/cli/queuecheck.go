package cli

import (
	"context"

	"github.com/spf13/cobra"

	"spoor"
	"spoor/internal/mta"
	"spoor/internal/report"
)

func queueCheckCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "what is wrong with the queue itself, and what it does to mail",
		Long: `check compares the queue with what its MTA makes: folders, names, owners, modes,
and the files that belong together. For each kind of damage it says what it does
to mail, how often it is there, the first three places, and what repairs it. It
changes nothing, and the MTA may be running.

It ends with 0 for a sound queue, with 1 if there is damage, and with 4 if a part
of the queue could not be read.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.queueCheck(cmd.Context()) },
	}
}

func (o *options) queueCheck(ctx context.Context) error {
	format, err := o.format("table", "wide", "json")
	if err != nil {
		return err
	}
	s, err := o.examine(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	if s.noQueue != nil {
		return s.noQueue
	}
	queue, ok := s.queue.(mta.Checker)
	if !ok {
		return &spoor.Problem{What: "the queue of " + s.queue.MTA() + " cannot be checked", Err: mta.ErrUnsupported}
	}
	check, err := queue.Check(ctx, o.env.Now())
	if err != nil {
		return err
	}
	page := &report.QueueCheck{Head: s.pageHead(o), QueueCheck: *check}
	if format == "json" {
		err = page.JSON(o.env.Out)
	} else {
		err = page.Text(o.env.Out, o.style())
	}
	switch {
	case err != nil:
		return err
	case len(check.Unread) > 0:
		return partial()
	case len(check.Damages) > 0:
		return &statusError{status: exitFailure}
	}
	return nil
}
