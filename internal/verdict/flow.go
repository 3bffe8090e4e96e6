package verdict

import (
	"cmp"
	"slices"
	"time"

	"spoor"
)

// Flow is what tells why mail is slow: figures of the queue, and what the log
// has of deliveries.
type Flow struct {
	Daemon   string // of the MTA, that delivers
	Unseen   string // what is said of messages that it has not seen yet
	Now      time.Time
	Live     bool      // the running machine's own server; else Now means nothing to it
	Newest   time.Time // arrival of the newest message in the queue
	LastLine time.Time // newest line of the MTA's own in the log; zero without a log
	Queue    spoor.QueueCount

	Concurrency Concurrency
	Stuck       []Stuck
	Waiting     int // recipients in Stuck
	Troubles    []Trouble
	Disk        Disk
	Leftovers   int // files in mess of more than 36 hours that no message in the queue has
}

// Concurrency is what the MTA tells of the deliveries it runs, of late.
type Concurrency struct {
	Samples, Saturated int // status lines, and those with as many remote deliveries as may run
	MaxRemote          int
	LimitRemote        int // of the newest; 0 with Samples is a frozen channel
	LastRemote         int
	Since, Until       time.Time
	Evidence           []spoor.Evidence
}

// Stuck is one destination that keeps recipients waiting for one reason.
type Stuck struct {
	Receiver             string // a large receiver, or ""
	Domain               string
	Answer               spoor.Answer
	Text                 string
	Recipients, Messages int
	Oldest               time.Time
	Example              spoor.Evidence
}

// Trouble is one sort of warning of the MTA.
type Trouble struct {
	Text        string
	Count       int
	First, Last time.Time
	Example     spoor.Evidence
}

// Disk is the file system of the queue.
type Disk struct {
	Path                    string
	Known                   bool
	FreeBytes, TotalBytes   int64
	FreeInodes, TotalInodes int64
}

// severities, worst first.
const (
	high   = "high"
	medium = "medium"
)

// Obstacles says why mail is slow or stuck, worst first.
func Obstacles(f Flow) []spoor.Obstacle {
	var list []spoor.Obstacle
	for _, find := range [...]func(*Flow) []spoor.Obstacle{
		diskFull, stopped, frozen, loggerBlocked, backlog, saturated, blocked, deferred, cleanup,
	} {
		list = append(list, find(&f)...)
	}
	rank := map[string]int{high: 0, medium: 1}
	slices.SortStableFunc(list, func(a, b spoor.Obstacle) int { return cmp.Compare(rank[a.Severity], rank[b.Severity]) })
	return list
}
