package verdict

import (
	"cmp"
	"slices"

	"spoor"
)

// symbol is one thing that speaks for or against spam. To add one, write its
// function beside the others of its family and name it in symbolsOf.
type symbol struct {
	name   string
	family spoor.Family
	read   func(f *facts) reading
	of     basis
}

// basis is what a symbol is read from.
type basis uint8

const (
	ofPopulation basis = iota // queue or log, whichever has most of the mail
	ofQueue                   // messages that can be read
	ofLog                     // the history
)

// reading is what a symbol says of one source. A weight that rounds to 0.00 says
// nothing, and the rest is not looked at.
type reading struct {
	weight   float64          // positive: for spam
	count    int              // the number that text rests on
	text     string           // plain words; nothing that an attacker may have written
	check    string           // the command that recounts count, or ""
	evidence []spoor.Evidence // nil: messages of the sample do, where check is ""
	inLog    bool             // count is of the log, though the population may be the queue
}

// symbolsOf lists the symbols that a kind of source is judged by: first what
// speaks for spam, with the largest weight that each can reach, then what speaks
// against it. A bounce repeats what others sent: its senders, recipients and
// content are theirs.
func symbolsOf(kind spoor.Kind) []symbol {
	if kind == spoor.KindBounce {
		return []symbol{{"BACKSCATTER", spoor.FamilyBounce, backscatter, ofPopulation}} // +3.5
	}
	return []symbol{
		{"QUEUE_SHARE", spoor.FamilyVolume, queueShare, ofPopulation},                // +2.0
		{"MANY_RECIPIENTS", spoor.FamilyRecipients, manyRecipients, ofPopulation},    // +2.0
		{"NEAR_IDENTICAL", spoor.FamilyContent, nearIdentical, ofQueue},              // +2.0
		{"UNLISTED_BULK", spoor.FamilyContent, unlistedBulk, ofQueue},                // +1.5
		{"FOREIGN_SENDERS", spoor.FamilySender, foreignSenders, ofPopulation},        // +4.0
		{"NULL_SENDER", spoor.FamilySender, nullSender, ofPopulation},                // +2.0
		{"MANY_CLIENTS", spoor.FamilyClient, manyClients, ofPopulation},              // +4.0
		{"UNAUTHENTICATED_RELAY", spoor.FamilyClient, unauthenticated, ofPopulation}, // +3.0
		{"WEB_SERVER_SCRIPT", spoor.FamilyTrace, webServerScript, ofPopulation},      // +3.5
		{"MISPLACED_SCRIPT", spoor.FamilyTrace, misplacedScript, ofPopulation},       // +3.0
		{"FORGED_TRACE", spoor.FamilyTrace, forgedTrace, ofQueue},                    // +3.0
		{"BOUNCING", spoor.FamilyBounce, bouncing, ofQueue},                          // +1.0
		{"CALLED_SPAM", spoor.FamilyOutcome, calledSpam, ofLog},                      // +3.0
		{"USER_UNKNOWN", spoor.FamilyOutcome, userUnknown, ofLog},                    // +2.5
		{"FAILING", spoor.FamilyOutcome, failing, ofLog},                             // +1.0
		{"RATE_JUMP", spoor.FamilyHistory, rateJump, ofLog},                          // +2.5
		{"NEW_SENDER", spoor.FamilyHistory, newSender, ofLog},                        // +1.0
		{"OWN_SENDER", spoor.FamilySender, ownSender, ofPopulation},                  // -2.5
		{"LIST_IDENTITY", spoor.FamilyContent, listIdentity, ofQueue},                // -3.5
		{"DELIVERED_WELL", spoor.FamilyOutcome, deliveredWell, ofLog},                // -3.0
		{"STEADY", spoor.FamilyHistory, steady, ofLog},                               // -1.0
		{"VARIED_CONTENT", spoor.FamilyContent, variedContent, ofQueue},              // -0.5
		{"FEW_RECIPIENTS", spoor.FamilyRecipients, fewRecipients, ofPopulation},      // -1.0
		{"INBOUND_MAIL", spoor.FamilyRecipients, inboundMail, ofPopulation},          // -3.0
	}
}

// reasons reads every symbol. What weighs most for spam comes first, what weighs
// most against it last.
func (f *facts) reasons() []spoor.Reason {
	var reasons []spoor.Reason
	f.mass, f.placement = massOf(f), placementOf(f.t)
	population := f.population()
	f.whole = population
	for _, s := range symbolsOf(f.t.Source.Kind) {
		from := f
		switch {
		case s.of == ofLog && f.t.History == nil:
			continue
		case s.of != ofQueue:
			from = population
		}
		r := s.read(from)
		if r.weight > 0 {
			r.weight *= from.outgoing()
		}
		weight := hundredths(r.weight)
		if weight == 0 {
			continue
		}
		reasons = append(reasons, from.reason(s, r, weight))
	}
	slices.SortStableFunc(reasons, func(a, b spoor.Reason) int { return cmp.Compare(b.Weight, a.Weight) })
	return reasons
}

// reason gives a reading its proof: a command that recounts it, or else what can
// be quoted.
func (f *facts) reason(s symbol, r reading, weight float64) spoor.Reason {
	if f.logged && s.of == ofPopulation || r.inLog {
		r.check = ""
		switch s.name {
		case "QUEUE_SHARE", "BACKSCATTER", "MISPLACED_SCRIPT":
		default:
			r.text += ", in the log"
		}
	}
	if r.check == "" && r.evidence == nil {
		r.evidence = f.quotes(s.of == ofLog || f.logged)
	}
	return spoor.Reason{
		Symbol: s.name, Family: s.family, Weight: weight,
		Count: r.count, Text: r.text, Check: r.check, Evidence: r.evidence,
	}
}

// quotes are lines of the log, or messages of the sample.
func (f *facts) quotes(logged bool) []spoor.Evidence {
	if logged {
		return slices.Clone(firstOf(f.t.History.Evidence))
	}
	return f.sampled("message", func(*spoor.Message) bool { return true })
}
