package report

import (
	"cmp"
	"io"

	"spoor"
)

// PlanSchema names the contract of Plan.JSON.
const PlanSchema = "spoor.plan/1"

// Plan is what is about to be done.
type Plan struct {
	Head
	*spoor.Plan
	Run string // the command that does it; "" where it is being run
}

// Text writes the plan as a page: what, how much of whose, how, and what in it
// looks legitimate.
func (p *Plan) Text(out io.Writer, style Style) error {
	page := p.page(style)
	page.heading("Plan: " + planTitle(p.Plan))
	if p.QueueMessages > 0 && len(p.Targets) > 0 {
		page.row(detail, "of the queue", count(len(p.Targets))+" of "+count(p.QueueMessages)+" messages")
	}
	writeShares(page, p.Shares)
	for i, line := range p.Method {
		label := ""
		if i == 0 {
			label = "how"
		}
		page.row(detail, label, line)
	}
	p.writeSteps(page)
	if p.Undoes != "" {
		page.row(detail, "takes back", p.Undoes)
	}
	for _, line := range p.Remarks {
		page.row(detail, "but", line)
	}
	if p.Reason != "" {
		page.row(detail, "reason", clip(p.Reason, maxQuote))
	}
	p.writeDoubtful(page)
	if p.Run != "" {
		page.heading("Nothing was changed")
		page.suggest(detail, "to do it:", p.Run)
	}
	return page.writeTo(out)
}

// planTitle says in one line what a plan comes to.
func planTitle(p *spoor.Plan) string {
	pending := 0
	for i := range p.Targets {
		pending += p.Targets[i].Recipients - p.Targets[i].Done
	}
	messages := plural(len(p.Targets), "message")
	waiting := " (" + plural(pending, "recipient") + " not done)"
	if p.Action.Stepwise() {
		return stepwiseTitle(p, messages+waiting)
	}
	switch {
	case p.ThroughVault && p.Action == spoor.ActionHold:
		return messages + waiting + " wait in the vault until they are released"
	case p.ThroughVault && p.Action == spoor.ActionRelease:
		return messages + waiting + " go from the vault back into the queue"
	}
	switch p.Action {
	case spoor.ActionRemove:
		return messages + waiting + " leave the queue for the vault"
	case spoor.ActionRestore:
		return messages + waiting + " go from the vault back into the queue"
	case spoor.ActionHold:
		return messages + waiting + " are held in the queue"
	case spoor.ActionRelease:
		return messages + waiting + " are released"
	case spoor.ActionRetry:
		return messages + waiting + " are tried now"
	case spoor.ActionShimRelease:
		return messages + waiting + " go from the vault to sendmail"
	case spoor.ActionFreeze:
		return "nothing more is delivered to other servers; mail is still taken in"
	case spoor.ActionThaw:
		return "mail is delivered to other servers again"
	default:
		return p.Action.String()
	}
}

// maxShares is how many sources a plan names.
const maxShares = 10

func writeShares(page *page, shares []spoor.SourceShare) {
	for i := range shares[:min(maxShares, len(shares))] {
		label := ""
		if i == 0 {
			label = "from"
		}
		s := &shares[i]
		name := clip(cmp.Or(s.Source.String(), "unknown"), maxAddress)
		page.row(detail, label, name+"  "+plural(s.Messages, "message")+"  "+s.Class.String()+" "+percent(s.Confidence))
	}
	if more := len(shares) - maxShares; more > 0 {
		page.row(detail, "", "and "+plural(more, "other source"))
	}
}

// maxDoubtful is how many messages a plan lists that look legitimate.
const maxDoubtful = 10

func (p *Plan) writeDoubtful(page *page) {
	if len(p.Doubtful) == 0 {
		return
	}
	page.heading("Of these, " + plural(len(p.Doubtful), "message") + " may be legitimate: nothing speaks against the source")
	for i := range p.Doubtful[:min(maxDoubtful, len(p.Doubtful))] {
		t := &p.Doubtful[i]
		sender := cmp.Or(t.Sender, "<>")
		words := clip(sender, maxAddress) + "  " + plural(t.Recipients, "recipient") + "  " + clip(t.Source.String(), maxAddress)
		if t.Subject != "" {
			words += "  " + quoted(clip(subject(t.Subject), maxRemark))
		}
		page.row(detail, string(t.ID), words)
	}
	if more := len(p.Doubtful) - maxDoubtful; more > 0 {
		page.para(detail, "and "+count(more)+" more: see --json")
	}
}

type planJSON struct {
	headJSON
	Action     string       `json:"action"`
	Undoes     string       `json:"undoes,omitempty"`
	Reason     text         `json:"reason,omitempty"`
	Selector   []text       `json:"selector"`
	Messages   int          `json:"messages"`
	Queue      int          `json:"queue_messages"`
	Recipients int          `json:"recipients"`
	Pending    int          `json:"pending"`
	Method     []text       `json:"method"`
	Sources    []shareJSON  `json:"sources"`
	Doubtful   []text       `json:"doubtful"`
	Targets    []targetJSON `json:"targets"`

	Steps   []changeJSON `json:"steps,omitempty"`
	Open    []text       `json:"open,omitempty"`
	ByHand  []text       `json:"by_hand,omitempty"`
	Breaks  []text       `json:"breaks,omitempty"`
	Expires string       `json:"expires,omitempty"`
	Remarks []text       `json:"remarks,omitempty"`
}

type shareJSON struct {
	Source     text    `json:"source"`
	Verdict    string  `json:"verdict"`
	Confidence float64 `json:"confidence"`
	Messages   int     `json:"messages"`
	Pending    int     `json:"pending"`
}

type targetJSON struct {
	ID         text   `json:"id"`
	Time       string `json:"time"`
	Size       int64  `json:"size"`
	Sender     text   `json:"sender"`
	Recipients int    `json:"recipients"`
	Done       int    `json:"done"`
	Source     text   `json:"source"`
	Subject    text   `json:"subject"`
}

// JSON writes the plan as one document of the schema spoor.plan/1.
func (p *Plan) JSON(out io.Writer) error {
	document := planJSON{
		headJSON: p.json(PlanSchema), Action: p.Action.String(), Undoes: p.Undoes, Reason: text(p.Reason),
		Selector: texts(p.Selector), Messages: len(p.Targets), Queue: p.QueueMessages, Method: texts(p.Method),
		Sources: []shareJSON{}, Doubtful: []text{}, Targets: make([]targetJSON, 0, len(p.Targets)),
	}
	document.steps(p.Plan)
	if len(p.Remarks) > 0 {
		document.Remarks = texts(p.Remarks)
	}
	for i := range p.Shares {
		s := &p.Shares[i]
		document.Sources = append(document.Sources, shareJSON{
			Source: text(s.Source.String()), Verdict: s.Class.String(), Confidence: float64(s.Confidence), Messages: s.Messages, Pending: s.Recipients,
		})
	}
	for i := range p.Doubtful {
		document.Doubtful = append(document.Doubtful, text(p.Doubtful[i].ID))
	}
	for i := range p.Targets {
		t := &p.Targets[i]
		document.Recipients += t.Recipients
		document.Pending += t.Recipients - t.Done
		document.Targets = append(document.Targets, targetJSON{
			ID: text(t.ID), Time: jsonTime(t.Arrived), Size: t.SizeBytes, Sender: text(t.Sender), Recipients: t.Recipients, Done: t.Done,
			Source: text(t.Source.String()), Subject: text(t.Subject),
		})
	}
	return writeJSON(out, document)
}

func texts(words []string) []text {
	list := make([]text, 0, len(words))
	for _, word := range words {
		list = append(list, text(word))
	}
	return list
}
