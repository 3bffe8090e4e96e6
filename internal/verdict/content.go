package verdict

import (
	"fmt"

	"spoor"
)

// nearIdentical reads NEAR_IDENTICAL: how much of the source's mail is one
// campaign, counted among its sampled messages, or exact copies, counted among
// all of them. What other sources send of the campaign is told and does not
// weigh: a single message of this one repeats nothing.
func nearIdentical(f *facts) reading {
	campaign := repetition(len(f.content.part.Messages), len(f.content.sample))
	copies := repetition(f.t.LargestCopy, f.t.Messages)
	if campaign == 0 && copies == 0 {
		return reading{}
	}
	r := reading{weight: max(campaign, copies)}
	exact := partOf(f.t.LargestCopy, f.t.Messages, "messages") + " have the very same body"
	if copies > campaign {
		r.count, r.text, r.check = f.t.LargestCopy, exact, f.recount(f.t.LargestCopy)
	} else {
		r.count = len(f.content.part.Messages)
		r.text = partOf(r.count, len(f.content.sample), "sampled messages") + " say nearly the same"
		if f.t.LargestCopy > 1 {
			r.text += "; " + exact
		}
	}
	if c := f.content.campaign; c != nil {
		r.text += " (campaign " + c.ID + ")" + elsewhere(c)
		r.evidence = append(c.quotes(f.content.part), sampleIDs(f.content.sample))
	}
	return r
}

// repetition is what n alike messages of so many weigh: nothing below five of
// them or a fifth of all, then by their share.
func repetition(n, of int) float64 {
	return 2 * ramp(fraction(n, of), 0.2, 0.8) * ramp(float64(n), 4, 10)
}

// elsewhere says how many other sources send the campaign.
func elsewhere(c *Campaign) string {
	switch others := len(c.Parts) - 1; others {
	case 0:
		return ""
	case 1:
		return "; 1 other source sends it too"
	default:
		return fmt.Sprintf("; %s other sources send it too", thousands(others))
	}
}

// sampleIDs are the messages that a share is counted among, as evidence.
func sampleIDs(sample []*spoor.Message) spoor.Evidence {
	return spoor.Evidence{What: "sample", Text: idsOf(inOrder(sample))}
}

// variedContent reads VARIED_CONTENT: nearly every message says something else.
// It weighs little, since words drawn at random are varied too.
func variedContent(f *facts) reading {
	compared := len(f.content.compared)
	variety := fraction(f.content.distinct, compared)
	weight := -0.5 * ramp(variety, 0.5, 0.9) * ramp(float64(compared), 3, 8)
	if weight == 0 {
		return reading{}
	}
	return reading{
		weight: weight,
		count:  f.content.distinct,
		text: fmt.Sprintf("%s with %s",
			counted(compared, "sampled message"), counted(f.content.distinct, "different content")),
		evidence: []spoor.Evidence{sampleIDs(f.content.compared)},
	}
}

// listIdentity reads LIST_IDENTITY: messages that name their list (RFC 2369, RFC
// 2919), as newsletters do. Anyone can write such a field, so it is worth
// nothing under made-up senders. The log does not show it: a few messages in the
// queue stand for those that have left.
func listIdentity(f *facts) reading {
	forgery, seen := f.forgery(), 1.0
	if f.whole != nil && f.whole.logged {
		forgery = max(forgery, f.whole.forgery())
		seen = max(fraction(f.t.Messages, f.whole.t.Messages), ramp(float64(f.t.Messages), 0, 5))
	}
	weight := -3.5 * ramp(f.share(f.t.Bulk), 0.5, 0.9) * (1 - forgery) * seen
	if weight == 0 {
		return reading{}
	}
	return reading{
		weight:   weight,
		count:    f.t.Bulk,
		text:     partOf(f.t.Bulk, f.t.Messages, "messages") + " name the list that they belong to",
		check:    f.recount(f.t.Bulk),
		evidence: f.sampled("list", func(m *spoor.Message) bool { return m.Bulk }),
	}
}
