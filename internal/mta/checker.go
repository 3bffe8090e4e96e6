package mta

import (
	"context"
	"time"

	"spoor"
)

// Checker is implemented by queues that can tell what is wrong with them.
type Checker interface {
	// Check looks at names, kinds, owners and modes of all files of the queue, and
	// into those whose content may keep mail from moving. It changes nothing, not
	// even a time of last access. What a running MTA moves meanwhile is no damage.
	Check(ctx context.Context, now time.Time) (*spoor.QueueCheck, error)
}
