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
	Unlogged    int       // messages whose acceptance is in no log that was read
	Unprocessed int
	Bouncing    int
	NullSender  int
	Bulk        int        // with a list identity (RFC 2369, RFC 2919)
	Outbound    int        // with a recipient that is not local to this server
	Submitted   int        // entered through SMTP without authentication
	Forged      int        // claims or Received fields that contradict the proof
	Forgeries   []Evidence // examples of what Forged counts
	WebServer   int        // queued under the UID of the web server

	UnloggedRecipients int // of Unlogged
	Inferred           int // the source follows from a login by time and address, not from a record

	OwnSender     int // the envelope sender belongs to the source
	ForeignSender int // the domain of the envelope sender is not served here
	Senders       Ranking
	Clients       Ranking // client addresses
	Subjects      Ranking

	Contents    int // different bodies among Messages
	LargestCopy int // messages that share the most frequent body

	History *History // what the mail log tells of the source; nil where no log was read or it has nothing

	Arrivals   []time.Time // when messages came, in order, for sources that candidates are looked for; else empty: all in the queue, or the newest of the log
	Scripts    Ranking     // names in X-PHP-Originating-Script that agree with the UID
	ScriptURLs Ranking     // domains with paths in X-PHP-Script, of what local programs queued
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

// TotalRecipients counts the envelope recipients of all messages of the source
// that queue and log tell of, each message once.
func (t *Traffic) TotalRecipients() int {
	if t.History == nil {
		return t.Recipients
	}
	return t.UnloggedRecipients + t.History.Recipients
}

// Span is from when to when the source sent, by queue and log together.
func (t *Traffic) Span() (first, last time.Time) {
	first, last = t.First, t.Last
	if h := t.History; h != nil {
		if first.IsZero() || !h.First.IsZero() && h.First.Before(first) {
			first = h.First
		}
		if h.Last.After(last) {
			last = h.Last
		}
	}
	return first, last
}
