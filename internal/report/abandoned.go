package report

import (
	"cmp"
	"io"
	"slices"

	"spoor"
)

// AbandonedSchema names the contract of Abandoned.JSON.
const AbandonedSchema = "spoor.abandoned/1"

// Abandoned tells where the messages are of the unfinished part of a plan that is
// given up, or was.
type Abandoned struct {
	Head
	Plan     string
	Action   spoor.Action
	Messages []LocatedMessage
	Restore  string // the command that puts back what is in the vault
	Beside   string // the folder of the plan beside the queue, below the root
	State    string // of a plan that is one step and has no messages: what it leaves
	Next     string // a command that goes on from there; "" if there is none

	// Stays are, of a plan that is finished and whose undo has left something, the steps
	// that are not taken back any more. There are no messages then.
	Stays []spoor.StepOutcome
}

// LocatedMessage is one of them.
type LocatedMessage struct {
	spoor.Target
	Where string // queue, vault, beside, gone, unknown
	Left  bool   // a copy of no use is left in the plan's folder beside the queue
	Why   string // what kept it from its place
}

// whereMeaning says what a place means, in the order in which they are told.
var whereMeaning = [...]struct{ where, meaning string }{
	{"queue", "in the queue: delivered as any other"},
	{"vault", "in the vault, and out of the queue"},
	{"beside", "in the folder of the plan beside the queue alone: neither delivered nor lost"},
	{"gone", "in neither: delivered or removed meanwhile"},
	{"unknown", "of unknown place: the disk does not tell"},
}

// Text writes a line for each place and one for each message that is not where it
// belongs.
func (a *Abandoned) Text(out io.Writer, style Style) error {
	p := &page{style: style, root: a.Root}
	if len(a.Stays) > 0 {
		p.para(0, "of "+a.Plan+" ("+a.Action.String()+") stays, and is not taken back any more:")
		writeStepOutcomes(p, a.Stays)
		return p.writeTo(out)
	}
	if a.State != "" {
		p.para(0, a.Plan+" ("+a.Action.String()+"): "+a.State)
		if a.Next != "" {
			p.label(detail, "next")
			p.command(a.Next)
		}
		return p.writeTo(out)
	}
	p.para(0, "unfinished part of "+a.Plan+" ("+a.Action.String()+"): "+plural(len(a.Messages), "message"))
	for _, one := range whereMeaning {
		a.writePlace(p, one.where, one.meaning)
	}
	if a.count("beside")+a.count("unknown") > 0 || slices.ContainsFunc(a.Messages, func(m LocatedMessage) bool { return m.Left }) {
		p.row(detail, "folder", a.Beside)
	}
	if a.count("vault") > 0 {
		p.label(detail, "restore")
		p.command(a.Restore)
	}
	return p.writeTo(out)
}

func (a *Abandoned) count(where string) (n int) {
	for i := range a.Messages {
		if a.Messages[i].Where == where {
			n++
		}
	}
	return n
}

func (a *Abandoned) writePlace(p *page, where, meaning string) {
	n := a.count(where)
	if n == 0 {
		return
	}
	p.row(detail, where, count(n)+", "+meaning)
	for i := range a.Messages {
		m := &a.Messages[i]
		if m.Where != where {
			continue
		}
		line := "from " + cmp.Or(m.Sender, "<>")
		if m.Left {
			line += "; a copy of no use is left beside the queue"
		}
		if m.Why != "" {
			line += "; " + m.Why
		}
		p.row(detail, string(m.ID), clip(line, maxQuote))
	}
}

type abandonedJSON struct {
	headJSON
	Plan     string            `json:"plan"`
	Action   string            `json:"action"`
	Counts   map[string]int    `json:"counts"`
	Folder   text              `json:"folder"`
	Messages []abandonedLine   `json:"messages"`
	State    text              `json:"state,omitempty"`
	Next     text              `json:"next,omitempty"`
	Stays    []stepOutcomeJSON `json:"stays,omitempty"`
}

type abandonedLine struct {
	ID     text   `json:"id"`
	Time   string `json:"time"`
	Sender text   `json:"sender"`
	Where  string `json:"where"`
	Left   bool   `json:"left,omitempty"`
	Why    text   `json:"why,omitempty"`
}

// JSON writes one document of the schema spoor.abandoned/1.
func (a *Abandoned) JSON(out io.Writer) error {
	document := abandonedJSON{
		headJSON: a.json(AbandonedSchema), Plan: a.Plan, Action: a.Action.String(), Counts: map[string]int{}, Folder: text(a.Beside), Messages: []abandonedLine{},
		State: text(a.State), Next: text(a.Next), Stays: stepOutcomes(a.Stays),
	}
	for i := range a.Messages {
		m := &a.Messages[i]
		document.Counts[m.Where]++
		document.Messages = append(document.Messages, abandonedLine{
			ID: text(m.ID), Time: jsonTime(m.Arrived), Sender: text(m.Sender), Where: m.Where, Left: m.Left, Why: text(m.Why),
		})
	}
	return writeJSON(out, document)
}
