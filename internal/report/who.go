package report

import (
	"cmp"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"spoor"
)

// Who is the answer to "who sends the spam?".
type Who struct {
	Root, Host string
	Time       time.Time // when the server was examined
	MTA, Panel string    // "" where not known
	Queue      spoor.QueueCount
	Unseen     string       // what is said of messages that the MTA has not taken up yet
	NoQueue    bool         // there is a log, and no queue was found
	Sources    []SourceLine // worst first within one class

	// Minor yields the sources that the log alone knows and that have too little
	// to be judged; nil for none. It is ranged over once.
	Minor                       iter.Seq[SourceLine]
	MinorSources, MinorMessages int // of Minor

	Stops     func(kind spoor.Kind) bool // whether sources of a kind can be stopped here; nil if none can
	InForce   []InForce                  // what spoor has done against sources, oldest first
	Log       *spoor.Coverage            // nil where no log was read
	Obstacles []spoor.Obstacle
	Findings  []spoor.Finding
	Overdue   Overdue // of the vault
	Complete  bool    // false: something that bears on the ranking could not be read
	Gaps      []spoor.Gap
}

// SourceLine is one source: what it has in the queue and how that was judged.
type SourceLine struct {
	Traffic spoor.Traffic
	Verdict spoor.Verdict
}

// DefaultTop is how many sources the text page shows.
const DefaultTop = 10

// Text writes the answer as one page. It shows the top worst sources; top 0
// means DefaultTop. Ordinary senders are summed up in one line.
func (w *Who) Text(out io.Writer, style Style, top int) error {
	if top <= 0 {
		top = DefaultTop
	}
	p := &page{style: style, root: w.Root}
	w.writeHeading(p)
	w.writeQueue(p)
	w.writeLog(p)
	w.Overdue.write(p, 0)
	writeObstacles(p, w.Obstacles, maxObstacles)
	w.writeSources(p, top)
	w.writeInForce(p)
	writeFindings(p, w.Findings)
	writeGaps(p, w.Gaps, w.Complete)
	return p.writeTo(out)
}

// ranked lists the sources, spam first. Within a class the order is verdict's.
func (w *Who) ranked() []*SourceLine {
	lines := make([]*SourceLine, 0, len(w.Sources))
	for i := range w.Sources {
		lines = append(lines, &w.Sources[i])
	}
	slices.SortStableFunc(lines, func(a, b *SourceLine) int {
		return cmp.Compare(b.Verdict.Class, a.Verdict.Class)
	})
	return lines
}

func (w *Who) writeHeading(p *page) {
	p.server(w.Host, w.MTA, w.Panel, "root "+w.Root, p.style.moment(w.Time))
}

func (w *Who) writeQueue(p *page) {
	p.end()
	if w.Queue.Messages == 0 {
		p.row(0, "Queue", w.emptyQueue())
		return
	}
	c := &w.Queue
	unseen := ""
	if w.Unseen != "" {
		unseen = count(c.Unprocessed) + " " + w.Unseen + ", "
	}
	p.row(0, "Queue", plural(c.Messages, "message")+", "+unseen+size(c.Bytes))
	p.row(0, "", plural(c.Recipients, "recipient")+": "+
		count(c.Done)+" done, "+count(c.Recipients-c.Done)+" pending")
	p.row(0, "", queueTrouble(c))
	if !c.Oldest.IsZero() {
		p.row(0, "", "oldest message of "+p.style.since(w.Time, c.Oldest))
	}
}

// writeLog says what was read of the log.
func (w *Who) writeLog(p *page) {
	c := w.Log
	switch {
	case c == nil && w.Queue.Messages == 0 && len(w.Sources) == 0:
		return // what is to be said of an empty queue is said
	case c == nil:
	case len(c.Files) == 0 || c.Lines == 0:
		p.row(0, "Log", "empty")
	default:
		words := plural(c.Lines, "line") + ", " + p.style.span(c.First, c.Last)
		if trust := Trust(c); trust != "good" {
			words += ": " + trust + ", see spoor logs check"
		}
		p.row(0, "Log", words)
	}
	w.writeAnswer(p)
}

func (w *Who) emptyQueue() string {
	if w.NoQueue {
		return "none was found below the root: all that follows is from the log"
	}
	if !w.Complete || w.Queue.Unreadable > 0 {
		return "no message could be read: this says nothing about the queue"
	}
	return "empty: no mail is waiting on this server"
}

func queueTrouble(c *spoor.QueueCount) string {
	words := []string{count(c.Bouncing) + " bouncing"}
	if c.Held > 0 {
		words = append(words, count(c.Held)+" held")
	}
	if c.Unreadable > 0 {
		words = append(words, count(c.Unreadable)+" unreadable")
	}
	return strings.Join(words, ", ")
}

// tally counts sources of one class and their messages.
type tally struct{ sources, messages, accepted int }

func classTally(lines []*SourceLine, class spoor.Class) tally {
	var t tally
	for _, line := range lines {
		if line.Verdict.Class == class {
			t.sources++
			t.messages += line.Traffic.Messages
			if h := line.Traffic.History; h != nil {
				t.accepted += h.Accepted
			}
		}
	}
	return t
}

func (w *Who) writeAnswer(p *page) {
	lines := w.ranked()
	spam, suspect := classTally(lines, spoor.Spam), classTally(lines, spoor.Suspect)
	label := "Answer"
	say := func(words string) {
		p.row(0, label, words)
		label = ""
	}
	switch spam.sources {
	case 0:
		say("no source of spam found")
	case 1:
		say("1 source sends spam: " + w.share(spam))
	default:
		say(count(spam.sources) + " sources send spam: " + w.share(spam))
	}
	if suspect.sources > 0 {
		say(plural(suspect.sources, "suspect source") + ": " + w.share(suspect))
	}
	if !w.Complete {
		say("not everything could be read, so this may be wrong: see below")
	}
}

// share says how much of the queue, and of what the log saw sent, is of a class.
func (w *Who) share(t tally) string {
	words := w.shareOfQueue(t.messages)
	if w.Log == nil {
		return words
	}
	return words + " in the queue, " + count(t.accepted) + " in the log"
}

func (w *Who) shareOfQueue(n int) string {
	if w.Queue.Messages == 0 || n > w.Queue.Messages {
		return plural(n, "message")
	}
	return count(n) + " of " + plural(w.Queue.Messages, "message") + " (" + shareOf(n, w.Queue.Messages) + ")"
}
