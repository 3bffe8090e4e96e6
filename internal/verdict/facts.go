package verdict

import "spoor"

// facts are what the symbols of one source are read from.
type facts struct {
	t       *spoor.Traffic
	total   spoor.QueueCount
	content content
	rates   spoor.Rates // of the whole server, from the log
	norms   norms
	logged  bool   // t and total are what the log tells, not the queue
	whole   *facts // of the queue's: the population; nil before there is one

	mass      mass      // read from the queue
	placement placement // of the script behind it
}

// where says what shares are of.
func (f *facts) where() string {
	if f.logged {
		return "in the log"
	}
	return "in the queue"
}

// mostlyGone is how many times as many messages a source must have in the log as
// in the queue to be judged by what it has sent, not by what waits.
const mostlyGone = 2

// population returns the facts that shares and averages are read from: those of
// the queue, or of the log where most of the mail is there.
func (f *facts) population() *facts {
	h := f.t.History
	if h == nil || h.Accepted <= mostlyGone*f.t.Messages {
		return f
	}
	t := spoor.Traffic{
		Source: f.t.Source, UID: f.t.UID, Login: f.t.Login, Confidence: f.t.Confidence, Cause: f.t.Cause, CauseCount: f.t.CauseCount,
		Messages: h.Accepted, Recipients: h.Recipients, Bytes: h.Bytes, First: h.First, Last: h.Last,
		NullSender: h.NullSender, OwnSender: h.OwnSender, ForeignSender: h.ForeignSender, Outbound: h.Remote,
		Senders: h.Senders, Clients: h.Clients, Evidence: h.Evidence, History: h,
	}
	if t.Source.Kind == spoor.KindNetwork {
		t.Submitted = h.Accepted
	}
	if h.WebServer {
		t.WebServer = h.Accepted
	}
	return &facts{
		t: &t, rates: f.rates, norms: f.norms, logged: true, mass: f.mass, placement: f.placement,
		total: spoor.QueueCount{Messages: f.rates.Accepted, Recipients: f.rates.Recipients},
	}
}

// A source that the log alone knows, with less than this, is not worth a look.
const (
	quietMessages   = 3
	quietRecipients = 20
)

// quiet reports whether there is nothing to judge. A log has very many such
// sources: clients that came once.
func quiet(t *spoor.Traffic) bool {
	h := t.History
	return t.Messages == 0 &&
		(h == nil || h.Accepted < quietMessages && h.Recipients < quietRecipients && h.Logins < quietMessages)
}

// share returns n of the source's messages as a fraction, from 0 to 1.
func (f *facts) share(n int) float64 { return fraction(n, f.t.Messages) }

// perMessage is the average number of envelope recipients.
func (f *facts) perMessage() float64 {
	if f.t.Messages == 0 {
		return 0
	}
	return float64(f.t.Recipients) / float64(f.t.Messages)
}

// enough is how far shares and averages of this source can be trusted, from 0
// for two messages to 1 for eight. Very many recipients make up for few
// messages.
func (f *facts) enough() float64 {
	return max(ramp(float64(f.t.Messages), 2, 8), ramp(float64(f.t.Recipients), 200, 2000))
}

// outgoing is the part of the source's mail that counts against it. What a
// network delivers to recipients on this server is mail coming in, and no sign
// of abuse; every other kind of source is on this server itself.
func (f *facts) outgoing() float64 {
	if f.t.Source.Kind != spoor.KindNetwork {
		return 1
	}
	return f.share(f.t.Outbound)
}

// fraction returns n/of, from 0 to 1. The two may come from different moments
// of a queue that moves, so n can be the larger one.
func fraction(n, of int) float64 {
	if n <= 0 {
		return 0
	}
	return float64(n) / float64(max(n, of))
}
