package report

import (
	"cmp"
	"slices"

	"spoor"
)

// maxGapReasons bounds how many reasons a page tells.
const maxGapReasons = 3

// gapReason sums up the gaps that have one reason.
type gapReason struct {
	reason string
	first  string // file
	files  int
	count  int
}

// writeGaps tells what could not be read, by reason, and what that means.
func writeGaps(p *page, gaps []spoor.Gap, complete bool) {
	if len(gaps) == 0 && complete {
		return
	}
	if complete {
		p.heading("Damaged or unreadable, counted and left out")
	} else {
		p.heading("Not everything could be read: the answer may be wrong")
	}
	reasons := gapReasons(mergeGaps(gaps))
	for _, r := range reasons[:min(maxGapReasons, len(reasons))] {
		p.para(detail, clip(r.reason, maxQuote)+r.often())
		if r.first != "" {
			p.para(2*detail, clip(r.first, maxQuote))
		}
	}
	if more := len(reasons) - maxGapReasons; more > 0 {
		p.para(detail, "and for "+plural(more, "other reason"))
	}
	if len(gaps) > 0 {
		p.suggest(detail, "the whole list:", "spoor --json")
	}
}

// often says how often a reason was met. What is not the path of a file, a blocklist for
// example, is not counted as one.
func (r *gapReason) often() string {
	files := r.first == "" || r.first == unnamedFiles || r.first[0] == '/'
	switch {
	case !files && r.count == 1:
		return ""
	case !files:
		return ": " + count(r.count) + " times"
	case r.count != r.files:
		return ": " + count(r.count) + " times in " + plural(r.files, "file")
	default:
		return ": " + plural(r.files, "file")
	}
}

// unnamedFiles is the File under which spoor.Gaps sums up what it did not name.
const unnamedFiles = "(more)"

// mergeGaps lists each file once for each reason, where it is first.
func mergeGaps(gaps []spoor.Gap) []spoor.Gap {
	merged := make([]spoor.Gap, 0, len(gaps))
	index := map[spoor.Gap]int{} // Count is 0 in the keys
	for _, g := range gaps {
		key := spoor.Gap{File: g.File, Reason: g.Reason}
		if i, ok := index[key]; ok {
			merged[i].Count += g.Count
			continue
		}
		index[key] = len(merged)
		merged = append(merged, g)
	}
	return merged
}

// gapReasons sums up gaps by reason, the most frequent first.
func gapReasons(gaps []spoor.Gap) []gapReason {
	var reasons []gapReason
	index := map[string]int{}
	for _, g := range gaps {
		i, ok := index[g.Reason]
		if !ok {
			i = len(reasons)
			index[g.Reason] = i
			reasons = append(reasons, gapReason{reason: g.Reason})
		}
		reasons[i].add(g)
	}
	slices.SortStableFunc(reasons, func(a, b gapReason) int { return cmp.Compare(b.count, a.count) })
	return reasons
}

func (r *gapReason) add(g spoor.Gap) {
	r.count += g.Count
	if g.File == unnamedFiles {
		r.files += g.Count
		return
	}
	r.files++
	r.first = cmp.Or(r.first, g.File)
}
