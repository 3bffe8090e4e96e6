package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"spoor/internal/report"
)

func whoCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "who",
		Short: "the answer: who fills the queue, worst first, and why (the default command)",
		Long: `who reads the queue and names its sources: worst first, each with the reasons
for its verdict and the next command. Ordinary senders are summed up.

With --check it prints one line for a monitoring system and ends with status
0 (no spam), 1 (a suspect source), 2 (a spam source) or 3 (unknown).`,
		Example: `  spoor who --top 3
  spoor who --json | jq '.sources[] | select(.verdict == "spam") | .source'
  spoor who --since 2h`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.who(cmd.Context()) },
	}
}

// who prints the answer.
func (o *options) who(ctx context.Context) error {
	format, err := o.format("table", "wide", "json")
	if err != nil {
		return err
	}
	if o.check {
		return o.checkWho(ctx)
	}
	w, err := o.ask(ctx)
	if err != nil {
		return err
	}
	if format == "json" {
		err = w.JSON(o.env.Out)
	} else {
		err = w.Text(o.env.Out, o.style(), o.top)
	}
	if err == nil && o.verbose {
		err = writeGaps(o.env.Err, w.Gaps)
	}
	if err == nil && !w.Complete {
		err = partial()
	}
	return err
}

// ask examines the server and puts the answer into words.
func (o *options) ask(ctx context.Context) (*report.Who, error) {
	s, err := o.examine(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	a, err := s.answer(ctx, o)
	if err != nil {
		return nil, err
	}
	return &report.Who{
		Root: s.root.Dir(), Host: s.host, Time: o.env.Now().UTC(), MTA: s.queue.MTA(), Panel: s.panel.Name(),
		Queue: a.count, Sources: a.sources, Complete: a.complete, Gaps: a.gaps,
	}, nil
}

// checkWho prints the line of a monitoring plug-in. Trouble is status 3 there,
// whatever it would be elsewhere.
func (o *options) checkWho(ctx context.Context) error {
	status := report.StatusUnknown
	w, err := o.ask(ctx)
	if err != nil {
		_, err = fmt.Fprintf(o.env.Out, "SPOOR %s - %s\n", status, report.Escape(err.Error()))
	} else {
		status, err = w.Check(o.env.Out)
	}
	if err == nil && status != report.StatusOK {
		err = &statusError{status: int(status)}
	}
	return err
}
