package logs

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strconv"
)

// exportHead is how much of a file is looked at to tell what it is.
const exportHead = 4 << 10

// isExport reports whether a text begins as journalctl -o export does, with the
// fields of an entry, its time among them.
func isExport(head []byte) bool {
	name, _, ok := bytes.Cut(head[:min(len(head), maxTag)], []byte{'='})
	if !ok || len(name) == 0 {
		return false
	}
	for _, c := range name {
		if c != '_' && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	const stamp = "__REALTIME_TIMESTAMP="
	return bytes.HasPrefix(head, []byte(stamp)) || bytes.Contains(head, []byte("\n"+stamp))
}

// exportReader makes lines, with the header of rsyslog's own form, of the entries
// in a stream of the journal (systemd's "Journal Export Format"):
//
//	2026-11-23T11:32:16.345364Z mx1 postfix/smtpd[812]: connect from unknown[192.0.2.7]
//
// The line with the number n is the nth entry that has a message and a time.
type exportReader struct {
	in     *bufio.Reader
	entry  entry
	fields [7][]byte // memory of entry's
	used   int
	begun  bool // the entry has a field
	out    []byte
	at     int
	err    error
}

func newExportReader(in io.Reader) *exportReader {
	return &exportReader{in: bufio.NewReaderSize(in, 64<<10)}
}

// Read implements io.Reader. An entry without an end is io.ErrUnexpectedEOF.
func (r *exportReader) Read(p []byte) (int, error) {
	for r.at == len(r.out) {
		if r.err != nil {
			return 0, r.err
		}
		r.out, r.at = r.out[:0], 0
		r.next()
	}
	n := copy(p, r.out[r.at:])
	r.at += n
	return n, nil
}

// next reads fields up to the end of an entry.
func (r *exportReader) next() {
	for r.err == nil {
		line, whole, err := r.line()
		switch {
		case err != nil:
			r.err = err
		case len(line) == 0:
			r.end()
			return
		default:
			r.begun = true
			r.field(line, whole)
		}
	}
	if r.begun && errors.Is(r.err, io.EOF) {
		r.err = io.ErrUnexpectedEOF
	}
}

// line returns a line without its end, and whether that is all of it: of a longer
// one the rest is left out. It is good until the next call.
func (r *exportReader) line() (line []byte, whole bool, err error) {
	line, err = r.in.ReadSlice('\n')
	if err == nil {
		return line[:len(line)-1], true, nil
	}
	if !errors.Is(err, bufio.ErrBufferFull) {
		if len(line) > 0 && errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, false, err
	}
	return line, false, nil
}

// skipLine leaves out what is left of a long line.
func (r *exportReader) skipLine() {
	err := bufio.ErrBufferFull
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = r.in.ReadSlice('\n')
	}
	r.err = err
}

// field takes one field: NAME=value, or NAME alone and then a size in eight
// bytes, the value, and a line end.
func (r *exportReader) field(line []byte, whole bool) {
	name, value, ok := bytes.Cut(line, []byte{'='})
	place := r.entry.field(name)
	wanted := place != nil && *place == nil
	switch {
	case ok && wanted:
		*place = r.keep(value)
	case !ok && !whole:
		r.err = errNotExport
		return
	case !ok:
		if value := r.binary(wanted); wanted && r.err == nil {
			*place = value
		}
		return
	}
	if !whole {
		r.skipLine()
	}
}

var errNotExport = errors.New("it is not what journalctl -o export writes")

// keep copies a value for as long as the entry lasts.
func (r *exportReader) keep(value []byte) []byte {
	to := &r.fields[r.used]
	r.used++
	*to = append((*to)[:0], value[:min(len(value), maxLine)]...)
	return *to
}

// binary reads a value that has its size before it.
func (r *exportReader) binary(wanted bool) []byte {
	var size [8]byte
	if _, r.err = io.ReadFull(r.in, size[:]); r.err != nil {
		return nil
	}
	left := binary.LittleEndian.Uint64(size[:])
	if left > maxExpanded {
		r.err = errNotExport
		return nil
	}
	var value []byte
	if wanted {
		head := make([]byte, min(left, maxLine))
		if _, r.err = io.ReadFull(r.in, head); r.err != nil {
			return nil
		}
		left -= uint64(len(head))
		value = r.keep(head)
	}
	if _, r.err = io.CopyN(io.Discard, r.in, int64(left)); r.err != nil {
		return nil
	}
	if c, err := r.in.ReadByte(); err != nil || c != '\n' {
		r.err = errors.Join(errNotExport, err)
	}
	return value
}

// end writes the line of the entry that was read, and begins the next.
func (r *exportReader) end() {
	e := &r.entry
	if at := e.time(); at != 0 && e.message != nil {
		r.out = at.Time().AppendFormat(r.out, "2006-01-02T15:04:05.000000Z07:00 ")
		r.out = appendWord(r.out, e.host)
		r.out = append(r.out, ' ')
		r.out = appendWord(r.out, e.program())
		if pid := e.processID(); pid >= 0 {
			r.out = append(r.out, '[')
			r.out = strconv.AppendInt(r.out, int64(pid), 10)
			r.out = append(r.out, ']')
		}
		r.out = append(r.out, ": "...)
		for _, c := range e.message {
			r.out = appendByte(r.out, c)
		}
		r.out = append(r.out, '\n')
	}
	r.entry, r.used, r.begun = entry{}, 0, false
}

// maxWord bounds the names in the header of a line, in bytes.
const maxWord = 100

// appendWord appends a name as one word of a header; "-" where there is none.
func appendWord(to, name []byte) []byte {
	if len(name) == 0 {
		return append(to, '-')
	}
	for _, c := range name[:min(len(name), maxWord)] {
		if c <= ' ' || c == '[' || c == 0x7f {
			c = '_'
		}
		to = append(to, c)
	}
	return to
}
