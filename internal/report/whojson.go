package report

import (
	"io"
	"iter"
	"slices"

	"spoor"
)

// WhoSchema names the contract of Who.JSON.
const WhoSchema = "spoor.who/1"

// whoHead is what stands before the sources.
type whoHead struct {
	Schema string    `json:"schema"`
	Root   text      `json:"root"`
	Host   text      `json:"host"`
	Time   string    `json:"time"`
	MTA    text      `json:"mta"`
	Panel  text      `json:"panel"`
	Queue  queueJSON `json:"queue"`
}

// whoTail is what stands behind the sources.
type whoTail struct {
	Slow     []obstacleJSON `json:"slow"`
	Log      *coverageJSON  `json:"log,omitempty"`
	Findings []findingJSON  `json:"findings"`
	Overdue  int64          `json:"overdue_bytes,omitempty"` // of the vault
	InForce  []inForceJSON  `json:"in_force,omitempty"`
	Complete bool           `json:"complete"`
	Gaps     []gapJSON      `json:"gaps"`
}

type queueJSON struct {
	Messages    int    `json:"messages"`
	Unprocessed int    `json:"unprocessed"`
	Local       int    `json:"local"`
	Remote      int    `json:"remote"`
	Bouncing    int    `json:"bouncing"`
	Held        int    `json:"held"`
	Recipients  int    `json:"recipients"`
	Done        int    `json:"done"`
	Bytes       int64  `json:"bytes"`
	Oldest      string `json:"oldest"`
	Unreadable  int    `json:"unreadable"`
}

type findingJSON struct {
	Check    text `json:"check"`
	Severity text `json:"severity"`
	Subject  text `json:"subject"`
	Text     text `json:"text"`
	Fix      text `json:"fix"`

	Evidence []evidenceJSON `json:"evidence"`
}

// JSON writes the answer as one document of the contract spoor.who/1, with all
// sources. Each source has a line of its own: there may be thousands, and what
// reads them may be grep. What was counted in the log ("sent" and what follows
// it) is absent where none was read.
func (w *Who) JSON(out io.Writer) error {
	return writeJSONLines(out, jsonLines{
		head: whoHead{
			Schema: WhoSchema,
			Root:   text(w.Root), Host: text(w.Host), Time: jsonTime(w.Time),
			MTA: text(w.MTA), Panel: text(w.Panel),
			Queue: newQueueJSON(&w.Queue),
		},
		name: "sources", elements: w.sourcesJSON(),
		tail: whoTail{Slow: newObstaclesJSON(w.Obstacles), Log: w.logJSON(), Findings: newFindingsJSON(w.Findings), InForce: w.inForce(), Overdue: w.Overdue.Bytes, Complete: w.Complete, Gaps: newGapsJSON(w.Gaps)},
	})
}

func (w *Who) logJSON() *coverageJSON {
	if w.Log == nil {
		return nil
	}
	c := newCoverageJSON(w.Log)
	return &c
}

// sourcesJSON makes the sources, spam first and those with too little to be
// judged last, one at a time.
func (w *Who) sourcesJSON() iter.Seq[any] {
	return func(yield func(any) bool) {
		for _, line := range w.ranked() {
			if !yield(newCitedJSON(line)) {
				return
			}
		}
		if w.Minor == nil {
			return
		}
		for line := range w.Minor {
			if !yield(newCitedJSON(&line)) {
				return
			}
		}
	}
}

// newCitedJSON is a source with the evidence of its reasons moved to its own.
func newCitedJSON(line *SourceLine) sourceJSON {
	s := newSourceJSON(line)
	s.Evidence = newEvidenceJSON(citedEvidence(line))
	for i := range s.Reasons {
		s.Reasons[i].Evidence = nil
	}
	return s
}

func newQueueJSON(c *spoor.QueueCount) queueJSON {
	return queueJSON{
		Messages: c.Messages, Unprocessed: c.Unprocessed,
		Local: c.Local, Remote: c.Remote, Bouncing: c.Bouncing, Held: c.Held,
		Recipients: c.Recipients, Done: c.Done, Bytes: c.Bytes,
		Oldest: jsonTime(c.Oldest), Unreadable: c.Unreadable,
	}
}

func newFindingsJSON(findings []spoor.Finding) []findingJSON {
	list := make([]findingJSON, 0, len(findings))
	for _, f := range findings {
		list = append(list, findingJSON{
			Check: text(f.Check), Severity: text(f.Severity), Subject: text(f.Subject),
			Text: text(f.Text), Fix: text(f.Fix), Evidence: newEvidenceJSON(f.Evidence),
		})
	}
	return list
}

// citedEvidence is the evidence for the source and, after it, for the reasons
// of its verdict, each fact once.
func citedEvidence(line *SourceLine) []spoor.Evidence {
	cited := slices.Clone(line.Traffic.Evidence)
	for i := range line.Verdict.Reasons {
		cited = append(cited, line.Verdict.Reasons[i].Evidence...)
	}
	return distinct(cited)
}
