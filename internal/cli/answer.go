package cli

import (
	"bytes"
	"context"
	"iter"
	"sync"

	"spoor"
	"spoor/internal/mta"
	"spoor/internal/report"
	"spoor/internal/verdict"
)

// answer is a survey with every source judged.
type answer struct {
	*survey
	sources                     []report.SourceLine // worst first
	campaigns                   []verdict.Campaign
	minor                       iter.Seq[report.SourceLine] // those that the log alone knows, with too little to judge
	minorSources, minorMessages int                         // of minor

	obstacles []spoor.Obstacle
	policy    spoor.MailPolicy
	findings  []spoor.Finding
	complete  bool
	gaps      []spoor.Gap
}

// answer reads the log, surveys the queue and judges the sources of both.
func (s *server) answer(ctx context.Context, o *options) (*answer, error) {
	if err := s.readLog(ctx, o); err != nil {
		return nil, err
	}
	survey, err := s.survey(ctx, o)
	if err != nil {
		return nil, err
	}
	if s.log != nil {
		s.log.quoteHistories(survey.traffic)
	}
	s.addCandidates(ctx, survey.traffic)
	judged, err := verdict.Judge(ctx, verdict.Queue{
		Traffic: survey.traffic, Total: survey.count, Contents: &bodies{queue: s.queue}, Rates: s.rates(),
	})
	if err != nil {
		return nil, err
	}
	obstacles := verdict.Obstacles(s.flow(o, survey))
	a := &answer{
		survey: survey, campaigns: judged.Campaigns, minor: s.minor(), obstacles: obstacles,
		complete: survey.complete(), gaps: s.allGaps(survey.scan),
	}
	if s.log != nil {
		a.minorSources, a.minorMessages = s.log.journal.CountMinor()
	}
	traffic := map[spoor.Source]*spoor.Traffic{}
	for i := range survey.traffic {
		traffic[survey.traffic[i].Source] = &survey.traffic[i]
	}
	a.sources = make([]report.SourceLine, 0, len(judged.Verdicts))
	for _, v := range judged.Verdicts {
		a.sources = append(a.sources, report.SourceLine{Traffic: *traffic[v.Source], Verdict: v})
	}
	return a, s.audit(ctx, a)
}

// rates are the figures of the whole server, from the log.
func (s *server) rates() spoor.Rates {
	if s.log == nil {
		return spoor.Rates{}
	}
	return s.log.journal.Rates
}

// minorBatch is how many sources have their lines of the log read at once.
const minorBatch = 2048

// minor yields the clients that sent too little to be judged, with their
// evidence.
func (s *server) minor() iter.Seq[report.SourceLine] {
	return func(yield func(report.SourceLine) bool) {
		if s.log == nil {
			return
		}
		for batch := range beforehand(s.log.minorBatches()) {
			for i := range batch {
				if !yield(report.SourceLine{Traffic: batch[i], Verdict: unjudged(batch[i].Source)}) {
					return
				}
			}
		}
	}
}

// minorBatches yields them with the lines that prove them.
func (l *maillog) minorBatches() iter.Seq[[]spoor.Traffic] {
	return func(yield func([]spoor.Traffic) bool) {
		for batch := range batches(l.journal.Minor(), minorBatch) {
			l.quoteHistories(batch)
			l.forget()
			if !yield(batch) {
				return
			}
		}
	}
}

// beforehand makes the next element of a sequence while one is being used.
func beforehand[T any](all iter.Seq[T]) iter.Seq[T] {
	return func(yield func(T) bool) {
		next, quit := make(chan T), make(chan struct{})
		var group sync.WaitGroup
		group.Go(func() {
			defer close(next)
			for one := range all {
				select {
				case next <- one:
				case <-quit:
					return
				}
			}
		})
		defer group.Wait()
		defer close(quit)
		for one := range next {
			if !yield(one) {
				return
			}
		}
	}
}

// unjudged is the verdict on a source that has done too little to be judged.
func unjudged(source spoor.Source) spoor.Verdict {
	return spoor.Verdict{Source: source, Class: spoor.Normal, Confidence: unjudgedConfidence}
}

// unjudgedConfidence is verdict's at a score of 0.
const unjudgedConfidence = 0.10

// batches yields the elements of a sequence, n at a time. A batch is the caller's.
func batches[T any](all iter.Seq[T], n int) iter.Seq[[]T] {
	return func(yield func([]T) bool) {
		var batch []T
		for one := range all {
			if batch == nil {
				batch = make([]T, 0, n)
			}
			batch = append(batch, one)
			if len(batch) == n {
				if !yield(batch) {
					return
				}
				batch = nil
			}
		}
		if len(batch) > 0 {
			yield(batch)
		}
	}
}

// find returns one source of the answer.
func (a *answer) find(source spoor.Source) (report.SourceLine, bool) {
	for _, line := range a.sources {
		if line.Verdict.Source == source {
			return line, true
		}
	}
	if source.Kind != spoor.KindNetwork {
		return report.SourceLine{}, false
	}
	for line := range a.minor {
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
