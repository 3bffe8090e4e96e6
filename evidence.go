package spoor

import "fmt"

// Evidence is one quotable fact with the place where anyone can check it. All
// of its text may have been written by an attacker: escape it before showing.
type Evidence struct {
	What string  // what sort of fact, for example "received", "group", "passwd"
	ID   QueueID // the message it belongs to; "" for a fact about the server
	File string  // absolute below the root
	Line int     // from 1; 0 where lines mean nothing
	Text string  // the fact itself, quoted
}

// Place returns file:line, or the file where there is no line.
func (e Evidence) Place() string {
	if e.Line == 0 {
		return e.File
	}
	return fmt.Sprintf("%s:%d", e.File, e.Line)
}

// Attribution says which source is to blame for a message, and on what proof.
type Attribution struct {
	Source     Source
	UID        int    // of the process that queued it; -1 where none is known
	Script     string // that the sendmail shim recorded; "" where it did not
	Confidence float64
	Inferred   bool   // Source follows from a login by time and address, not from a record
	Cause      Source // of a bounce or forward: the source of the message behind it
	Evidence   []Evidence
	Conflicts  []Evidence // facts that speak against the source, each with why it was overruled
	Candidates []Candidate
}

// Candidate is a more exact source that is likely and not proven.
type Candidate struct {
	Source     Source
	Confidence float64 // from 0 to 1
	Text       string  // why, with the counts it rests on
	Evidence   []Evidence
}
