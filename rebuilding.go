package spoor

// Rebuilding is what a rebuild of a queue will do, or has done.
type Rebuilding struct {
	Plan   string // its ID
	Queue  string // where the queue is, below the root
	Before string // layout, for people: "split 23, todo flat"
	After  string
	Empty  bool // nothing is carried over

	Todo       int // messages that are queued and not yet preprocessed
	Queued     int // messages that are preprocessed
	Recipients int // of both
	Done       int // of them, already delivered or failed
	Renamed    int // messages that get another ID
	Bytes      int64

	Quarantined int // files of messages that were never queued whole: they are set aside
	Lost        int // pieces whose message is lost: they are set aside
	Foreign     int // files that are no part of a queue: they are set aside when the old tree is purged

	Late     int // messages that were queued into the old tree meanwhile, and carried over
	Writing  int // messages that are being written into the old tree still
	Warnings []string
	Damages  []Damage // that the rebuild repairs, worst first

	OldTree string // where the old tree is now, below the root; "" before it is replaced
	Aside   string // where quarantine and lost+found are, below the root
	Phase   string // "planned", "done", "undone", "purged"
}

// Messages is how many are carried over.
func (r *Rebuilding) Messages() int { return r.Todo + r.Queued }
