package mta

import (
	"context"
	"errors"

	"spoor"
	"spoor/internal/disk"
)

// ErrBusy is returned where a message is being delivered at this moment.
var ErrBusy = errors.New("is being delivered")

// ErrChanged is returned where a queue ID belongs to another message now.
var ErrChanged = errors.New("the queue ID belongs to another message now")

// ErrUnsupported is returned for an action that the MTA does not have.
var ErrUnsupported = errors.New("this MTA cannot do that")

// ErrRunning is returned by OpenControl where an action needs the MTA stopped
// and it runs, and by actions on a tree whose MTA turns out to run.
var ErrRunning = errors.New("the mail system is running")

// Control is what a Controller works with.
type Control struct {
	Top  *disk.Dir // the root: every path of a Target is below it
	Live bool      // Top is the running machine's own root, so that its daemons may be asked
	Plan string    // the ID of the plan, made of letters, digits and hyphens: it names the holding place
	Run  Runner    // for the MTA's own commands; used only if Live
	Stop bool      // the MTA is to be stopped if it runs, and started again by Close

	// State is where it is recorded what is stopped, so that a later run can start
	// it; nil if nothing is to be changed, and then nothing is stopped. Where there
	// is one, no other spoor is at work on the queue.
	State *disk.Dir
}

// Runner runs one program of the MTA without a shell, with input on its
// standard input, and returns what it wrote on both outputs. A failure is an
// *exec.ExitError or an *exec.Error in the chain.
type Runner interface {
	Run(ctx context.Context, input []byte, name string, args ...string) (output []byte, err error)
}

// Controller changes the queue of one MTA. A Queue cannot; nothing else can.
//
// Messages leave a queue in three steps, so that a crash at any point leaves
// each of them either in the queue or out of the MTA's reach, and a repeated
// step finds what an earlier run has done:
//
//	Take     one atomic step a message: the MTA can no longer see or touch it
//	Pack     it is read, to be stored in the vault
//	Discard  what is left of it on the queue's file system is removed
//
// They come back in two:
//
//	Prepare  its files are written beside the queue, out of the MTA's reach,
//	         under the ID that it will have
//	Publish  one atomic step a message: the MTA sees it
//
// Methods that take a slice return one outcome for each element, in order. A
// message that cannot be handled never stops the others; the error is for what
// stops all of them (the context's, a lost lock, a full disk), and outcomes of
// elements that were not reached are ResultFailed then. All methods are
// idempotent: called again with the same arguments, after a crash too, they find
// what is done and do the rest. One goroutine uses a Controller at a time.
type Controller interface {
	// Explain says for people how an action is done on this server, a line each,
	// most important first, and what of it cannot be undone.
	Explain(action spoor.Action) []string
	// Able says why an action can do nothing here, whatever the messages: an
	// ErrUnsupported in words for people. It is nil for one that can.
	Able(action spoor.Action) error

	// Take makes messages unreachable for the MTA. Before it touches one it checks
	// its identity under the MTA's own lock. A message that was taken by an earlier
	// call of the same plan is ResultDone.
	Take(ctx context.Context, batch []spoor.Target) ([]spoor.Outcome, error)
	// Pack returns a taken message, whose files stay readable until Discard or
	// PutBack. It may be called by several goroutines at once.
	Pack(t *spoor.Target) (*spoor.Parcel, error)
	// Discard removes taken messages that are stored elsewhere. One of which
	// nothing is left any more is ResultDone.
	Discard(ctx context.Context, batch []spoor.Target) ([]spoor.Outcome, error)
	// PutBack returns taken messages to the queue: the inverse of Take.
	PutBack(ctx context.Context, batch []spoor.Target) ([]spoor.Outcome, error)

	// Prepare writes a message beside the queue and makes it durable no later than
	// the next call of Settle. tag names it within the plan, and only that: letters
	// and digits. What an interrupted call of the same tag has left is removed first,
	// and one that fails leaves nothing as far as the disk lets it.
	Prepare(ctx context.Context, tag string, p *spoor.Parcel) (spoor.Prepared, error)
	// Settle makes all that Prepare, Take and Publish have done durable.
	Settle() error
	// Publish puts prepared messages into the queue. One that is not prepared any
	// more was published before: ResultDone.
	Publish(ctx context.Context, batch []spoor.Prepared) ([]spoor.Outcome, error)
	// Withdraw removes prepared messages that were not published.
	Withdraw(ctx context.Context, batch []spoor.Prepared) error

	// Hold, Release and Retry are the MTA's own. They return ErrUnsupported where
	// the MTA has no such thing; then hold is remove, and release is restore.
	Hold(ctx context.Context, batch []spoor.Target) ([]spoor.Outcome, error)
	Release(ctx context.Context, batch []spoor.Target) ([]spoor.Outcome, error)
	Retry(ctx context.Context, batch []spoor.Target) ([]spoor.Outcome, error)

	// Close ends what was begun: the MTA is started again if it was stopped, locks
	// are given back, an empty holding place is removed.
	Close() error
}

// Freezer stops all deliveries of an MTA to other servers, while mail is still
// taken in, and starts them again. What it has to remember is a record, which its
// caller makes durable before Freeze and keeps until after Thaw. Freeze and Thaw
// are idempotent.
type Freezer interface {
	// Explain says for people how it is done, a line each.
	Explain() []string
	// Plan returns the record of a freeze; it changes nothing.
	Plan(ctx context.Context) (record []byte, err error)
	Freeze(ctx context.Context, record []byte) error
	// Thaw restores exactly what was there before. Where somebody has changed it
	// since it returns an error, unless force is set.
	Thaw(ctx context.Context, record []byte, force bool) error
	// Look tells what a freeze with that record has come to. It changes nothing.
	Look(record []byte) (FreezeState, error)
}

// Standing is what stands in the place of what a freeze changes.
type Standing uint8

// The standings.
const (
	StandingBefore Standing = iota // what was there before: mail is delivered
	StandingFrozen                 // what the freeze puts there
	StandingEdited                 // what somebody else has put there
	StandingTorn                   // less than there should be: two were changing places
)

// FreezeState is what a freeze has come to.
type FreezeState struct {
	Standing Standing
	File     string // what it changes, below the root
	Kept     string // where what was there before is kept meanwhile; "" if it is nowhere, or there was nothing
}
