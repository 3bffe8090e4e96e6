package mta

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"spoor"
	"spoor/internal/host"
)

// ErrNoQueue is returned by Adapter.Open where there is no queue of that MTA.
var ErrNoQueue = errors.New("no queue of this MTA")

// Server is what an adapter is told of the server it is opened on.
type Server struct {
	Root   *host.Root
	Passwd *host.Passwd
	// Home is where the panel says that the MTA keeps its files, below the root;
	// "" means the usual places.
	Home string
	// MailSystem reports whether a UID belongs to a part of the mail system. It is
	// not asked before a message is read.
	MailSystem func(uid int) bool
	// Gaps collects what could not be read of the configuration.
	Gaps *spoor.Gaps
}

// Adapter is one MTA: all that the command line needs to use it. A new MTA is a
// folder with one of these, and a line in cli.
type Adapter struct {
	// Name is the MTA's word on the command line, for example "qmail".
	Name string
	// Place says where the queue is looked for, for people.
	Place func(s *Server) string
	// Detect reports whether there is a queue, and when it was last written to:
	// of two MTAs on a server, the one in use is examined. The time is zero where
	// it cannot be told.
	Detect func(s *Server) (used time.Time, ok bool)
	// Open opens the queue. It returns ErrNoQueue, or an fs.ErrPermission where the
	// queue may not be read.
	Open func(s *Server) (Queue, error)
	// LogOnly is for a server of which there is a log and no queue: the
	// configuration is read, and there is no message.
	LogOnly func(s *Server) Queue
	// Control opens the queue to change it. It may return ErrNoQueue, ErrRunning or an
	// fs.ErrPermission. nil where that is not supported.
	Control func(s *Server, c Control) (Controller, error)
	// Stops is of an MTA whose queue is changed faster, and more exactly, while it is
	// stopped: Control.Stop.
	Stops bool
	// Recover starts what a killed run has left stopped. nil where nothing is ever
	// stopped.
	Recover func(ctx context.Context, s *Server, c Control) error
	// Interrupt stops the MTA if it runs, and returns what starts it again. nil where
	// nothing has to be stopped.
	Interrupt func(ctx context.Context, s *Server, c Control) (end func() error, err error)
	// Freezer returns what stops deliveries to other servers, by a method of the
	// adapter's; "" is the best one. nil where that is not supported.
	Freezer func(s *Server, c Control, method string) (Freezer, error)
	// NoHold is of an MTA that cannot hold single messages: they wait in the vault.
	NoHold bool
	// Message turns a parcel into the message that it holds (RFC 5322), as the queue's
	// Content has it, with lines that end in LF. The caller closes it. nil where Control is.
	Message func(p *spoor.Parcel) (io.ReadCloser, error)
	// Parts yields, in their order, the parts of a file of the queue that may name
	// somebody; between them are the MTA's own marks, lengths and numbers. name is
	// slash-separated.
	Parts func(name string, file []byte) iter.Seq[Part]
	// Programs tells which programs take mail from users of the server.
	Programs func(s *Server) Programs
	// NewParser returns a parser of the MTA's log. Several goroutines call it.
	NewParser func() Parser
	// Servers are the programs that serve clients by SMTP: base names.
	Servers []string
	// Daemon is the program that delivers, for people: "qmail-send".
	Daemon string
	// Unseen is what is said of messages that it has not seen yet, for people: "not
	// yet preprocessed"; "" if there are none in its queue.
	Unseen string
	// Tools are the programs whose output Queue can be written as.
	Tools []Tool
}

// Tool is a program of the MTA that lists the queue.
type Tool struct {
	Name  string // as on the command line
	Short string
	// Write writes what the tool prints of the same queue, byte for byte.
	Write func(q Queue, w io.Writer) error
}

// Realms is implemented by queues whose MTA adds a domain to logins without one.
type Realms interface {
	// Realm is that domain, or "".
	Realm() string
}

// Copiers is implemented by queues whose MTA may send copies of what passes to
// addresses of its configuration.
type Copiers interface {
	// Copies are those addresses, as far as they are known.
	Copies() []string
}

// Filters is implemented by queues whose MTA runs content filters under users of
// their own, which hand messages back.
type Filters interface {
	// FiltersMail reports whether a UID is that of such a filter.
	FiltersMail(uid int) bool
}

// Policies is implemented by queues whose MTA has a standing policy that an
// audit can judge.
type Policies interface {
	// MailPolicy adds what the configuration says.
	MailPolicy(p *spoor.MailPolicy)
}

// LogFiler is implemented by queues whose MTA can write its log itself, not by
// syslog.
type LogFiler interface {
	// LogFiles are the paths below the root where the log may be, the likeliest
	// first. Not all need to be there. A file's name may hold %D where each file has
	// the day, as 20261123, or %M where it has the month.
	LogFiles() []string
}

// TwiceLogger is implemented by queues whose MTA can write each line to files of its
// own and to syslog.
type TwiceLogger interface {
	// LogsTwice reports whether it does.
	LogsTwice() bool
}

// Repeated is implemented by parsers that can pass over what the MTA wrote through
// syslog, where its own files have the same lines.
type Repeated interface {
	// SkipSyslog makes the parser do so.
	SkipSyslog()
}
