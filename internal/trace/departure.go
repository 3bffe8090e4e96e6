package trace

import (
	"time"

	"spoor"
)

// leaves notes that a message has left the queue. What is not known yet of its
// origin may follow.
func (j *Journal) leaves(f *flight, e *spoor.Event) {
	if e.Kind == spoor.EventRemoved {
		for i := range f.recipients {
			if f.recipients[i].state == waiting {
				f.recipients[i].state = lost
			}
		}
	}
	if f.logged && (f.book == nil || f.filtered || j.mayBeProxied(f) || j.mayBeWebmails(f)) {
		f.left = e.Time
		j.leaving = append(j.leaving, departure{f.key, e.Time})
		return
	}
	j.close(f)
}

// departure is a message that has left, and waits for a late line.
type departure struct {
	key uint64
	at  spoor.Stamp
}

// depart closes the messages that have left for longer than lines are late.
func (j *Journal) depart(now spoor.Stamp) {
	n := 0
	for ; n < len(j.leaving) && now.Sub(j.leaving[n].at) > disorder; n++ {
		f := j.open.get(j.leaving[n].key)
		switch {
		case f == nil || f.left != j.leaving[n].at:
		case f.mayBeCopy() && len(j.held) < maxHeld:
			j.held = append(j.held, j.leaving[n])
		default:
			j.close(f)
		}
	}
	if n > 0 {
		j.leaving = append(j.leaving[:0], j.leaving[n:]...)
	}
	j.letGo(now)
	j.settleEnded(now)
}

// letGo closes copies of lists that have waited as long as a program may have a post.
func (j *Journal) letGo(now spoor.Stamp) {
	n := 0
	for ; n < len(j.held) && now.Sub(j.held[n].at) > filterReach; n++ {
		if f := j.open.get(j.held[n].key); f != nil && f.left == j.held[n].at {
			j.close(f)
		}
	}
	if n > 0 {
		j.held = append(j.held[:0], j.held[n:]...)
	}
}

// close sums a message up and forgets it.
func (j *Journal) close(f *flight) {
	j.open.remove(f.key)
	j.settleKin(f)
	j.forget(f)
}

// sweep forgets messages that were begun and never queued: the client went, or
// was refused at the end. It sums up those of which nothing is left to come: loggers
// that drop lines when there are many lose the ends of messages too. It looks when
// there are twice as many as the last time.
func (j *Journal) sweep(now spoor.Stamp) {
	if j.open.n < j.sweepAt {
		return
	}
	var stale, over []*flight
	for _, f := range j.open.all() {
		switch age := now.Sub(f.heard); {
		case !f.keyed || !f.logged || f.left != 0 || age <= unfinished:
		case !f.queued:
			stale = append(stale, f)
		case f.isOver(age):
			over = append(over, f)
		}
	}
	for _, f := range stale {
		j.open.remove(f.key)
		j.forget(f)
	}
	for _, f := range over {
		j.close(f)
	}
	j.sweepAt = max(firstSweep, 2*j.open.n)
}

// isOver reports whether a message has reached all its recipients, or those that it is
// known to have, long ago where their number is not logged.
func (f *flight) isOver(age time.Duration) bool {
	for i := range f.recipients {
		if state := f.recipients[i].state; state == running || state == waiting {
			return false
		}
	}
	return len(f.recipients) > 0 && (f.foreseen > 0 && len(f.recipients) >= int(f.foreseen) || age > longestSilence)
}

const (
	firstSweep = 1 << 14
	// longestSilence is how long a message may be on its way without a line about it.
	longestSilence = 48 * time.Hour
)
