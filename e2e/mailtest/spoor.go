package mailtest

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
)

// Evidence is a quoted line.
type Evidence struct {
	What, ID, File, Text string
	Line                 int
}

// Gap is what was not read.
type Gap struct{ File, Reason string }

// Life is a message in the log.
type Life struct {
	ID, Source    string
	Queued, Ended bool
	Steps         []struct {
		What, Address, File, Text string
		Line                      int
	}
}

// Source is what a test reads of a source of spoor.who/1.
type Source struct {
	Source, Kind, Verdict string
	Queued, Sent          int
	Delivered, Failed     int
	FailedLogins          int `json:"failed_logins"`
	Clients               int `json:"client_addresses"`
	Bounces               int
	Attribution           float64
	Cause                 string
	CauseCount            int `json:"cause_count"`
	Reasons               []struct{ Symbol, Text string }
	Evidence, Conflicts   []Evidence
}

// Answer is what a test reads of spoor --json.
type Answer struct {
	MTA   string
	Queue struct{ Messages, Recipients, Done, Unreadable int }
	Log   struct {
		Lines, Understood, Foreign, Unknown, Damaged int
	}
	Sources  []Source
	Findings []struct{ Check, Text string }
	Complete bool
	Gaps     []Gap
}

// Message is a line of spoor queue ls -o ndjson.
type Message struct {
	ID, Sender, State, Source, Subject string
	Recipients                         []struct {
		Address string
		Done    bool
	}
	Origin struct {
		Kind, Name string
		UID        *int
		Script     string
		Confidence float64
		Evidence   []Evidence
	}
}

// Explanation is what a test reads of spoor explain --json.
type Explanation struct {
	Message Message
	File    string
	Trail   struct {
		Hops []struct {
			Via, Client, Account string
			UID                  *int
			Authenticated        bool
			Text                 string
		}
		Forgeable []struct{ Value string }
	}
}

// Trace is what a test reads of spoor trace --json.
type Trace struct{ Lives []Life }

// Spoor runs the built program on the server and wants it to succeed.
func (s *Server) Spoor(args ...string) string {
	s.t.Helper()
	var out, problems bytes.Buffer
	command := exec.CommandContext(s.t.Context(), "../../bin/spoor", append([]string{"--root", s.Dir}, args...)...)
	command.Stdout, command.Stderr = &out, &problems
	if err := command.Run(); err != nil {
		s.t.Fatalf("spoor %q: %v\n%s%s", args, err, out.String(), problems.String())
	}
	return out.String()
}

// JSON runs spoor and reads the document that it prints.
func (s *Server) JSON(answer any, args ...string) {
	s.t.Helper()
	out := s.Spoor(append(args, "--json")...)
	if err := json.Unmarshal([]byte(out), answer); err != nil {
		s.t.Fatalf("spoor %q: %v in %s", args, err, out)
	}
}

// Messages lists the queue as spoor sees it, with the source of each message.
func (s *Server) Messages() []Message {
	s.t.Helper()
	var list []Message
	for line := range strings.Lines(s.Spoor("queue", "ls", "-o", "ndjson")) {
		var m Message
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			s.t.Fatalf("%v in %s", err, line)
		}
		list = append(list, m)
	}
	return list
}
