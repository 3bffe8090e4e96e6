package postfix

import (
	"bytes"
	"iter"
	"strings"

	"spoor/internal/mta"
)

// fileParts yields the values of the records of a queue file: those between M and X
// are lines of the message (rec_type.h). A damaged record ends them. What bounce
// and defer logs hold is text.
func fileParts(name string, file []byte) iter.Seq[mta.Part] {
	for _, folder := range [...]string{"/bounce/", "/defer/", "/trace/"} {
		if strings.Contains(name, folder) {
			return mta.LineParts(file, 0, mta.PartRecord)
		}
	}
	return func(yield func(mta.Part) bool) {
		kind := mta.PartRecord
		for at := 0; at < len(file); {
			record := file[at]
			length, used := recordLength(file[at+1:])
			start := at + 1 + used
			if used == 0 || length > len(file)-start {
				return
			}
			at = start + length
			if !yield(mta.Part{Start: start, End: at, Kind: kind}) {
				return
			}
			kind = behind(record, file[start:at], kind)
		}
	}
}

// behind is the kind of the record behind one.
func behind(record byte, value []byte, kind mta.PartKind) mta.PartKind {
	switch {
	case record == recMessage:
		return mta.PartHeader
	case record == recExtracted:
		return mta.PartRecord
	case kind == mta.PartHeader && record == recLine && (len(value) == 0 || bytes.Equal(value, []byte{'\r'})):
		return mta.PartBody
	}
	return kind
}
