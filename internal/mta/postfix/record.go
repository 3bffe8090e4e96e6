package postfix

import (
	"bytes"
	"errors"
	"io"
	"math"

	"spoor/internal/host"
)

// The record types of a queue file (rec_type.h).
const (
	recSize      = 'C' // sizes and offsets
	recTime      = 'T' // arrival
	recFrom      = 'S' // sender
	recDone      = 'D' // recipient that needs no more
	recRecipient = 'R' // recipient
	recAttribute = 'A' // name=value
	recRedirect  = '>' // the recipient in place of all others
	recMessage   = 'M' // the content begins
	recPartLine  = 'L' // a line that the next record continues
	recLine      = 'N' // a line of the content
	recPadding   = 'w' // deleted
	recExtracted = 'X' // what was taken from the header begins
	recPointer   = 'p' // go on elsewhere
	recEnd       = 'E'
)

var (
	errRecord  = errors.New("a record is cut or has an impossible length")
	errPointer = errors.New("records point in a circle")
	errLong    = errors.New("a record is longer than any that Postfix writes")
)

const (
	headBytes   = 16 << 10 // of each file that is read at first
	moreBytes   = 64 << 10 // at each further reading
	recordBytes = 1 << 20  // longest record
	maxJumps    = 10_000   // pointers that are followed in one file
	slackBytes  = 4 << 10  // read more than once in one file
)

// cursor reads the records of one queue file (record.c). A record is a type, a
// length in base 128 (low bits first, 0x80: more follows) and so many bytes.
type cursor struct {
	file   host.File
	packed io.ReaderAt // in place of file, for one that is not in a queue
	left   int64       // bytes that may still be read: no way through a sound file is longer than the file
	window []byte      // what was read last
	base   int64       // offset of window in the file, bytes
	whole  bool        // the file ends with the window
	at     int64       // of the next record
	jumps  int
	buffer []byte
}

// start reads the beginning of a file of so many bytes.
func (c *cursor) start(file host.File, size int64) error {
	if c.buffer == nil {
		c.buffer = make([]byte, headBytes)
	}
	*c = cursor{file: file, left: size + slackBytes, buffer: c.buffer}
	n, err := file.Read(c.buffer[:headBytes])
	c.window, c.whole = c.buffer[:n], n < headBytes
	return err
}

// startPacked reads the beginning of a file that is not in a queue.
func (c *cursor) startPacked(from io.ReaderAt, size int64) error {
	*c = cursor{packed: from, left: size + slackBytes, buffer: make([]byte, headBytes)}
	n, err := c.readAt(c.buffer, 0)
	c.window, c.whole = c.buffer[:n], n < headBytes
	return err
}

// startWhole begins with a file that was read whole.
func (c *cursor) startWhole(content []byte) {
	*c = cursor{packed: bytes.NewReader(content), left: int64(len(content)) + slackBytes, buffer: c.buffer, window: content, whole: true}
}

// readAt fills buf; less means the end of the file.
func (c *cursor) readAt(buf []byte, offset int64) (int, error) {
	if c.packed == nil {
		return c.file.ReadAt(buf, offset)
	}
	n, err := c.packed.ReadAt(buf, offset)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

// seek makes the record at an offset the next one.
func (c *cursor) seek(offset int64) { c.at = offset }

// next returns the next record; pointers are followed. The value is valid until
// the call after. kind is 0 at the end of the file.
func (c *cursor) next() (kind byte, value []byte, err error) {
	for {
		kind, value, err = c.one()
		if err != nil || kind != recPointer {
			return kind, value, err
		}
		to, ok := number(bytes.TrimSpace(value))
		if c.jumps++; c.jumps > maxJumps {
			return 0, nil, errPointer
		}
		if ok && to > 0 {
			c.at = to
		}
	}
}

func (c *cursor) one() (kind byte, value []byte, err error) {
	rest, err := c.view(16)
	if err != nil || len(rest) == 0 {
		return 0, nil, err
	}
	kind = rest[0]
	length, used := recordLength(rest[1:])
	if used == 0 {
		return 0, nil, errRecord
	}
	if length > recordBytes {
		return 0, nil, errLong
	}
	head := 1 + used
	if rest, err = c.view(head + length); err != nil {
		return 0, nil, err
	}
	if len(rest) < head+length {
		return 0, nil, errRecord
	}
	c.at += int64(head + length)
	if c.left -= int64(head + length); c.left < 0 {
		return 0, nil, errPointer
	}
	return kind, rest[head : head+length], nil
}

// recordLength decodes a length; used is 0 for one that is cut, or that Postfix
// itself refuses.
func recordLength(b []byte) (length, used int) {
	for i, shift := 0, 0; i < len(b) && shift+7 < 32; i, shift = i+1, shift+7 {
		length |= int(b[i]&0x7f) << shift
		if b[i]&0x80 == 0 {
			return length, i + 1
		}
	}
	return 0, 0
}

// view returns what stands at c.at: at least want bytes, or all up to the end of
// the file.
func (c *cursor) view(want int) ([]byte, error) {
	from := c.at - c.base
	if from >= 0 && from <= int64(len(c.window)) {
		if rest := c.window[from:]; len(rest) >= want || c.whole {
			return rest, nil
		}
	}
	if c.at < 0 || c.at > math.MaxInt64/2 {
		return nil, errRecord
	}
	size := max(want, moreBytes)
	if cap(c.buffer) < size {
		c.buffer = make([]byte, size)
	}
	c.buffer = c.buffer[:cap(c.buffer)]
	n, err := c.readAt(c.buffer, c.at)
	c.window, c.base, c.whole = c.buffer[:n], c.at, n < len(c.buffer)
	return c.window, err
}

// number reads a decimal number.
func number(b []byte) (n int64, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' || n > math.MaxInt64/20 {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, len(b) > 0
}

// sizes is the first record of a queue file, which cleanup(8) fills in last.
type sizes struct {
	content    int64 // bytes, as qmgr(8) and showq(8) tell it
	dataOffset int64 // of the content in the file
	recipients int64
}

// parseSizes reads "size data-offset recipients flags length smtputf8".
func parseSizes(value []byte) (s sizes, ok bool) {
	var fields [3]int64
	for i := range fields {
		value = bytes.TrimLeft(value, " ")
		end := bytes.IndexByte(value, ' ')
		if end < 0 {
			end = len(value)
		}
		if fields[i], ok = number(value[:end]); !ok {
			return sizes{}, false
		}
		value = value[end:]
	}
	return sizes{fields[0], fields[1], fields[2]}, fields[1] > 0
}
