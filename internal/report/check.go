package report

import (
	"fmt"
	"io"
	"strings"

	"spoor"
)

// Status is what a monitoring plugin returns (Nagios plugin API).
type Status int

// The statuses; their values are exit statuses.
const (
	StatusOK Status = iota
	StatusWarning
	StatusCritical
	StatusUnknown
)

var statusNames = [...]string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}

// String returns the word of the status.
func (s Status) String() string {
	if s >= 0 && int(s) < len(statusNames) {
		return statusNames[s]
	}
	return fmt.Sprintf("status(%d)", int(s))
}

// Check writes the answer as one line with performance data, and returns the
// status to exit with: critical for a source that sends spam, warning for a
// suspect, unknown if nothing was found but not everything could be read.
func (w *Who) Check(out io.Writer) (Status, error) {
	lines := w.ranked()
	spam, suspect := classTally(lines, spoor.Spam), classTally(lines, spoor.Suspect)
	status := w.status(spam.sources, suspect.sources)
	text := fmt.Sprintf("SPOOR %s - %s", status, w.checkWords(status, lines))
	perf := []string{
		perfdata("messages", int64(w.Queue.Messages), ""),
		perfdata("unprocessed", int64(w.Queue.Unprocessed), ""),
		perfdata("bouncing", int64(w.Queue.Bouncing), ""),
		perfdata("held", int64(w.Queue.Held), ""),
		perfdata("pending", int64(w.Queue.Recipients-w.Queue.Done), ""),
		perfdata("size", w.Queue.Bytes, "B"),
		perfdata("spam_sources", int64(spam.sources), ""),
		perfdata("spam_messages", int64(spam.messages), ""),
		perfdata("suspect_sources", int64(suspect.sources), ""),
	}
	_, err := io.WriteString(out, text+"|"+strings.Join(perf, " ")+"\n")
	return status, err
}

func (w *Who) status(spam, suspect int) Status {
	switch {
	case spam > 0:
		return StatusCritical
	case suspect > 0:
		return StatusWarning
	case !w.Complete:
		return StatusUnknown
	}
	return StatusOK
}

func (w *Who) checkWords(status Status, lines []*SourceLine) string {
	words := plural(w.Queue.Messages, "message") + " in queue, no source of spam"
	switch status {
	case StatusCritical:
		words = worst(lines, spoor.Spam, "spam source")
	case StatusWarning:
		words = worst(lines, spoor.Suspect, "suspect source")
	case StatusUnknown:
		words = "nothing found, but not everything could be read: run spoor"
	case StatusOK:
	}
	if status != StatusUnknown && !w.Complete {
		words += ", not everything could be read"
	}
	return words
}

// worst counts the sources of a class and names the worst.
func worst(lines []*SourceLine, class spoor.Class, noun string) string {
	sum := classTally(lines, class)
	words := plural(sum.sources, noun) + ", " + plural(sum.messages, "message")
	for _, line := range lines {
		if line.Verdict.Class == class {
			return words + ": " + checkName(line.Traffic.Source) + " " + percent(line.Verdict.Confidence)
		}
	}
	return words
}

// checkName is the name of s where it is harmless. Monitoring systems put this
// line into shell commands and HTML, and take what follows | for numbers.
func checkName(s spoor.Source) string {
	if name := s.String(); bareWord(name) && len(name) <= maxAddress {
		return name
	}
	return s.Kind.String() + " with an unprintable name"
}

func perfdata(label string, n int64, unit string) string {
	return fmt.Sprintf("%s=%d%s;;;0", label, n, unit)
}
