package report

import (
	"strings"

	"spoor"
)

// tableMessages lists messages in columns. It holds the first rows back until
// it knows how wide the columns have to be.
type tableMessages struct {
	lines   lineBuffer
	style   Style
	columns []tableColumn
	widths  []int
	held    [][]string // rows whose widths are being measured
	open    bool       // widths are settled and the head was written
}

// tableColumn is one column and what it shows of a message.
type tableColumn struct {
	head  string
	right bool // aligned to the right
	share bool // cut so that the row fits the terminal
	most  int  // cut to so many columns anywhere; 0: not cut
	value func(m *spoor.Message, a *spoor.Attribution) string
}

// measuredRows is how many rows settle the widths of the columns.
const measuredRows = 256

// columnGap is what stands between two columns.
const columnGap = "  "

func newTable(lines lineBuffer, style Style, columns []tableColumn) *tableMessages {
	return &tableMessages{lines: lines, style: style, columns: columns}
}

// Row implements Messages.
func (t *tableMessages) Row(m *spoor.Message, a *spoor.Attribution) error {
	row := make([]string, len(t.columns))
	for i := range t.columns {
		row[i] = t.columns[i].value(m, a)
	}
	if t.open {
		t.write(row)
		return t.lines.spill()
	}
	t.held = append(t.held, row)
	if len(t.held) == measuredRows {
		t.start()
	}
	return t.lines.spill()
}

// Close implements Messages. A list without messages has no head either.
func (t *tableMessages) Close() error {
	if len(t.held) > 0 {
		t.start()
	}
	return t.lines.flush()
}

// start settles the widths and writes the head and the rows held back.
func (t *tableMessages) start() {
	t.widths = make([]int, len(t.columns))
	for i, column := range t.columns {
		t.widths[i] = len(column.head)
		for _, row := range t.held {
			t.widths[i] = max(t.widths[i], columns(row[i]))
		}
		if column.most > 0 {
			t.widths[i] = min(t.widths[i], column.most)
		}
	}
	t.fit()
	head := make([]string, len(t.columns))
	for i, column := range t.columns {
		head[i] = column.head
	}
	if t.style.Colour {
		t.lines.buf = append(t.lines.buf, sgrBold...)
	}
	t.write(head)
	if t.style.Colour {
		t.lines.buf = append(t.lines.buf[:len(t.lines.buf)-1], sgrReset+"\n"...)
	}
	for _, row := range t.held {
		t.write(row)
	}
	t.held, t.open = nil, true
}

// fit takes what is too much for the terminal from the columns that share it,
// always from the widest.
func (t *tableMessages) fit() {
	if t.style.Columns == 0 {
		return
	}
	excess := (len(t.columns)-1)*len(columnGap) - t.style.Columns
	for _, width := range t.widths {
		excess += width
	}
	for ; excess > 0; excess-- {
		widest := -1
		for i, column := range t.columns {
			if column.share && t.widths[i] > minShare && (widest < 0 || t.widths[i] >= t.widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return
		}
		t.widths[widest]--
	}
}

// minShare is the least width, in columns, that is worth showing.
const minShare = 8

func (t *tableMessages) write(row []string) {
	for i, value := range row {
		if i > 0 {
			t.lines.buf = append(t.lines.buf, columnGap...)
		}
		column := &t.columns[i]
		switch {
		case column.share && t.style.Columns > 0:
			value = clip(value, t.widths[i])
		case column.most > 0:
			value = clip(value, column.most)
		}
		pad := max(t.widths[i]-columns(value), 0)
		if column.right {
			t.lines.buf = append(t.lines.buf, strings.Repeat(" ", pad)...)
		}
		t.lines.buf = AppendEscaped(t.lines.buf, value)
		if !column.right && i < len(row)-1 {
			t.lines.buf = append(t.lines.buf, strings.Repeat(" ", pad)...)
		}
	}
	t.lines.buf = append(t.lines.buf, '\n')
}
