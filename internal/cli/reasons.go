package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"spoor"
	"spoor/internal/mta"
	"spoor/internal/report"
	"spoor/internal/trace"
	"spoor/internal/verdict"
)

func queueReasonsCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "reasons",
		Short: "why mail is slow: what receivers answer, and what is wrong on this server",
		Long: `reasons groups the recipients that wait by destination and by what the receiver
last answered, as the mail log has it, and tells what slows the server down:
as many deliveries as may run, a backlog of unprocessed messages, a logger that
blocks, a full disk, messages that cannot be cleaned up, receivers that block
this server.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.queueReasons(cmd.Context()) },
	}
}

func (o *options) queueReasons(ctx context.Context) error {
	format, err := o.format("table", "wide", "json")
	if err != nil {
		return err
	}
	s, err := o.examine(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.readLog(ctx, o); err != nil {
		return err
	}
	survey, err := s.survey(ctx, o)
	if err != nil {
		return err
	}
	page := &report.Reasons{
		Head: s.pageHead(o), Obstacles: verdict.Obstacles(s.flow(o, survey)), Coverage: s.coverage(),
		Complete: survey.complete(), Gaps: s.allGaps(survey.scan),
	}
	if s.log != nil {
		for _, stuck := range s.log.journal.Stuck() {
			page.Waiting += stuck.Recipients
			page.Groups = append(page.Groups, s.reasonGroup(&stuck))
		}
	}
	if format == "json" {
		err = page.JSON(o.env.Out)
	} else {
		err = page.Text(o.env.Out, o.style(), o.top)
	}
	if err == nil && !page.Complete {
		err = partial()
	}
	return err
}

// coverage is what was read of the log; nil if none was.
func (s *server) coverage() *spoor.Coverage {
	if s.log == nil {
		return nil
	}
	return s.log.coverage
}

func (s *server) reasonGroup(stuck *trace.Stuck) report.ReasonGroup {
	g := report.ReasonGroup{
		Receiver: receiverName(stuck.Domain, stuck.Text), Domain: stuck.Domain, Answer: stuck.Answer,
		Recipients: stuck.Recipients, Messages: stuck.Messages, Oldest: stuck.Oldest.Time(),
		Line: s.log.quote("log-answer", stuck.ID, stuck.Place),
	}
	most := 0
	for source, n := range stuck.Sources {
		if n > most || n == most && source.Compare(g.Source) < 0 {
			g.Source, most = source, n
		}
	}
	return g
}

func queueShapeCommand(o *options) *cobra.Command {
	var bySender bool
	command := &cobra.Command{
		Use:   "shape",
		Short: "pending recipients by domain and age, as qshape(1) shows them",
		Long: `shape counts the recipients that are not done, by domain down and by minutes in
the queue across. A domain that stands out at all ages does not take the mail; one
that stands out on the left is being flooded.`,
		Example: `  spoor queue shape
  spoor queue shape --senders --top 30`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.queueShape(cmd.Context(), bySender) },
	}
	command.Flags().BoolVarP(&bySender, "senders", "s", false, "count by the domain of the envelope sender instead")
	return command
}

func (o *options) queueShape(ctx context.Context, bySender bool) error {
	format, err := o.format("table", "wide", "json")
	if err != nil {
		return err
	}
	w, err := o.window()
	if err != nil {
		return err
	}
	s, err := o.examine(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	scan, err := s.queue.Scan(ctx, mta.Want{Addresses: !bySender})
	if err != nil {
		return err
	}
	counter := &shapeCounter{options: o, window: w, bySender: bySender, rows: map[string]*report.ShapeRow{}}
	if err := counter.count(scan); err != nil {
		return err
	}
	page := &report.Shape{Head: s.pageHead(o), By: "recipient", Complete: scan.Complete && scan.Unreadable() == 0, Gaps: s.allGaps(scan)}
	if bySender {
		page.By = "sender"
	}
	for _, row := range counter.rows {
		page.Rows = append(page.Rows, *row)
	}
	if format == "json" {
		err = page.JSON(o.env.Out)
	} else {
		err = page.Text(o.env.Out, o.style(), o.top)
	}
	if err == nil && !page.Complete {
		err = partial()
	}
	return err
}

// shapeCounter counts recipients by domain and age.
type shapeCounter struct {
	options  *options
	window   window
	bySender bool
	rows     map[string]*report.ShapeRow
}

func (c *shapeCounter) count(scan *mta.Scan) error {
	now := c.options.env.Now()
	for _, part := range scan.Parts {
		for m, err := range part {
			if err != nil {
				return err
			}
			if !c.window.contains(m.Arrived) {
				continue
			}
			age := now.Sub(m.Arrived)
			if c.bySender {
				if n := m.Recipients.Len() - m.Recipients.Done(); n > 0 {
					c.row(m.Sender).Add(age, n)
				}
				continue
			}
			for r := range m.Recipients.All() {
				if !r.Done {
					c.row(r.Address).Add(age, 1)
				}
			}
		}
	}
	return nil
}

// row finds the row of an address's domain.
func (c *shapeCounter) row(address string) *report.ShapeRow {
	domain := strings.ToLower(address[strings.LastIndexByte(address, '@')+1:])
	if address == "" {
		domain = "<>"
	}
	row, ok := c.rows[domain]
	if !ok {
		domain = strings.Clone(domain)
		row = &report.ShapeRow{Domain: domain}
		c.rows[domain] = row
	}
	return row
}
