package report

import (
	"fmt"
	"io"

	"spoor"
)

// Format is a way to list messages.
type Format uint8

// The formats of spoor queue ls.
const (
	FormatTable  Format = iota // for a person, cut to the terminal
	FormatWide                 // for a person, with all columns and nothing cut
	FormatJSON                 // one array
	FormatNDJSON               // one object a line
	FormatCSV                  // with a head, for a spreadsheet
	FormatIDs                  // one queue ID a line
)

var formatNames = [...]string{"table", "wide", "json", "ndjson", "csv", "ids"}

// Formats lists every Format, in the order of their constants.
func Formats() []Format {
	formats := make([]Format, len(formatNames))
	for i := range formats {
		formats[i] = Format(i)
	}
	return formats
}

// String returns the word that the flag -o takes.
func (f Format) String() string {
	if int(f) < len(formatNames) {
		return formatNames[f]
	}
	return fmt.Sprintf("format(%d)", uint8(f))
}

// ParseFormat is the inverse of Format.String.
func ParseFormat(word string) (Format, bool) {
	for i, name := range formatNames {
		if name == word {
			return Format(i), true
		}
	}
	return FormatTable, false
}

// Messages lists messages while they are being read. It keeps nothing of the
// arguments of Row, which the caller may overwrite. The attribution is nil
// where none was made. After an error it must not be used again. Close writes
// what is still held back and leaves the writer below open.
type Messages interface {
	Row(m *spoor.Message, a *spoor.Attribution) error
	Close() error
}

// NewMessages returns the list in the given format. Only tables look at style.
func NewMessages(out io.Writer, format Format, style Style) Messages {
	lines := lineBuffer{out: out}
	switch format {
	case FormatWide:
		return newTable(lines, style, wideColumns(style))
	case FormatJSON:
		return &jsonMessages{lines: lines}
	case FormatNDJSON:
		return &ndjsonMessages{lines}
	case FormatCSV:
		return newCSV(out)
	case FormatIDs:
		return &idMessages{lines}
	case FormatTable:
	}
	return newTable(lines, style, tableColumns(style))
}

// lineBuffer collects lines and writes many of them at once.
type lineBuffer struct {
	out io.Writer
	buf []byte
}

const flushAt = 64 << 10

// spill writes what was collected if that is much.
func (l *lineBuffer) spill() error {
	if len(l.buf) < flushAt {
		return nil
	}
	return l.flush()
}

func (l *lineBuffer) flush() error {
	if len(l.buf) == 0 {
		return nil
	}
	_, err := l.out.Write(l.buf)
	l.buf = l.buf[:0]
	return err
}

type ndjsonMessages struct{ lineBuffer }

// Row implements Messages.
func (n *ndjsonMessages) Row(m *spoor.Message, a *spoor.Attribution) error {
	n.buf = append(appendMessage(n.buf, m, a), '\n')
	return n.spill()
}

// Close implements Messages.
func (n *ndjsonMessages) Close() error { return n.flush() }

type jsonMessages struct {
	lines lineBuffer
	some  bool
}

// Row implements Messages.
func (j *jsonMessages) Row(m *spoor.Message, a *spoor.Attribution) error {
	before := "[\n"
	if j.some {
		before = ",\n"
	}
	j.some = true
	j.lines.buf = appendMessage(append(j.lines.buf, before...), m, a)
	return j.lines.spill()
}

// Close implements Messages.
func (j *jsonMessages) Close() error {
	after := "[]\n"
	if j.some {
		after = "\n]\n"
	}
	j.lines.buf = append(j.lines.buf, after...)
	return j.lines.flush()
}

type idMessages struct{ lineBuffer }

// Row implements Messages.
func (l *idMessages) Row(m *spoor.Message, _ *spoor.Attribution) error {
	l.buf = append(AppendEscaped(l.buf, string(m.ID)), '\n')
	return l.spill()
}

// Close implements Messages.
func (l *idMessages) Close() error { return l.flush() }
