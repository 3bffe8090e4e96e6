package vault

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/cespare/xxhash/v2"
	"github.com/klauspost/compress/zstd"

	"spoor"
)

// packing makes frames of a message: of its content, then of its metadata. Their
// heads are left to the Writer, which knows marker and sequence.
type packing struct {
	zip  *zstd.Encoder
	hash hash.Hash
	raw  []byte // content that is not packed yet
	text []byte // envelope, then metadata

	out    []byte  // frames that are done, with room for their heads
	frames []frame // their heads; offset is that in out
	parts  uint32  // frames of content, of this message
	bytes  int64   // that they take
	full   func(done *packing) error
}

func newPacking() (packing, error) {
	zip, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithEncoderCRC(false), zstd.WithWindowSize(maxContent), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return packing{}, err
	}
	return packing{zip: zip, hash: sha256.New(), raw: make([]byte, 0, smallContent)}, nil
}

// begin forgets the message before. full is called with each frame that is done,
// and takes what is in out.
func (c *packing) begin(full func(done *packing) error) {
	c.hash.Reset()
	c.raw, c.out, c.frames, c.parts, c.bytes, c.full = c.raw[:0], c.out[:0], c.frames[:0], 0, 0, full
}

// pack reads a message to its end.
func (c *packing) pack(p *spoor.Parcel) error {
	r := record{Entry: Entry{Target: p.Target, MTA: p.MTA, CallerUID: p.CallerUID, Stored: p.StoredTime}}
	if err := c.store(p, &r); err != nil {
		return err
	}
	r.parts, r.contentBytes = c.parts, c.bytes
	if err := r.check(); err != nil {
		return fmt.Errorf("%w: %w: %w", ErrSource, ErrUnstorable, err)
	}
	c.text = appendRecord(c.text[:0], &r)
	if len(c.text) > maxRaw {
		return fmt.Errorf("%w: %d bytes of metadata: %w", ErrSource, len(c.text), ErrUnstorable)
	}
	return c.put(frame{kind: kindMessage, part: c.parts}, c.text)
}

// store takes the content of a message.
func (c *packing) store(p *spoor.Parcel, r *record) error {
	c.text = appendEnvelope(c.text[:0], p)
	r.envelopeBytes = int64(len(c.text))
	if err := c.write(c.text); err != nil {
		return err
	}
	c.sum(&r.envelopeSum)
	r.files = make([]storedFile, len(p.Files))
	for i := range p.Files {
		r.files[i].PackedFile = p.Files[i]
		if err := c.storeFile(&r.files[i]); err != nil {
			return fmt.Errorf("%s: %w", p.Files[i].Name, err)
		}
	}
	if len(c.raw) > 0 {
		return c.cut()
	}
	return nil
}

// storeFile reads one file to its end.
func (c *packing) storeFile(f *storedFile) error {
	in, err := f.Open()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSource, err)
	}
	if err := c.copy(in, f.SizeBytes); err != nil {
		_ = in.Close()
		return err
	}
	c.sum(&f.sum)
	return in.Close()
}

// copy takes size bytes from in, which must end there.
func (c *packing) copy(in spoor.Content, size int64) error {
	for left := size; ; {
		// One byte more than there may be, to see that there is none.
		room, err := c.room(left + 1)
		if err != nil {
			return err
		}
		n, err := in.Read(room)
		n = max(min(n, len(room)), 0)
		left -= int64(n)
		switch {
		case left < 0, errors.Is(err, io.EOF) && left > 0:
			return fmt.Errorf("%w: %d bytes: %w", ErrSource, size, ErrSize)
		case err != nil && !errors.Is(err, io.EOF):
			return fmt.Errorf("%w: %w", ErrSource, err)
		}
		_, _ = c.hash.Write(room[:n])
		c.raw = c.raw[:len(c.raw)+n]
		if err != nil { // the end of the file
			return nil //nolint:nilerr // any other error was returned above
		}
	}
}

// write takes data as a whole.
func (c *packing) write(data []byte) error {
	_, _ = c.hash.Write(data)
	for len(data) > 0 {
		room, err := c.room(int64(len(data)))
		if err != nil {
			return err
		}
		n := copy(room, data)
		c.raw = c.raw[:len(c.raw)+n]
		data = data[n:]
	}
	return nil
}

// room returns where the next content goes: at most so many bytes, and never none.
func (c *packing) room(most int64) ([]byte, error) {
	if len(c.raw) == maxContent {
		if err := c.cut(); err != nil {
			return nil, err
		}
	}
	end := int(min(int64(len(c.raw))+most, maxContent))
	if end > cap(c.raw) {
		larger := make([]byte, len(c.raw), min(max(2*cap(c.raw), end), maxContent))
		copy(larger, c.raw)
		c.raw = larger
	}
	return c.raw[len(c.raw):end], nil
}

// cut ends a frame of content.
func (c *packing) cut() error {
	err := c.put(frame{kind: kindContent, part: c.parts}, c.raw)
	c.parts++
	c.raw = c.raw[:0]
	return err
}

func (c *packing) put(f frame, raw []byte) error {
	f.offset = int64(len(c.out))
	c.out = appendFrame(c.out, c.zip, &f, raw)
	c.frames = append(c.frames, f)
	c.bytes += frameSize + int64(f.packed)
	return c.full(c)
}

// sum takes the checksum of what was hashed, and begins anew.
func (c *packing) sum(d *digest) {
	c.hash.Sum(d[:0])
	c.hash.Reset()
}

// empty forgets the frames that were taken.
func (c *packing) empty() { c.out, c.frames = c.out[:0], c.frames[:0] }

// appendFrame appends room for the head of a frame, and its payload. That is packed
// where it is worth the time: half of what a small message costs is spent on
// packing, and the metadata alone would take a third of that.
func appendFrame(dst []byte, zip *zstd.Encoder, f *frame, raw []byte) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, frameSize)...)
	if f.kind == kindContent || len(raw) > maxPlain {
		dst = zip.EncodeAll(raw, dst)
	} else {
		dst = appendPlain(dst, raw)
	}
	payload := dst[start+frameSize:]
	f.packed, f.raw, f.sum = len(payload), len(raw), xxhash.Sum64(payload)
	return dst
}
