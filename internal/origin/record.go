package origin

import (
	"bytes"
	"encoding/json"
	"time"
)

// Places on a server, below the root.
const (
	LogPath  = "/var/log/spoor/origin.log" // and .1, .2 …, the older
	KeyName  = "origin.key"                // in the state folder
	HeldName = "held"                      // a folder in the state folder
)

// Record is one line of the log: one message that was handed to sendmail. Facts
// is what the recorder saw for itself, Claims what the process said, or what
// stands in its memory, where its user can write what he likes.
type Record struct {
	ID     string    `json:"id"`
	Time   time.Time `json:"time"` // when it was asked for; UTC
	From   From      `json:"from"`
	Over   string    `json:"over,omitempty"` // what became of it, of one over a limit: log, hold, refuse
	Held   string    `json:"held,omitempty"` // its name in the store of held messages
	Left   int       `json:"left_out,omitempty"`
	Facts  Facts     `json:"facts"`
	Claims Claims    `json:"claims"`
}

// From says how a record came to the recorder.
type From string

// The ways: through its socket, or from the file of a user, which is written while
// the recorder cannot be reached. Of the latter the UID alone is a fact.
const (
	FromSocket From = "socket"
	FromSpool  From = "spool"
)

// Facts is what the kernel told the recorder.
type Facts struct {
	UID       int       `json:"uid"`
	GID       int       `json:"gid,omitempty"`
	PID       int       `json:"pid,omitempty"`
	Start     uint64    `json:"start,omitempty"` // clock ticks since boot, proc_pid_stat(5) field 22
	Exe       string    `json:"exe,omitempty"`
	Shim      bool      `json:"shim,omitempty"` // Exe is the shim
	Dir       string    `json:"cwd,omitempty"`
	Script    string    `json:"script,omitempty"` // the one script that is open in the process or above it
	ScriptPID int       `json:"script_pid,omitempty"`
	ScriptUID *int      `json:"script_uid,omitempty"` // owner of the file
	Scripts   []string  `json:"scripts,omitempty"`    // where there are several
	Parents   []Process `json:"parents,omitempty"`    // nearest first
	Gone      bool      `json:"gone,omitempty"`       // the process ended before all was read
}

// Process is one that is above the one that sends.
type Process struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"`
	UID   int    `json:"uid"`
	Exe   string `json:"exe,omitempty"`
	Dir   string `json:"cwd,omitempty"`
}

// Claims is what is the sender's own word.
type Claims struct {
	Args       []string `json:"argv,omitempty"`
	ArgsCut    bool     `json:"argv_cut,omitempty"`
	Sender     *string  `json:"sender,omitempty"` // envelope sender of the command line
	Recipients int      `json:"recipients,omitempty"`
	FromTop    bool     `json:"from_header,omitempty"` // -t: recipients stand in the header
	To         int      `json:"to,omitempty"`
	Cc         int      `json:"cc,omitempty"`
	Bcc        int      `json:"bcc,omitempty"`
	MessageID  string   `json:"message_id,omitempty"`
	SizeBytes  int64    `json:"size,omitempty"`
	Partial    bool     `json:"partial,omitempty"` // at least SizeBytes
	Marked     bool     `json:"marked,omitempty"`  // the message has the field
	Told       bool     `json:"told,omitempty"`    // the shim read the message and told of it

	// The request, from the environment of the process or of the one above it.
	Script string `json:"script,omitempty"`
	URI    string `json:"uri,omitempty"`
	Remote string `json:"remote,omitempty"`
	Host   string `json:"host,omitempty"`
	PWD    string `json:"pwd,omitempty"`
	Dir    string `json:"cwd,omitempty"` // from the spool, where nobody looked it up
}

// Append appends the line. The ID stands first: a reader that looks for one need
// not take other lines apart.
func (r *Record) Append(dst []byte) ([]byte, error) {
	line := bytes.NewBuffer(dst)
	out := json.NewEncoder(line)
	out.SetEscapeHTML(false)
	err := out.Encode(r)
	return line.Bytes(), err
}

// MaxLine is how long a line may be that is read, in bytes.
const MaxLine = 64 << 10

// idHead begins each line.
const idHead = `{"id":"`

// ParseRecord reads a line.
func ParseRecord(line []byte) (Record, error) {
	var r Record
	err := json.Unmarshal(line, &r)
	return r, err
}
