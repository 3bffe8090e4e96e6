package spoor

import (
	"cmp"
	"slices"
	"strings"
	"sync"
)

// Gap is something that could not be read or understood. Damaged input is
// counted, never fatal.
type Gap struct {
	File   string // absolute below the root
	Reason string
	Count  int
}

// maxGapFiles bounds how many files are named for one reason.
const maxGapFiles = 1000

// Gaps collects gaps. The zero value is ready to use; its methods may be
// called by several goroutines at once.
type Gaps struct {
	mu      sync.Mutex
	counts  map[Gap]int    // Count is 0 in the keys
	files   map[string]int // reason to number of files named
	unnamed map[string]int // reason to number of gaps beyond maxGapFiles
}

// Add counts one gap.
func (g *Gaps) Add(file, reason string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.counts == nil {
		g.counts, g.files, g.unnamed = map[Gap]int{}, map[string]int{}, map[string]int{}
	}
	key := Gap{File: file, Reason: reason}
	if g.counts[key] == 0 {
		if g.files[reason] >= maxGapFiles {
			g.unnamed[reason]++
			return
		}
		g.files[reason]++
	}
	g.counts[key]++
}

// List returns what was counted so far, by file and reason. Gaps beyond the
// first thousand files of a reason are summed up under the file "(more)".
func (g *Gaps) List() []Gap {
	g.mu.Lock()
	defer g.mu.Unlock()
	list := make([]Gap, 0, len(g.counts))
	for key, n := range g.counts {
		list = append(list, Gap{File: key.File, Reason: key.Reason, Count: n})
	}
	for reason, n := range g.unnamed {
		list = append(list, Gap{File: "(more)", Reason: reason, Count: n})
	}
	slices.SortFunc(list, func(a, b Gap) int {
		return cmp.Or(strings.Compare(a.File, b.File), strings.Compare(a.Reason, b.Reason))
	})
	return list
}

// AddAll adds gaps that were counted elsewhere.
func (g *Gaps) AddAll(list []Gap) {
	for _, gap := range list {
		for range gap.Count {
			g.Add(gap.File, gap.Reason)
		}
	}
}

// Total is the number of gaps counted so far.
func (g *Gaps) Total() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	total := 0
	for _, n := range g.counts {
		total += n
	}
	for _, n := range g.unnamed {
		total += n
	}
	return total
}
