package cli

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"spoor"
	"spoor/internal/mta"
	"spoor/internal/report"
)

// defaultVerify is how long fix watches whether it has worked.
const defaultVerify = time.Minute

func fixCommand(o *options) *cobra.Command {
	f := &stopFlags{}
	cmd := &cobra.Command{
		Use:   "fix SOURCE",
		Short: "stop a source, take its messages out of the queue, and see whether that has worked",
		Long: `fix does in one plan what ends an incident: it stops the source, as "spoor stop"
does; takes its messages out of the queue and into the vault, as "spoor queue rm"
does; and then watches for a minute whether the queue of the source stays empty, no
new message of it is taken in, and what it tries is refused.

It is one entry in the journal, and "spoor undo" takes back all of it.`,
		Example: `  spoor fix -n site:shop.test       what would be done
  spoor fix account:info@shop.test --keep-legit
  spoor undo`,
		Args: oneArg("name one source, such as site:shop.test"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.stop(cmd.Context(), spoor.ActionFix, args[0], f)
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&f.keepLegit, "keep-legit", false, "leave messages in the queue that are not certainly of this source")
	cmd.Flags().DurationVar(&f.verify, "verify", defaultVerify, "watch for `TIME` whether it has worked; 0 does not watch")
	return cmd
}

// certain is how sure it must be that a message is of a source for --keep-legit to
// let it go.
const certain = 0.9

// doubtless are the targets that are certainly of their source.
func (o *options) doubtless(s *server, targets []spoor.Target) []spoor.Target {
	var sure []spoor.Target
	for i := range targets {
		m, err := s.queue.Find(context.Background(), targets[i].ID)
		if err == nil && s.tracer.Name(m).Confidence >= certain {
			sure = append(sure, targets[i])
		}
	}
	return sure
}

// fix carries the plan out and watches what comes of it.
func (o *options) fix(ctx context.Context, s *server, p *spoor.Plan, f *stopFlags) error {
	err := o.carryOut(ctx, s, p, &f.changeFlags)
	var known *statusError
	if f.verify <= 0 || err != nil && (!errors.As(err, &known) || known.status != exitPartial) {
		return err
	}
	seen, failed := o.watchSource(ctx, s, p, f.verify)
	if failed != nil {
		return errors.Join(err, failed)
	}
	return errors.Join(err, seen.write(o))
}

// watched is what was seen of a source after it was stopped.
type watched struct {
	*report.Verified
}

func (w *watched) write(o *options) error {
	out := o.env.Out
	if format, _ := o.format("table", "wide", "json"); format == "json" {
		out = o.env.Err // standard output has the receipt
	}
	if err := w.Text(out, o.style()); err != nil {
		return err
	}
	if !w.Good() {
		return partial()
	}
	return nil
}

// lookAgain is between two looks at the queue.
const lookAgain = 5 * time.Second

// watchSource counts, until the time is over, what comes of a source.
func (o *options) watchSource(ctx context.Context, s *server, p *spoor.Plan, span time.Duration) (*watched, error) {
	source, err := spoor.ParseSource(p.Selector[0])
	if err != nil {
		return nil, err
	}
	from := o.env.Now()
	w := &watched{&report.Verified{Source: source, Before: len(p.Targets)}}
	bar := o.startMeter("watch")
	defer bar.stop()
	for {
		if w.Left, w.Fresh, err = s.countOf(ctx, source, from); err != nil {
			return nil, err
		}
		w.Watched = o.env.Now().Sub(from)
		bar.set(int(w.Watched.Seconds()), int(span.Seconds()))
		if w.Watched >= span {
			break
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(min(lookAgain, span-w.Watched)):
		}
	}
	w.Accepted, w.Refused, err = s.loggedOf(ctx, o, source, from)
	return w, err
}

// countOf counts the messages of a source in the queue, and those of them that came
// after a point in time.
func (s *server) countOf(ctx context.Context, source spoor.Source, after time.Time) (all, fresh int, err error) {
	scan, err := s.queue.Scan(ctx, mta.Want{})
	if err != nil {
		return 0, 0, err
	}
	for _, part := range scan.Parts {
		for m, err := range part {
			if err != nil {
				return 0, 0, err
			}
			if s.tracer.Name(m).Source != source {
				continue
			}
			all++
			if m.Arrived.After(after) {
				fresh++
			}
		}
	}
	return all, fresh, nil
}

// within reports whether the client of an event is in a network.
func within(network netip.Prefix, client []byte) bool {
	addr, err := netip.ParseAddr(string(client))
	return err == nil && network.Contains(addr.Unmap())
}

// loggedOf counts what the log has of a source since a point in time: messages that
// were taken, and attempts that were refused. Of a refusal it must name the account
// or come from the network.
func (s *server) loggedOf(ctx context.Context, o *options, source spoor.Source, since time.Time) (accepted, refused int, err error) {
	// Most logs tell the second only: what is of this one may have been before.
	after := spoor.StampOf(since.Truncate(time.Second).Add(time.Second))
	c := spoor.Culprit{Source: source}
	network, isNetwork := c.Network()
	name := []byte(source.Name)
	_, err = s.scanLog(ctx, o, func(b *spoor.Block) error {
		for i := range b.Events {
			e := &b.Events[i]
			if e.Time < after {
				continue
			}
			switch {
			case e.Kind == spoor.EventRejected:
				if source.Kind == spoor.KindAccount && bytes.Contains(e.Text, name) || isNetwork && within(network, e.Client) {
					refused++
				}
			case source.Kind == spoor.KindAccount && e.Kind != spoor.EventLogin && ofAccount(e, source.Name):
				accepted++
			}
		}
		return nil
	})
	return accepted, refused, err
}
