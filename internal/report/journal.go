package report

import (
	"cmp"
	"io"
	"strings"
	"time"
)

// JournalSchema names the contract of Journal.JSON.
const JournalSchema = "spoor.journal/1"

// Journal is all that spoor has changed on a server.
type Journal struct {
	Head
	Entries []JournalEntry // oldest first
}

// JournalEntry is one plan of the journal.
type JournalEntry struct {
	Plan     string
	Action   string
	Start    time.Time
	End      time.Time // zero while it is unfinished
	By       string
	Reason   string
	Selector []string
	Messages int // planned
	Done     int
	Failure  string // what stopped it
	Undoes   string // the plan it takes back
	UndoneBy string
	Purged   int
	GivenUp  bool // somebody has ended it before its end

	Steps     int // planned
	StepsDone int
	Expires   time.Time // zero if it does not
}

// State is the word for what became of the plan.
func (e *JournalEntry) State() string {
	switch {
	case e.End.IsZero():
		return "unfinished"
	case e.UndoneBy != "":
		return "undone"
	case e.GivenUp:
		return "given-up"
	case e.Failure != "":
		return "stopped"
	case e.Purged > 0:
		return "purged"
	}
	return "done"
}

// Text writes the journal, the newest entry last, where a reader of a long list
// is looking.
func (j *Journal) Text(out io.Writer, style Style) error {
	p := j.page(style)
	if len(j.Entries) == 0 {
		p.para(0, "nothing was ever changed here")
	}
	for i := range j.Entries {
		j.Entries[i].write(p)
	}
	return p.writeTo(out)
}

func (e *JournalEntry) write(p *page) {
	p.end()
	p.put(e.Plan + "  ")
	p.flow(e.outcome())
	p.end()
	p.row(detail, "when", p.style.clock(e.Start))
	p.row(detail, "by", clip(cmp.Or(e.By, "unknown"), maxQuote))
	selected := "messages"
	if e.Steps > 0 {
		selected = "source"
	}
	for _, pair := range [...][2]string{
		{"reason", e.Reason}, {selected, e.selected()}, {"takes back", e.Undoes}, {"undone by", e.UndoneBy}, {"stopped", e.Failure},
	} {
		if pair[1] != "" {
			p.row(detail, pair[0], clip(pair[1], maxQuote))
		}
	}
	if !e.Expires.IsZero() && e.UndoneBy == "" {
		p.row(detail, "until", p.style.clock(e.Expires))
	}
	if e.Purged > 0 {
		p.row(detail, "purged", plural(e.Purged, "message")+" for good")
	}
}

// came says how much of the plan was done.
func (e *JournalEntry) came() string {
	messages := count(e.Done) + " of " + plural(e.Messages, "message")
	switch {
	case e.Steps == 0:
		return messages
	case e.Messages == 0:
		return stepsDone(e.StepsDone, e.Steps)
	}
	return stepsDone(e.StepsDone, e.Steps) + ", " + messages
}

func (e *JournalEntry) selected() string {
	if e.Action == "retention" {
		return ""
	}
	return joinWords(e.Selector)
}

func (e *JournalEntry) outcome() string {
	if e.Action == "retention" {
		return "how long messages stay in the vault was set to: " + cmp.Or(joinWords(e.Selector), "no limit")
	}
	return e.State() + ": " + e.came()
}

func joinWords(words []string) string {
	line := ""
	var lineSb84 strings.Builder
	for i, word := range words {
		if i > 0 {
			lineSb84.WriteString(" ")
		}
		lineSb84.WriteString(word)
	}
	line += lineSb84.String()
	return line
}

type journalJSON struct {
	headJSON
	Plans []journalEntryJSON `json:"plans"`
}

type journalEntryJSON struct {
	Plan     string `json:"plan"`
	Action   string `json:"action"`
	State    string `json:"state"`
	Start    string `json:"start"`
	End      string `json:"end,omitempty"`
	By       text   `json:"by"`
	Reason   text   `json:"reason,omitempty"`
	Selector []text `json:"selector"`
	Messages int    `json:"messages"`
	Done     int    `json:"done"`
	Failure  text   `json:"failure,omitempty"`
	Undoes   string `json:"undoes,omitempty"`
	UndoneBy string `json:"undone_by,omitempty"`
	Purged   int    `json:"purged,omitempty"`

	Steps     int    `json:"steps,omitempty"`
	StepsDone int    `json:"steps_done,omitempty"`
	Expires   string `json:"expires,omitempty"`
}

// JSON writes the journal as one document of the schema spoor.journal/1.
func (j *Journal) JSON(out io.Writer) error {
	document := journalJSON{headJSON: j.json(JournalSchema), Plans: []journalEntryJSON{}}
	for i := range j.Entries {
		e := &j.Entries[i]
		line := journalEntryJSON{
			Plan: e.Plan, Action: e.Action, State: e.State(), Start: jsonTime(e.Start), By: text(e.By), Reason: text(e.Reason),
			Selector: texts(e.Selector), Messages: e.Messages, Done: e.Done, Failure: text(e.Failure), Undoes: e.Undoes,
			UndoneBy: e.UndoneBy, Purged: e.Purged, Steps: e.Steps, StepsDone: e.StepsDone,
		}
		if !e.Expires.IsZero() {
			line.Expires = jsonTime(e.Expires)
		}
		if !e.End.IsZero() {
			line.End = jsonTime(e.End)
		}
		document.Plans = append(document.Plans, line)
	}
	return writeJSON(out, document)
}
