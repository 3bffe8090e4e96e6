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
	o.brief = o.check || format != "json"
	if o.check {
		return o.checkWho(ctx)
	}
	w, done, err := o.ask(ctx)
	if err != nil {
		return err
	}
	defer done()
	if format == "json" {
		err = w.JSON(o.env.Out)
	} else {
		err = w.Text(o.env.Out, o.style(), o.top)
	}
	if err == nil && o.verbose {
		err = writeGaps(o.env.Err, w.Gaps)
	}
	if err != nil {
		return err
	}
	if err := o.checkCoverage(w.Log, o.spoor("logs check")); err != nil {
		return err
	}
	if !w.Complete {
		return partial()
	}
	return nil
}

// ask examines the server and puts the answer into words. The caller calls done
// when it has written them: the evidence of small sources is read while that goes
// on.
func (o *options) ask(ctx context.Context) (w *report.Who, done func(), err error) {
	s, err := o.examine(ctx)
	if err != nil {
		return nil, nil, err
	}
	a, err := s.answer(ctx, o)
	if err != nil {
		s.close()
		return nil, nil, err
	}
	inForce, err := s.shownInForce(o)
	if err != nil {
		s.gaps.Add(defaultState, "what was changed here cannot be read: "+cause(err))
		a.gaps = s.allGaps(a.scan)
	}
	return &report.Who{
		InForce: inForce, Stops: s.stops,
		Root: s.root.Dir(), Host: s.host, Time: o.env.Now().UTC(), MTA: s.queue.MTA(), Panel: s.panel.Name(),
		Queue: a.count, Sources: a.sources, Minor: a.minor, MinorSources: a.minorSources, MinorMessages: a.minorMessages,
		Log: s.coverage(), Obstacles: a.obstacles, Findings: a.findings, Complete: a.complete, Gaps: a.gaps, NoQueue: s.noQueue != nil, Unseen: s.adapter.Unseen,
		Overdue: o.overdueOf(s),
	}, s.close, nil
}

// checkWho prints the line of a monitoring plug-in. Trouble is status 3 there,
// whatever it would be elsewhere.
func (o *options) checkWho(ctx context.Context) error {
	status := report.StatusUnknown
	w, done, err := o.ask(ctx)
	if err != nil {
		_, err = fmt.Fprintf(o.env.Out, "SPOOR %s - %s\n", status, report.Escape(err.Error()))
	} else {
		defer done()
		status, err = w.Check(o.env.Out)
	}
	if err == nil && status != report.StatusOK {
		err = &statusError{status: int(status)}
	}
	return err
}
