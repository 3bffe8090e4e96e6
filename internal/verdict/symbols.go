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
}

// reading is what a symbol says of one source. A weight that rounds to 0.00 says
// nothing, and the rest is not looked at.
type reading struct {
	weight   float64          // positive: for spam
	count    int              // the number that text rests on
	text     string           // plain words; nothing that an attacker may have written
	check    string           // the command that recounts count, or ""
	evidence []spoor.Evidence // nil: messages of the sample do, where check is ""
}

// symbolsOf lists the symbols that a kind of source is judged by: first what
// speaks for spam, with the largest weight that each can reach, then what speaks
// against it. A bounce repeats what others sent: its senders, recipients and
// content are theirs.
func symbolsOf(kind spoor.Kind) []symbol {
	if kind == spoor.KindBounce {
		return []symbol{{"BACKSCATTER", spoor.FamilyBounce, backscatter}} // +3.5
	}
	return []symbol{
		{"QUEUE_SHARE", spoor.FamilyVolume, queueShare},                // +2.0
		{"MANY_RECIPIENTS", spoor.FamilyRecipients, manyRecipients},    // +2.0
		{"NEAR_IDENTICAL", spoor.FamilyContent, nearIdentical},         // +2.0
		{"FOREIGN_SENDERS", spoor.FamilySender, foreignSenders},        // +4.0
		{"NULL_SENDER", spoor.FamilySender, nullSender},                // +2.0
		{"MANY_CLIENTS", spoor.FamilyClient, manyClients},              // +4.0
		{"UNAUTHENTICATED_RELAY", spoor.FamilyClient, unauthenticated}, // +3.0
		{"WEB_SERVER_SCRIPT", spoor.FamilyTrace, webServerScript},      // +3.5
		{"FORGED_TRACE", spoor.FamilyTrace, forgedTrace},               // +3.0
		{"BOUNCING", spoor.FamilyBounce, bouncing},                     // +1.0
		{"OWN_SENDER", spoor.FamilySender, ownSender},                  // -2.5
		{"LIST_IDENTITY", spoor.FamilyContent, listIdentity},           // -3.5
		{"VARIED_CONTENT", spoor.FamilyContent, variedContent},         // -0.5
		{"FEW_RECIPIENTS", spoor.FamilyRecipients, fewRecipients},      // -1.0
		{"INBOUND_MAIL", spoor.FamilyRecipients, inboundMail},          // -3.0
	}
}

// reasons reads every symbol. What weighs most for spam comes first, what weighs
// most against it last.
func (f *facts) reasons() []spoor.Reason {
	var reasons []spoor.Reason
	for _, s := range symbolsOf(f.t.Source.Kind) {
		r := s.read(f)
		if r.weight > 0 {
			r.weight *= f.outgoing()
		}
		weight := hundredths(r.weight)
		if weight == 0 {
			continue
		}
		if r.check == "" && r.evidence == nil {
			r.evidence = f.sampled("message", func(*spoor.Message) bool { return true })
		}
		reasons = append(reasons, spoor.Reason{
			Symbol: s.name, Family: s.family, Weight: weight,
			Count: r.count, Text: r.text, Check: r.check, Evidence: r.evidence,
		})
	}
	slices.SortStableFunc(reasons, func(a, b spoor.Reason) int { return cmp.Compare(b.Weight, a.Weight) })
	return reasons
}
