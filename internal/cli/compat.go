package cli

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"spoor/internal/mta/qmail"
)

func compatCommand(o *options) *cobra.Command {
	compat := &cobra.Command{
		Use:   "compat",
		Short: "print what the MTA's own tool prints of the same queue",
		Long: `compat prints what the MTA's own tools print, byte for byte, for scripts that
read them and for servers whose tools are not at hand: mounted, captured, or
broken ones.`,
		Args: noCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	compat.AddCommand(
		&cobra.Command{
			Use:   "qmail-qread",
			Short: "every preprocessed message with its recipients, as qmail-qread(8)",
			Args:  noArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				return o.compat(cmd.Context(), func(q *qmail.Queue, w io.Writer) error { return q.WriteQread(w) })
			},
		},
		&cobra.Command{
			Use:   "qmail-qstat",
			Short: "the two counts of qmail-qstat(8)",
			Args:  noArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				return o.compat(cmd.Context(), func(q *qmail.Queue, w io.Writer) error { return q.WriteQstat(w) })
			},
		},
	)
	return compat
}

func (o *options) compat(ctx context.Context, write func(*qmail.Queue, io.Writer) error) error {
	if _, err := o.format("table"); err != nil {
		return err
	}
	s, err := o.examine(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	q, ok := s.queue.(*qmail.Queue)
	if !ok {
		return nothing("the queue of this server is not qmail's", o.spoor("queue stat"))
	}
	return write(q, o.env.Out)
}
