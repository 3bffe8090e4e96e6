package postfix

import (
	"bytes"
	"cmp"
	"iter"
	"slices"
	"strings"

	"spoor/internal/mta"
)

// fileParts yields the values of the records of a queue file: those between M and X
// are lines of the message (rec_type.h). Where a milter has edited the message, the
// records follow pointers, which stay as they are, and what they pass over is text
// that nobody reads. Of a damaged file it is the records one behind the other, to the
// first that is damaged. What bounce
// and defer logs hold is text.
func fileParts(name string, file []byte) iter.Seq[mta.Part] {
	for _, folder := range [...]string{"/bounce/", "/defer/", "/trace/"} {
		if strings.Contains(name, folder) {
			return mta.LineParts(file, 0, mta.PartRecord)
		}
	}
	if spans, ok := living(file); ok {
		return spanParts(file, spans)
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

// span is a record where it lies in its file.
type span struct {
	from, start, end int // of the record, of its value, behind it
	kind             mta.PartKind
	pointer          bool
}

// living are the records of a file as Postfix reads them, in the order in which they
// lie there; ok is false where they do not lead to the end record, or twice to a place.
func living(file []byte) (spans []span, ok bool) {
	kind, jumps := mta.PartRecord, 0
	for at := 0; at < len(file); {
		record := file[at]
		length, used := recordLength(file[at+1:])
		one := span{from: at, start: at + 1 + used, kind: kind, pointer: record == recPointer}
		if used == 0 || length > len(file)-one.start || len(spans) > len(file) {
			return nil, false
		}
		one.end = one.start + length
		spans = append(spans, one)
		if record == recEnd {
			return inPlace(spans)
		}
		value := file[one.start:one.end]
		kind = behind(record, value, kind)
		at = one.end
		if !one.pointer {
			continue
		}
		target, valid := number(bytes.TrimSpace(value))
		if jumps++; !valid || target > int64(len(file)) || jumps > maxJumps {
			return nil, false
		}
		if target > 0 {
			at = int(target)
		}
	}
	return nil, false
}

func inPlace(spans []span) ([]span, bool) {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	for i := range spans[1:] {
		if spans[i+1].from < spans[i].end {
			return nil, false
		}
	}
	return spans, true
}

// spanParts yields the values of records, and what lies between them as text.
func spanParts(file []byte, spans []span) iter.Seq[mta.Part] {
	return func(yield func(mta.Part) bool) {
		at := 0
		for _, one := range spans {
			if one.from > at && !yield(mta.Part{Start: at, End: one.from, Kind: mta.PartBody}) {
				return
			}
			if !one.pointer && !yield(mta.Part{Start: one.start, End: one.end, Kind: one.kind}) {
				return
			}
			at = one.end
		}
		if at < len(file) {
			yield(mta.Part{Start: at, End: len(file), Kind: mta.PartBody})
		}
	}
}
