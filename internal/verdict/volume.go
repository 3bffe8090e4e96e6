package verdict

import "fmt"

// queueShare reads QUEUE_SHARE: how much of the queue is this source's. A tenth
// is nothing special on a small server; from two fifths on it cannot weigh more.
func queueShare(f *facts) reading {
	share := max(fraction(f.t.Messages, f.total.Messages), fraction(f.t.Recipients, f.total.Recipients))
	weight := 2 * ramp(share, 0.05, 0.4) * f.enough()
	if weight == 0 {
		return reading{}
	}
	return reading{
		weight: weight,
		count:  f.t.Messages,
		text: fmt.Sprintf("%s and %s",
			partOf(f.t.Messages, f.total.Messages, "messages "+f.where()),
			partOf(f.t.Recipients, f.total.Recipients, "recipients")),
		check: f.listing("ids"),
	}
}
