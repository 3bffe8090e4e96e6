package spoor

import (
	"fmt"
	"time"
)

// QueueID is the name that an MTA gives a queued message. It is not an
// identity: MTAs reuse it, qmail within seconds. Message.Key adds what is
// needed to tell two users of one ID apart.
type QueueID string

// State says where in its queue a message is.
type State uint8

// The states of a qmail message, whose S-numbers are those of qmail's INTERNALS;
// then the queues of Postfix (QSHAPE_README, qmgr(8)) and the states of Exim.
const (
	StateIncomplete State = iota // S2, S3: being written, or left by a crash; qmail never sends it
	StateTodo                    // S4: queued, not yet preprocessed
	StateLocal                   // S5 with recipients on the local channel only
	StateRemote                  // S5 with recipients on the remote channel only
	StateBoth                    // S5 with recipients on both channels
	StateDone                    // S5 with no channel file left: about to be bounced or removed

	StateMaildrop // submitted by sendmail(1) or PHP, not yet picked up
	StateIncoming // accepted, not yet seen by the queue manager
	StateActive   // being delivered
	StateDeferred // waits for its next attempt
	StateHold     // waits until it is released
	StateCorrupt  // set aside because it could not be read

	StateQueued // waits for its next queue run, or is being delivered
	StateFrozen // no attempt until it is thawed
)

var stateNames = [...]string{
	"incomplete", "todo", "local", "remote", "both", "done",
	"maildrop", "incoming", "active", "deferred", "hold", "corrupt", "queued", "frozen",
}

// States lists every State, in the order of their constants.
func States() []State {
	states := make([]State, len(stateNames))
	for i := range states {
		states[i] = State(i)
	}
	return states
}

// String returns the word used in listings and JSON.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// ParseState is the inverse of State.String.
func ParseState(word string) (State, bool) {
	for i, name := range stateNames {
		if name == word {
			return State(i), true
		}
	}
	return StateIncomplete, false
}

// Message is one queued message: its envelope, the state of its delivery, and
// what its header says of where it came from.
//
// A Message that comes out of a scan belongs to the scan and is overwritten by
// the next one; Clone keeps it. Its strings are never overwritten.
type Message struct {
	ID        QueueID
	Folder    string    // slash-separated, below the root: where the content is
	Inode     uint64    // of the file at Path; 0 where it was not asked
	Suffix    string    // of the file's name behind the ID: Exim's -H
	Arrived   time.Time // when the MTA had received it, UTC
	Routed    time.Time // when it was preprocessed, UTC; zero before that
	SizeBytes int64     // header and body

	HasEnvelope bool   // false: no sender and recipients could be read
	Sender      string // envelope sender; "" is the null sender if HasEnvelope
	Recipients  Recipients

	State       State
	Outbound    bool // at least one recipient is not local to this server
	Inbound     bool // at least one is; not set by qmail, whose State tells
	Bouncing    bool // at least one recipient failed for good and a bounce is due
	Unprocessed bool // not yet seen by the part of the MTA that delivers
	Held        bool

	Earlier   QueueID // the ID that it, or the message behind it, had here before; "" where not recorded
	CallerUID int     // that the MTA recorded in the envelope; -1 where it did not
	CallerGID int     // primary group of the process that queued it; -1 where the MTA does not keep it

	Subject   string // raw, undecoded
	MessageID string // with its angle brackets
	Bulk      bool   // carries List-Id, List-Unsubscribe or Mailing-List
	Trail     Trail

	ContentHash  uint64 // of the part of the body that was read
	ContentBytes int    // of the body, that ContentHash covers
}

// Key identifies a message: the ID and the time of its arrival, to the
// nanosecond, since the ID alone is reused.
type Key struct {
	ID      QueueID
	Arrived int64 // nanoseconds since the Unix epoch
}

// Key returns the identity of m.
func (m *Message) Key() Key { return Key{ID: m.ID, Arrived: m.Arrived.UnixNano()} }

// Path is the file that holds the header, slash-separated below the root.
func (m *Message) Path() string { return m.Folder + "/" + string(m.ID) + m.Suffix }

// Clone returns a copy of m that the scan does not overwrite.
func (m *Message) Clone() *Message {
	c := *m
	c.Recipients = m.Recipients.Clone()
	c.Trail = m.Trail.Clone()
	return &c
}

// QueueCount sums up a queue.
type QueueCount struct {
	Messages    int // as the MTA's own tool counts them
	Unprocessed int // as the MTA's own tool counts them
	Local       int // messages with recipients on the local channel; of qmail's, only preprocessed ones
	Remote      int // messages with recipients on the remote channel; likewise
	Bouncing    int
	Held        int
	Recipients  int // envelope recipients, done or not
	Done        int // recipients that were delivered or failed for good
	Bytes       int64
	Oldest      time.Time // arrival of the oldest message; zero for an empty queue
	Unreadable  int       // messages whose content could not be read
}

// Add counts m. Messages and Unprocessed are left alone: they come from the
// MTA's own way of counting.
func (c *QueueCount) Add(m *Message) {
	switch m.State {
	case StateLocal:
		c.Local++
	case StateRemote:
		c.Remote++
	case StateBoth:
		c.Local++
		c.Remote++
	case StateIncomplete, StateTodo, StateDone, StateCorrupt:
	default:
		c.Remote += count(m.Outbound)
		c.Local += count(m.Inbound)
	}
	if m.Bouncing {
		c.Bouncing++
	}
	if m.Held {
		c.Held++
	}
	c.Recipients += m.Recipients.Len()
	c.Done += m.Recipients.Done()
	c.Bytes += m.SizeBytes
	if c.Oldest.IsZero() || m.Arrived.Before(c.Oldest) {
		c.Oldest = m.Arrived
	}
}

func count(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// Merge adds the counts of d, which counted other messages of the same queue.
func (c *QueueCount) Merge(d QueueCount) {
	c.Messages += d.Messages
	c.Unprocessed += d.Unprocessed
	c.Local += d.Local
	c.Remote += d.Remote
	c.Bouncing += d.Bouncing
	c.Held += d.Held
	c.Recipients += d.Recipients
	c.Done += d.Done
	c.Bytes += d.Bytes
	c.Unreadable += d.Unreadable
	if !d.Oldest.IsZero() && (c.Oldest.IsZero() || d.Oldest.Before(c.Oldest)) {
		c.Oldest = d.Oldest
	}
}
