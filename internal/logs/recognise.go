package logs

import (
	"bytes"
	"context"

	"spoor"
	"spoor/internal/host"
)

// Recognise returns which of some parsers knows most lines at the head of the
// newest file of each stream, and -1 if none knows any. Of equals the first wins.
func Recognise(ctx context.Context, root *host.Root, streams []Stream, parsers []func() Parser) int {
	known := make([]int, len(parsers))
	for i := range streams {
		files := streams[i].Files
		if len(files) == 0 {
			continue
		}
		src, err := openSource(ctx, root, files[len(files)-1].Path)
		if err != nil {
			continue // the scan says so
		}
		head := readHead(src).head
		src.Close()
		for k, newParser := range parsers {
			known[k] += knownLines(head, newParser())
		}
	}
	best := -1
	for k, n := range known {
		if n > 0 && (best < 0 || n > known[best]) {
			best = k
		}
	}
	return best
}

// knownLines counts the lines of a text that a parser understands, less those
// that it takes for its MTA's and does not.
func knownLines(text []byte, parser Parser) int {
	var (
		line  spoor.Line
		event spoor.Event
		split splitter
		n     int
	)
	for one := range bytes.Lines(text) {
		line.Text = trimLine(bytes.TrimLeft(one, "\x00"))
		if split.split(&line) != headerTagged {
			continue
		}
		unwrapRepeated(&line)
		event = spoor.Event{PID: -1, UID: -1}
		switch parser.Parse(&line, &event) {
		case spoor.LineEvent, spoor.LineKnown, spoor.LineCut:
			n++
		case spoor.LineUnknown:
			n--
		case spoor.LineForeign:
		}
	}
	return n
}
