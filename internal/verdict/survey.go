package verdict

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

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
	sample   []*spoor.Message
	compared []*spoor.Message // those of sample that were compared with the others
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
		unread, err := readAll(ctx, bodies, q.Contents)
		if err != nil {
			return nil, err
		}
		s.unread = unread
	}
	s.enter(bodies)
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

// readAll reads and signs bodies on all processors. It returns how many messages
// have a body that could not be read; it fails with the error of ctx.
func readAll(ctx context.Context, bodies []*body, contents Contents) (unread int, err error) {
	var next, failed atomic.Int64
	var group sync.WaitGroup
	for range runtime.NumCPU() {
		group.Go(func() {
			signer := newSigner()
			for i := next.Add(1) - 1; i < int64(len(bodies)) && ctx.Err() == nil; i = next.Add(1) - 1 {
				if b := bodies[i]; !b.read(contents, signer) {
					failed.Add(int64(len(b.samples)))
				}
			}
		})
	}
	group.Wait()
	return int(failed.Load()), ctx.Err()
}

// enter adds the sample to what is known of its sources.
func (s *survey) enter(bodies []*body) {
	for _, b := range bodies {
		for _, one := range b.samples {
			known := s.contents[one.source]
			known.sample = append(known.sample, one.message)
			s.contents[one.source] = known
		}
	}
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
