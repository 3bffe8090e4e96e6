package verdict

// The setting of the locality-sensitive hashing: signatures that agree in both
// rows of one of the bands are compared, which finds nearly all pairs from a
// similarity of 0.35 on.
const (
	bands         = 32
	rows          = hashes / bands
	minSimilarity = 0.35
)

// maxCompared bounds how many signatures of a band one more is compared with:
// text that is made to look half alike must not cost a quadratic number of
// comparisons. A true neighbour has other bands to be found in.
const maxCompared = 32

// cluster groups signatures by near-identity, which it takes to be transitive.
// It returns, for each, the smallest index in its group.
func cluster(signatures []signature) []int {
	c := clustering{signatures: signatures, sets: newSets(len(signatures)), next: make([]int, len(signatures))}
	for band := range bands {
		c.link(band)
	}
	roots := make([]int, len(signatures))
	for i := range roots {
		roots[i] = c.sets.find(i)
	}
	return roots
}

// clustering is the state of cluster.
type clustering struct {
	signatures []signature
	sets       sets
	next       []int // the chain of those in one bucket that are not known to be alike; ends at -1
}

// link compares the signatures that agree in a band.
func (c *clustering) link(band int) {
	heads := make(map[[rows]uint32]int, len(c.signatures))
	for i := range c.signatures {
		key := [rows]uint32(c.signatures[i][band*rows:])
		head, ok := heads[key]
		if !ok {
			head = -1
		}
		if !c.join(i, head) {
			c.next[i] = head
			heads[key] = i
		}
	}
}

// join unites signature i with what it resembles in a chain, and reports
// whether there was any.
func (c *clustering) join(i, chain int) bool {
	joined := false
	for j, compared := chain, 0; j >= 0 && compared < maxCompared; j, compared = c.next[j], compared+1 {
		if c.sets.find(i) == c.sets.find(j) {
			joined = true
		} else if c.signatures[i].similarity(&c.signatures[j]) >= minSimilarity {
			c.sets.union(i, j)
			joined = true
		}
	}
	return joined
}

// sets is a partition of indexes: each points to a smaller one of its set, or to
// itself if it is the smallest (union-find).
type sets []int

func newSets(n int) sets {
	s := make(sets, n)
	for i := range s {
		s[i] = i
	}
	return s
}

// find returns the smallest index in the set of i.
func (s sets) find(i int) int {
	for s[i] != i {
		s[i] = s[s[i]]
		i = s[i]
	}
	return i
}

// union makes one set of those of i and j.
func (s sets) union(i, j int) {
	i, j = s.find(i), s.find(j)
	s[max(i, j)] = min(i, j)
}
