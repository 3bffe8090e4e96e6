package spoor

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// StepKind is the mechanism of a step.
type StepKind uint8

// The mechanisms.
const (
	StepEdit     StepKind = iota // a file of the configuration gets other lines
	StepACL                      // a user may not run a program
	StepSeal                     // a script can be neither read nor replaced
	StepCommand                  // a program of the panel or of the MTA is run
	StepFirewall                 // packets are refused
	StepSessions                 // open connections are ended
	StepReload                   // a daemon is told to read its configuration again
)

var stepKindNames = [...]string{"edit", "acl", "seal", "command", "firewall", "sessions", "reload"}

// StepKinds lists every StepKind, in the order of their constants.
func StepKinds() []StepKind {
	kinds := make([]StepKind, len(stepKindNames))
	for i := range kinds {
		kinds[i] = StepKind(i)
	}
	return kinds
}

// String returns the word used in plans.
func (k StepKind) String() string {
	if int(k) < len(stepKindNames) {
		return stepKindNames[k]
	}
	return fmt.Sprintf("step(%d)", uint8(k))
}

// ParseStepKind is the inverse of StepKind.String.
func ParseStepKind(word string) (StepKind, bool) {
	for i, name := range stepKindNames {
		if name == word {
			return StepKind(i), true
		}
	}
	return 0, false
}

// MarshalText writes the word.
func (k StepKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads it.
func (k *StepKind) UnmarshalText(word []byte) error {
	kind, ok := ParseStepKind(string(word))
	if !ok {
		return fmt.Errorf("%q is no kind of step", word)
	}
	*k = kind
	return nil
}

// ErrConflict is in the chain of the error of an undo where somebody has changed
// the same thing since, so that it cannot be taken back without losing that.
// Nothing was changed; the error says what to do by hand.
var ErrConflict = errors.New("was changed since")

// Step is one change of the server outside the queue. What the mechanism of its
// Kind needs is in the field of that name; the others are nil.
type Step struct {
	Kind StepKind `json:"kind"`
	// What is what it comes to, for people. A step without words is not shown: it is
	// the other half of one that is, such as the reload after the undo.
	What string `json:"what"`
	// Inverse is how it is undone, for people; "" where nothing undoes it.
	Inverse string `json:"inverse,omitempty"`
	// Optional is a step whose failure is told and does not take the others back.
	Optional bool `json:"optional,omitempty"`

	Edit     *Edit     `json:"edit,omitempty"`
	ACL      *ACL      `json:"acl,omitempty"`
	Seal     *Seal     `json:"seal,omitempty"`
	Command  *Command  `json:"command,omitempty"`
	Firewall *Firewall `json:"firewall,omitempty"`
	Sessions *Sessions `json:"sessions,omitempty"`

	Reload *Reload `json:"reload,omitempty"`

	// Shared names what several plans may need: what they all do by a step of that name
	// is done once, and stays until the last of them is taken back. "" is nothing.
	Shared string `json:"shared,omitempty"`

	// Of is set in the plan that takes another one back: the step is that one's.
	Of *StepRef `json:"of,omitempty"`
}

// StepRef names a step of a plan.
type StepRef struct {
	Plan   string `json:"plan"`
	Number int    `json:"number"` // from 0
}

// Edit changes a file. Changes are made to whole lines, so that they can be taken
// back when somebody else has edited the file since; Content replaces all of it,
// and then that is refused.
type Edit struct {
	Path    string       `json:"path"` // absolute below the root, without symbolic links
	Changes []LineChange `json:"changes,omitempty"`
	Content *string      `json:"content,omitempty"` // of the whole file; nil if Changes are made
	// Was is the SHA-256 of the content that Content was made of, in hexadecimal; ""
	// of a file that was not there.
	Was string `json:"was,omitempty"`
	// Ours is a file that spoor alone writes to: when the last line is taken out, it
	// goes. As long as one of the files in NamedIn names its path, it stays and is empty.
	Ours    bool     `json:"ours,omitempty"`
	NamedIn []string `json:"named_in,omitempty"`
	// Mode, UID and GID are of a file that has to be made.
	Mode     uint32 `json:"mode,omitempty"`
	UID, GID int    `json:",omitempty"`
	// Want is text that must be in the file when the step is done; "" for any. A step
	// without changes, for which another plan has made them, fails where they are gone.
	Want string `json:"want,omitempty"`
}

// LineChange changes one line, or several in a row, of a file. Lines are without
// the last line end. A New without an Old is added at the end, or at the Front; an
// Old without a New is taken out. An Old must be in the file exactly once.
type LineChange struct {
	Old   string `json:"old,omitempty"`
	New   string `json:"new,omitempty"`
	Front bool   `json:"front,omitempty"`
}

// ACL forbids a user to run a program, by an entry in its access control list
// (acl(5)).
type ACL struct {
	Path string `json:"path"` // of the program: absolute below the root, without symbolic links
	UID  int    `json:"uid"`
}

// Seal makes a script unreadable and unreplaceable. All but Path and Home is its
// identity, which is checked again through the open file before it is touched.
type Seal struct {
	Path      string    `json:"path"` // absolute below the root; no link is its last part
	Home      string    `json:"home"` // the folder that it must lie in after all links were followed; absolute below the root, without links
	Device    uint64    `json:"device"`
	Inode     uint64    `json:"inode"`
	SizeBytes int64     `json:"size"`
	Modified  time.Time `json:"modified"`
	SHA256    string    `json:"sha256"` // of the content, in hexadecimal
}

// Command runs programs, without a shell. Each is a path and its arguments. Do and
// Undo must do no harm when they are run again.
type Command struct {
	Do     []string `json:"do,omitempty"`
	Undo   []string `json:"undo,omitempty"`
	Before []string `json:"before,omitempty"` // its output is kept: what the setting was
	// Input is a file that Do and Undo get on their standard input, as it is then: absolute
	// below the root, without symbolic links; "" is nothing.
	Input string `json:"input,omitempty"`
	// Test is run after Do; where it fails, or does not write Want, Do has failed. Without
	// a Test it is Do that has to write Want.
	Test []string `json:"test,omitempty"`
	Want string   `json:"want,omitempty"`
	// Writes are the files that Do makes of others, a map's database for example:
	// they are kept, and Undo puts them back as they were where it can. Without a Do it
	// is Undo that makes them, of what the steps behind this one have left when they
	// were taken back; it is not run where they are as they were before.
	Writes []string `json:"writes,omitempty"` // absolute below the root
	// Lenient is set where an Undo that fails is told and not tried again: what it ends
	// may have ended by itself, as a timer does that has run or that a restart has lost.
	Lenient bool `json:"lenient,omitempty"`
}

// Reload sends SIGHUP to a daemon, if it runs: after the steps before it when they
// are done, or, if Undone is set, after the steps behind it when they are taken back.
type Reload struct {
	PIDFile string `json:"pid_file"` // absolute below the root
	Exe     string `json:"exe"`      // the base name of the daemon's program
	Undone  bool   `json:"undone,omitempty"`

	// Workers are base names of programs that the daemon replaces when it reads its
	// configuration. They are waited for, some seconds: until then they work by what
	// was configured before.
	Workers []string `json:"workers,omitempty"`
}

// Firewall refuses connections to the ports 25, 465 and 587, in the table "inet
// spoor" of nftables. Either UID or Prefix is set.
type Firewall struct {
	UID      int          `json:"uid,omitempty"`      // whose processes may not connect to other machines; 0 is none
	Loopback bool         `json:"loopback,omitempty"` // nor to this one
	Prefix   netip.Prefix `json:"prefix,omitzero"`    // that may not connect to this machine
	Until    time.Time    `json:"until,omitzero"`     // the kernel forgets Prefix by itself then
}

// Sessions ends processes that serve open connections of a source that was
// stopped. There is no inverse.
type Sessions struct {
	List []Session `json:"list"` // those of the plan

	// What processes of Programs, base names, serve for Clients when it comes to it
	// ends as well: it may have begun since the plan was made, under a configuration
	// that was read before.
	Programs []string     `json:"programs,omitempty"`
	Clients  []netip.Addr `json:"clients,omitempty"`
}

// Session is a process that serves a connection. All of it is checked again just
// before it is ended.
type Session struct {
	PID     int        `json:"pid"`
	Started uint64     `json:"started"` // clock ticks since boot: field 22 of /proc/PID/stat (proc(5))
	Exe     string     `json:"exe"`     // the program
	Client  netip.Addr `json:"client"`
}

// Subject is the file, user, network or program that a step is about, for people.
func (s *Step) Subject() string {
	switch {
	case s.Edit != nil:
		return s.Edit.Path
	case s.ACL != nil:
		return s.ACL.Path
	case s.Seal != nil:
		return s.Seal.Path
	case s.Firewall != nil && s.Firewall.Prefix.IsValid():
		return s.Firewall.Prefix.String()
	case s.Firewall != nil:
		return fmt.Sprintf("uid %d", s.Firewall.UID)
	case s.Reload != nil:
		return s.Reload.Exe
	case s.Command != nil && len(s.Command.Do) > 0:
		return s.Command.Do[0]
	}
	return ""
}

// Shown is how many steps have words, and so are counted for people.
func Shown(steps []Step) (shown int) {
	for i := range steps {
		if steps[i].What != "" {
			shown++
		}
	}
	return shown
}

// StepOutcome is what became of one step of a plan.
type StepOutcome struct {
	Number int // in the plan, from 0
	Kind   StepKind
	What   string
	Result Result // done; changed (somebody has changed it since: told in Why, with what to do by hand); failed
	Why    string // for people; also a remark on what was done
}
