package mta

import (
	"bytes"
	"iter"
)

// PartKind says what a part of a queue file holds.
type PartKind uint8

// The kinds.
const (
	PartRecord PartKind = iota // a value of the MTA's own: an address, an attribute, a line of its log
	PartHeader                 // a line of the message's header
	PartBody                   // a line of its body
)

// Part is where something is in a queue file that a person or another program has
// written, without what the MTA has put around it.
type Part struct {
	Start, End int // offsets in the file
	Kind       PartKind
}

// LineParts yields the lines of a file from an offset on, without their ends. A
// header ends with an empty line, behind which the body begins.
func LineParts(file []byte, from int, kind PartKind) iter.Seq[Part] {
	return func(yield func(Part) bool) {
		for at := from; at < len(file); {
			end := len(file)
			next := end
			if i := bytes.IndexByte(file[at:], '\n'); i >= 0 {
				end, next = at+i, at+i+1
			}
			if end > at && file[end-1] == '\r' {
				end--
			}
			if !yield(Part{at, end, kind}) {
				return
			}
			if kind == PartHeader && end == at {
				kind = PartBody
			}
			at = next
		}
	}
}
