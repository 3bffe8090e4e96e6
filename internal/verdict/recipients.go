package verdict

import (
	"fmt"

	"spoor"
)

// manyRecipients reads MANY_RECIPIENTS: recipients per message. People write to
// one or two.
func manyRecipients(f *facts) reading {
	weight := 2 * ramp(f.perMessage(), 1.5, 9) * f.enough()
	if weight == 0 {
		return reading{}
	}
	return f.perMessageReading(weight)
}

// fewRecipients reads FEW_RECIPIENTS: about one recipient a message is how
// people and shops write. It says little where the senders are forged, the receivers
// refuse the mail, or all recipients get the same.
func fewRecipients(f *facts) reading {
	if f.t.Recipients == 0 {
		return reading{}
	}
	weight := -(1 - ramp(f.perMessage(), 1.05, 1.5)) * (1 - f.forgery()) * (1 - f.unwanted()) * (1 - f.mass.degree)
	if weight == 0 {
		return reading{}
	}
	return f.perMessageReading(weight)
}

// perMessageReading counts recipients: each line of the listing names those of
// one message.
func (f *facts) perMessageReading(weight float64) reading {
	return reading{
		weight: weight,
		count:  f.t.Recipients,
		text: fmt.Sprintf("%s in %s: %.1f a message",
			counted(f.t.Recipients, "recipient"), counted(f.t.Messages, "message"), f.perMessage()),
		check: f.listing("ndjson"),
	}
}

// inboundMail reads INBOUND_MAIL: what a network delivers to recipients on this
// server is mail coming in.
func inboundMail(f *facts) reading {
	inbound := f.t.Messages - f.t.Outbound
	if f.t.Source.Kind != spoor.KindNetwork || inbound <= 0 {
		return reading{}
	}
	return reading{
		weight: -3 * f.share(inbound),
		count:  inbound,
		text:   partOf(inbound, f.t.Messages, "messages") + " are for recipients on this server only: mail coming in",
		check:  f.listing("ndjson"),
	}
}
