package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/spf13/cobra"

	"spoor"
	"spoor/internal/mta"
	"spoor/internal/report"
)

func queueLsCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "ls [SELECTOR…]",
		Short: "list messages with their source, state and recipients",
		Long: `ls lists the messages that all selectors match, in the order of their IDs.
Messages that the MTA has not begun to deliver are listed too.

Selectors are key:value. Different keys must all match, commas separate
alternatives, and a leading ! negates. Quote what holds < > or !. The keys, with
examples:

    ` + strings.Join(wrapWords(spoor.SelectorKeys(), 74), "\n    ") + `

state: takes, of qmail, incomplete, todo, local, remote, both and done; of
Postfix, maildrop, incoming, active, deferred, hold and corrupt; of Exim, queued
and frozen; of each, bouncing and held.

campaign: picks the messages whose content was compared with others, a sample of
each source, and those that have the very same body.`,
		Example: `  spoor queue ls site:shop.test 'rcpts:>20'
  spoor queue ls kind:bounce -o ids
  spoor queue ls '!from:@shop.test' account:info@shop.test
  spoor queue ls -o ndjson | jq .source`,
		RunE: func(cmd *cobra.Command, args []string) error { return o.queueLs(cmd.Context(), args) },
	}
}

// wrapWords fills lines of at most width columns.
func wrapWords(words []string, width int) []string {
	lines := []string{""}
	for _, word := range words {
		last := &lines[len(lines)-1]
		if *last != "" && len(*last)+2+len(word) > width {
			lines = append(lines, word)
			continue
		}
		*last = strings.TrimLeft(*last+"  "+word, " ")
	}
	return lines
}

func (o *options) queueLs(ctx context.Context, args []string) error {
	word, err := o.format(formats()...)
	if err != nil {
		return err
	}
	selector, err := spoor.ParseSelector(args, o.env.Now())
	if err != nil {
		return usageTry(err, "spoor queue ls --help")
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
	format, _ := report.ParseFormat(word)
	l := &lister{server: s, options: o, format: format, selector: selector, window: w}
	return l.run(ctx, len(args) > 0)
}

// lister lists the messages of a scan. Parts are read and attributed on all
// processors and written in their order.
type lister struct {
	server   *server
	options  *options
	format   report.Format
	selector *spoor.Selector
	window   window
	listed   int
}

// row is a message that is to be listed.
type row struct {
	message     *spoor.Message
	attribution spoor.Attribution
}

func (l *lister) run(ctx context.Context, selective bool) error {
	if l.format != report.FormatIDs || l.selector.NeedsSources() {
		if err := l.server.readLog(ctx, l.options); err != nil {
			return err
		}
	}
	addresses := l.format != report.FormatIDs && l.format != report.FormatTable || l.selector.NeedsAddresses()
	if l.selector.NeedsCampaigns() {
		a, err := l.server.answer(ctx, l.options)
		if err != nil {
			return err
		}
		l.selector.Campaign = a.campaignOf()
	}
	scan, err := l.server.queue.Scan(ctx, mta.Want{Addresses: addresses})
	if err != nil {
		return err
	}
	rows := report.NewMessages(l.options.env.Out, l.format, l.options.style())
	err = inOrder(scan, l.pick, func(picked []row) error {
		for i := range picked {
			if err := rows.Row(picked[i].message, &picked[i].attribution); err != nil {
				return err
			}
		}
		l.listed += len(picked)
		return nil
	})
	if err != nil {
		return err
	}
	if err := rows.Close(); err != nil {
		return err
	}
	return l.finish(scan, selective)
}

// pick returns the messages of one part that the selectors match.
func (l *lister) pick(part iter.Seq2[*spoor.Message, error]) ([]row, error) {
	attribute := l.server.tracer.Name
	if l.format == report.FormatJSON || l.format == report.FormatNDJSON {
		attribute = l.server.tracer.Attribute
	}
	var picked []row
	for m, err := range part {
		if err != nil {
			return nil, err
		}
		if !l.window.contains(m.Arrived) {
			continue
		}
		name := l.server.tracer.Name(m)
		if l.selector.Match(m, name.Source, name.UID) {
			kept := m.Clone()
			picked = append(picked, row{message: kept, attribution: attribute(kept)})
		}
	}
	return picked, nil
}

// finish tells on standard error what the list leaves out.
func (l *lister) finish(scan *mta.Scan, selective bool) error {
	gaps := l.server.allGaps(scan)
	if l.options.verbose {
		if err := writeGaps(l.options.env.Err, gaps); err != nil {
			return err
		}
	}
	if why := missing(l.server, scan); why != "" {
		return &statusError{status: exitPartial, err: &spoor.Problem{What: why, So: "the list is not complete", Try: l.options.spoor("queue stat")}}
	}
	if l.listed == 0 && selective {
		return nothing("no message in the queue matches", l.options.spoor("queue stat"))
	}
	return nil
}

// missing says what a list leaves out, or "".
func missing(s *server, scan *mta.Scan) string {
	switch n := scan.Unreadable(); {
	case s.noQueue != nil:
		return "there is no queue: spoor, show and trace tell what the log knows"
	case n > 0:
		return fmt.Sprintf("%d messages could not be read", n)
	case !scan.Complete:
		return "some folders of the queue could not be listed"
	case s.partial:
		return "/etc/passwd could not be read: users and sites are known by their UID only"
	}
	return ""
}

// writeGaps lists every gap, a line each.
func writeGaps(out io.Writer, gaps []spoor.Gap) error {
	var buf bytes.Buffer
	for _, gap := range gaps {
		fmt.Fprintf(&buf, "spoor: %s: %s", report.Escape(gap.File), report.Escape(gap.Reason))
		if gap.Count > 1 {
			fmt.Fprintf(&buf, " (%d times)", gap.Count)
		}
		buf.WriteByte('\n')
	}
	_, err := out.Write(buf.Bytes())
	return err
}
