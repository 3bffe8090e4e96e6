package report

import (
	"io"

	"spoor"
)

// ReceiptSchema names the contract of Receipt.JSON.
const ReceiptSchema = "spoor.receipt/1"

// Receipt is what a plan has done.
type Receipt struct {
	Head
	*spoor.Receipt
	Undo    string  // the command that takes it back; "" where there is none
	Overdue Overdue // of the vault
}

// maxSkippedShown bounds the messages that a receipt lists in text.
const maxSkippedShown = 10

// Text writes the receipt as a few lines.
func (r *Receipt) Text(out io.Writer, style Style) error {
	p := &page{style: style, root: r.Root}
	p.para(0, receiptTitle(r.Receipt))
	if r.Failure != "" {
		p.row(detail, "stopped", clip(r.Failure, maxQuote))
	}
	writeStepOutcomes(p, r.Steps)
	for result, n := range r.SkippedBy {
		if n > 0 {
			p.row(detail, spoor.Result(result).String(), count(n)+", "+skippedMeaning(spoor.Result(result)))
		}
	}
	r.writeSkipped(p)
	if r.Renamed > 0 {
		first := r.Moved[0]
		p.row(detail, "new IDs", plural(r.Renamed, "message")+" with another queue ID, as the MTA demands: "+string(first.Old)+" is "+string(first.New)+" now")
	}
	for _, line := range r.Remarks {
		p.row(detail, "but", line)
	}
	r.Overdue.write(p, detail)
	p.row(detail, "journal", r.Plan)
	if r.Undo != "" {
		p.label(detail, "undo")
		p.command(r.Undo)
	}
	return p.writeTo(out)
}

func receiptTitle(r *spoor.Receipt) string {
	words := "done: "
	switch {
	case r.Failure != "":
		words = "stopped: "
	case r.Done < r.Total(), r.StepsDone() < len(r.Steps):
		words = "done with exceptions: "
	}
	words += r.Action.String()
	if len(r.Steps) > 0 {
		words += ", " + stepsDone(shownOutcomes(r.Steps))
	}
	if r.Total() > 0 && len(r.Steps) > 0 {
		words += ", " + plural(r.Done, "message")
	} else if r.Total() > 0 {
		words += " of " + plural(r.Done, "message")
	}
	if r.Done < r.Total() {
		words += " of " + count(r.Total())
	}
	if r.Resumed {
		words += ", in more than one run"
	}
	return words
}

// skippedMeaning says what it means that so many messages were left out.
func skippedMeaning(result spoor.Result) string {
	switch result {
	case spoor.ResultGone:
		return "which had left by themselves: delivered, bounced or removed meanwhile"
	case spoor.ResultChanged:
		return "whose ID belongs to another message now, which was not touched"
	case spoor.ResultBusy:
		return "being delivered at that moment: left alone in the queue"
	case spoor.ResultFailed:
		return "not handled because of an error: still where they were"
	default:
		return ""
	}
}

// writeSkipped lists what was left out, and says the same reason once. What stopped
// the plan is said above.
func (r *Receipt) writeSkipped(p *page) {
	shown := 0
	more := map[string]int{}
	for _, s := range r.Skipped {
		more[s.Why]++
	}
	for _, s := range r.Skipped {
		if s.Result == spoor.ResultGone || s.Why == "" || s.Why == r.Failure || more[s.Why] == 0 {
			continue
		}
		if shown++; shown > maxSkippedShown {
			p.para(detail, "and more: spoor journal show "+r.Plan)
			return
		}
		line := clip(s.Why, maxQuote)
		if others := more[s.Why] - 1; others > 0 {
			line += " (and " + plural(others, "other") + ")"
		}
		more[s.Why] = 0
		p.row(detail, string(s.ID), line)
	}
}

type receiptJSON struct {
	headJSON
	Plan    string         `json:"plan"`
	Action  string         `json:"action"`
	Done    int            `json:"done"`
	Counts  map[string]int `json:"counts"`
	Skipped []skippedJSON  `json:"skipped"`
	Moved   []movedJSON    `json:"moved"`
	Renamed int            `json:"renamed"`
	Resumed bool           `json:"resumed"`
	Failure text           `json:"failure,omitempty"`
	Undo    text           `json:"undo,omitempty"`
	Overdue int64          `json:"overdue_bytes,omitempty"` // of the vault

	Steps   []stepOutcomeJSON `json:"steps,omitempty"`
	Remarks []text            `json:"remarks,omitempty"`
}

type skippedJSON struct {
	ID     text   `json:"id"`
	Result string `json:"result"`
	Why    text   `json:"why,omitempty"`
}

type movedJSON struct {
	Old text `json:"old"`
	New text `json:"new"`
}

// JSON writes the receipt as one document of the schema spoor.receipt/1.
func (r *Receipt) JSON(out io.Writer) error {
	document := receiptJSON{
		headJSON: r.json(ReceiptSchema), Plan: r.Plan, Action: r.Action.String(), Done: r.Done, Counts: map[string]int{},
		Skipped: []skippedJSON{}, Moved: []movedJSON{}, Renamed: r.Renamed, Resumed: r.Resumed, Failure: text(r.Failure), Undo: text(r.Undo), Overdue: r.Overdue.Bytes,
	}
	for result, n := range r.SkippedBy {
		if n > 0 {
			document.Counts[spoor.Result(result).String()] = n
		}
	}
	document.Steps = stepOutcomes(r.Steps)
	if len(r.Remarks) > 0 {
		document.Remarks = texts(r.Remarks)
	}
	for _, s := range r.Skipped {
		document.Skipped = append(document.Skipped, skippedJSON{ID: text(s.ID), Result: s.Result.String(), Why: text(s.Why)})
	}
	for _, m := range r.Moved {
		document.Moved = append(document.Moved, movedJSON{Old: text(m.Old), New: text(m.New)})
	}
	return writeJSON(out, document)
}
