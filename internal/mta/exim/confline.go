package exim

import (
	"path"
	"strings"

	"spoor"
	"spoor/internal/host"
)

// confLine is a line of the configuration with those that continue it, after
// macros were replaced.
type confLine struct {
	text   string
	file   string
	number int // of its first line, from 1
}

func (l confLine) place() spoor.Evidence {
	return spoor.Evidence{What: "exim", File: l.file, Line: l.number, Text: l.text[:min(len(l.text), quotedBytes)]}
}

const (
	quotedBytes  = 500
	maxConfLines = 200_000
	maxMacros    = 2000
	maxLineBytes = 64 << 10 // of a line after macros were replaced
)

// confText reads a configuration with what it includes, and leaves out what
// .ifdef and its like leave out (chapter 6 of the specification).
type confText struct {
	root     *host.Root
	macros   []macro
	lines    []confLine
	includes int
	skipping []branch // one for each .ifdef that is open
}

// branch is one .ifdef.
type branch struct {
	skip bool // its lines are left out at present
	done bool // one of its parts was taken
}

// readConf reads the lines of a configuration file.
func readConf(root *host.Root, name string) []confLine {
	c := &confText{root: root}
	c.read(name)
	return c.lines
}

func (c *confText) read(name string) {
	data, err := c.root.ReadFile(name, configBytes)
	if err != nil {
		return // the reading of what is served tells of it
	}
	joined := confLine{file: name}
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		line = strings.TrimSpace(line)
		if line == "" && joined.number == 0 || strings.HasPrefix(line, "#") {
			continue
		}
		if joined.number == 0 {
			joined.number = number
		}
		rest, continues := strings.CutSuffix(line, `\`)
		joined.text += rest
		if continues && len(joined.text) < maxLineBytes {
			continue
		}
		c.line(joined)
		joined = confLine{file: name}
	}
	if joined.number > 0 {
		c.line(joined)
	}
}

func (c *confText) line(l confLine) {
	if c.directive(l) || c.skips() || len(c.lines) >= maxConfLines {
		return
	}
	if name, value, ok := macroOf(l.text); ok {
		c.define(name, c.expand(value))
		return
	}
	l.text = c.expand(l.text)
	c.lines = append(c.lines, l)
}

// directive handles lines that begin with a dot.
func (c *confText) directive(l confLine) bool {
	if !strings.HasPrefix(l.text, ".") {
		return false
	}
	word, argument, _ := strings.Cut(l.text, " ")
	argument = strings.TrimSpace(argument)
	last := len(c.skipping) - 1
	switch {
	case word == ".ifdef" || word == ".ifndef":
		take := c.defined(argument) == (word == ".ifdef")
		c.skipping = append(c.skipping, branch{skip: !take, done: take})
	case last < 0 && word != ".include" && word != ".include_if_exists":
	case word == ".elifdef" || word == ".elifndef":
		take := !c.skipping[last].done && c.defined(argument) == (word == ".elifdef")
		c.skipping[last] = branch{skip: !take, done: take || c.skipping[last].done}
	case word == ".else":
		c.skipping[last].skip = c.skipping[last].done
		c.skipping[last].done = true
	case word == ".endif":
		c.skipping = c.skipping[:last]
	default:
		c.include(l)
	}
	return true
}

func (c *confText) include(l confLine) {
	file, ok := include(c.expand(l.text))
	if !ok || c.skips() || c.includes >= maxIncludes {
		return
	}
	c.includes++
	if !path.IsAbs(file) {
		file = path.Join(path.Dir(l.file), file)
	}
	c.read(file)
}

func (c *confText) skips() bool {
	for _, b := range c.skipping {
		if b.skip {
			return true
		}
	}
	return false
}

// defined reports whether a macro has been defined.
func (c *confText) defined(name string) bool {
	for i := range c.macros {
		if c.macros[i].name == name {
			return true
		}
	}
	return false
}

// define sets a macro. The first definition counts: that of a second one must be
// asked for with ==.
func (c *confText) define(name, value string) {
	value, again := strings.CutPrefix(value, "=")
	for i := range c.macros {
		if c.macros[i].name == name {
			if again {
				c.macros[i].value = strings.TrimSpace(value)
			}
			return
		}
	}
	if len(c.macros) < maxMacros {
		c.macros = append(c.macros, macro{name, strings.TrimSpace(value)})
	}
}

// macroOf reads NAME = value, where NAME begins with a capital letter.
func macroOf(text string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(text, "=")
	name = strings.TrimSpace(name)
	if !ok || name == "" || name[0] < 'A' || name[0] > 'Z' {
		return "", "", false
	}
	for _, c := range []byte(name) {
		if c != '_' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return "", "", false
		}
	}
	return name, strings.TrimSpace(value), true
}

// expand replaces macros by their values, as long as the line stays of a length.
func (c *confText) expand(text string) string {
	for i := range c.macros {
		m := &c.macros[i]
		if n := strings.Count(text, m.name); n > 0 && len(text)+n*len(m.value) <= maxLineBytes {
			text = strings.ReplaceAll(text, m.name, m.value)
		}
	}
	return text
}

type macro struct{ name, value string }

// include reads a line that names another file.
func include(line string) (file string, ok bool) {
	for _, word := range [...]string{".include_if_exists", ".include"} {
		if rest, ok := strings.CutPrefix(line, word); ok {
			return strings.Trim(strings.TrimSpace(rest), `"`), true
		}
	}
	return "", false
}
