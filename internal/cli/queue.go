package cli

import (
	"context"

	"github.com/spf13/cobra"

	"spoor"
	"spoor/internal/report"
)

func queueCommand(o *options) *cobra.Command {
	queue := &cobra.Command{
		Use:   "queue",
		Short: "count, list, read and change the messages in the queue; check and rebuild it",
		Args:  noCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	queue.AddCommand(queueStatCommand(o), queueLsCommand(o), queueCatCommand(o), queueShapeCommand(o), queueReasonsCommand(o),
		queueRemoveCommand(o), queueHoldCommand(o), queueReleaseCommand(o), queueRetryCommand(o),
		queueFreezeCommand(o), queueThawCommand(o),
		queueCheckCommand(o), queueRebuildCommand(o))
	return queue
}

func queueStatCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "stat",
		Short: "the queue in numbers",
		Long: `stat counts the queue. "messages" and "unprocessed" are counted exactly as the
MTA's own tool counts them (qmail-qstat, postqueue -j, exim -bpc); the other
numbers come from the messages themselves. Of Exim, "unprocessed" is always 0.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.queueStat(cmd.Context()) },
	}
}

func (o *options) queueStat(ctx context.Context) error {
	format, err := o.format("table", "wide", "json")
	if err != nil {
		return err
	}
	s, err := o.examine(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	survey, err := s.survey(ctx, o)
	if err != nil {
		return err
	}
	page := &report.Queue{
		Root: s.root.Dir(), Host: s.host, Time: o.env.Now().UTC(), MTA: s.queue.MTA(), Panel: s.panel.Name(),
		Count: survey.count, Complete: survey.complete(), Gaps: s.allGaps(survey.scan),
	}
	if format == "json" {
		err = page.JSON(o.env.Out)
	} else {
		err = page.Text(o.env.Out, o.style())
	}
	if err == nil && !page.Complete {
		err = partial()
	}
	return err
}

func queueCatCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "cat ID",
		Short: "one message: its envelope, what is done, and its content, escaped",
		Args:  oneArg("name one message by its queue ID"),
		RunE:  func(cmd *cobra.Command, args []string) error { return o.queueCat(cmd.Context(), args[0]) },
	}
}

func (o *options) queueCat(ctx context.Context, id string) error {
	if _, err := o.format("table", "wide"); err != nil {
		return err
	}
	s, err := o.examine(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	m, err := s.find(ctx, spoor.QueueID(id))
	if err != nil {
		return err
	}
	content, err := s.head(m.ID, report.MaxCat)
	if err != nil {
		return err
	}
	return (&report.Cat{Message: m, Content: content}).Text(o.env.Out, o.style())
}
