package report

import (
	"cmp"
	"strconv"
	"strings"
	"unicode/utf8"

	"spoor"
)

// Codes that a screen is drawn with: ECMA-48 §8.3, and the second screen and the
// cursor of xterm.
const (
	screenOpen  = "\x1b[?1049h\x1b[?25l"
	screenClose = "\x1b[?25h\x1b[?1049l"
	screenHome  = "\x1b[H"
	screenLine  = "\x1b[K\r\n"
	screenEnd   = "\x1b[K\x1b[J"
)

// ScreenOpen and ScreenClose are written to a terminal before the first Screen
// and after the last.
func ScreenOpen() []byte { return []byte(screenOpen) }

// ScreenClose gives the terminal back as it was.
func ScreenClose() []byte { return []byte(screenClose) }

// liveColumn is a column of the screen.
type liveColumn struct {
	head  string
	width int // 0: takes a share of what is left
	share int // of what is left
	right bool
	tail  bool // of a value that is too long the end is shown, not the start
	least int  // width of the screen from which on it is shown
	cell  func(*Style, *spoor.Doing) string
}

func liveColumns() []liveColumn {
	return []liveColumn{
		{head: "COUNT", width: 6, right: true, cell: func(_ *Style, d *spoor.Doing) string { return shortCount(d.Count) }},
		{head: "RATE", width: 6, right: true, least: 34, cell: func(_ *Style, d *spoor.Doing) string { return rateWords(d.Recent) }},
		{head: "LAST", width: 4, right: true, least: 48, cell: func(s *Style, d *spoor.Doing) string { return shortAge(s.Now, d.Last) }},
		{head: "DOES", width: 7, least: 100, cell: func(_ *Style, d *spoor.Doing) string { return doesWord(d.Activity) }},
		{head: "SOURCE", share: 2, cell: func(_ *Style, d *spoor.Doing) string { return d.Source.String() }},
		{head: "SCRIPT", share: 3, tail: true, least: 60, cell: func(_ *Style, d *spoor.Doing) string { return orNone(d.Script) }},
		{head: "UID", width: 6, right: true, least: 70, cell: uidCell},
		{head: "CLIENT", width: 15, least: 90, cell: func(_ *Style, d *spoor.Doing) string { return orNone(d.Client) }},
		{head: "KNOWN", width: 13, least: 80, cell: func(_ *Style, d *spoor.Doing) string { return sureWords(d) }},
	}
}

func doesWord(a spoor.Activity) string {
	switch a {
	case spoor.ActivityConnection:
		return "smtp"
	case spoor.ActivityOpenScript:
		return "open"
	case spoor.ActivitySubmission:
	}
	return "submit"
}

func uidCell(_ *Style, d *spoor.Doing) string {
	if d.UID < 0 {
		return none
	}
	return strconv.Itoa(d.UID)
}

// sureWords is how the source and the script are known.
func sureWords(d *spoor.Doing) string {
	if d.Script == "" {
		return d.Known.Certainty.String()
	}
	return d.Known.Certainty.String() + "/" + d.ScriptKnown.Certainty.String()
}

// shortCount fits six columns.
func shortCount(n int) string {
	if n < 1_000_000 {
		return strconv.Itoa(n)
	}
	return strconv.Itoa(n/1_000_000) + "M"
}

// rateWords is a rate by the minute, of the last ten seconds.
func rateWords(recent int) string {
	if recent == 0 {
		return none
	}
	return shortCount(recent*6) + "/m"
}

// Screen draws the state for a terminal of some columns and rows: what it was
// drawn over is gone. Without room for a table there is one line.
func (l *Live) Screen(style Style, rows int) []byte {
	width := max(style.Columns, 1)
	s := screen{style: style, width: width, rows: max(rows, 1), buf: []byte(screenHome)}
	s.line(sgrBold, cmp.Or(l.Host, "this server")+"  "+plural(l.Count, "sighting")+" in "+l.span()+"  ("+l.Mechanism+"; Ctrl-C ends)")
	if lost := l.lost(); lost > 0 {
		s.line(sgrRed, count(lost)+" lost: the numbers below are too small")
	}
	columns := screenColumns(width)
	s.row(sgrBold, columns, func(c *liveColumn) string { return c.head })
	for i := range l.Doings {
		if s.used == s.rows {
			break
		}
		s.row(doingColour(&l.Doings[i]), columns, func(c *liveColumn) string { return c.cell(&style, &l.Doings[i]) })
	}
	return append(s.buf, screenEnd...)
}

func (l *Live) lost() int {
	lost := 0
	for _, gap := range l.Gaps {
		if strings.HasPrefix(gap.File, "(") {
			lost += gap.Count
		}
	}
	return lost
}

func doingColour(d *spoor.Doing) string {
	if d.Recent > 0 && d.Activity != spoor.ActivityOpenScript {
		return sgrYellow
	}
	return ""
}

// screenColumns are those that fit a width, with their widths.
func screenColumns(width int) []liveColumn {
	var shown []liveColumn
	left, shares := width, 0
	for _, c := range liveColumns() {
		if c.least > width {
			continue
		}
		shown = append(shown, c)
		left -= c.width + len(columnGap)
		shares += c.share
	}
	left += len(columnGap)
	for i := range shown {
		if c := &shown[i]; c.share > 0 {
			c.width = max(left*c.share/shares, 1)
		}
	}
	return shown
}

// screen is a screen in the making. No line of it is longer than the terminal is
// wide: it would take two.
type screen struct {
	style Style
	width int
	rows  int
	used  int
	buf   []byte
}

// start begins the next line, if there is room for one.
func (s *screen) start() bool {
	if s.used == s.rows {
		return false
	}
	if s.used > 0 {
		s.buf = append(s.buf, screenLine...)
	}
	s.used++
	return true
}

func (s *screen) line(sgr, words string) {
	if s.start() {
		s.paint(sgr, AppendEscaped(nil, clip(words, s.width)))
	}
}

func (s *screen) row(sgr string, cells []liveColumn, value func(*liveColumn) string) {
	if !s.start() {
		return
	}
	var text []byte
	left := s.width
	for i := range cells {
		c := &cells[i]
		width := min(c.width, left)
		if i > 0 {
			gap := min(len(columnGap), left)
			text = append(text, columnGap[:gap]...)
			left -= gap
			width = min(c.width, left)
		}
		words := value(c)
		if c.tail {
			words = clipFront(words, width)
		}
		text = appendCell(text, words, width, c.right)
		left -= width
	}
	s.paint(sgr, text)
}

// clipFront is clip, but leaves out the start: the end of a path is its name.
func clipFront(s string, width int) string {
	const most = 16 // bytes that one column takes, with its marks
	if len(s) <= most*width && columns(s) <= width {
		return s
	}
	s = s[max(len(s)-most*width, 0):]
	for s != "" && columns(s) > width-1 {
		_, size := utf8.DecodeRuneInString(s)
		s = s[size:]
	}
	return ellipsis + s
}

// appendCell appends a value in exactly so many columns.
func appendCell(dst []byte, value string, width int, right bool) []byte {
	value = clip(value, width)
	pad := strings.Repeat(" ", max(width-columns(value), 0))
	if right {
		dst = append(dst, pad...)
	}
	dst = AppendEscaped(dst, value)
	if !right {
		dst = append(dst, pad...)
	}
	return dst
}

func (s *screen) paint(sgr string, text []byte) {
	if sgr == "" || !s.style.Colour {
		s.buf = append(s.buf, text...)
		return
	}
	s.buf = append(append(append(s.buf, sgr...), text...), sgrReset...)
}
