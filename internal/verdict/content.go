package verdict

import (
	"fmt"

	"spoor"
)

// nearIdentical reads NEAR_IDENTICAL: how much of the source's mail is one
// campaign, counted among its sampled messages, or exact copies, counted among
// all of them.
func nearIdentical(f *facts) reading {
	inCampaign, inCopies := fraction(len(f.content.part.Messages), len(f.content.compared)), f.share(f.t.LargestCopy)
	known := max(f.campaignSize(), f.t.LargestCopy)
	weight := 2 * ramp(max(inCampaign, inCopies), 0.3, 0.8) * ramp(float64(known), 3, 10)
	if weight == 0 {
		return reading{}
	}
	r := reading{weight: weight}
	copies := partOf(f.t.LargestCopy, f.t.Messages, "messages") + " have the very same body"
	if inCopies > inCampaign {
		r.count, r.text, r.check = f.t.LargestCopy, copies, f.recount(f.t.LargestCopy)
	} else {
		r.count = len(f.content.part.Messages)
		r.text = partOf(r.count, len(f.content.compared), "sampled messages") + " say nearly the same"
		if f.t.LargestCopy > 1 {
			r.text += "; " + copies
		}
	}
	if c := f.content.campaign; c != nil {
		r.text += " (campaign " + c.ID + ")" + elsewhere(c)
		r.evidence = append(c.quotes(f.content.part), f.sampleIDs())
	}
	return r
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

// sampleIDs are the messages that were compared, as evidence.
func (f *facts) sampleIDs() spoor.Evidence {
	return spoor.Evidence{What: "sample", Text: idsOf(inOrder(f.content.compared))}
}

// campaignSize is the number of sampled messages in the source's campaign, those
// of other sources included.
func (f *facts) campaignSize() int {
	if f.content.campaign == nil {
		return 0
	}
	return len(f.content.campaign.Messages)
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
		evidence: []spoor.Evidence{f.sampleIDs()},
	}
}

// listIdentity reads LIST_IDENTITY: messages that name their list (RFC 2369, RFC
// 2919), as newsletters do. Anyone can write such a field, so it is worth
// nothing under made-up senders.
func listIdentity(f *facts) reading {
	weight := -3.5 * ramp(f.share(f.t.Bulk), 0.5, 0.9) * (1 - f.forgery())
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
