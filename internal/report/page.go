package report

import (
	"cmp"
	"io"
	"slices"
	"strconv"
	"strings"

	"spoor"
)

// page is a text page in the making. Every word that enters it is escaped on
// its way in, so nothing that calls it has to think of that.
type page struct {
	style  Style
	root   string // of the examined server, for the commands that the page suggests
	buf    []byte
	column int // of the cursor, from 0
}

// writeTo hands the page over in one Write.
func (p *page) writeTo(out io.Writer) error {
	_, err := out.Write(p.buf)
	return err
}

// put appends words at the cursor.
func (p *page) put(words string) {
	p.buf = AppendEscaped(p.buf, words)
	p.column += columns(words)
}

// paint appends words in a colour.
func (p *page) paint(sgr, words string) {
	if !p.style.Colour {
		p.put(words)
		return
	}
	p.buf = append(p.buf, sgr...)
	p.put(words)
	p.buf = append(p.buf, sgrReset...)
}

// tab moves the cursor to a column, or one to the right where it is past that.
func (p *page) tab(column int) {
	spaces := max(column-p.column, 0)
	if spaces == 0 && p.column > 0 {
		spaces = 1
	}
	for range spaces {
		p.buf = append(p.buf, ' ')
	}
	p.column += spaces
}

// end ends the line.
func (p *page) end() {
	p.buf = append(p.buf, '\n')
	p.column = 0
}

// flow appends words, wrapped between words so that further lines start below
// the first. A word that is longer than a line is left whole: it may be a path
// or a command that someone copies.
func (p *page) flow(words string) {
	indent, width := p.column, p.style.pageColumns()
	if indent > width/2 {
		indent = wordsColumn
	}
	for len(words) > 0 {
		word, spaces := nextWord(words)
		words = words[len(word)+spaces:]
		if p.column > indent && p.column+columns(word) > width {
			p.end()
			p.tab(indent)
		}
		p.put(word)
		if len(words) == 0 {
			return
		}
		next, _ := nextWord(words)
		if p.column+spaces+columns(next) > width {
			p.end()
			p.tab(indent)
			continue
		}
		p.put(strings.Repeat(" ", spaces))
	}
}

// nextWord returns what words start with up to a space, and how many spaces
// follow.
func nextWord(words string) (string, int) {
	end := strings.IndexByte(words, ' ')
	if end < 0 {
		return words, 0
	}
	spaces := len(words[end:]) - len(strings.TrimLeft(words[end:], " "))
	return words[:end], spaces
}

// heading starts a section.
func (p *page) heading(words string) {
	if len(p.buf) > 0 {
		p.end()
	}
	p.paint(sgrBold, words)
	p.end()
}

// wordsColumn is where the words start that stand beside a label.
const wordsColumn = 17

// label writes a label at a column and moves on to its words.
func (p *page) label(indent int, label string) {
	p.tab(indent)
	p.put(label)
	p.tab(wordsColumn)
}

// row writes a label at a column, and words beside it.
func (p *page) row(indent int, label, words string) {
	p.label(indent, label)
	p.flow(words)
	p.end()
}

// para writes words from a column on.
func (p *page) para(indent int, words string) {
	p.tab(indent)
	p.flow(words)
	p.end()
}

// command writes a command of spoor from the cursor on and ends the line. It is
// never wrapped: whoever copies it copies one line.
func (p *page) command(command string) {
	p.put(rooted(command, p.root))
	p.end()
}

// suggest writes words and a command that they lead to, which goes below them
// where it only fits there.
func (p *page) suggest(indent int, words, command string) {
	p.tab(indent)
	p.flow(words)
	width, wanted := p.style.pageColumns(), columns(rooted(command, p.root))
	if p.column+1+wanted > width && indent+wanted <= width {
		p.end()
		p.tab(indent)
	} else {
		p.put(" ")
	}
	p.command(command)
}

// server writes the heading: whose answer this is. Facts that are "" are left
// out.
func (p *page) server(host string, facts ...string) {
	known := slices.DeleteFunc(facts, func(fact string) bool { return fact == "" })
	p.paint(sgrBold, cmp.Or(clip(host, maxHost), "this server"))
	p.put("  ")
	p.flow(clip(strings.Join(known, ", "), maxQuote))
	p.end()
}

// verdict writes the class in its colour, and how sure it is that the source
// sends spam.
func (p *page) verdict(v *spoor.Verdict) {
	p.paint(classColour(v.Class), v.Class.String())
	p.put(" " + percent(v.Confidence))
}

// candidate writes a more exact source from the cursor on, and why it is likely
// below that.
func (p *page) candidate(c *spoor.Candidate) {
	indent := p.column
	p.flow(clip(c.Source.String(), maxQuote) + "  " + percent(c.Confidence) + ", not proven")
	p.end()
	if c.Text != "" {
		p.para(indent, clip(c.Text, maxQuote))
	}
}

// Bounds, in columns, of what a page quotes of one field or line.
const (
	maxQuote   = 400
	maxRemark  = 160
	maxAddress = 120
	maxHost    = 64
	maxLogin   = 32
	maxLabel   = 11
)

// evidence writes one quoted fact with its place. One that has no place takes
// one line: it was counted and stands nowhere.
func (p *page) evidence(indent int, e spoor.Evidence) {
	place := e.Place()
	if place == "" {
		p.tab(indent)
		p.put(clip(cmp.Or(e.What, "this server"), maxQuote) + ": ")
		p.flow(clipWords(quoted(e.Text), maxRemark))
		p.end()
		return
	}
	p.tab(indent)
	p.put(clip(place, maxQuote))
	if e.What != "" {
		p.put(" (" + clip(e.What, maxQuote) + ")")
	}
	p.end()
	switch {
	case e.Text == "":
	case e.What == "received":
		p.received(indent+2, e)
	default:
		p.para(indent+2, clip(quoted(e.Text), maxQuote))
	}
}

// clipWords is clip, but leaves out the word that would be cut in two.
func clipWords(words string, columns int) string {
	shown := clip(words, columns)
	if cut := strings.LastIndexByte(shown, ' '); shown != words && cut > 0 {
		return shown[:cut] + " " + ellipsis
	}
	return shown
}

// received writes the Received fields of one hop; the place of the first stands
// above it.
func (p *page) received(indent int, e spoor.Evidence) {
	fields := receivedFields(e.Text)
	p.para(indent, clip(unfold(fields[0]), maxQuote))
	p.quoteLines(indent, nextLine(e.Line, fields[0]), fields[1:])
}

// evidenceList writes at most limit facts, each once, and says how many were
// left out.
func (p *page) evidenceList(indent int, list []spoor.Evidence, limit int) {
	list = distinct(list)
	for _, e := range list[:min(limit, len(list))] {
		p.evidence(indent, e)
	}
	if more := len(list) - limit; more > 0 {
		p.para(indent, "and "+count(more)+" more: see --json")
	}
}

// distinct is list with each fact once.
func distinct(list []spoor.Evidence) []spoor.Evidence {
	var once []spoor.Evidence
	seen := map[spoor.Evidence]bool{}
	for _, e := range list {
		if !seen[e] {
			seen[e] = true
			once = append(once, e)
		}
	}
	return once
}

// quoteLine quotes one field of a header.
func (p *page) quoteLine(indent, line int, field string) {
	p.tab(indent)
	if line == 0 {
		p.put("in the copy: ")
	} else {
		p.put("line " + strconv.Itoa(line) + ": ")
	}
	p.flow(clip(unfold(field), maxQuote))
	p.end()
}

// quoteLines quotes fields that stand one below the other, from a line on.
func (p *page) quoteLines(indent, line int, fields []string) {
	for _, field := range fields {
		p.quoteLine(indent, line, field)
		line = nextLine(line, field)
	}
}

// nextLine is the line below a field that starts at line.
func nextLine(line int, field string) int { return line + 1 + strings.Count(field, "\n") }

// number writes a row of a column of numbers, and a remark.
func (p *page) number(label string, n int64, remark string) {
	digits := count(n)
	p.put(label)
	p.tab(numberEnd - len(digits))
	p.put(digits)
	if remark != "" {
		p.put("  ")
		p.flow(remark)
	}
	p.end()
}

// numberEnd is the column after a right-aligned number.
const numberEnd = 22
