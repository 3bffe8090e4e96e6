package spoor

import (
	"errors"
	"fmt"
	"time"
)

// Action is what a plan does to messages or to their queue.
type Action uint8

// The actions, as the command line names them.
const (
	ActionRemove      Action = iota // out of the queue, into the vault
	ActionHold                      // no delivery until it is released
	ActionRelease                   // the inverse of hold
	ActionRetry                     // a delivery is attempted now
	ActionRestore                   // out of the vault, into the queue
	ActionFreeze                    // no remote delivery of anything; mail is still taken in
	ActionThaw                      // the inverse of freeze
	ActionRebuild                   // a new queue tree with the same messages
	ActionStop                      // a source can send no more
	ActionFix                       // the same, and its messages leave the queue
	ActionAuditFix                  // a setting that the audit found is mended
	ActionShim                      // the recorder in front of sendmail is put in
	ActionUndo                      // the steps of another plan are taken back
	ActionShimRelease               // what the shim holds in the vault is handed to sendmail
)

var actionNames = [...]string{
	"rm", "hold", "release", "retry", "restore", "freeze", "thaw", "rebuild", "stop", "fix", "audit-fix", "shim", "undo", "shim-release",
}

// Stepwise reports whether plans of the action change the server outside its
// queue, in steps; they may have messages too, which go to the vault, or come back
// if the action is undo.
func (a Action) Stepwise() bool { return a >= ActionStop && a <= ActionUndo }

// Actions lists every Action, in the order of their constants.
func Actions() []Action {
	actions := make([]Action, len(actionNames))
	for i := range actions {
		actions[i] = Action(i)
	}
	return actions
}

// String returns the word of the command line and of the journal.
func (a Action) String() string {
	if int(a) < len(actionNames) {
		return actionNames[a]
	}
	return fmt.Sprintf("action(%d)", uint8(a))
}

// ParseAction is the inverse of Action.String.
func ParseAction(word string) (Action, bool) {
	for i, name := range actionNames {
		if name == word {
			return Action(i), true
		}
	}
	return 0, false
}

// Target is one message of a plan. ID, Folder, Arrived, SizeBytes and Inode are
// its identity, which is checked again just before it is touched: MTAs reuse
// queue IDs.
type Target struct {
	ID        QueueID   `json:"id"`
	Folder    string    `json:"folder"`           // where its content is, slash-separated below the root
	Suffix    string    `json:"suffix,omitempty"` // of the file's name behind the ID
	Arrived   time.Time `json:"arrived"`          // UTC
	SizeBytes int64     `json:"size"`
	Inode     uint64    `json:"inode"` // of the file at Path

	UID   int    `json:"uid"`             // behind it, as far as that is known; -1 if not
	Vault string `json:"vault,omitempty"` // the plan whose vault file holds it; "" while it is in the queue

	State      State   `json:"-"`
	Held       bool    `json:"held,omitempty"`
	Sender     string  `json:"sender"`
	Recipients int     `json:"recipients"`
	Done       int     `json:"done,omitempty"`
	Subject    string  `json:"subject,omitempty"` // raw
	Source     Source  `json:"-"`
	Class      Class   `json:"-"` // the verdict on its source
	Confidence float64 `json:"-"` // of that verdict
}

// Path is the file that holds the header, slash-separated below the root.
func (t *Target) Path() string { return t.Folder + "/" + string(t.ID) + t.Suffix }

// TargetOf is the identity of a message.
func TargetOf(m *Message) Target {
	return Target{
		ID: m.ID, Folder: m.Folder, Suffix: m.Suffix, Arrived: m.Arrived, SizeBytes: m.SizeBytes, Inode: m.Inode,
		State: m.State, Held: m.Held, Sender: m.Sender, Recipients: m.Recipients.Len(), Done: m.Recipients.Done(),
		Subject: m.Subject, UID: m.CallerUID,
	}
}

// Result is what became of one message of a plan.
type Result uint8

// The results.
const (
	ResultDone    Result = iota // as planned
	ResultGone                  // it had left the queue by itself
	ResultChanged               // its ID now belongs to another message, which was not touched
	ResultBusy                  // it is being delivered, and was left in the queue
	ResultFailed                // an error, told beside it; the message is where it was
)

var resultNames = [...]string{"done", "gone", "changed", "busy", "failed"}

// Results lists every Result, in the order of their constants.
func Results() []Result {
	results := make([]Result, len(resultNames))
	for i := range results {
		results[i] = Result(i)
	}
	return results
}

// String returns the word used in receipts.
func (r Result) String() string {
	if int(r) < len(resultNames) {
		return resultNames[r]
	}
	return fmt.Sprintf("result(%d)", uint8(r))
}

// ParseResult is the inverse of Result.String.
func ParseResult(word string) (Result, bool) {
	for i, name := range resultNames {
		if name == word {
			return Result(i), true
		}
	}
	return 0, false
}

// Parcel is one whole message outside its queue: everything that the MTA needs
// to go on with it, and what is needed to find it again.
type Parcel struct {
	Target
	MTA        string      // the adapter's word
	Envelope   []Recipient // with their done marks; "" addresses do not occur
	Uncertain  []string    // recipients whose delivery was under way when it was taken: a restore leaves them out
	CallerUID  int         // that the MTA recorded; -1 where it did not
	Files      []PackedFile
	StoredTime time.Time // UTC
}

// Content is the content of a file, read from its start; an io.ReadCloser.
type Content interface {
	Read(buf []byte) (n int, err error)
	Close() error
}

// PackedFile is one file of a parcel.
type PackedFile struct {
	Role      string // the adapter's word: "mess", "info", "H", "defer"
	Name      string // slash-separated below the root: where it was
	Mode      uint32 // permission bits with set-id and sticky, as in stat(2)
	UID, GID  int
	Accessed  time.Time
	Modified  time.Time
	SizeBytes int64
	// Open opens the content, from its start, SizeBytes long. The caller closes it.
	Open func() (Content, error)
}

// File returns the file of a role.
func (p *Parcel) File(role string) (*PackedFile, bool) {
	for i := range p.Files {
		if p.Files[i].Role == role {
			return &p.Files[i], true
		}
	}
	return nil, false
}

// ErrUnsettled is in the chain of an Outcome's error where a message that was to
// be taken is neither in the queue as it was nor taken whole: the same plan has to
// be run again.
var ErrUnsettled = errors.New("is neither in the queue as it was nor out of it")

// Outcome is what became of one message of a plan.
type Outcome struct {
	Result Result
	NewID  QueueID // under which it is in the queue now, if that changed
	Err    error   // why it is not ResultDone, for people; may be nil
}

// Prepared is a message that waits beside its queue, ready to be put into it.
type Prepared struct {
	Tag    string  `json:"tag"` // names it within its plan
	OldID  QueueID `json:"old"`
	NewID  QueueID `json:"new"`
	Folder string  `json:"folder"` // where its content will be, slash-separated below the root
	Inode  uint64  `json:"inode"`  // of the file that makes it visible
	Undone int     `json:"undone"` // recipients that will get it
}

// Plan is what is about to be done, before it is done.
type Plan struct {
	ID       string // made of letters, digits and hyphens; sorts by time
	Action   Action
	Time     time.Time // UTC
	Host     string
	Root     string // that was examined
	MTA      string
	By       string   // the operator: login, and who became it
	Reason   string   // as the operator gave it
	Selector []string // words of the command line
	Undoes   string   // the plan that this one takes back; ""

	Stop bool // the MTA is stopped meanwhile, if it runs

	// ThroughVault is of a hold or release on an MTA that has no such thing: the
	// messages wait in the vault.
	ThroughVault bool

	// Steps change the server outside its queue: before the messages are touched, or
	// after that if the plan takes another one back.
	Steps   []Step
	Open    []string  // what stays possible all the same, for people
	ByHand  []string  // commands that would do more, and that nothing has proven to be right here
	Breaks  []string  // what works now and will not any more, for people
	Expires time.Time // the plan takes itself back then; zero if it does not
	// Again is of a shim-release: messages of which it is not known whether they were
	// sent are handed over too.
	Again bool
	// StepsOnly is of an undo that leaves the messages of the other plan in the vault.
	StepsOnly bool

	Remarks []string // what it cannot do, for people: in its receipt too

	Targets  []Target
	Method   []string      // how it is done on this server, for people
	Shares   []SourceShare // of the targets, the largest first
	Doubtful []Target      // targets that look legitimate

	QueueMessages int // in the whole queue
}

// SourceShare is how much of a plan is of one source.
type SourceShare struct {
	Source     Source
	Class      Class
	Confidence float64
	Messages   int
	Recipients int // that were not done
}

// Skipped is a message of a plan that was not handled as planned.
type Skipped struct {
	ID     QueueID
	Result Result
	Why    string // for people; may be ""
}

// Moved is a message that has another queue ID after it was put back.
type Moved struct{ Old, New QueueID }

// Receipt is what a plan has done.
type Receipt struct {
	Plan      string
	Action    Action
	Time      time.Time // of the end, UTC
	Done      int
	Skipped   []Skipped // at most MaxSkipped
	SkippedBy [5]int    // how many, by Result
	Moved     []Moved   // at most MaxSkipped
	Renamed   int       // how many have another ID
	Resumed   bool      // an earlier run was cut off, and this one did the rest
	Undoable  bool      // by spoor undo
	Failure   string    // what stopped it before its end; "" if nothing did

	Steps []StepOutcome // of those that were tried, in the order of the plan

	Remarks []string // of the plan
}

// StepsDone is how many steps were done as planned.
func (r *Receipt) StepsDone() (done int) {
	for i := range r.Steps {
		if r.Steps[i].Result == ResultDone {
			done++
		}
	}
	return done
}

// MaxSkipped bounds the lists of a Receipt.
const MaxSkipped = 1000

// Count adds an outcome.
func (r *Receipt) Count(t *Target, o Outcome) {
	if o.Result == ResultDone {
		r.Done++
	} else {
		r.SkippedBy[o.Result]++
	}
	if o.Result != ResultDone && len(r.Skipped) < MaxSkipped {
		why := ""
		if o.Err != nil {
			why = o.Err.Error()
		}
		r.Skipped = append(r.Skipped, Skipped{ID: t.ID, Result: o.Result, Why: why})
	}
	if o.NewID != "" && o.NewID != t.ID {
		r.Renamed++
		if len(r.Moved) < MaxSkipped {
			r.Moved = append(r.Moved, Moved{Old: t.ID, New: o.NewID})
		}
	}
}

// Total is how many messages the receipt counts.
func (r *Receipt) Total() int {
	total := r.Done
	for _, n := range r.SkippedBy {
		total += n
	}
	return total
}
