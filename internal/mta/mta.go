// Package mta is the contract of the MTA adapters: queued messages enter
// through it, on their way to trace. Reading and changing are different types:
// a Queue cannot change anything.
package mta

import (
	"context"
	"errors"
	"io"
	"iter"

	"spoor"
)

// ErrGone is returned for a message that is not, or no longer, in the queue.
var ErrGone = errors.New("no such message in the queue")

// Queue reads the queue of one MTA. Its methods may be called by several
// goroutines at once.
type Queue interface {
	// MTA is the word for the MTA on the command line, for example "qmail".
	MTA() string
	// IsID reports whether a word has the form of a queue ID.
	IsID(word string) bool
	// Scan lists the queue. It fails only if the queue as a whole cannot be
	// read; a damaged message is a gap.
	Scan(ctx context.Context, want Want) (*Scan, error)
	// Find reads one message with all its detail, or returns ErrGone.
	Find(ctx context.Context, id spoor.QueueID) (*spoor.Message, error)
	// Content opens header and body of a message, or returns ErrGone. The
	// caller closes it.
	Content(id spoor.QueueID) (io.ReadCloser, error)
	// Head reads the start of the content of a message of a scan into buf and
	// returns how much it got, or ErrGone.
	Head(m *spoor.Message, buf []byte) (int, error)
	// Read reads a message from outside the queue: a file, a mail somebody was
	// sent. What its header claims is read as if it lay in the queue.
	Read(r io.Reader) (*spoor.Message, error)
	// Host is the name that the MTA writes into its Received lines, or "".
	Host() string
	// CallerGroup is the group under which the mail system itself queues
	// messages in that way; -1 if unknown.
	CallerGroup(via spoor.Via) int
	// Via tells how messages enter that the MTA logs under a UID: its own users
	// stand for the network, for bounces and for forwards.
	Via(uid int) spoor.Via
	// LocalAddress writes the address of a local recipient as its sender wrote it,
	// without what the MTA's routing puts before it.
	LocalAddress(address string) string
	// Serves reports whether the server accepts mail for a domain as its own.
	Serves(domain string) bool
	// Close releases what Scan, Find and Content need.
	Close() error
}

// Want says how much of each message a scan is to read.
type Want struct {
	Addresses bool // keep recipients' addresses; otherwise they are counted only
	Routed    bool // fill Message.Routed
}

// Scan is one walk through a queue that goes on changing meanwhile. A message
// that vanishes half-way is left out whole.
type Scan struct {
	// Listed is about how many messages the parts will yield.
	Listed int

	// Count counts messages, and those that are not yet preprocessed, the way
	// the MTA's own tool does; complete when all parts are done.
	Count func() (messages, unprocessed int)

	// Parts yield the messages, in the order of their IDs within a part and
	// from part to part. Each may be ranged over once; different parts by
	// different goroutines. A message belongs to the part and is overwritten
	// by the next. The error ends the part: the context's, nothing else.
	Parts []iter.Seq2[*spoor.Message, error]

	// Gaps collects what could not be read; complete when all parts are done.
	Gaps *spoor.Gaps

	// Unreadable counts messages whose content could not be read; complete
	// when all parts are done.
	Unreadable func() int

	// Complete is false if a part of the queue could not be listed.
	Complete bool
}

// Parser reads the lines of a mail log. It may remember the line before, and so
// belongs to one goroutine and one stretch of a log at a time.
type Parser interface {
	// Parse reads one line. It sets e, which the caller has zeroed, and returns
	// LineEvent; or leaves e in any state and returns another sort. It allocates
	// nothing for a line that is no event.
	Parse(l *spoor.Line, e *spoor.Event) spoor.LineSort
}
