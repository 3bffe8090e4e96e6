package cli

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strings"

	"spoor"
	"spoor/internal/mta"
)

// selection picks the messages of a plan from the queue.
type selection struct {
	server   *server
	selector *spoor.Selector
	window   window
	fits     func(m *spoor.Message) bool // whether the action means anything to it
	judged   map[spoor.Source]spoor.Verdict
}

// plan makes a plan of what the selectors match, with the verdict on each source:
// an operator has to see what else would go.
func (s *server) plan(ctx context.Context, o *options, action spoor.Action, words []string) (*spoor.Plan, error) {
	pick := &selection{server: s, fits: fitFor(action), judged: map[spoor.Source]spoor.Verdict{}}
	var err error
	if pick.selector, err = spoor.ParseSelector(words, o.env.Now()); err != nil {
		return nil, usageTry(err, "spoor queue ls --help")
	}
	if pick.window, err = o.window(); err != nil {
		return nil, err
	}
	a, err := s.answer(ctx, o)
	if err != nil {
		return nil, err
	}
	for _, line := range a.sources {
		pick.judged[line.Verdict.Source] = line.Verdict
	}
	if pick.selector.NeedsCampaigns() {
		pick.selector.Campaign = a.campaignOf()
	}
	p := &spoor.Plan{Action: action, Host: s.host, Root: s.root.Dir(), MTA: s.queue.MTA(), Selector: words, QueueMessages: a.count.Messages}
	scan, err := s.queue.Scan(ctx, mta.Want{Addresses: pick.selector.NeedsAddresses()})
	if err != nil {
		return nil, err
	}
	err = inOrder(scan, pick.part, func(targets []spoor.Target) error {
		p.Targets = append(p.Targets, targets...)
		return nil
	})
	sumUp(p)
	return p, err
}

func (l *selection) part(part iter.Seq2[*spoor.Message, error]) ([]spoor.Target, error) {
	var picked []spoor.Target
	for m, err := range part {
		if err != nil {
			return nil, err
		}
		if !l.window.contains(m.Arrived) || !l.fits(m) {
			continue
		}
		name := l.server.tracer.Name(m)
		if !l.selector.Match(m, name.Source, name.UID) {
			continue
		}
		t := spoor.TargetOf(m)
		verdict := l.judged[name.Source]
		t.UID = name.UID
		t.Source, t.Class, t.Confidence = name.Source, verdict.Class, verdict.Confidence
		picked = append(picked, t)
	}
	return picked, nil
}

// fitFor says which messages an action can mean.
func fitFor(action spoor.Action) func(m *spoor.Message) bool {
	switch action {
	case spoor.ActionHold:
		return func(m *spoor.Message) bool {
			return !m.Held && m.State != spoor.StateIncomplete && m.State != spoor.StateCorrupt
		}
	case spoor.ActionRelease:
		return func(m *spoor.Message) bool { return m.Held }
	case spoor.ActionRetry:
		return func(m *spoor.Message) bool { return m.State != spoor.StateIncomplete && m.State != spoor.StateCorrupt }
	default:
		return func(*spoor.Message) bool { return true }
	}
}

// sumUp counts a plan by source, and finds what in it looks legitimate.
func sumUp(p *spoor.Plan) {
	index := map[spoor.Source]int{}
	p.Shares, p.Doubtful = nil, nil
	for i := range p.Targets {
		t := &p.Targets[i]
		at, ok := index[t.Source]
		if !ok {
			at = len(p.Shares)
			index[t.Source] = at
			p.Shares = append(p.Shares, spoor.SourceShare{Source: t.Source, Class: t.Class, Confidence: t.Confidence})
		}
		p.Shares[at].Messages++
		p.Shares[at].Recipients += t.Recipients - t.Done
		if t.Class == spoor.Normal && (onMessages(p.Action) == spoor.ActionRemove || p.Action == spoor.ActionHold) {
			p.Doubtful = append(p.Doubtful, *t)
		}
	}
	slices.SortStableFunc(p.Shares, func(a, b spoor.SourceShare) int {
		return cmp.Or(cmp.Compare(b.Messages, a.Messages), strings.Compare(a.Source.String(), b.Source.String()))
	})
}
