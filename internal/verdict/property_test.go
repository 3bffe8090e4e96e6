package verdict

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"spoor"
)

// hostile stands in everything that an attacker can write.
const hostile = "\x1b[31m<script>`reboot`"

// drawTraffic draws counts that can be of one source, in any combination.
func drawTraffic(t *rapid.T, name string) spoor.Traffic {
	n := rapid.IntRange(1, 400).Draw(t, "messages")
	part := func(label string, most int) int { return rapid.IntRange(0, most).Draw(t, label) }
	one := source(rapid.SampledFrom(spoor.Kinds()).Draw(t, "kind"), name, n, 0)
	one.Recipients = n * rapid.IntRange(1, 40).Draw(t, "recipients")
	one.Outbound, one.Submitted = part("outbound", n), part("submitted", n)
	one.ForeignSender = part("foreign", n)
	one.OwnSender = part("own", n-one.ForeignSender)
	one.NullSender, one.Bulk, one.Bouncing = part("null", n), part("bulk", n), part("bouncing", n)
	one.Forged, one.WebServer = part("forged", n), part("web server", n)
	if one.Forged > 0 {
		one.Forgeries = []spoor.Evidence{{What: "forged", Text: hostile}}
	}
	one.Confidence = rapid.Float64Range(0, 1).Draw(t, "confidence")
	one.LargestCopy, one.CauseCount = 1+part("copies", n-1), part("cause", n)
	one.Cause = spoor.Source{Kind: rapid.SampledFrom(spoor.Kinds()).Draw(t, "cause"), Name: hostile}
	one.Senders = drawRanking(t, "sender", n)
	one.Clients = drawRanking(t, "client", n)
	one.Login = rapid.SampledFrom([]string{"", "sender0"}).Draw(t, "login")
	one.Subjects = spoor.Ranking{Distinct: 1, Top: []spoor.Tally{{Value: hostile, Count: n}}}
	one.Conflicts = []spoor.Evidence{{What: "claim", Text: hostile}}
	one.History = drawHistory(t)
	if one.History != nil && rapid.Bool().Draw(t, "has left") {
		one = spoor.Traffic{Source: one.Source, UID: -1, Confidence: one.Confidence, Cause: one.Cause, CauseCount: one.CauseCount, History: one.History}
	}
	return one
}

// drawHistory draws figures of a log in any combination, or nil.
func drawHistory(t *rapid.T) *spoor.History {
	n := rapid.IntRange(-100, 3000).Draw(t, "accepted")
	if n < 0 {
		return nil
	}
	part := func(label string, most int) int { return rapid.IntRange(0, most).Draw(t, label) }
	h := &spoor.History{
		Accepted: n, Recipients: n * part("recipients in the log", 20), Remote: part("remote", n), NullSender: part("null in the log", n),
		ForeignSender: part("foreign in the log", n), Delivered: part("delivered", 10000), Deferrals: part("deferrals", 5000),
		Logins: part("logins", 500), Networks: part("networks", 300), WebServer: rapid.Bool().Draw(t, "web server's"),
		Senders: drawRanking(t, "sender", n+1), Clients: drawRanking(t, "client", n+1),
		Evidence: []spoor.Evidence{{What: "log-accepted", File: "/var/log/maillog", Line: 17, Text: hostile}},
	}
	h.OwnSender = part("own in the log", n-h.ForeignSender)
	for range part("failures", 4) {
		answer, count := rapid.SampledFrom(spoor.Answers()).Draw(t, "answer"), part("failed", 500)
		h.Failed += count
		h.FailedBy[answer] += count
		h.DeferredBy[answer] += part("deferred", 500)
		h.Receivers = append(h.Receivers, spoor.ReceiverTally{Receiver: hostile, Answer: answer, Count: count})
	}
	start := monday.Add(time.Duration(part("start", 200)) * time.Hour)
	for i := range part("hours", 40) {
		at := start.Add(time.Duration(3*i) * time.Hour)
		h.Hours = append(h.Hours, spoor.HourTally{Start: at, Messages: 1, Recipients: part("in an hour", 800)})
		h.First, h.Last = start, at
	}
	return h
}

func drawRanking(t *rapid.T, what string, n int) spoor.Ranking {
	r := spoor.Ranking{Distinct: rapid.IntRange(1, n).Draw(t, what)}
	for i := range min(r.Distinct, 5) {
		r.Top = append(r.Top, spoor.Tally{Value: fmt.Sprintf("%s%d@%s%d.example", what, i, hostile, i%3), Count: n / r.Distinct})
	}
	return r
}

// drawStage draws a queue of a few sources, some of which share campaigns.
func drawStage(t *rapid.T) *stage {
	s := newStage(rapid.IntRange(1, 2000).Draw(t, "queue"), rapid.IntRange(1, 20000).Draw(t, "queue recipients"))
	for i := range rapid.IntRange(1, 6).Draw(t, "sources") {
		one := drawTraffic(t, fmt.Sprintf("source%d.example", i))
		random, alike := soup(uint64(i)), letter(uint64(rapid.IntRange(0, 2).Draw(t, "campaign")))
		share := rapid.IntRange(1, 4).Draw(t, "share")
		for n := range min(one.Messages, 12) {
			write := random
			if n%share == 0 {
				write = alike
			}
			m := s.message(one.Source, n, write(n+100*i))
			m.Subject = hostile
			one.Samples = append(one.Samples, m)
		}
		s.queue.Traffic = append(s.queue.Traffic, one)
		if one.History != nil && rapid.IntRange(0, 9).Draw(t, "counted") > 0 {
			add(&s.queue.Rates, ratesOf(one.History))
		}
	}
	return s
}

func TestVerdictsHoldTheirPromises(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := drawStage(rt)
		got, err := Judge(t.Context(), s.queue)
		if err != nil {
			rt.Fatal(err)
		}
		if len(got.Verdicts) != len(s.queue.Traffic) {
			rt.Fatalf("%d verdicts of %d sources", len(got.Verdicts), len(s.queue.Traffic))
		}
		for i, v := range got.Verdicts {
			checkVerdict(rt, v)
			if i > 0 && v.Class > got.Verdicts[i-1].Class {
				rt.Fatalf("%s stands below %s", v.Class, got.Verdicts[i-1].Class)
			}
			for _, r := range v.Reasons {
				if strings.ContainsAny(r.Text+r.Check, "<\x1b`") {
					rt.Fatalf("%s shows what an attacker wrote: %q, %q", r.Symbol, r.Text, r.Check)
				}
			}
		}
	})
}

func TestOrderOfInputDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := drawStage(rt)
		want, err := Judge(t.Context(), s.queue)
		if err != nil {
			rt.Fatal(err)
		}
		shuffled := s.queue
		shuffled.Traffic = rapid.Permutation(s.queue.Traffic).Draw(rt, "sources")
		for i := range shuffled.Traffic {
			one := &shuffled.Traffic[i]
			one.Samples = rapid.Permutation(one.Samples).Draw(rt, "samples")
		}
		got, err := Judge(t.Context(), shuffled)
		if err != nil {
			rt.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			rt.Fatalf("two orders of one queue differ\n%v\n%v", got, want)
		}
	})
}

func TestJudgeChangesNoInput(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := drawStage(rt)
		before := slices.Clone(s.queue.Traffic)
		for i := range before {
			before[i].Samples = slices.Clone(before[i].Samples)
		}
		if _, err := Judge(t.Context(), s.queue); err != nil {
			rt.Fatal(err)
		}
		if !reflect.DeepEqual(before, s.queue.Traffic) {
			rt.Fatal("the traffic was changed")
		}
	})
}

func TestCounterEvidenceNeverRaisesTheScore(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		one := drawTraffic(rt, "source.example")
		total := spoor.QueueCount{Messages: 2 * one.Messages, Recipients: 2 * one.Recipients}
		score := func(t spoor.Traffic) float64 { return judge(&facts{t: &t, total: total}).Score }
		one.Bouncing = 0 // it is read in place of failures that the log does not have
		more := one
		switch rapid.SampledFrom([]string{"list", "own", "few", "inbound", "delivered"}).Draw(rt, "counter-evidence") {
		case "list":
			more.Bulk = rapid.IntRange(one.Bulk, one.Messages).Draw(rt, "more bulk")
		case "own":
			more.OwnSender = rapid.IntRange(one.OwnSender, one.Messages-one.ForeignSender).Draw(rt, "more own")
		case "few":
			more.Recipients = rapid.IntRange(one.Messages, one.Recipients).Draw(rt, "fewer recipients")
		case "inbound":
			more.Outbound = rapid.IntRange(0, one.Outbound).Draw(rt, "less outbound")
		case "delivered":
			more.History = moreDelivered(rt, one.History)
		}
		if before, after := score(one), score(more); after > before {
			rt.Fatalf("the score rose from %v to %v", before, after)
		}
	})
}

// moreDelivered turns failures of one sort into deliveries.
func moreDelivered(t *rapid.T, h *spoor.History) *spoor.History {
	if h == nil {
		return nil
	}
	better := *h
	answer := rapid.SampledFrom([]spoor.Answer{spoor.AnswerUserUnknown, spoor.AnswerSpam, spoor.AnswerPolicy}).Draw(t, "mended")
	n := rapid.IntRange(0, h.FailedBy[answer]).Draw(t, "more delivered")
	better.Delivered += n
	better.Failed -= n
	better.FailedBy[answer] -= n
	return &better
}

func TestVariedContentNeverRaisesTheScore(t *testing.T) {
	score := func(distinct int) float64 {
		s := newStage(100, 400)
		s.add(source(spoor.KindSite, "site1.example", 20, 4), func(n int) string { return soup(1)(n % distinct) })
		return s.judge(t).Score
	}
	before := score(1)
	for distinct := 2; distinct <= 20; distinct++ {
		after := score(distinct)
		if after > before {
			t.Errorf("%d contents: the score rose from %v to %v", distinct, before, after)
		}
		before = after
	}
}
