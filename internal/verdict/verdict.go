// Package verdict judges sources. The traffic of each source of a queue enters
// from trace, together with the totals of the queue and a way to read what its
// messages say; verdicts with their reasons, and the campaigns that were found,
// leave for report.
//
// Each reason is one named symbol with a weight, and the score of a source is the
// sum of its weights. Class and confidence follow from the score; for spam, two
// families of evidence have to agree as well.
package verdict

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"sync"

	"spoor"
)

// Contents reads what messages say.
type Contents interface {
	// Body returns the start of the body of a message, in its transfer
	// encoding; no more than the first 16 KiB are looked at. Several goroutines
	// call it at once. Any error means that the body is not known: messages
	// leave the queue at any time.
	Body(m *spoor.Message) ([]byte, error)
}

// Queue is what Judge looks at. Nothing in it is changed.
type Queue struct {
	Traffic  []spoor.Traffic // one for each source, in any order
	Total    spoor.QueueCount
	Rates    spoor.Rates // of the whole server, from the log; zero without one
	Contents Contents    // nil: bodies are not read, only exact copies count as content
}

// Judgement is what Judge found.
type Judgement struct {
	Verdicts  []spoor.Verdict // one for each Traffic, worst first
	Campaigns []Campaign      // largest first
	Unread    int             // sampled messages whose body could not be read
}

// Judge judges every source of a queue. Its answer does not depend on the order
// of its input. It fails with the error of ctx and nothing else; a body that
// cannot be read is counted.
func Judge(ctx context.Context, q Queue) (Judgement, error) {
	survey, err := takeSurvey(ctx, q)
	if err != nil {
		return Judgement{}, err
	}
	cases := judgeEach(&q, survey.contents)
	slices.SortFunc(cases, judged.compare)
	verdicts := make([]spoor.Verdict, len(cases))
	for i := range cases {
		verdicts[i] = cases[i].verdict
	}
	return Judgement{Verdicts: verdicts, Campaigns: survey.campaigns, Unread: survey.unread}, nil
}

// judgeEach judges the sources on all processors: with a log there may be very
// many.
func judgeEach(q *Queue, contents map[spoor.Source]content) []judged {
	usual := normsOf(q.Traffic)
	cases := make([]judged, len(q.Traffic))
	workers := runtime.GOMAXPROCS(0)
	var group sync.WaitGroup
	for n := range workers {
		group.Go(func() {
			for i := n; i < len(cases); i += workers {
				t := &q.Traffic[i]
				cases[i] = judged{traffic: t, verdict: unjudged(t.Source)}
				if !quiet(t) {
					cases[i].verdict = judge(&facts{t: t, total: q.Total, rates: q.Rates, norms: usual, content: contents[t.Source]})
				}
			}
		})
	}
	group.Wait()
	return cases
}

// judge makes the verdict of one source.
func judge(f *facts) spoor.Verdict {
	reasons := f.reasons()
	score := 0.0
	for i := range reasons {
		score += reasons[i].Weight
	}
	score = hundredths(score)
	class := classify(f.t, score, families(reasons))
	return spoor.Verdict{
		Source: f.t.Source, Class: class, Score: score, Reasons: reasons,
		Confidence: confidence(class, score),
	}
}

// unjudged is the verdict on a source that has done too little to be judged.
func unjudged(source spoor.Source) spoor.Verdict {
	return spoor.Verdict{Source: source, Class: spoor.Normal, Confidence: confidence(spoor.Normal, 0)}
}

// judged is a verdict beside the traffic that it is about.
type judged struct {
	traffic *spoor.Traffic
	verdict spoor.Verdict
}

// compare orders by class, confidence, recipients and messages, each worst
// first, then by source.
func (a judged) compare(b judged) int {
	return cmp.Or(
		cmp.Compare(b.verdict.Class, a.verdict.Class),
		cmp.Compare(b.verdict.Confidence, a.verdict.Confidence),
		cmp.Compare(b.traffic.TotalRecipients(), a.traffic.TotalRecipients()),
		cmp.Compare(b.traffic.Messages, a.traffic.Messages),
		a.traffic.Source.Compare(b.traffic.Source),
	)
}
