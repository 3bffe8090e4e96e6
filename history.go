package spoor

import (
	"time"
)

// History is what the mail log tells of one source, summed up by trace. Counts
// are of the log window that was read.
type History struct {
	Accepted   int   // messages taken from the source
	Recipients int   // of Accepted, as far as deliveries to them were begun
	Bytes      int64 // of Accepted
	Remote     int   // of Accepted, with a recipient that is not local to this server

	Delivered int // recipients that got it
	Failed    int // recipients that never will
	Deferrals int // attempts that were put off
	Waiting   int // recipients whose last attempt was put off

	FailedBy   [NumAnswers]int // Failed, by what the receiver said
	DeferredBy [NumAnswers]int // Deferrals, likewise
	Receivers  []ReceiverTally // who called it spam or blocked it: the most frequent first

	Bounces       int // bounces that this server made because of the source
	NullSender    int
	OwnSender     int     // the envelope sender belongs to the source
	ForeignSender int     // the domain of the envelope sender is not served here
	Senders       Ranking // Distinct is a lower bound where it is MaxDistinct

	Logins       int     // of an account, in order to send
	FailedLogins int     // likewise
	Clients      Ranking // addresses that sent, or logged in to send
	Networks     int     // different /24 and /64 among them; a lower bound at MaxDistinct

	WebServer   bool      // the source is the web server's user: scripts of all sites send under it
	First, Last time.Time // acceptance of the first and the last message
	Hours       []HourTally
	Inferred    int // of Accepted: joined to the source by time and PID only, not by a record

	Evidence []Evidence
}

// MaxDistinct bounds the sets of different values that are kept of a source.
const MaxDistinct = 4096

// HourTally is the volume of one hour. Hours without mail have none.
type HourTally struct {
	Start      time.Time
	Messages   int
	Recipients int
}

// ReceiverTally is what one large receiver, or one domain, said of a source's
// mail.
type ReceiverTally struct {
	Receiver string // name of a large receiver such as "google", or a domain
	Answer   Answer
	Count    int // answers
	Example  Evidence
}

// Rates are the figures of the whole server that a source is measured against.
type Rates struct {
	Accepted   int
	Recipients int
	Delivered  int
	Failed     int
	Deferrals  int
	FailedBy   [NumAnswers]int
	DeferredBy [NumAnswers]int
}

// Coverage is what was read of a log, and what was understood.
type Coverage struct {
	Files   []LogFile
	Lines   int64
	Foreign int64 // of programs that have nothing to do with mail
	Known   int64 // understood; Events included
	Events  int64
	Unknown int64 // of the mail system, and not understood
	Damaged int64 // without a header that can be read, or with NUL bytes
	Shapes  []UnknownShape
	First   time.Time
	Last    time.Time
	NotRead []Gap // files that were left out, and why
	Assumed []string
}

// LogFile is one file of the log.
type LogFile struct {
	Path     string // below the root
	Bytes    int64  // on disk
	Lines    int64
	Events   int64
	First    time.Time
	Last     time.Time
	Clock    string // how year and zone are known, in words
	Proved   bool   // by stamps of the MTA's own
	Complete bool   // it could be read to its end

	// Text is what was read, after decompression, of what cannot be read again as
	// it was: of a journal. It is nil for files.
	Text LogText
}

// LogText is a text that can be read at any place, as an io.ReaderAt can.
type LogText interface {
	ReadAt(p []byte, offset int64) (n int, err error)
}

// UnknownShape is a sort of line that was not understood: a program, and what
// its line begins with.
type UnknownShape struct {
	Program  string
	Count    int64
	Examples []Evidence // the first three
}
