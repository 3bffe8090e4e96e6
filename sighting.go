package spoor

import (
	"fmt"
	"net/netip"
	"time"
)

// Activity is what a process was seen to do.
type Activity uint8

// The activities that matter to mail.
const (
	ActivitySubmission Activity = iota // it runs a program that takes mail: sendmail and its like
	ActivityConnection                 // it connects to a port of SMTP, and is no part of the mail system
	ActivityOpenScript                 // a worker of a web server has a script open
)

var activityNames = [...]string{"submission", "connection", "open-script"}

// String returns the activity's word in JSON.
func (a Activity) String() string {
	if int(a) < len(activityNames) {
		return activityNames[a]
	}
	return fmt.Sprintf("activity(%d)", uint8(a))
}

// Certainty says how well something is known of a sighting.
type Certainty uint8

// From nothing to what the kernel itself says.
const (
	CertaintyNone   Certainty = iota
	CertaintyClaim            // the process says so itself, and could lie
	CertaintyLikely           // it fits in place and time
	CertaintyExact            // the kernel says so of this very process, or the panel's records do
)

var certaintyNames = [...]string{"unknown", "claim", "likely", "exact"}

// String returns the certainty in a word.
func (c Certainty) String() string {
	if int(c) < len(certaintyNames) {
		return certaintyNames[c]
	}
	return fmt.Sprintf("certainty(%d)", uint8(c))
}

// Known is how something is known.
type Known struct {
	Certainty Certainty
	How       string // in words: "descriptor 5 of the process"
}

// Process is a process as it was at one moment. What it may have chosen itself is
// Comm, and, among its own files, Dir.
type Process struct {
	PID   int
	Start time.Duration // when it was started, since boot; with PID, who it is
	UID   int           // the real one; -1 where not known
	GID   int           // the real one; -1 where not known
	Comm  string        // its name for itself, at most 15 bytes
	Exe   string        // the program that it runs; "" where not known
	Dir   string        // its working directory; "" where not known
}

// OpenFile is a regular file that a process has open.
type OpenFile struct {
	FD       int
	Path     string
	Readonly bool
	Current  bool // Path still names this very file
	UID      int  // its owner; -1 where not known
}

// Variable is one of the variables of a CGI request (RFC 3875 §4.1) that a process
// has in its environment, whoever put it there.
type Variable struct {
	Key, Value string
}

// Sighting is one process that was seen to send mail, or to be about to.
type Sighting struct {
	Time      time.Time
	Activity  Activity
	Mechanism string // what saw it: "ebpf", "audit", "fanotify", "proc"

	Process Process
	Parents []Process // nearest first
	Files   []OpenFile
	Claims  []Variable

	Program    string         // ActivitySubmission: the program that takes mail
	Args       []string       // ActivitySubmission: its arguments; nil where not known
	Recipients []string       // ActivitySubmission: those that are in Args
	Remote     netip.AddrPort // ActivityConnection

	Source      Source
	SourceKnown Known
	Login       string // of Process.UID; "" where it has none
	Site        string // that the script lies in; "" where not known
	Script      string // path below the root, or a folder that ends with a slash; "" where not known
	ScriptKnown Known
	Client      string // address; "" where not known
	ClientKnown Known
	Request     string // "POST /forum/mailer.php"; "" where not known
}

// Doing is what one source was seen to do, in sum.
type Doing struct {
	Activity Activity
	Source   Source
	Known    Known
	UID      int
	Login    string

	Script      string
	ScriptKnown Known
	Client      string // the last one
	ClientKnown Known
	Clients     int // different ones

	Count       int
	Recent      int // in the last ten seconds
	First, Last time.Time
}
