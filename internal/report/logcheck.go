package report

import (
	"fmt"
	"io"
	"strings"

	"spoor"
)

// LogSchema names the contract of LogCheck.JSON.
const LogSchema = "spoor.logs/1"

// LogCheck is what was read of the mail log, and what was understood.
type LogCheck struct {
	Head
	Coverage *spoor.Coverage // nil: no log was found
	Gaps     []spoor.Gap
}

type logCheckJSON struct {
	headJSON
	Log     coverageJSON  `json:"log"`
	Files   []logFileJSON `json:"files"`
	Unknown []shapeJSON   `json:"unknown"`
	Assumed []text        `json:"assumed"`
	Gaps    []gapJSON     `json:"gaps"`
	Trust   string        `json:"trust"`
	NotRead []gapJSON     `json:"not_read"`
}

type coverageJSON struct {
	Lines   int64  `json:"lines"`
	Known   int64  `json:"understood"`
	Events  int64  `json:"events"`
	Foreign int64  `json:"foreign"`
	Unknown int64  `json:"unknown"`
	Damaged int64  `json:"damaged"`
	First   string `json:"first"`
	Last    string `json:"last"`
}

type logFileJSON struct {
	File     text   `json:"file"`
	Bytes    int64  `json:"bytes"`
	Lines    int64  `json:"lines"`
	Events   int64  `json:"events"`
	First    string `json:"first"`
	Last     string `json:"last"`
	Clock    text   `json:"clock"`
	Proved   bool   `json:"clock_proved"`
	Complete bool   `json:"complete"`
}

type shapeJSON struct {
	Program  text           `json:"program"`
	Count    int64          `json:"count"`
	Examples []evidenceJSON `json:"examples"`
}

func newCoverageJSON(c *spoor.Coverage) coverageJSON {
	if c == nil {
		return coverageJSON{}
	}
	return coverageJSON{
		Lines: c.Lines, Known: c.Known, Events: c.Events, Foreign: c.Foreign, Unknown: c.Unknown, Damaged: c.Damaged,
		First: jsonTime(c.First), Last: jsonTime(c.Last),
	}
}

// Trust says in one word whether the figures from a log can be relied on.
func Trust(c *spoor.Coverage) string {
	switch {
	case c == nil || len(c.Files) == 0:
		return "none"
	case c.Known == 0:
		return "useless"
	case len(doubts(c)) > 0:
		return "doubtful"
	}
	return "good"
}

// doubts are the reasons why figures from a log may be wrong.
func doubts(c *spoor.Coverage) []string {
	var reasons []string
	if c.Unknown*1000 > c.Known {
		reasons = append(reasons, permille(c.Unknown, c.Known+c.Unknown)+" of the lines of the mail system are of unknown shape")
	}
	if c.Damaged*100 > c.Lines {
		reasons = append(reasons, permille(c.Damaged, c.Lines)+" of all lines are damaged")
	}
	unfinished := int64(0)
	for i := range c.Files {
		if !c.Files[i].Complete {
			unfinished++
		}
	}
	if unfinished > 0 {
		reasons = append(reasons, plural(unfinished, "file")+" could not be read to the end")
	}
	return reasons
}

// JSON writes one document of the schema spoor.logs/1.
func (l *LogCheck) JSON(out io.Writer) error {
	document := logCheckJSON{
		headJSON: l.json(LogSchema), Log: newCoverageJSON(l.Coverage), Trust: Trust(l.Coverage), Gaps: newGapsJSON(l.Gaps),
		Files: []logFileJSON{}, Unknown: []shapeJSON{}, Assumed: []text{}, NotRead: []gapJSON{},
	}
	if c := l.Coverage; c != nil {
		for _, f := range c.Files {
			document.Files = append(document.Files, logFileJSON{
				File: text(f.Path), Bytes: f.Bytes, Lines: f.Lines, Events: f.Events,
				First: jsonTime(f.First), Last: jsonTime(f.Last), Clock: text(f.Clock), Proved: f.Proved, Complete: f.Complete,
			})
		}
		for _, s := range c.Shapes {
			document.Unknown = append(document.Unknown, shapeJSON{Program: text(s.Program), Count: s.Count, Examples: newEvidenceJSON(s.Examples)})
		}
		for _, words := range c.Assumed {
			document.Assumed = append(document.Assumed, text(words))
		}
		document.NotRead = newGapsJSON(c.NotRead)
	}
	return writeJSON(out, document)
}

// Text writes a page.
func (l *LogCheck) Text(out io.Writer, style Style) error {
	p := l.page(style)
	c := l.Coverage
	if c == nil || len(c.Files) == 0 {
		p.end()
		p.row(0, "Log", "no mail log was found; name one with --log FILE")
		return p.writeTo(out)
	}
	p.end()
	p.row(0, "Log", trustWords(c))
	for _, words := range c.Assumed {
		p.row(0, "Assumed", clip(words, maxQuote))
	}
	p.end()
	p.number("lines", c.Lines, "")
	p.number("understood", c.Known, "")
	p.number("  events", c.Events, "what the answer is made of")
	p.number("foreign", c.Foreign, "of programs that have nothing to do with mail")
	p.number("unknown", c.Unknown, "of the mail system, and not understood")
	p.number("damaged", c.Damaged, "without a readable header, or with NUL bytes")
	p.heading("Files, oldest first")
	for i := range c.Files {
		writeLogFile(p, &c.Files[i])
	}
	for _, g := range mergeGaps(c.NotRead) {
		p.para(2, clip(g.File, maxQuote)+": not read, "+clip(g.Reason, maxQuote))
	}
	writeShapes(p, c)
	return p.writeTo(out)
}

func trustWords(c *spoor.Coverage) string {
	switch Trust(c) {
	case "useless":
		if c.Lines == 0 {
			return "there is no line in it: the log adds nothing to an answer"
		}
		return "not one line was understood: the log adds nothing to an answer"
	case "doubtful":
		return "doubtful: " + strings.Join(doubts(c), ", ")
	}
	if c.Unknown == 0 {
		return "can be trusted: every line of the mail system was understood"
	}
	return "can be trusted: " + permille(c.Unknown, c.Known+c.Unknown) + " of the lines of the mail system are of unknown shape"
}

// permille writes a share with one more digit than percent.
func permille(n, of int64) string {
	if of == 0 || n == 0 {
		return "0%"
	}
	return fmt.Sprintf("%.2g%%", 100*float64(n)/float64(of))
}

func writeLogFile(p *page, f *spoor.LogFile) {
	p.para(2, clip(f.Path, maxQuote))
	p.para(detail, plural(f.Lines, "line")+", "+size(f.Bytes)+", "+p.style.span(f.First, f.Last))
	p.para(detail, "clock: "+clip(f.Clock, maxQuote))
	if !f.Complete {
		p.para(detail, "could not be read to its end")
	}
}

// maxShapes is how many sorts of unknown lines a page shows.
const maxShapes = 10

func writeShapes(p *page, c *spoor.Coverage) {
	if len(c.Shapes) == 0 {
		return
	}
	p.heading("Not understood, by program")
	for _, s := range c.Shapes[:min(maxShapes, len(c.Shapes))] {
		name := clip(s.Program, maxAddress)
		if name == "" {
			name = "(no program)"
		}
		p.para(2, name+": "+plural(s.Count, "line"))
		for _, e := range s.Examples {
			p.para(detail, clip(e.Place()+": "+e.Text, maxQuote))
		}
	}
	if more := len(c.Shapes) - maxShapes; more > 0 {
		p.para(2, "and "+count(more)+" more sorts: see --json")
	}
}
