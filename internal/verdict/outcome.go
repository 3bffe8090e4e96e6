package verdict

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"spoor"
)

// Failures tell spam from newsletters: lists that were bought or harvested are
// full of dead addresses, and receivers say what they think of the content. What
// a receiver says of the server is said to everybody on it, so a refusal that
// blames the server counts for nobody, and every share is set against what is
// usual on the server.

// calledSpam reads CALLED_SPAM: receivers that refuse the mail as spam.
func calledSpam(f *facts) reading {
	m := f.measure(condemned)
	weight := 3 * f.condemnation()
	if weight == 0 {
		return reading{}
	}
	r := reading{
		weight: weight,
		count:  m.own.n,
		text:   partOf(m.own.n, m.own.of, "answers") + " call the mail spam" + receiversSay(f.t.History) + "; " + m.words,
	}
	for _, tally := range f.t.History.Receivers {
		if tally.Answer == spoor.AnswerSpam && tally.Example.File != "" && len(r.evidence) < maxQuoted {
			r.evidence = append(r.evidence, tally.Example)
		}
	}
	r.evidence = append(f.outcomes(), r.evidence...)
	return r
}

// condemnation is how many receivers call the mail spam, from 0 to 1. Half of a
// hundredth is what an honest sender gets; a twentieth is not.
func (f *facts) condemnation() float64 {
	m := f.measure(condemned)
	return ramp(float64(m.own.n), 2, 20) * ramp(m.excess(), 0.005, 0.05)
}

// userUnknown reads USER_UNKNOWN: recipients that do not exist.
func userUnknown(f *facts) reading {
	m := f.measure(unknown)
	weight := 2.5 * f.deadness()
	if weight == 0 {
		return reading{}
	}
	return reading{
		weight:   weight,
		count:    m.own.n,
		text:     partOf(m.own.n, m.own.of, "decided recipients") + " do not exist; " + m.words,
		evidence: f.proofOfOutcome(),
	}
}

// deadness is how many recipients do not exist, from 0 to 1. A list that is kept
// has two or three in a hundred, and one message to three old addresses is a bad
// day.
func (f *facts) deadness() float64 {
	m := f.measure(unknown)
	return ramp(float64(m.own.n), 4, 30) * ramp(m.excess(), 0.03, 0.15)
}

// unwanted is how clearly receivers refuse the source's mail, from 0 to 1. What
// such mail looks like does not speak for it.
func (f *facts) unwanted() float64 {
	if f.t.History == nil {
		return 0
	}
	return max(f.condemnation(), f.deadness())
}

// failing reads FAILING: refusals for other reasons, except those that blame this
// server.
func failing(f *facts) reading {
	m := f.measure(refused)
	weight := ramp(m.excess(), 0.05, 0.25) * ramp(float64(m.own.n), 5, 30)
	if weight == 0 {
		return reading{}
	}
	return reading{
		weight:   weight,
		count:    m.own.n,
		text:     partOf(m.own.n, m.own.of, "decided recipients") + " failed for other reasons; " + m.words,
		evidence: f.proofOfOutcome(),
	}
}

// deliveredWell reads DELIVERED_WELL: at some volume, hardly a recipient fails and
// nobody calls it spam. Bought lists are not like that. It says nothing of a
// stolen account whose thief has a good list.
func deliveredWell(f *facts) reading {
	rates := ratesOf(f.t.History)
	all := decided(&rates)
	failed := fraction(all-rates.Delivered, all)
	spam := condemned.of(&rates).share()
	weight := -3 * ramp(float64(all), 20, 100) * (1 - ramp(failed, 0.02, 0.06)) * (1 - ramp(spam, 0, 0.01)) *
		(1 - f.sharing()) * (1 - f.forgery())
	if weight == 0 {
		return reading{}
	}
	return reading{
		weight:   weight,
		count:    rates.Delivered,
		text:     partOf(rates.Delivered, all, "decided recipients") + " got the mail",
		evidence: f.proofOfOutcome(),
	}
}

// measured is an aspect of a source beside what is usual.
type measured struct {
	own   outcome
	usual float64 // share
	words string  // what is usual, in words
}

// excess is by how much the source's share exceeds what is usual, with room for
// chance.
func (m measured) excess() float64 { return m.own.share() - 1.5*m.usual }

// measure sets an aspect against the rest of the server's mail, or against the
// median of its sources if that is lower: a second spammer cannot raise it.
func (f *facts) measure(a aspect) measured {
	rates := ratesOf(f.t.History)
	own := a.of(&rates)
	rest := own.less(a.of(&f.rates))
	m := measured{own: own, usual: rest.share() * ramp(float64(rest.of), 0, 100)} // few say little
	m.words = "of the rest of the server's mail, " + percent(rest.n, rest.of)
	if rest.of == 0 {
		m.words = "the server sends no other mail"
	}
	if median := f.norms.median[a]; f.norms.sources >= minSources && median < m.usual {
		m.usual = median
		m.words = fmt.Sprintf("the median of %s is %s", counted(f.norms.sources, "source"), percentOf(median))
	}
	return m
}

// maxNamed is how many receivers a text names.
const maxNamed = 3

// receiversSay names the receivers that say spam most often. Domains are of the
// author's choice and are named only if they are plain.
func receiversSay(h *spoor.History) string {
	var names []string
	for _, tally := range h.Receivers {
		if tally.Answer == spoor.AnswerSpam && len(names) < maxNamed && plain(tally.Receiver) {
			names = append(names, tally.Receiver+" "+thousands(tally.Count))
		}
	}
	if len(names) == 0 {
		return ""
	}
	return " (recipients at " + strings.Join(names, ", ") + ")"
}

// proofOfOutcome is what shares of recipients are recounted from, and lines that
// show some of the mail.
func (f *facts) proofOfOutcome() []spoor.Evidence {
	return append(f.outcomes(), firstOf(f.t.History.Evidence)...)
}

// outcomes are the counts that shares of outcomes follow from.
func (f *facts) outcomes() []spoor.Evidence {
	h := f.t.History
	text := fmt.Sprintf("%d delivered, %d failed", h.Delivered, h.Failed) + byAnswer(&h.FailedBy)
	if h.Deferrals > 0 {
		text += fmt.Sprintf(", %d deferrals", h.Deferrals) + byAnswer(&h.DeferredBy)
	}
	return []spoor.Evidence{{What: "outcome", Text: text}}
}

// byAnswer lists counts by answer, most frequent first.
func byAnswer(counts *[spoor.NumAnswers]int) string {
	var words []string
	answers := slices.DeleteFunc(spoor.Answers(), func(a spoor.Answer) bool { return counts[a] == 0 })
	slices.SortStableFunc(answers, func(a, b spoor.Answer) int { return cmp.Compare(counts[b], counts[a]) })
	for _, a := range answers {
		words = append(words, fmt.Sprintf("%d %s", counts[a], a))
	}
	if len(words) == 0 {
		return ""
	}
	return " (" + strings.Join(words, ", ") + ")"
}
