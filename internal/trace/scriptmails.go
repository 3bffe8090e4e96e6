package trace

import (
	"fmt"

	"spoor"
)

// MatchMails names the scripts under which a PHP mail log has the Message-IDs of
// some messages, likeliest first. Whoever may write to that log could forge it,
// but nobody who does not write the message knows its Message-ID. Lines of scripts
// that set none match nothing.
func MatchMails(messages []*spoor.Message, mails []spoor.ScriptMail) []spoor.Candidate {
	wanted := map[string]bool{}
	for _, m := range messages {
		if m.MessageID != "" {
			wanted[m.MessageID] = true
		}
	}
	counts := map[string]int{}
	evidence := map[string][]spoor.Evidence{}
	for i := range mails {
		one := &mails[i]
		if !wanted[one.MessageID] {
			continue
		}
		delete(wanted, one.MessageID) // the first line counts
		counts[one.Script]++
		if len(evidence[one.Script]) < maxEvidence {
			evidence[one.Script] = append(evidence[one.Script], one.Place)
		}
	}
	var list []spoor.Candidate
	for script, n := range counts {
		list = append(list, spoor.Candidate{
			Source:     spoor.Source{Kind: spoor.KindScript, Name: script},
			Confidence: hundredths(maxCandidate * float64(n) / float64(len(messages))),
			Text:       fmt.Sprintf("the PHP mail log has the Message-ID of %d of %d messages under this script", n, len(messages)),
			Evidence:   evidence[script],
		})
	}
	sortCandidates(list)
	return list
}

// Join adds the evidence of some candidates to that of others, likeliest first.
func Join(candidates, more []spoor.Candidate) []spoor.Candidate {
	for _, c := range more {
		candidates = confirm(candidates, c)
	}
	sortCandidates(candidates)
	return candidates
}
