package logs

import (
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"
)

const (
	segmentBytes = 256 << 10 // of text, packed together
	maxKept      = 64 << 20  // bytes of packed text that are kept of one journal
)

// kept is a text that was read and cannot be read again as it was: that of a
// journal, whose oldest entries may go at any time, and which takes journalctl
// seconds to read. It is packed, and bounded: what is beyond maxKept cannot be
// quoted. One goroutine writes it; when it has ended, several may read.
type kept struct {
	packed  [][]byte // segments
	open    []byte   // text of the segment that is being written
	bytes   int      // packed
	encoder *zstd.Encoder

	mu      sync.Mutex // guards what follows
	decoder *zstd.Decoder
	number  int // of the segment in text
	text    []byte
}

func newKept() (*kept, error) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return nil, err
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(2*segmentBytes))
	return &kept{encoder: encoder, decoder: decoder, number: -1}, err
}

// Write implements io.Writer. It fails never.
func (k *kept) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0 && k.bytes < maxKept; {
		n := min(len(rest), segmentBytes-len(k.open))
		k.open, rest = append(k.open, rest[:n]...), rest[n:]
		if len(k.open) == segmentBytes {
			packed := k.encoder.EncodeAll(k.open, nil)
			k.packed, k.bytes, k.open = append(k.packed, packed), k.bytes+len(packed), k.open[:0]
		}
	}
	return len(p), nil
}

// ReadAt implements io.ReaderAt.
func (k *kept) ReadAt(p []byte, offset int64) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := 0
	for n < len(p) {
		segment, err := k.segment(int((offset + int64(n)) / segmentBytes))
		if err != nil {
			return n, err
		}
		at := int((offset + int64(n)) % segmentBytes)
		if at >= len(segment) {
			return n, io.EOF
		}
		n += copy(p[n:], segment[at:])
	}
	return n, nil
}

// segment unpacks a segment, or returns the one that was unpacked last.
func (k *kept) segment(number int) ([]byte, error) {
	switch {
	case number == len(k.packed):
		return k.open, nil
	case number < 0 || number > len(k.packed):
		return nil, io.EOF
	case number != k.number:
		text, err := k.decoder.DecodeAll(k.packed[number], k.text[:0])
		if err != nil {
			return nil, err
		}
		k.number, k.text = number, text
	}
	return k.text, nil
}
