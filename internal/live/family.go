package live

import (
	"time"

	"spoor"
)

// family knows which processes took mail a short while ago: the program that
// takes it hands it to another one (a wrapper to sendmail, Postfix' sendmail to
// postdrop, qmail-inject to qmail-queue), and all of them are one submission.
type family struct {
	seen map[who]*submission
}

// submission is one message on its way through programs.
type submission struct {
	at   time.Time
	more int // programs after the first
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
	// familyNear is how many of the processes before it may have handed the mail on.
	familyNear = 2
	// familyMore is how many programs one message goes through after the first. Some
	// programs run what their caller says (msmtp --passwordeval): what is more than
	// that is told.
	familyMore = 4
)

func newFamily() *family { return &family{seen: map[who]*submission{}} }

// first reports whether a submission is not the continuation of another one: by
// the same process, or by one that descends from it nearly.
func (f *family) first(s *spoor.Sighting) bool {
	f.forget(s.Time)
	self := whoIs(&s.Process)
	before := f.seen[self]
	for i := 0; i < min(len(s.Parents), familyNear) && before == nil; i++ {
		before = f.seen[whoIs(&s.Parents[i])]
	}
	if before == nil {
		f.seen[self] = &submission{at: s.Time}
		return true
	}
	before.more++
	f.seen[self] = before
	return before.more > familyMore
}

// forget makes room.
func (f *family) forget(now time.Time) {
	if len(f.seen) < familySize {
		return
	}
	for one, begun := range f.seen {
		if now.Sub(begun.at) > familyTime {
			delete(f.seen, one)
		}
	}
	if len(f.seen) >= familySize {
		clear(f.seen)
	}
}
