package report

import (
	"bytes"
	"io"

	"spoor"
)

// Cat is one message to be read by a person.
type Cat struct {
	Message *spoor.Message
	Content []byte // header and body, or their beginning
}

// MaxCat bounds how many bytes of Content are shown.
const MaxCat = 1 << 20

// maxCatNamed is how many recipients are named.
const maxCatNamed = 1000

// Text writes the envelope, the recipients and the content. Lines of the
// content stay lines; each starts with a bar, which no message can forge.
func (c *Cat) Text(out io.Writer, style Style) error {
	p := &page{style: style}
	writeEnvelope(p, c.Message, style.Now, maxCatNamed)
	p.heading("Content, escaped")
	shown := c.Content[:min(len(c.Content), MaxCat)]
	for line := range bytes.Lines(shown) {
		p.buf = append(p.buf, "| "...)
		p.buf = AppendEscaped(p.buf, string(bytes.TrimSuffix(line, []byte("\n"))))
		p.end()
	}
	if rest := c.Message.SizeBytes - int64(len(shown)); rest > 0 {
		p.para(2, "not shown: "+count(rest)+" more bytes of "+clip(c.Message.Path(), maxQuote))
	}
	return p.writeTo(out)
}
