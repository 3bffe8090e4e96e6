package logs

import "spoor"

// proof says what the clock of a file rests on.
type proof uint8

const (
	proofNone  proof = iota
	proofID          // times that queue IDs carry
	proofStamp       // stamps that the MTA writes itself: nothing else is asked any more
)

const (
	// maxLag is how long after its ID was given a message may be logged and still
	// prove the zone: a client may send slowly.
	maxLag = 5 * minute
	// minLag allows for seconds without a fraction.
	minLag = -2 * second
	// enough samples in a row overrule what others said before.
	enough = 3
	// headVotes are the samples at the head of a file that elect its offset.
	headVotes = 9
)

// rival is an offset that samples speak for, against the one in use.
type rival struct {
	offset  int64
	samples int
}

// offsetOf returns the offset that a message speaks for whose ID was given at t
// and which was logged at a local time. It is false where the message was so long
// on its way that it says nothing.
func offsetOf(t spoor.Stamp, local int64) (int64, bool) {
	difference := local - int64(t)
	offset := floorDiv(difference-minLag, quarter) * quarter
	return offset, difference-offset <= maxLag && offset <= maxOffset && offset >= -maxOffset
}

// localAt is the local time of m, in the year of t.
func localAt(m mark, t spoor.Stamp) int64 {
	if m.yearless() {
		return near(-int64(m), int64(t))
	}
	return -int64(m)
}

// learn takes the time that a queue ID carries, in a line with the mark m. The
// year is certain. The zone is so up to the time that the message took; that is
// why one message alone overrules no others, but for the end of summer time.
func (c *clock) learn(t spoor.Stamp, m mark) {
	if c.proof == proofStamp || !m.local() {
		return
	}
	local := localAt(m, t)
	if lag := local - int64(t) - c.offset; c.proof == proofID && lag >= minLag && lag <= maxLag {
		c.samples, c.rival, c.back = min(c.samples+1, enough), rival{}, false
		c.near = int64(t)
		return
	}
	offset, ok := offsetOf(t, local)
	if !ok {
		return
	}
	if c.proof == proofID && !c.overruled(offset) {
		return
	}
	c.samples = max(1, c.rival.samples)
	c.rival = rival{}
	c.use(offset, t, local)
}

// overruled counts a sample for another offset, and reports whether that is to be
// used from now on.
func (c *clock) overruled(offset int64) bool {
	if c.rival.offset != offset {
		c.rival = rival{offset: offset}
	}
	c.rival.samples++
	switch {
	case c.rival.samples >= enough:
	case offset == c.offset-hour: // nothing is logged before it happens: summer time has ended
	case c.samples < 2 && offset < c.offset:
	default:
		return false
	}
	return true
}

// use sets the offset that holds at t.
func (c *clock) use(offset int64, t spoor.Stamp, local int64) {
	c.offset, c.proof = offset, max(c.proof, proofID)
	c.findZone(int64(t))
	c.near, c.local, c.back = int64(t), local, false
}

// election finds the offset that most of the first samples speak for.
type election struct {
	votes []vote
}

type vote struct {
	offset int64
	first  spoor.Stamp // of the samples for it
	local  int64
	count  int
}

// add counts a sample, and reports whether more are wanted.
func (e *election) add(t spoor.Stamp, m mark) bool {
	local := localAt(m, t)
	offset, ok := offsetOf(t, local)
	if !ok || !m.local() {
		return true
	}
	total := 1
	found := false
	for i := range e.votes {
		if v := &e.votes[i]; v.offset == offset {
			v.count++
			found = true
		}
		total += e.votes[i].count
	}
	if !found {
		e.votes = append(e.votes, vote{offset: offset, first: t, local: local, count: 1})
	}
	return total < headVotes
}

// winner is the offset with the most votes; of several, the smallest: a message
// may be late, and never early.
func (e *election) winner() (vote, bool) {
	var best vote
	for _, v := range e.votes {
		if v.count > best.count || v.count == best.count && v.offset < best.offset {
			best = v
		}
	}
	return best, best.count > 0
}
