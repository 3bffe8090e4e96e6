package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"spoor"
)

// ShapeSchema names the contract of Shape.JSON.
const ShapeSchema = "spoor.shape/1"

// ShapeAges are the upper ends of the columns of a shape: those of qshape(1). The
// last column is what is older.
var ShapeAges = [...]time.Duration{
	5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 40 * time.Minute, 80 * time.Minute,
	160 * time.Minute, 320 * time.Minute, 640 * time.Minute, 1280 * time.Minute,
}

// ShapeRow counts the pending recipients of one domain by the age of their
// messages.
type ShapeRow struct {
	Domain string
	Total  int
	Ages   [len(ShapeAges) + 1]int
}

// Add counts n recipients of a message of an age.
func (r *ShapeRow) Add(age time.Duration, n int) {
	i := 0
	for i < len(ShapeAges) && age >= ShapeAges[i] {
		i++
	}
	r.Ages[i] += n
	r.Total += n
}

// Merge adds the counts of another row of the same domain.
func (r *ShapeRow) Merge(o *ShapeRow) {
	r.Total += o.Total
	for i := range r.Ages {
		r.Ages[i] += o.Ages[i]
	}
}

// Shape is the queue by domain and age.
type Shape struct {
	Head
	By       string // "recipient" or "sender"
	Rows     []ShapeRow
	Complete bool
	Gaps     []spoor.Gap
}

type shapeRowJSON struct {
	Domain text  `json:"domain"`
	Total  int   `json:"total"`
	Ages   []int `json:"ages"`
}

type shapeDocument struct {
	headJSON
	By       string         `json:"by"`
	Minutes  []int          `json:"age_minutes"`
	Total    shapeRowJSON   `json:"total"`
	Domains  []shapeRowJSON `json:"domains"`
	Complete bool           `json:"complete"`
	Gaps     []gapJSON      `json:"gaps"`
}

// total sums up all rows.
func (s *Shape) total() ShapeRow {
	total := ShapeRow{Domain: "TOTAL"}
	for i := range s.Rows {
		total.Merge(&s.Rows[i])
	}
	return total
}

// sorted lists the rows, largest first.
func (s *Shape) sorted() []ShapeRow {
	rows := slices.Clone(s.Rows)
	slices.SortFunc(rows, func(a, b ShapeRow) int {
		return cmp.Or(cmp.Compare(b.Total, a.Total), strings.Compare(a.Domain, b.Domain))
	})
	return rows
}

// JSON writes one document of the schema spoor.shape/1.
func (s *Shape) JSON(out io.Writer) error {
	document := shapeDocument{
		headJSON: s.json(ShapeSchema), By: s.By, Complete: s.Complete, Gaps: newGapsJSON(s.Gaps), Domains: []shapeRowJSON{},
	}
	for _, age := range ShapeAges {
		document.Minutes = append(document.Minutes, int(age.Minutes()))
	}
	total := s.total()
	document.Total = newShapeRowJSON(&total)
	rows := s.sorted()
	for i := range rows {
		document.Domains = append(document.Domains, newShapeRowJSON(&rows[i]))
	}
	return writeJSON(out, document)
}

func newShapeRowJSON(r *ShapeRow) shapeRowJSON {
	return shapeRowJSON{Domain: text(r.Domain), Total: r.Total, Ages: r.Ages[:]}
}

// Text writes a table as qshape(1) does: minutes across, domains down.
func (s *Shape) Text(out io.Writer, style Style, top int) error {
	if top <= 0 {
		top = DefaultTop
	}
	p := s.page(style)
	p.end()
	if len(s.Rows) == 0 {
		p.para(0, "No recipient is waiting.")
		writeGaps(p, s.Gaps, s.Complete)
		return p.writeTo(out)
	}
	rows := s.sorted()
	total := s.total()
	width := len("TOTAL")
	for i := range rows[:min(top, len(rows))] {
		width = max(width, min(columns(rows[i].Domain), maxShapeDomain))
	}
	p.para(0, "Pending recipients by "+s.By+" domain and minutes in the queue")
	p.end()
	writeShapeHead(p, width)
	writeShapeRow(p, &total, width)
	for i := range rows[:min(top, len(rows))] {
		writeShapeRow(p, &rows[i], width)
	}
	if more := len(rows) - top; more > 0 {
		p.para(0, "and "+plural(more, "other domain")+": see --top or --json")
	}
	writeGaps(p, s.Gaps, s.Complete)
	return p.writeTo(out)
}

// maxShapeDomain is how many columns a domain may take.
const maxShapeDomain = 28

func writeShapeHead(p *page, width int) {
	p.tab(width)
	p.put(fmt.Sprintf(" %7s", "T"))
	for _, age := range ShapeAges {
		p.put(fmt.Sprintf(" %5d", int(age.Minutes())))
	}
	p.put(fmt.Sprintf(" %6s", "more"))
	p.end()
}

func writeShapeRow(p *page, r *ShapeRow, width int) {
	domain := clip(cmp.Or(r.Domain, "(none)"), width)
	p.tab(width - columns(domain))
	p.put(domain)
	p.put(fmt.Sprintf(" %7d", r.Total))
	for _, n := range r.Ages[:len(r.Ages)-1] {
		p.put(fmt.Sprintf(" %5d", n))
	}
	p.put(fmt.Sprintf(" %6d", r.Ages[len(r.Ages)-1]))
	p.end()
}
