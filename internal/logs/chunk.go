package logs

import (
	"bytes"

	"spoor"
)

// chunk is a part of a file on its way: text when it leaves the cutter, events
// when it leaves a worker, a block when it is handed out. Its memory is used
// again.
type chunk struct {
	buf     []byte // lines of the chunk before, then its own
	start   int    // of its own, in buf
	barrier int    // nobody may look back beyond this place in buf
	holed   bool   // NUL bytes were left out before its first line
	base    int64  // offset of its text in the file
	file    *fileScan
	disk    int64         // bytes on disk that were read for it
	done    chan struct{} // gets one value when a worker is done

	tally
	events []spoor.Event
	texts  []byte // that events alias, besides buf
	lead   int    // events before the first that proves the clock
	clock  clock  // after the last event; to be used if proved
	first  mark   // of its first and last line with a stamp
	last   mark
	forms  stampForms
	block  spoor.Block
}

func newChunk(blockBytes int) *chunk {
	return &chunk{buf: make([]byte, 0, blockBytes+maxBehindBytes+4096), done: make(chan struct{}, 1)}
}

func (c *chunk) reset() {
	c.buf, c.start, c.barrier, c.holed = c.buf[:0], 0, 0, false
}

// worker reads the lines of one chunk after another.
type worker struct {
	newParser func() Parser
	parser    Parser
	split     splitter
	line      spoor.Line
	chunk     *chunk
	webmail   bool // the file of the chunk is a webmail's
}

// run parses a chunk.
func (w *worker) run(c *chunk) {
	w.chunk = c
	w.split.begin(c.file.head)
	w.webmail = c.file.Webmail
	c.tally.reset()
	c.clock = clock{zone: c.file.head.zone}
	c.events, c.lead, c.first, c.last, c.forms = c.events[:0], 0, 0, 0, stampForms{}
	w.split.scratch = c.texts[:0]
	w.freshParser(c.buf[:c.start])
	number := uint32(0)
	for at := c.start; at < len(c.buf); number++ {
		end, next := len(c.buf), len(c.buf)
		if i := bytes.IndexByte(c.buf[at:], '\n'); i >= 0 {
			end, next = at+i, at+i+1
		}
		w.parseLine(at, end, number)
		at = next
	}
	if c.clock.proof == proofNone {
		c.lead = len(c.events)
	}
	c.lines, c.texts = int64(number), w.split.scratch
}

// freshParser gives the chunk a parser that remembers the lines before it alone.
// One that can be reset keeps what it knows of accounts and answers.
func (w *worker) freshParser(before []byte) {
	switch parser := w.parser.(type) {
	case Stateless:
		return
	case interface{ Reset() }:
		parser.Reset()
	default:
		w.parser = w.newParser()
	}
	w.prime(before)
}

// prime shows the parser the lines before the chunk.
func (w *worker) prime(text []byte) {
	var e spoor.Event
	for line := range bytes.Lines(text) {
		w.line.Text = trimLine(line)
		if w.split.split(&w.line) == headerTagged && lastRepeated(w.line.Body) == 0 {
			unwrapRepeated(&w.line)
			e = spoor.Event{}
			w.parser.Parse(&w.line, &e)
		}
	}
}

// trimLine takes the end off a line and cuts it to maxLine.
func trimLine(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\n' {
		line = line[:n-1]
	}
	if len(line) > maxLine {
		return line[:maxLine]
	}
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return line
}

// parseLine reads the line between two places of the buffer.
func (w *worker) parseLine(at, end int, number uint32) {
	c := w.chunk
	holed := number == 0 && c.holed
	for at < end && c.buf[at] == 0 {
		at, holed = at+1, true
	}
	w.line.Text = trimLine(c.buf[at:end])
	header := w.split.split(&w.line)
	if w.webmail && (header != headerTagged || !bytes.Equal(w.line.Program, roundcube) || w.line.Text[0] != '[') {
		c.foreign++
		return
	}
	if header == headerNone {
		w.headless(holed)
		return
	}
	if holed {
		c.damaged++
	}
	w.stamped()
	sort, e := w.parse(header, at)
	switch sort {
	case spoor.LineEvent:
		e.Line, e.Offset = number, uint32(at-c.start)
		w.keep(e)
	case spoor.LineKnown, spoor.LineCut:
		c.known++
	case spoor.LineForeign:
		c.foreign++
	default:
		c.unknown++
		c.shapes.add(&w.line, shapeLine{number: int64(number)})
	}
}

// headless counts a line without a header.
func (w *worker) headless(holed bool) {
	switch text := w.line.Text; {
	case holed:
		w.chunk.damaged++
	case w.continues(text):
		w.chunk.known++
	case isJournalNote(text):
		w.chunk.foreign++
	default:
		w.chunk.damaged++
	}
}

// stamped remembers the first and the last stamp of the chunk.
func (w *worker) stamped() {
	c, m := w.chunk, w.split.mark
	if m == c.last || m == 0 {
		return
	}
	if c.first == 0 {
		c.first = m
	}
	c.last = m
	c.forms.add(stampForms{local: m.local(), yearless: m.yearless()})
}

// parse asks the parser. The event lies behind those that the chunk has.
func (w *worker) parse(header header, at int) (spoor.LineSort, *spoor.Event) {
	e := w.slot()
	body := w.line.Body
	if len(body) > 0 && body[0] == 'l' && w.line.Text[0] != '{' { // the journal repeats everything
		if n := lastRepeated(body); n > 0 {
			return w.repeat(e, n, at), e
		}
	}
	if header == headerBare {
		return spoor.LineForeign, e
	}
	n := unwrapRepeated(&w.line)
	sort := w.parser.Parse(&w.line, e)
	if n > 1 {
		e.Repeat = n
	}
	return sort, e
}

// slot returns the zeroed place of the next event.
func (w *worker) slot() *spoor.Event {
	c := w.chunk
	n := len(c.events)
	if n == cap(c.events) {
		c.events = append(c.events, spoor.Event{})[:n]
	}
	e := &c.events[:n+1][n]
	*e = spoor.Event{} // a literal with more in it would be copied
	e.PID, e.UID = -1, -1
	return e
}

// keep takes the event in its slot into the chunk, with its time as far as that
// is known.
func (w *worker) keep(e *spoor.Event) {
	c, m := w.chunk, w.split.mark
	c.events = c.events[:len(c.events)+1]
	c.known++
	if e.Exact && e.Time <= 0 {
		e.Exact = false
	}
	if !e.Exact {
		e.Time = spoor.Stamp(m)
	}
	proves := e.Exact && c.clock.prove(e.Time, m)
	if proves || c.clock.proof == proofStamp {
		c.clock.resolve(e)
	} else {
		c.lead = len(c.events)
	}
}
