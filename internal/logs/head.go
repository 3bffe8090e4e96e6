package logs

import (
	"bytes"
	"io"
	"time"

	"spoor"
)

const (
	// headBytes is how much of a file is searched for an event that proves its
	// year and zone.
	headBytes = 128 << 10
	// samples of a file without such an event are looked at for the turns of the
	// year in it.
	samples     = 64
	sampleBytes = 4 << 10
)

// headed is a source whose first bytes were read already.
type headed struct {
	head []byte
	err  error // that came with the last of them
	r    io.Reader
}

func readHead(r io.Reader) *headed {
	h := &headed{r: r}
	buf := make([]byte, headBytes)
	n := 0
	for n < len(buf) && h.err == nil {
		var more int
		more, h.err = r.Read(buf[n:])
		n += more
	}
	h.head = buf[:n]
	return h
}

func (h *headed) Read(p []byte) (int, error) {
	if len(h.head) > 0 {
		n := copy(p, h.head)
		h.head = h.head[n:]
		return n, nil
	}
	if h.err != nil {
		return 0, h.err
	}
	return h.r.Read(p)
}

// headClock finds year and zone of a file at its head.
func (s *scan) headClock(src *source, head []byte) clock {
	c := clock{zone: s.options.Zone}
	var (
		line   spoor.Line
		event  spoor.Event
		split  splitter
		first  mark
		parser = s.options.NewParser()
		votes  election
		voting = true
	)
	for text := range bytes.Lines(head) {
		line.Text = trimLine(bytes.TrimLeft(text, "\x00"))
		if split.split(&line) != headerTagged {
			continue
		}
		if first == 0 && split.mark.local() {
			first = split.mark
		}
		unwrapRepeated(&line)
		event = spoor.Event{PID: -1, UID: -1}
		if parser.Parse(&line, &event) != spoor.LineEvent {
			continue
		}
		if event.Exact && c.prove(event.Time, split.mark) {
			c.local, c.exact = 0, 0 // the lines above it are earlier
			return c
		}
		if event.Clock != 0 && voting {
			voting = votes.add(event.Clock, split.mark)
		}
	}
	if v, ok := votes.winner(); ok {
		c.use(v.offset, v.first, 0) // its samples are counted when they are read
		return c
	}
	latest := s.latest(src)
	c.assume(first, latest, yearsSpanned(src))
	c.latest = latest.UnixMicro()
	return c
}

// latest is the time after which no line of a file can be.
func (s *scan) latest(src *source) time.Time {
	end := s.options.Now
	if info, err := src.file.Stat(); err == nil && (end.IsZero() || info.ModTime().Before(end)) {
		end = info.ModTime()
	}
	return end.Add(24 * time.Hour) // the zone is not known yet
}

// assume takes the year of a file from the time of its last line, where nothing
// proves it. turns is how often the year turns in it.
func (c *clock) assume(first mark, latest time.Time, turns int) {
	end := latest.UnixMicro()
	if c.zone != nil {
		c.offset, _, _ = zoneAt(c.zone, end)
	}
	local := -int64(first)
	if first.yearless() {
		year := latest.Year()
		local = inYear(-int64(first), year)
		if local > end+c.offset {
			year--
			turns--
		}
		local = inYear(-int64(first), year-max(turns, 0))
	}
	c.near = max(local-c.offset, 1)
	if c.zone != nil {
		c.offset, _, _ = zoneAt(c.zone, c.near)
	}
	c.findZone(c.near)
}

// yearsSpanned counts how often the year turns in a plain file: its stamps fall
// back by months.
func yearsSpanned(src *source) int {
	if src.kind != Plain {
		return 0
	}
	var split splitter
	var line spoor.Line
	buf := make([]byte, sampleBytes)
	turns, last := 0, mark(0)
	step := max(src.size/samples, sampleBytes)
	for at := int64(0); at < src.size; at += step {
		n, _ := src.file.ReadAt(buf, at)
		text := buf[:n]
		if at > 0 {
			text = text[bytes.IndexByte(text, '\n')+1:]
		}
		for part := range bytes.Lines(text) {
			line.Text = trimLine(part)
			if split.split(&line) == headerNone || !split.mark.yearless() {
				continue
			}
			if last != 0 && -last+split.mark > 120*day { // marks are negative
				turns++
			}
			last = split.mark
		}
	}
	return turns
}
