package verdict

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"spoor"
)

// Campaign is a set of sampled messages that say nearly the same, of one source
// or several. The messages belong to the caller of Judge.
type Campaign struct {
	// ID is eight hexadecimal digits, the same in each run as long as the same
	// message of the campaign has the smallest signature.
	ID       string
	Messages []*spoor.Message // by arrival, then by ID; at least two
	Parts    []Part           // most messages first
}

// Part is what one source sent of a campaign.
type Part struct {
	Source   spoor.Source
	Messages []*spoor.Message // by arrival, then by ID; at least one
}

// newCampaign puts bodies that are alike together.
func newCampaign(alike []*body) Campaign {
	c := Campaign{ID: campaignID(alike)}
	parts := map[spoor.Source][]*spoor.Message{}
	for _, b := range alike {
		for _, one := range b.samples {
			c.Messages = append(c.Messages, one.message)
			parts[one.source] = append(parts[one.source], one.message)
		}
	}
	slices.SortFunc(c.Messages, older)
	for source, messages := range parts {
		c.Parts = append(c.Parts, Part{Source: source, Messages: inOrder(messages)})
	}
	slices.SortFunc(c.Parts, func(a, b Part) int {
		return cmp.Or(cmp.Compare(len(b.Messages), len(a.Messages)), a.Source.Compare(b.Source))
	})
	return c
}

// campaignID is the lower half of the smallest key: the upper half of a smallest
// one is mostly zeros.
func campaignID(alike []*body) string {
	smallest := slices.MinFunc(alike, func(a, b *body) int { return cmp.Compare(a.key, b.key) })
	return fmt.Sprintf("%08x", uint32(smallest.key))
}

// compare orders by number of messages, most first, then by ID and by the first
// message, so that no two are equal.
func (c Campaign) compare(d Campaign) int {
	return cmp.Or(
		cmp.Compare(len(d.Messages), len(c.Messages)),
		strings.Compare(c.ID, d.ID),
		older(c.Messages[0], d.Messages[0]),
	)
}

// quotes are a part of the campaign as evidence: the IDs of all its messages and
// the subjects of the first few, then the other sources.
func (c *Campaign) quotes(part Part) []spoor.Evidence {
	proof := []spoor.Evidence{{What: "campaign " + c.ID, Text: idsOf(part.Messages)}}
	for _, m := range part.Messages[:min(len(part.Messages), maxQuoted)] {
		proof = append(proof, quote("campaign", m))
	}
	for _, other := range c.Parts {
		if other.Source != part.Source {
			proof = append(proof, spoor.Evidence{
				What: "same campaign", ID: other.Messages[0].ID, File: other.Messages[0].Path(),
				Text: fmt.Sprintf("%d %s", len(other.Messages), other.Source),
			})
		}
	}
	return proof
}
