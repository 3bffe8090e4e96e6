package live

import (
	"time"

	"spoor"
)

// family knows which processes took mail a short while ago: the program that
// takes it hands it to another one (Postfix' sendmail to postdrop, qmail-inject
// to qmail-queue), and both are one submission.
type family struct {
	seen map[who]time.Time
}

// who is a process; a PID alone is used again.
type who struct {
	pid   int
	ticks time.Duration
}

// tick is the unit of start times in /proc/PID/stat: USER_HZ is 100 on all that
// Go runs on.
const tick = 10 * time.Millisecond

func whoIs(p *spoor.Process) who { return who{p.PID, p.Start / tick} }

// Bounds of what is remembered.
const (
	familyTime = 10 * time.Minute
	familySize = 1 << 16
)

func newFamily() *family { return &family{seen: map[who]time.Time{}} }

// first reports whether a submission is not the continuation of another one: by
// the same process, or by the child of a program that takes mail.
func (f *family) first(s *spoor.Sighting) bool {
	f.forget(s.Time)
	_, same := f.seen[whoIs(&s.Process)]
	child := false
	if len(s.Parents) > 0 {
		_, child = f.seen[whoIs(&s.Parents[0])]
	}
	f.seen[whoIs(&s.Process)] = s.Time
	return !same && !child
}

// forget makes room.
func (f *family) forget(now time.Time) {
	if len(f.seen) < familySize {
		return
	}
	for one, at := range f.seen {
		if now.Sub(at) > familyTime {
			delete(f.seen, one)
		}
	}
	if len(f.seen) >= familySize {
		clear(f.seen)
	}
}
