package verdict

import (
	"fmt"
	"strings"

	"spoor"
)

// Failures tell spam from newsletters: lists that were bought or harvested are
// full of dead addresses, and receivers say what they think of the content. What
// a receiver says of the server is said to everybody on it, so a failure that
// blames the server's address counts for nobody, and every share is set against
// that of the rest of the server.

// calledSpam reads CALLED_SPAM: receivers that refuse the mail as spam.
func calledSpam(f *facts) reading {
	h := f.t.History
	n := h.FailedBy[spoor.AnswerSpam] + h.DeferredBy[spoor.AnswerSpam]
	of := answered(h.Delivered, h.Failed, h.Deferrals)
	rest := f.rates
	others := fraction(
		rest.FailedBy[spoor.AnswerSpam]+rest.DeferredBy[spoor.AnswerSpam]-n,
		answered(rest.Delivered, rest.Failed, rest.Deferrals)-of)
	share := fraction(n, of)
	weight := 3 * ramp(float64(n), 2, 20) * ramp(share-1.5*others, 0.005, 0.05)
	if weight == 0 {
		return reading{}
	}
	r := reading{
		weight: weight,
		count:  n,
		text:   partOf(n, of, "answers") + " call the mail spam" + receiversSay(h) + "; " + othersShare(others),
	}
	for _, tally := range h.Receivers {
		if tally.Answer == spoor.AnswerSpam && tally.Example.Line > 0 {
			r.evidence = append(r.evidence, tally.Example)
		}
	}
	return r
}

func answered(delivered, failed, deferrals int) int { return delivered + failed + deferrals }

// maxNamed is how many receivers a text names.
const maxNamed = 3

// receiversSay names the receivers that say spam most often. Domains are of the
// author's choice and are named only if they are plain.
func receiversSay(h *spoor.History) string {
	var names []string
	for _, tally := range h.Receivers {
		if tally.Answer == spoor.AnswerSpam && len(names) < maxNamed && plain(tally.Receiver) {
			names = append(names, fmt.Sprintf("%s %s", tally.Receiver, thousands(tally.Count)))
		}
	}
	if len(names) == 0 {
		return ""
	}
	return " (recipients at " + strings.Join(names, ", ") + ")"
}

func othersShare(share float64) string {
	if share > 0 && share < 0.005 {
		return "under 1% of the rest of the server's do"
	}
	return fmt.Sprintf("%.0f%% of the rest of the server's do", 100*share)
}

// userUnknown reads USER_UNKNOWN: recipients that do not exist.
func userUnknown(f *facts) reading {
	n := f.t.History.FailedBy[spoor.AnswerUserUnknown]
	others := f.othersFailed(func(failed *[spoor.NumAnswers]int) int { return failed[spoor.AnswerUserUnknown] })
	decided := f.t.History.Delivered + f.t.History.Failed
	share := fraction(n, decided)
	weight := 2.5 * ramp(share-1.5*others, 0.03, 0.15) * ramp(float64(n), 4, 30)
	if weight == 0 {
		return reading{}
	}
	return reading{
		weight: weight,
		count:  n,
		text:   partOf(n, decided, "recipients that were decided") + " do not exist; " + othersShare(others),
	}
}

// failing reads FAILING: permanent failures for other reasons, except those that
// blame this server.
func failing(f *facts) reading {
	n := otherFailures(&f.t.History.FailedBy)
	others := f.othersFailed(otherFailures)
	decided := f.t.History.Delivered + f.t.History.Failed
	share := fraction(n, decided)
	weight := ramp(share-1.5*others, 0.05, 0.25) * ramp(float64(n), 5, 30)
	if weight == 0 {
		return reading{}
	}
	return reading{
		weight: weight,
		count:  n,
		text:   partOf(n, decided, "recipients that were decided") + " failed for other reasons; " + othersShare(others),
	}
}

// otherFailures counts failures that other symbols do not, and that are not this
// server's fault.
func otherFailures(failed *[spoor.NumAnswers]int) int {
	n := 0
	for _, answer := range [...]spoor.Answer{spoor.AnswerOther, spoor.AnswerPolicy, spoor.AnswerNoHost, spoor.AnswerMailboxFull, spoor.AnswerTooOld} {
		n += failed[answer]
	}
	return n
}

// othersFailed is the share of failures of a sort in the rest of the server's
// mail.
func (f *facts) othersFailed(sort func(*[spoor.NumAnswers]int) int) float64 {
	h := f.t.History
	return fraction(sort(&f.rates.FailedBy)-sort(&h.FailedBy), f.rates.Delivered+f.rates.Failed-h.Delivered-h.Failed)
}

// deliveredWell reads DELIVERED_WELL: at some volume, hardly a recipient fails and
// nobody calls it spam. Bought lists are not like that.
func deliveredWell(f *facts) reading {
	h := f.t.History
	decided := h.Delivered + h.Failed
	failed := h.Failed - h.FailedBy[spoor.AnswerBlocked] - h.FailedBy[spoor.AnswerRate] - h.FailedBy[spoor.AnswerLocal]
	condemned := h.FailedBy[spoor.AnswerSpam] + h.DeferredBy[spoor.AnswerSpam]
	weight := -2 * (1 - ramp(fraction(failed, decided), 0.02, 0.06)) * ramp(float64(decided), 20, 100) *
		(1 - ramp(fraction(condemned, decided), 0, 0.01))
	if weight == 0 {
		return reading{}
	}
	return reading{
		weight: weight,
		count:  h.Delivered,
		text:   partOf(h.Delivered, decided, "recipients that were decided") + " got the mail",
	}
}
