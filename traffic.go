package spoor

import "time"

// Traffic is what one source has in the queue, summed up by trace for verdict
// and report. Counts are of messages unless their name says otherwise.
type Traffic struct {
	Source     Source
	UID        int     // -1 where the source has none
	Login      string  // of UID
	Confidence float64 // of the attribution, from 0 to 1: the mean of its messages'
	Cause      Source  // bounces and forwards: the most frequent cause
	CauseCount int

	Messages    int
	Recipients  int // envelope recipients
	Done        int // of Recipients
	Bytes       int64
	First, Last time.Time // arrival of the oldest and the newest message
	Unprocessed int
	Bouncing    int
	NullSender  int
	Bulk        int        // with a list identity (RFC 2369, RFC 2919)
	Outbound    int        // with a recipient that is not local to this server
	Submitted   int        // entered through SMTP without authentication
	Forged      int        // claims or Received fields that contradict the proof
	Forgeries   []Evidence // examples of what Forged counts
	WebServer   int        // queued under the UID of the web server

	OwnSender     int // the envelope sender belongs to the source
	ForeignSender int // the domain of the envelope sender is not served here
	Senders       Ranking
	Clients       Ranking // client addresses
	Subjects      Ranking

	Contents    int // different bodies among Messages
	LargestCopy int // messages that share the most frequent body

	Arrivals   []time.Time // of every message, for sources that candidates are looked for; else empty
	Scripts    Ranking     // names in X-PHP-Originating-Script that agree with the UID
	Samples    []*Message  // a sample that does not depend on the order of the scan
	Evidence   []Evidence
	Conflicts  []Evidence
	Candidates []Candidate
}

// Ranking counts distinct values, most frequent first.
type Ranking struct {
	Distinct int
	Top      []Tally
}

// Tally is one value of a Ranking.
type Tally struct {
	Value string
	Count int
}
