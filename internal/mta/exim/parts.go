package exim

import (
	"bytes"
	"iter"
	"strings"

	"spoor/internal/mta"
)

// fileParts yields the lines in a file of the spool: of -D all but the first, which is
// its own name, are the message's body; the header in -H stands behind a blank
// line, each field behind its length and flag; the rest is Exim's own.
func fileParts(name string, file []byte) iter.Seq[mta.Part] {
	switch first := bytes.IndexByte(file, '\n') + 1; {
	case strings.HasSuffix(name, "-D"):
		return mta.LineParts(file, first, mta.PartBody)
	case strings.HasSuffix(name, "-H"):
		return headerParts(file, first)
	}
	return mta.LineParts(file, 0, mta.PartRecord)
}

func headerParts(file []byte, first int) iter.Seq[mta.Part] {
	return func(yield func(mta.Part) bool) {
		kind := mta.PartRecord
		for line := range mta.LineParts(file, first, mta.PartRecord) {
			if line.End == line.Start {
				kind = mta.PartHeader
			}
			if line.Kind = kind; kind == mta.PartHeader {
				line.Start += fieldPrefix(file[line.Start:line.End])
			}
			if !yield(line) {
				return
			}
		}
	}
}

// fieldPrefix is the length of "034F " before a field; 0 before a line that goes on.
func fieldPrefix(line []byte) int {
	if _, digits := headerLength(line); digits >= 3 && len(line) > digits+2 && line[digits+1] == ' ' {
		return digits + 2
	}
	return 0
}
