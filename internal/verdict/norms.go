package verdict

import (
	"slices"
	"time"

	"spoor"
)

// aspect is one way in which delivery goes wrong.
type aspect uint8

const (
	condemned aspect = iota // called spam by the receiver
	unknown                 // no such mailbox
	refused                 // failed for another reason that is the message's or the recipient's
	numAspects
)

// outcome is a count and what it is a part of.
type outcome struct{ n, of int }

func (o outcome) share() float64 { return fraction(o.n, o.of) }

// less is what is left of a whole that o is a part of.
func (o outcome) less(whole outcome) outcome {
	return outcome{n: max(whole.n-o.n, 0), of: max(whole.of-o.of, 0)}
}

// of counts an aspect. Recipients count from when they are decided, answers that
// call mail spam at once.
func (a aspect) of(r *spoor.Rates) outcome {
	o := outcome{of: decided(r)}
	switch a {
	case condemned:
		o.of += r.DeferredBy[spoor.AnswerSpam]
		o.n = r.FailedBy[spoor.AnswerSpam] + r.DeferredBy[spoor.AnswerSpam]
	case unknown:
		o.n = r.FailedBy[spoor.AnswerUserUnknown]
	default:
		for _, answer := range [...]spoor.Answer{spoor.AnswerOther, spoor.AnswerPolicy, spoor.AnswerNoHost, spoor.AnswerMailboxFull} {
			o.n += r.FailedBy[answer]
		}
	}
	return o
}

// decided counts the recipients that got the mail, or were refused for what it
// is or whom it is for. A server on a blocklist is refused whatever it sends,
// and so is one whose network or disk is ill.
func decided(r *spoor.Rates) int {
	n := r.Delivered + r.Failed
	for _, answer := range [...]spoor.Answer{
		spoor.AnswerBlocked, spoor.AnswerRate, spoor.AnswerLocal, spoor.AnswerNoConnection, spoor.AnswerTooOld,
	} {
		n -= r.FailedBy[answer]
	}
	return max(n, 0)
}

// ratesOf are the figures of one source, in the form of those of the server.
func ratesOf(h *spoor.History) spoor.Rates {
	return spoor.Rates{
		Accepted: h.Accepted, Recipients: h.Recipients, Delivered: h.Delivered, Failed: h.Failed, Deferrals: h.Deferrals,
		FailedBy: h.FailedBy, DeferredBy: h.DeferredBy,
	}
}

// norms are what is usual on the server, as its log tells.
type norms struct {
	since, until time.Time           // the first and the last message of any source
	sources      int                 // with enough decided recipients; the medians are theirs
	median       [numAspects]float64 // shares
}

// How many decided recipients a source needs to count for the medians, and how
// many sources they need.
const (
	minDecided = 20
	minSources = 5
)

// normsOf finds what is usual among the sources.
func normsOf(traffic []spoor.Traffic) norms {
	var n norms
	var shares [numAspects][]float64
	for i := range traffic {
		h := traffic[i].History
		if h == nil {
			continue
		}
		n.span(h)
		rates := ratesOf(h)
		if decided(&rates) < minDecided {
			continue
		}
		n.sources++
		for a := range numAspects {
			shares[a] = append(shares[a], a.of(&rates).share())
		}
	}
	if n.sources == 0 {
		return n
	}
	for a := range numAspects {
		slices.Sort(shares[a])
		n.median[a] = shares[a][n.sources/2]
	}
	return n
}

func (n *norms) span(h *spoor.History) {
	if !h.First.IsZero() && (n.since.IsZero() || h.First.Before(n.since)) {
		n.since = h.First
	}
	if h.Last.After(n.until) {
		n.until = h.Last
	}
}

// days is how long the log reaches, in days.
func (n *norms) days() float64 { return n.until.Sub(n.since).Hours() / 24 }
