package report

import (
	"io"

	"spoor"
)

// CheckSchema names the contract of QueueCheck.JSON.
const CheckSchema = "spoor.check/1"

// QueueCheck is how sound a queue is.
type QueueCheck struct {
	Head
	spoor.QueueCheck
}

type damageJSON struct {
	Check    string `json:"check"`
	Severity string `json:"severity"`
	Count    int    `json:"count"`
	Means    string `json:"means"`
	Examples []text `json:"examples"`
	Repair   string `json:"repair"`
	Advice   string `json:"advice"`
}

type queueCheckJSON struct {
	headJSON
	Queue    text         `json:"queue"`
	Layout   string       `json:"layout"`
	Messages int          `json:"messages"`
	Files    int          `json:"files"`
	Clean    bool         `json:"clean"`
	Damages  []damageJSON `json:"damages"`
	Notes    []text       `json:"notes"`
	Complete bool         `json:"complete"`
	Gaps     []gapJSON    `json:"gaps"`
}

// JSON writes one document of the schema spoor.check/1.
func (c *QueueCheck) JSON(out io.Writer) error {
	return writeJSON(out, queueCheckJSON{
		headJSON: c.json(CheckSchema), Queue: text(c.Queue), Layout: c.Layout, Messages: c.Messages, Files: c.Files,
		Clean: c.Clean(), Damages: newDamagesJSON(c.Damages), Notes: texts(c.Notes), Complete: len(c.Unread) == 0, Gaps: newGapsJSON(c.Unread),
	})
}

func newDamagesJSON(damages []spoor.Damage) []damageJSON {
	list := make([]damageJSON, 0, len(damages))
	for _, d := range damages {
		list = append(list, damageJSON{
			Check: d.Check, Severity: d.Severity.String(), Count: d.Count, Means: d.Means,
			Examples: texts(d.Examples), Repair: d.Repair, Advice: d.Advice,
		})
	}
	return list
}

// Text writes one line for a queue without damage; else a page, worst first.
func (c *QueueCheck) Text(out io.Writer, style Style) error {
	if c.Clean() {
		p := &page{style: style, root: c.Root}
		p.put(clip(c.Queue, maxQuote) + " is sound: " + c.size())
		p.end()
		c.notes(p)
		return p.writeTo(out)
	}
	p := c.page(style)
	p.end()
	p.row(0, "Queue", clip(c.Queue, maxQuote)+": "+c.size())
	if c.Layout != "" {
		p.row(0, "Layout", c.Layout)
	}
	writeDamages(p, c.Damages)
	if len(c.Notes) > 0 {
		p.end()
	}
	c.notes(p)
	if len(c.Unread) > 0 {
		p.heading("Not everything could be read: there may be more damage")
	}
	for _, gap := range c.Unread {
		p.para(detail, clip(gap.File, maxQuote)+": "+clip(gap.Reason, maxQuote))
	}
	return p.writeTo(out)
}

func (c *QueueCheck) size() string {
	return plural(c.Messages, "message") + ", " + plural(c.Files, "file")
}

func (c *QueueCheck) notes(p *page) {
	for _, note := range c.Notes {
		p.para(0, clip(note, maxQuote))
	}
}

// writeDamages tells each damage: what it is called, what it does to mail, where
// it was seen, and what repairs it.
func writeDamages(p *page, damages []spoor.Damage) {
	for i := range damages {
		d := &damages[i]
		p.end()
		p.paint(severityColour(d.Severity), d.Severity.String())
		p.tab(damageColumn)
		p.put(d.Check + "  (" + count(d.Count) + ")")
		p.end()
		p.para(damageColumn, d.Means)
		for _, example := range d.Examples {
			p.para(damageColumn+detail, clip(example, maxQuote))
		}
		if more := d.Count - len(d.Examples); more > 0 {
			p.para(damageColumn+detail, "and "+count(more)+" more")
		}
		if d.Advice != "" {
			p.para(damageColumn, d.Advice)
		}
		if copyable(d.Repair) {
			p.tab(damageColumn)
			p.put("repair: ")
			p.command(d.Repair)
		}
	}
}

const damageColumn = 8

func severityColour(s spoor.Severity) string {
	switch s {
	case spoor.SeverityHigh:
		return sgrRed
	case spoor.SeverityMedium:
		return sgrYellow
	case spoor.SeverityLow:
	}
	return sgrGreen
}
