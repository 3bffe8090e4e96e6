package cli

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"spoor"
	"spoor/internal/mta"
	"spoor/internal/report"
	"spoor/internal/trace"
)

func traceCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "trace ID|ADDRESS|@DOMAIN|MESSAGE-ID",
		Short: "the life of messages in the log: session, acceptance, each delivery, the end",
		Long: `trace prints what the mail log tells of a message, line by line, with the source
that it came from: by its queue ID, by a sender or recipient, or by its
Message-ID. Postfix and Exim log that one, Exim without its brackets; qmail does
not, so there the message must still be in the queue, and the brackets are needed.

Queue IDs are used again: each message that had the ID is listed. Bounces and
forwards that a message caused are listed with it.`,
		Example: `  spoor trace 2996948
  spoor trace info@shop.test --since 2h
  spoor trace '<20261123.4711@shop.test>'
  spoor trace @example.org --top 50`,
		Args: oneArg("name a queue ID, an address, @domain or a Message-ID"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.trace(cmd.Context(), args[0]) },
	}
}

// maxLives is how many messages one trace lists in JSON.
const maxLives = 1000

func (o *options) trace(ctx context.Context, what string) error {
	format, err := o.format("table", "wide", "json")
	if err != nil {
		return err
	}
	s, err := o.examine(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	wanted, err := s.wanted(ctx, what)
	if err != nil {
		return err
	}
	limit := maxLives
	if format != "json" {
		limit = min(maxLives, max(o.top, 1))
	}
	search := s.tracer.NewSearch(wanted, limit)
	coverage, err := s.scanLog(ctx, o, search.Add)
	if err != nil {
		return err
	}
	if coverage == nil {
		return nothing("no mail log was found", o.spoor("logs check"))
	}
	s.log = &maillog{server: s, journal: search.Journal(), coverage: coverage, quoted: map[spoor.LogPlace]string{}}
	page := &report.Trace{
		Head: s.pageHead(o), What: what, Lives: s.lives(ctx, search.Lives()), Dropped: search.Dropped,
		Coverage: coverage, Complete: !s.partial, Gaps: s.allGaps(nil),
	}
	if len(page.Lives) == 0 {
		if err := o.checkCoverage(coverage, o.spoor("logs check")); err != nil {
			return err
		}
		return nothing(notFound(what), o.spoor("logs check"))
	}
	if format == "json" {
		return page.JSON(o.env.Out)
	}
	return page.Text(o.env.Out, o.style())
}

// notFound says that there is no life of what was asked for.
func notFound(what string) string {
	if strings.HasPrefix(what, "<") {
		return "no message in the queue or in the log that was read has the Message-ID " + what
	}
	return "the log that was read has no message of " + what
}

// wanted reads what the user asked for.
func (s *server) wanted(ctx context.Context, what string) (trace.Wanted, error) {
	switch {
	case strings.HasPrefix(what, "<"):
		id, err := s.findMessageID(ctx, what)
		return trace.Wanted{ID: id, Name: what}, err
	case strings.Contains(what, "@"):
		return trace.Wanted{Address: what, Name: what}, nil // Exim logs a Message-ID like an address
	}
	return trace.Wanted{ID: spoor.QueueID(what)}, nil
}

// findMessageID finds the queued message that has a Message-ID; "" if none has.
func (s *server) findMessageID(ctx context.Context, messageID string) (spoor.QueueID, error) {
	scan, err := s.queue.Scan(ctx, mta.Want{})
	if err != nil {
		return "", err
	}
	for _, part := range scan.Parts {
		for m, err := range part {
			if err != nil {
				return "", err
			}
			if m.MessageID == messageID {
				return m.ID, nil
			}
		}
	}
	return "", nil
}

// lives puts lives into the words of report, with their lines of the log.
func (s *server) lives(ctx context.Context, found []*trace.Life) []report.Life {
	var places []spoor.LogPlace
	for _, l := range found {
		for i := range l.Steps {
			places = append(places, l.Steps[i].Place)
		}
	}
	s.log.prefetch(places)
	lives := make([]report.Life, 0, len(found))
	for _, l := range found {
		life := report.Life{
			ID: l.ID, QP: l.QP, Source: l.Source, Sure: l.Sure, Inferred: l.Inferred, Rivals: l.Rivals, Cause: l.Cause, Ended: l.Ended, Again: l.Again,
		}
		if !l.Ended {
			s.fromQueue(ctx, l, &life)
		}
		for i := range l.Steps {
			step := &l.Steps[i]
			life.Steps = append(life.Steps, report.Step{
				Time: step.Time.Time(), Kind: step.Kind, Answer: step.Answer, Address: step.Address, Delivery: step.Delivery,
				Line: s.log.quote("log", l.ID, step.Place),
			})
		}
		lives = append(lives, life)
	}
	return lives
}

// fromQueue lets the queue say more exactly whose message it is, if it is still
// there.
func (s *server) fromQueue(ctx context.Context, l *trace.Life, life *report.Life) {
	m, err := s.queue.Find(ctx, l.ID)
	if err != nil || l.QP >= 0 && len(m.Trail.Hops) > 0 && m.Trail.Hops[0].PID != l.QP {
		if err != nil && !errors.Is(err, mta.ErrGone) {
			s.gaps.Add("queue", cause(err))
		}
		return
	}
	s.tracer.UseLog(s.log.journal, s.log.quote)
	a := s.tracer.Name(m)
	life.Queued = true
	if a.Source.Kind != spoor.KindUnknown {
		life.Source, life.Sure, life.Cause = a.Source, a.Confidence, a.Cause
		life.Inferred = a.Inferred
	}
}
