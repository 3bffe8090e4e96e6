package cli

import (
	"bytes"
	"context"
	"sync"

	"spoor"
	"spoor/internal/mta"
	"spoor/internal/report"
	"spoor/internal/verdict"
)

// answer is a survey with every source judged.
type answer struct {
	*survey
	sources   []report.SourceLine // worst first
	campaigns []verdict.Campaign
	complete  bool
	gaps      []spoor.Gap
}

// answer surveys the queue and judges its sources.
func (s *server) answer(ctx context.Context, o *options) (*answer, error) {
	survey, err := s.survey(ctx, o)
	if err != nil {
		return nil, err
	}
	s.addCandidates(ctx, survey.traffic)
	judged, err := verdict.Judge(ctx, verdict.Queue{
		Traffic: survey.traffic, Total: survey.count, Contents: &bodies{queue: s.queue},
	})
	if err != nil {
		return nil, err
	}
	a := &answer{survey: survey, campaigns: judged.Campaigns, complete: survey.complete(), gaps: s.allGaps(survey.scan)}
	traffic := map[spoor.Source]*spoor.Traffic{}
	for i := range survey.traffic {
		traffic[survey.traffic[i].Source] = &survey.traffic[i]
	}
	for _, v := range judged.Verdicts {
		a.sources = append(a.sources, report.SourceLine{Traffic: *traffic[v.Source], Verdict: v})
	}
	return a, nil
}

// find returns one source of the answer.
func (a *answer) find(source spoor.Source) (report.SourceLine, bool) {
	for _, line := range a.sources {
		if line.Verdict.Source == source {
			return line, true
		}
	}
	return report.SourceLine{}, false
}

// campaignOf returns a function that names the campaign of a message: one that
// was compared with others, or has the same body as one that was.
func (a *answer) campaignOf() func(m *spoor.Message) string {
	type body struct {
		hash  uint64
		bytes int
	}
	names := map[body]string{}
	for _, campaign := range a.campaigns {
		for _, m := range campaign.Messages {
			names[body{m.ContentHash, m.ContentBytes}] = campaign.ID
		}
	}
	return func(m *spoor.Message) string { return names[body{m.ContentHash, m.ContentBytes}] }
}

// bodies reads what sampled messages say, for verdict.
type bodies struct {
	queue mta.Queue
	heads sync.Pool // of *[bodyBytes]byte
}

// bodyBytes is how much of a message is read to compare it with others: header
// and body.
const bodyBytes = 32 << 10

// Body returns the start of the body of a message.
func (b *bodies) Body(m *spoor.Message) ([]byte, error) {
	head, ok := b.heads.Get().(*[bodyBytes]byte)
	if !ok {
		head = new([bodyBytes]byte)
	}
	defer b.heads.Put(head)
	n, err := b.queue.Head(m, head[:])
	if err != nil {
		return nil, err
	}
	start, _ := mta.BodyStart(head[:n])
	return bytes.Clone(head[start:n]), nil
}
