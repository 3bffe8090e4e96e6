package report

import (
	"io"
	"time"

	"spoor"
)

// Verified is what was seen of a source after it was stopped.
type Verified struct {
	Source   spoor.Source
	Watched  time.Duration
	Before   int // of its messages that the plan has taken out of the queue
	Left     int // of them in the queue at the end
	Fresh    int // of Left: came after it was stopped
	Accepted int // messages that the log says were taken from it meanwhile
	Refused  int // attempts that the log says were refused
}

// Good reports whether nothing came of the source any more.
func (v *Verified) Good() bool { return v.Fresh == 0 && v.Accepted == 0 }

// Text writes what was seen in a few lines.
func (v *Verified) Text(out io.Writer, style Style) error {
	p := &page{style: style}
	p.end()
	title := "verified: nothing came of " + clip(v.Source.String(), maxAddress) + " in " + v.Watched.Round(time.Second).String()
	if !v.Good() {
		title = "not stopped: mail of " + clip(v.Source.String(), maxAddress) + " still comes in"
	}
	p.para(0, title)
	p.row(detail, "queue", plural(v.Left, "message")+" of it left, "+count(v.Fresh)+" of them new")
	p.row(detail, "log", count(v.Accepted)+" taken from it, "+plural(v.Refused, "attempt")+" refused")
	if !v.Good() {
		p.row(detail, "", "it may go another way than it did: see what stays open in the plan, and ask again who sends")
		p.suggest(detail, "next:", "spoor --since 10m")
	}
	return p.writeTo(out)
}
