package trace

import (
	"fmt"
	"testing"

	"spoor"
)

// crowded is a message to so many, of whom the first is put off at once.
func crowded(recipients int) *tape {
	p := newTape().info("7", 10003, 70, "www@site1.test").
		start(1, "7", "remote", "first@slow.test").done(1, spoor.EventDeferred, spoor.AnswerGreylisted, "")
	for i := range recipients {
		p.start(2+i, "7", "remote", fmt.Sprintf("m%d@far.test", i)).done(2+i, spoor.EventDelivered, 0, "")
	}
	return p
}

func TestRecipientsOfACrowdedMessageAreTriedAgain(t *testing.T) {
	p := crowded(500)
	for i := range 100 { // two of them twice
		p.start(600+i, "7", "remote", fmt.Sprintf("s%d@slow.test", i%98)).done(600+i, spoor.EventDeferred, spoor.AnswerGreylisted, "")
	}
	p.start(800, "7", "remote", "first@slow.test").done(800, spoor.EventDelivered, 0, "")
	for i := range 99 {
		p.start(900+i, "7", "remote", fmt.Sprintf("s%d@slow.test", i%98)).done(900+i, spoor.EventDelivered, 0, "")
	}
	wantFigures(t, p.sources(t), "site:site1.test", "1 messages 600 recipients 600 delivered 0 failed 101 deferrals 0 waiting")
}

// BenchmarkCrowdedMessage reads of one message to a hundred thousand, which whoever may
// call sendmail can have sent.
func BenchmarkCrowdedMessage(b *testing.B) {
	p := crowded(100_000)
	for b.Loop() {
		j := New(testFacts()).NewJournal()
		if err := j.Add(&spoor.Block{Events: p.events}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(p.events)), "ns/event")
}
