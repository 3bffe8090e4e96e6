// Package logs reads the mail logs of the server: it finds their files below the
// root, opens and decompresses them, cuts them into lines, takes the headers of
// syslog and multilog apart, and hands what a Parser makes of the lines on as
// blocks of events, in order of time.
package logs

import (
	"fmt"
	"time"

	"spoor"
)

// Parser reads the lines of a mail log; mta.Parser is the same. Scan gives each
// block of a file a parser of its own, and first shows it the lines before that
// block, so that a parser may remember a line that its logger has cut; unless it
// is Stateless.
type Parser interface {
	// Parse reads one line. It sets e, which the caller has zeroed, and returns
	// LineEvent; or leaves e in any state and returns another sort.
	Parse(l *spoor.Line, e *spoor.Event) spoor.LineSort
}

// Stateless is implemented by parsers for which each line stands for itself. One
// serves all blocks, and is not shown the lines before them.
type Stateless interface {
	Parser
	// Stateless does nothing.
	Stateless()
}

// Compression says how a file is compressed, by what it begins with.
type Compression uint8

// The ways of compression.
const (
	Plain Compression = iota
	Gzip
	Bzip2
	XZ
	Zstd
	Journal // of systemd, as journalctl reads it
)

var compressionNames = [...]string{"plain", "gzip", "bzip2", "xz", "zstd", "journal"}

// Compressions lists every Compression, in the order of their constants.
func Compressions() []Compression { return []Compression{Plain, Gzip, Bzip2, XZ, Zstd, Journal} }

// String returns the word for c.
func (c Compression) String() string {
	if int(c) < len(compressionNames) {
		return compressionNames[c]
	}
	return fmt.Sprintf("compression(%d)", uint8(c))
}

// File is one file of a log.
type File struct {
	Path        string // below the root, with a leading slash
	Compression Compression
	SizeBytes   int64 // on disk
	ModTime     time.Time
	Webmail     bool // written by a webmail, as the user of the web server: lines that claim to be of another program are not looked at
}

// Stream is one log: its current file and those that were rotated away.
type Stream struct {
	Name    string // path of the current file, or of multilog's folder
	Files   []File // oldest first
	NotRead []spoor.Gap
}

// Options says how to scan.
type Options struct {
	// NewParser makes a parser. Several goroutines call it.
	NewParser func() Parser
	// Since and Until bound the events that are handed on: from Since to before
	// Until. Zero times bound nothing.
	Since, Until time.Time
	// Zone is the server's, for stamps without one; see the function Zone. Nil is
	// UTC.
	Zone *time.Location
	// Now bounds the year of stamps that have none.
	Now time.Time
	// MaxBytes bounds the files of a stream that are read, on disk: as much of
	// plain ones, a quarter of compressed ones. 0 is 4 GiB, and no bound where
	// Since is set. The newest file is always read.
	MaxBytes int64
	// Progress is told how many more bytes on disk were read, by the goroutine
	// that called Scan. It may be nil.
	Progress func(bytes int64)

	blockBytes int // of the log; 0 is the default. Tests make it small.
}
