package report

import (
	"io"

	"spoor"
)

// RebuildSchema names the contract of Rebuild.JSON.
const RebuildSchema = "spoor.rebuild/1"

// Rebuild is what a rebuild of a queue will do, or has done.
type Rebuild struct {
	Head
	spoor.Rebuilding
}

type rebuildJSON struct {
	headJSON
	Plan        string       `json:"plan"`
	Phase       string       `json:"phase"`
	Queue       text         `json:"queue"`
	Before      string       `json:"before"`
	After       string       `json:"after"`
	Empty       bool         `json:"empty"`
	Messages    int          `json:"messages"`
	Unprocessed int          `json:"unprocessed"`
	Recipients  int          `json:"recipients"`
	Done        int          `json:"done"`
	Renamed     int          `json:"renamed"`
	Bytes       int64        `json:"bytes"`
	Quarantined int          `json:"quarantined"`
	Lost        int          `json:"lost"`
	Foreign     int          `json:"foreign"`
	Late        int          `json:"late"`
	Writing     int          `json:"writing"`
	OldTree     text         `json:"old_tree"`
	Aside       text         `json:"aside"`
	Warnings    []text       `json:"warnings"`
	Damages     []damageJSON `json:"damages"`
}

// JSON writes one document of the schema spoor.rebuild/1.
func (r *Rebuild) JSON(out io.Writer) error {
	return writeJSON(out, rebuildJSON{
		headJSON: r.json(RebuildSchema), Plan: r.Plan, Phase: r.Phase, Queue: text(r.Queue), Before: r.Before, After: r.After, Empty: r.Empty,
		Messages: r.Messages(), Unprocessed: r.Todo, Recipients: r.Recipients, Done: r.Done, Renamed: r.Renamed, Bytes: r.Bytes,
		Quarantined: r.Quarantined, Lost: r.Lost, Foreign: r.Foreign, Late: r.Late, Writing: r.Writing,
		OldTree: text(r.OldTree), Aside: text(r.Aside), Warnings: texts(r.Warnings), Damages: newDamagesJSON(r.Damages),
	})
}

// Text writes a page.
func (r *Rebuild) Text(out io.Writer, style Style) error {
	p := r.page(style)
	p.end()
	p.row(0, "Rebuild", r.Plan+": "+r.Phase)
	p.row(0, "Queue", clip(r.Queue, maxQuote))
	switch r.Phase {
	case "planned":
		r.planned(p)
	case "done":
		r.carried(p)
		r.done(p)
	case "undone":
		p.row(0, "Now", "the old tree is in place again, with "+plural(r.Late, "message")+" that came since")
	case "purged":
		p.row(0, "Now", "the old tree is removed")
		r.aside(p)
	}
	for _, warning := range r.Warnings {
		p.row(0, "Mind", clip(warning, maxQuote))
	}
	writeDamages(p, r.Damages)
	return p.writeTo(out)
}

func (r *Rebuild) planned(p *page) {
	r.carried(p)
	r.aside(p)
	p.row(0, "How", "a new tree beside the old one is built, verified, and exchanged with it in one step; qmail-send must be stopped until then. The old tree is kept until it is purged, and the rebuild can be undone as long as nothing of the new one was delivered")
}

// carried says which messages the new tree has, or gets.
func (r *Rebuild) carried(p *page) {
	layout := r.After
	if r.Before != r.After {
		layout = r.Before + "; then " + r.After
	}
	p.row(0, "Layout", layout)
	if r.Empty {
		p.row(0, "Messages", "none is carried over: all stay in the old tree")
	} else {
		p.row(0, "Messages", plural(r.Messages(), "message")+", "+size(r.Bytes)+"; "+count(r.Todo)+" of them not yet preprocessed")
		p.row(0, "Recipients", count(r.Recipients)+": "+count(r.Done)+" done, "+count(r.Recipients-r.Done)+" pending")
		p.row(0, "New IDs", plural(r.Renamed, "message"))
	}
	if r.Late > 0 {
		p.row(0, "Late", plural(r.Late, "message")+" that came meanwhile, carried over too")
	}
}

func (r *Rebuild) aside(p *page) {
	if r.Quarantined+r.Lost+r.Foreign == 0 {
		return
	}
	p.row(0, "Set aside", plural(r.Quarantined, "file")+" of messages that were never queued whole or cannot be delivered, "+
		plural(r.Lost, "piece")+" of lost messages, "+count(r.Foreign)+" foreign; in "+clip(r.Aside, maxQuote))
}

func (r *Rebuild) done(p *page) {
	r.aside(p)
	p.row(0, "Old tree", clip(r.OldTree, maxQuote))
	if r.Writing > 0 {
		p.row(0, "Still there", count(r.Writing)+" running in the old tree, perhaps qmail-queue at work; what they queue there is carried over by a command")
		p.suggest(0, "when they have ended:", "spoor queue rebuild --late "+r.Plan)
	}
	p.suggest(0, "start qmail-send, and watch its log for warnings; to go back:", "spoor queue rebuild --undo "+r.Plan)
	p.suggest(0, "when all is well, remove the old tree:", "spoor queue rebuild --purge "+r.Plan)
}
