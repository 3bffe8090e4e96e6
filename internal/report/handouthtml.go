package report

import (
	_ "embed"
	"html/template"
	"io"
)

//go:embed handout.html
var handoutPage string

// htmlPart is a part with its words made safe to be read: html/template escapes
// what HTML minds, Escape what a reader cannot see.
type htmlPart struct {
	Title  string
	Rows   []htmlRow
	Blocks []htmlBlock
}

type htmlRow struct{ Label, Words string }

type htmlBlock struct {
	Words string
	Lines []string
}

// HTML writes the handout as one page that needs nothing else: no script, no
// font, no picture is loaded.
func (h *Handout) HTML(out io.Writer) error {
	t, err := template.New("handout").Parse(handoutPage)
	if err != nil {
		return err
	}
	document := struct {
		Title string
		Host  string
		Parts []htmlPart
	}{Title: Escape(h.title()), Host: Escape(clip(h.Host, maxHost))}
	for _, part := range h.parts() {
		document.Parts = append(document.Parts, htmlPartOf(&part))
	}
	return t.Execute(out, document)
}

func htmlPartOf(p *part) htmlPart {
	safe := htmlPart{Title: p.title}
	for _, row := range p.rows {
		safe.Rows = append(safe.Rows, htmlRow{Escape(row.label), Escape(clip(row.words, maxHandoutRow))})
	}
	for _, b := range p.blocks {
		block := htmlBlock{Words: Escape(b.words)}
		for _, line := range b.lines {
			block.Lines = append(block.Lines, Escape(clip(line, maxQuote)))
		}
		safe.Blocks = append(safe.Blocks, block)
	}
	return safe
}
