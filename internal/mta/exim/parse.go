package exim

import "spoor"

// Parser reads the log of Exim.
type Parser struct{}

// NewParser returns a parser.
func NewParser() *Parser { return &Parser{} }

// Parse implements mta.Parser.
func (p *Parser) Parse(*spoor.Line, *spoor.Event) spoor.LineSort { return spoor.LineForeign }
