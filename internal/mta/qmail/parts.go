package qmail

import (
	"bytes"
	"iter"
	"strings"

	"spoor/internal/mta"
)

// fileParts yields what is in a file of the queue (qmail's INTERNALS): a message in
// mess, text in bounce, elsewhere records of a letter and a value that end with a
// NUL.
func fileParts(name string, file []byte) iter.Seq[mta.Part] {
	switch {
	case strings.Contains(name, "/mess/"):
		return mta.LineParts(file, 0, mta.PartHeader)
	case strings.Contains(name, "/bounce/"):
		return mta.LineParts(file, 0, mta.PartRecord)
	}
	return func(yield func(mta.Part) bool) {
		for at := 0; at < len(file); {
			i := bytes.IndexByte(file[at:], 0)
			if i < 0 {
				return
			}
			if i > 0 && !yield(mta.Part{Start: at + 1, End: at + i}) {
				return
			}
			at += i + 1
		}
	}
}
