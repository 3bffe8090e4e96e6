package trace

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"spoor"
)

// NamedScript is a script that the messages themselves name, and where files of
// that name are.
type NamedScript struct {
	Name  string   // as the header has it: without its folder, or with domain and path if URL is set
	URL   bool     // named by X-PHP-Script; else by X-PHP-Originating-Script, with a UID that PHP can have written
	Count int      // messages that name it
	Paths []string // in the web roots that come into question
}

const (
	sureNamed    = 0.7  // a single file has the name that every message carries
	maxCandidate = 0.95 // a candidate is never a fact
)

// AddNamed joins scripts that messages name to candidates that requests name,
// likeliest first. A header field can be forged, and many sites have a file of
// the same name: the confidence is shared out among the files. Where both kinds
// of evidence name one file they confirm each other.
func AddNamed(candidates []spoor.Candidate, named []NamedScript, messages int) []spoor.Candidate {
	joined := slices.Clone(candidates)
	for _, script := range named {
		share := float64(script.Count) / float64(max(1, messages))
		for _, path := range script.Paths {
			c := spoor.Candidate{
				Source:     spoor.Source{Kind: spoor.KindScript, Name: path},
				Confidence: hundredths(sureNamed * share / float64(len(script.Paths))),
				Text:       script.words(messages),
			}
			joined = confirm(joined, c)
		}
	}
	sortCandidates(joined)
	return joined
}

// confirm adds a candidate, or its evidence to the one that is there.
func confirm(joined []spoor.Candidate, c spoor.Candidate) []spoor.Candidate {
	i := slices.IndexFunc(joined, func(o spoor.Candidate) bool { return o.Source == c.Source })
	if i < 0 {
		return append(joined, c)
	}
	joined[i].Confidence = hundredths(min(maxCandidate, 1-(1-joined[i].Confidence)*(1-c.Confidence)))
	joined[i].Text += "; " + c.Text
	joined[i].Evidence = append(joined[i].Evidence, c.Evidence...)
	return joined
}

func sortCandidates(joined []spoor.Candidate) {
	slices.SortStableFunc(joined, func(a, b spoor.Candidate) int {
		return cmp.Or(cmp.Compare(b.Confidence, a.Confidence), a.Source.Compare(b.Source))
	})
}

func (s NamedScript) words(messages int) string {
	if s.URL {
		return fmt.Sprintf("%d of %d messages name %s in X-PHP-Script, which is this file", s.Count, messages, strings.TrimSpace(s.Name))
	}
	files := "the only file of that name in the web roots"
	if n := len(s.Paths); n > 1 {
		files = fmt.Sprintf("one of %d files of that name in the web roots", n)
	}
	return fmt.Sprintf("%d of %d messages name a script %s in X-PHP-Originating-Script; this is %s",
		s.Count, messages, strings.TrimSpace(s.Name), files)
}

func hundredths(x float64) float64 { return math.Round(x*100) / 100 }
