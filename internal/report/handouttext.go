package report

import (
	"io"
	"time"
)

// handoutColumns is how wide a handout is: it goes into letters and tickets.
const handoutColumns = 78

// Text writes the handout as plain text, in UTC and without colours.
func (h *Handout) Text(out io.Writer) error {
	p := &page{style: Style{Columns: handoutColumns, Zone: time.UTC, Now: h.Time}, root: h.Root}
	p.para(0, h.title())
	for _, part := range h.parts() {
		p.heading(part.title)
		width := labelColumn(part.rows)
		for _, row := range part.rows {
			p.tab(2)
			p.put(row.label)
			p.tab(width)
			p.flow(clip(row.words, maxHandoutRow))
			p.end()
		}
		for i := range part.blocks {
			part.blocks[i].text(p)
		}
	}
	return p.writeTo(out)
}

// maxHandoutRow bounds the words of one row, in columns.
const maxHandoutRow = 1200

// labelColumn is where the words beside labels start.
func labelColumn(rows []labelled) int {
	width := 0
	for _, row := range rows {
		width = max(width, columns(row.label))
	}
	return width + 4
}

func (b *block) text(p *page) {
	p.tab(2)
	p.put("- ")
	p.flow(b.words)
	p.end()
	for _, line := range b.lines {
		p.tab(6)
		p.put("| ")
		p.put(clip(line, maxQuote))
		p.end()
	}
}
