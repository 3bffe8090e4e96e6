package verdict

import (
	"fmt"
	"strings"

	"spoor"
)

// bouncing reads BOUNCING: messages with recipients that failed for good. Old
// and bought address lists do that, an honest newsletter's too, so it never
// weighs much, and where the log tells of the failures they count there.
func bouncing(f *facts) reading {
	if h := f.t.History; h != nil && h.Failed >= f.t.Bouncing {
		return reading{}
	}
	weight := ramp(f.share(f.t.Bouncing), 0.1, 0.5) * f.enough()
	if weight == 0 {
		return reading{}
	}
	return reading{
		weight:   weight,
		count:    f.t.Bouncing,
		text:     partOf(f.t.Bouncing, f.t.Messages, "messages") + " have recipients that failed for good",
		check:    f.listing("ndjson"),
		evidence: f.sampled("bouncing", func(m *spoor.Message) bool { return m.Bouncing }),
	}
}

// backscatter reads BACKSCATTER: many bounces made here that leave this server. A
// few are how mail works; many are either a large share of the queue or hundreds.
// Bounces to recipients here tell users of their own mail that failed.
func backscatter(f *facts) reading {
	n := float64(f.t.Outbound)
	many := max(ramp(fraction(f.t.Outbound, f.total.Messages), 0.005, 0.03), ramp(n, 100, 500))
	weight := 3.5 * ramp(n, 3, 12) * many
	if weight == 0 {
		return reading{}
	}
	return reading{
		weight: weight,
		count:  f.t.Outbound,
		text: partOf(f.t.Outbound, f.total.Messages, "messages "+f.where()) +
			" are " + f.made() + ", for senders who may never have written (backscatter); " + f.cause(),
		check:    f.recount(f.t.Outbound),
		evidence: []spoor.Evidence{{What: "cause", Text: fmt.Sprintf("%d %s", f.t.CauseCount, f.t.Cause)}},
	}
}

// made says what left this server. A bounce is named after a mailbox only if somebody
// had logged in to send what failed; a mailbox that answers mail from outside does so
// by itself.
func (f *facts) made() string {
	if strings.Contains(f.t.Source.Name, "@") && (f.t.Cause.Kind == spoor.KindNetwork || f.t.Cause.Kind == spoor.KindUnknown) {
		return "automatic replies of a mailbox here"
	}
	return "bounces made here"
}

// cause names the source behind most bounces. A name that is not plain is only
// quoted as evidence.
func (f *facts) cause() string {
	name := f.t.Cause.String()
	switch {
	case f.t.Cause.Kind == spoor.KindUnknown:
		return "what caused them is not known"
	case !plain(name):
		name = "one " + f.t.Cause.Kind.String()
	}
	return fmt.Sprintf("mail from %s caused %s of them", name, thousands(f.t.CauseCount))
}
