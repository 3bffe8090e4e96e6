package report

import (
	"io"

	"spoor"
)

// WhoSchema names the contract of Who.JSON.
const WhoSchema = "spoor.who/1"

type whoJSON struct {
	Schema   string        `json:"schema"`
	Root     text          `json:"root"`
	Host     text          `json:"host"`
	Time     string        `json:"time"`
	MTA      text          `json:"mta"`
	Panel    text          `json:"panel"`
	Queue    queueJSON     `json:"queue"`
	Sources  []sourceJSON  `json:"sources"`
	Findings []findingJSON `json:"findings"`
	Complete bool          `json:"complete"`
	Gaps     []gapJSON     `json:"gaps"`
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
}

// JSON writes the answer as one document of the contract spoor.who/1, with all
// sources. What was counted in logs ("sent") is absent: a queue does not know it.
func (w *Who) JSON(out io.Writer) error {
	document := whoJSON{
		Schema: WhoSchema,
		Root:   text(w.Root), Host: text(w.Host), Time: jsonTime(w.Time),
		MTA: text(w.MTA), Panel: text(w.Panel),
		Queue:    newQueueJSON(&w.Queue),
		Sources:  make([]sourceJSON, 0, len(w.Sources)),
		Findings: newFindingsJSON(w.Findings),
		Complete: w.Complete,
		Gaps:     newGapsJSON(w.Gaps),
	}
	for _, line := range w.ranked() {
		s := newSourceJSON(line)
		s.Evidence = newEvidenceJSON(citedEvidence(line))
		for i := range s.Reasons {
			s.Reasons[i].Evidence = nil
		}
		document.Sources = append(document.Sources, s)
	}
	return writeJSON(out, document)
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
			Text: text(f.Text), Fix: text(f.Fix),
		})
	}
	return list
}

// citedEvidence is the evidence for the source and, after it, for the reasons
// of its verdict, each fact once.
func citedEvidence(line *SourceLine) []spoor.Evidence {
	var cited []spoor.Evidence
	seen := map[spoor.Evidence]bool{}
	add := func(list []spoor.Evidence) {
		for _, e := range list {
			if !seen[e] {
				seen[e] = true
				cited = append(cited, e)
			}
		}
	}
	add(line.Traffic.Evidence)
	for i := range line.Verdict.Reasons {
		add(line.Verdict.Reasons[i].Evidence)
	}
	return cited
}
