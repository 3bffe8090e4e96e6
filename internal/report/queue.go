package report

import (
	"io"
	"time"

	"spoor"
)

// QueueSchema names the contract of Queue.JSON.
const QueueSchema = "spoor.queue/1"

// Queue is the state of a queue in numbers.
type Queue struct {
	Root, Host string
	Time       time.Time // when the queue was read
	MTA, Panel string    // "" where not known
	Count      spoor.QueueCount
	Complete   bool // false: something could not be read, so more may be there
	Gaps       []spoor.Gap
}

type queueStatJSON struct {
	Schema   string    `json:"schema"`
	Root     text      `json:"root"`
	Host     text      `json:"host"`
	Time     string    `json:"time"`
	MTA      text      `json:"mta"`
	Panel    text      `json:"panel"`
	Queue    queueJSON `json:"queue"`
	Complete bool      `json:"complete"`
	Gaps     []gapJSON `json:"gaps"`
}

// JSON writes the numbers as one document of the schema spoor.queue/1. The key
// queue is that of spoor.who/1.
func (q *Queue) JSON(out io.Writer) error {
	return writeJSON(out, queueStatJSON{
		Schema: QueueSchema,
		Root:   text(q.Root), Host: text(q.Host), Time: jsonTime(q.Time),
		MTA: text(q.MTA), Panel: text(q.Panel),
		Queue: newQueueJSON(&q.Count), Complete: q.Complete, Gaps: newGapsJSON(q.Gaps),
	})
}

// Text writes the numbers as a page. On a qmail server it also says what
// qmail-qstat(8) calls the two numbers that it knows.
func (q *Queue) Text(out io.Writer, style Style) error {
	p := &page{style: style, root: q.Root}
	p.server(q.Host, q.MTA, q.Panel, "root "+q.Root, style.moment(q.Time))
	p.end()
	messages, unprocessed := "", ""
	if q.MTA == "qmail" {
		messages = "qmail-qstat: messages in queue"
		unprocessed = "qmail-qstat: messages in queue but not yet preprocessed"
	}
	c := &q.Count
	p.number("messages", int64(c.Messages), messages)
	p.number("unprocessed", int64(c.Unprocessed), unprocessed)
	p.number("local", int64(c.Local), "")
	p.number("remote", int64(c.Remote), "")
	p.number("bouncing", int64(c.Bouncing), "")
	p.number("held", int64(c.Held), "")
	p.number("unreadable", int64(c.Unreadable), "")
	p.number("recipients", int64(c.Recipients), "")
	p.number("  done", int64(c.Done), "")
	p.number("  pending", int64(c.Recipients-c.Done), "")
	p.number("bytes", c.Bytes, size(c.Bytes))
	if !c.Oldest.IsZero() {
		p.put("oldest")
		p.tab(wordsColumn)
		p.put(style.since(q.Time, c.Oldest))
		p.end()
	}
	writeGaps(p, q.Gaps, q.Complete)
	return p.writeTo(out)
}
