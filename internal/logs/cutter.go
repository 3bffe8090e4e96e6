package logs

import (
	"bytes"
	"errors"
	"io"
)

const (
	// maxLine is how much of a line is looked at, in bytes.
	maxLine = 64 << 10
	// maxBehind and maxBehindBytes bound the lines before a block that come
	// along with it.
	maxBehind      = 16
	maxBehindBytes = 32 << 10
)

// cutter cuts a text into chunks of whole lines. A line over maxLine is cut, and
// NUL bytes at the start of a line are left out: they are the hole that
// copytruncate leaves, which may have any size.
type cutter struct {
	r      io.Reader
	offset int64  // of the next byte that becomes part of a chunk
	behind []byte // the last lines of the chunk before
	carry  []byte // what was read after its last line end
	inside bool   // of a line whose start was handed out
	end    error  // io.EOF or what ended the reading
	chop   func() bool
}

// next fills c with about size bytes and reports whether there were any.
func (k *cutter) next(c *chunk, size int) bool {
	c.reset()
	c.buf = append(c.buf, k.behind...)
	c.start = len(c.buf)
	c.buf = append(c.buf, k.carry...)
	k.carry = k.carry[:0]
	if k.inside && !k.skipLine(c, size) {
		return false
	}
	c.base = k.offset
	return k.fill(c, size)
}

// fill reads until there is a line, and keeps what follows the last.
func (k *cutter) fill(c *chunk, size int) bool {
	for {
		k.read(c, size)
		data := c.buf[c.start:]
		last := bytes.LastIndexByte(data, '\n')
		switch {
		case last >= 0:
			return k.hand(c, last+1)
		case k.end != nil:
			if len(data) == 0 || k.chop() {
				return false
			}
			return k.hand(c, len(data))
		case len(data) <= maxLine:
			size = len(data) + max(size, 1)
		case data[0] == 0:
			n := len(data) - len(bytes.TrimLeft(data, "\x00"))
			c.buf = append(c.buf[:c.start], data[n:]...)
			c.base += int64(n)
			k.offset += int64(n)
			c.holed = true
		default:
			k.inside = true
			return k.hand(c, maxLine)
		}
	}
}

// read reads until the chunk holds size bytes of text, or to the end.
func (k *cutter) read(c *chunk, size int) {
	for k.end == nil && len(c.buf)-c.start < size {
		want := c.start + size
		if cap(c.buf) < want {
			grown := make([]byte, len(c.buf), want+maxLine)
			copy(grown, c.buf)
			c.buf = grown
		}
		n, err := k.r.Read(c.buf[len(c.buf):want])
		c.buf, k.end = c.buf[:len(c.buf)+n], err
	}
}

// hand makes the first n bytes of the text the chunk.
func (k *cutter) hand(c *chunk, n int) bool {
	end := c.start + n
	k.carry = append(k.carry[:0], c.buf[end:]...)
	c.buf = c.buf[:end]
	k.offset += int64(n)
	switch {
	case k.inside:
		c.barrier = end
	case c.holed:
		c.barrier = c.start + bytes.IndexByte(c.buf[c.start:], '\n') + 1
	}
	k.behind = append(k.behind[:0], c.buf[behind(c.buf, end, c.barrier):]...)
	return true
}

// behind returns where the lines before at begin that a parser, or a repeated
// line, may look back to. It depends on the text alone, not on how it was cut.
func behind(buf []byte, at, barrier int) int {
	start := at
	for range maxBehind {
		if start <= barrier || buf[start-1] != '\n' {
			break
		}
		previous := max(bytes.LastIndexByte(buf[:start-1], '\n')+1, barrier)
		if at-previous > maxBehindBytes || buf[previous] == 0 {
			break
		}
		start = previous
	}
	return start
}

// skipLine leaves out the rest of a line that was too long.
func (k *cutter) skipLine(c *chunk, size int) bool {
	for {
		data := c.buf[c.start:]
		if i := bytes.IndexByte(data, '\n'); i >= 0 {
			c.buf = append(c.buf[:c.start], data[i+1:]...)
			k.offset += int64(i + 1)
			k.inside = false
			return true
		}
		k.offset += int64(len(data))
		c.buf = c.buf[:c.start]
		if k.end != nil {
			return false
		}
		k.read(c, size)
	}
}

// err is what ended the reading before the end of the text; nil if nothing did.
func (k *cutter) err() error {
	if errors.Is(k.end, io.EOF) {
		return nil
	}
	return k.end
}
