package verdict

import (
	"context"
	"slices"

	"spoor"
)

// survey is what the sampled messages of a queue say.
type survey struct {
	campaigns []Campaign // as in Judgement
	contents  map[spoor.Source]content
	unread    int
}

// content is what the sampled messages of one source say.
type content struct {
	compared []*spoor.Message // those that were compared with the others
	distinct int              // campaigns and single messages among them
	campaign *Campaign        // in which the source has most messages; nil if it has none
	part     Part             // the source's of campaign
}

// takeSurvey reads the sampled bodies and groups them. It fails with the error
// of ctx.
func takeSurvey(ctx context.Context, q Queue) (*survey, error) {
	s := &survey{contents: map[spoor.Source]content{}}
	bodies := sampleOf(q.Traffic)
	if q.Contents != nil {
		signer := newSigner()
		for _, b := range bodies {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if !b.read(q.Contents, signer) {
				s.unread += len(b.samples)
			}
		}
	}
	for _, alike := range group(bodies) {
		one := newCampaign(alike)
		switch {
		case len(one.Messages) > 1:
			s.campaigns = append(s.campaigns, one)
		case alike[0].signed:
			s.count(&one)
		}
	}
	slices.SortFunc(s.campaigns, Campaign.compare)
	for i := range s.campaigns {
		s.count(&s.campaigns[i])
	}
	return s, nil
}

// count adds a campaign, or a single message that resembles no other, to what is
// known of its sources.
func (s *survey) count(c *Campaign) {
	for _, part := range c.Parts {
		known := s.contents[part.Source]
		known.compared = append(known.compared, part.Messages...)
		known.distinct++
		if len(c.Messages) > 1 && len(part.Messages) > len(known.part.Messages) {
			known.campaign, known.part = c, part
		}
		s.contents[part.Source] = known
	}
}

// group puts the bodies that are alike together. What has no signature is like
// nothing else.
func group(bodies []*body) [][]*body {
	var signed []*body
	var signatures []signature
	var groups [][]*body
	for _, b := range bodies {
		if b.signed {
			signed, signatures = append(signed, b), append(signatures, b.signature)
		} else {
			groups = append(groups, []*body{b})
		}
	}
	byRoot := map[int]int{} // to the index in groups
	for i, root := range cluster(signatures) {
		if i == root {
			byRoot[root] = len(groups)
			groups = append(groups, nil)
		}
		at := byRoot[root]
		groups[at] = append(groups[at], signed[i])
	}
	return groups
}
