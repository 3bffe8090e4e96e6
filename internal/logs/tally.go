package logs

import (
	"bytes"
	"slices"
	"strings"

	"spoor"
)

const (
	maxShapes     = 50
	shapeExamples = 3
	shapeWords    = 3
	exampleBytes  = 300
	maxShapeBytes = 80
)

// tally counts lines by what became of them.
type tally struct {
	lines   int64
	foreign int64
	known   int64 // events included
	unknown int64
	damaged int64
	shapes  shapes
}

func (t *tally) reset() { *t = tally{shapes: t.shapes[:0]} }

// shape is a sort of line that was not understood.
type shape struct {
	key      string // program, and what its lines begin with
	program  string
	count    int64
	examples []example
}

// example is a line, cut. Its number counts from the first line of the chunk.
type example struct {
	number int64
	text   string
}

// shapes are few: hardly any line is not understood.
type shapes []shape

type shapeLine struct{ number int64 }

// add counts a line. It allocates nothing for the fourth and later of a shape.
func (s *shapes) add(l *spoor.Line, at shapeLine) {
	var space [maxShapeBytes + 2]byte
	key := append(space[:0], l.Program[:min(len(l.Program), maxShapeBytes/2)]...)
	key = append(key, 0)
	key = append(key, opening(l.Body, cap(key)-len(key))...)
	i := slices.IndexFunc(*s, func(known shape) bool { return known.key == string(key) })
	if i < 0 {
		if len(*s) >= maxShapes {
			return
		}
		i = len(*s)
		*s = append(*s, shape{key: string(key), program: string(l.Program)})
	}
	found := &(*s)[i]
	found.count++
	if len(found.examples) < shapeExamples {
		text := string(l.Text[:min(len(l.Text), exampleBytes)])
		found.examples = append(found.examples, example{number: at.number, text: text})
	}
}

// opening is the first words of a message, up to the first with a digit or a
// sign of an address.
func opening(body []byte, limit int) []byte {
	end := 0
	for range shapeWords {
		next := bytes.IndexByte(body[end:], ' ')
		if next < 0 {
			next = len(body) - end
		}
		if next == 0 || bytes.ContainsAny(body[end:end+next], "0123456789@<=/") {
			break
		}
		end = min(end+next+1, len(body))
	}
	return body[:min(end, limit)]
}

// merge adds the shapes of a chunk, whose first line has a number, to those of
// the log.
func (s *shapes) merge(others shapes, path string, firstLine int64, into *[]spoor.UnknownShape) {
	for _, other := range others {
		i := slices.IndexFunc(*s, func(known shape) bool { return known.key == other.key })
		if i < 0 {
			if len(*s) >= maxShapes {
				continue
			}
			i = len(*s)
			*s = append(*s, shape{key: other.key})
			*into = append(*into, spoor.UnknownShape{Program: strings.Clone(other.program)})
		}
		u := &(*into)[i]
		u.Count += other.count
		for _, e := range other.examples {
			if len(u.Examples) < shapeExamples {
				u.Examples = append(u.Examples, spoor.Evidence{What: "log", File: path, Line: int(firstLine + e.number), Text: e.text})
			}
		}
	}
}
