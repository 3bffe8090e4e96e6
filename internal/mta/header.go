package mta

import (
	"bytes"
	"iter"
)

// Field is one header field (RFC 5322 §2.2). Its slices alias the block that
// was read.
type Field struct {
	Name  []byte // without the colon
	Value []byte // with its folding, without the final line end
	At    int    // offset of Value in the block
	Line  int    // of the block, from 1
}

// Fields yields the fields of the header block at the start of a message. It
// is tolerant, since spam is malformed: lines that are no field are passed
// over, and only an empty line, or the end of the block, ends the header.
func Fields(block []byte) iter.Seq[Field] {
	return func(yield func(Field) bool) {
		line := 1
		for start := 0; start < len(block); {
			end, lines := fieldEnd(block, start)
			raw := trimLineEnd(block[start:end])
			if len(raw) == 0 {
				return
			}
			if name, value, ok := cutField(raw); ok {
				at := start + len(raw) - len(value)
				if !yield(Field{Name: name, Value: value, At: at, Line: line}) {
					return
				}
			}
			start, line = end, line+lines
		}
	}
}

// trimLineEnd is bytes.TrimRight for CR and LF, in a third of the time.
func trimLineEnd(raw []byte) []byte {
	n := len(raw)
	for n > 0 && (raw[n-1] == '\n' || raw[n-1] == '\r') {
		n--
	}
	return raw[:n]
}

// fieldEnd returns the offset behind the field that starts at start, its
// continuation lines included, and the number of lines it has.
func fieldEnd(block []byte, start int) (end, lines int) {
	end = start
	for {
		i := bytes.IndexByte(block[end:], '\n')
		if i < 0 {
			return len(block), lines + 1
		}
		blank := i == 0 || (i == 1 && block[end] == '\r')
		end += i + 1
		lines++
		if blank && lines == 1 {
			return end, lines
		}
		if end >= len(block) || (block[end] != ' ' && block[end] != '\t') {
			return end, lines
		}
	}
}

// cutField splits at the first colon. A name may not hold spaces or controls
// (RFC 5322 §2.2), but may be followed by blanks (§4.5.3).
func cutField(raw []byte) (name, value []byte, ok bool) {
	colon := bytes.IndexByte(raw, ':')
	if colon <= 0 || raw[0] == ' ' || raw[0] == '\t' {
		return nil, nil, false
	}
	name = raw[:colon]
	for len(name) > 0 && (name[len(name)-1] == ' ' || name[len(name)-1] == '\t') {
		name = name[:len(name)-1]
	}
	for _, c := range name {
		if c <= ' ' || c >= 0x7f {
			return nil, nil, false
		}
	}
	return name, raw[colon+1:], true
}

// BodyStart returns the offset of the body in a block that starts with a
// header, and its line from 1. It is len(block) if the header has no end in the
// block.
func BodyStart(block []byte) (offset, line int) {
	line = 1
	for offset < len(block) {
		i := bytes.IndexByte(block[offset:], '\n')
		if i < 0 {
			return len(block), line
		}
		blank := i == 0 || (i == 1 && block[offset] == '\r')
		offset += i + 1
		line++
		if blank {
			return offset, line
		}
	}
	return len(block), line
}
