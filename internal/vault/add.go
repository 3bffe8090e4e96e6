package vault

import (
	"errors"
	"fmt"
	"io"

	"spoor"
)

// ErrSource is in the chain of an error of Add that is one of the message, not of
// the vault: it could not be read, or has no place in a container.
var ErrSource = errors.New("the message cannot be read")

// ErrSize is returned for a file whose content is not as long as it was said to
// be.
var ErrSize = errors.New("the content is not as long as announced")

// ErrUnstorable is returned for a message whose metadata has no place in a
// container.
var ErrUnstorable = errors.New("cannot be stored")

// Add stores one message, which is durable after Sync. Its content is streamed;
// no more than one megabyte of it is held. After an error nothing of it is in
// the container. A message that is there and not void, purged or restored is
// refused with ErrStored and its Ref.
func (w *Writer) Add(p *spoor.Parcel) (Ref, error) {
	ref, err := w.add(p)
	if err != nil {
		return ref, fmt.Errorf("store message %s in %s%s: %w", p.ID, w.plan, extension, err)
	}
	return ref, nil
}

func (w *Writer) add(p *spoor.Parcel) (Ref, error) {
	at, known := w.find(keyOf(&p.Target))
	if w.broken != nil {
		return Ref{}, w.broken
	}
	if known && w.fates[at.sequence].fate != FateRestored {
		return Ref{Plan: w.plan, Sequence: at.sequence, Offset: at.offset}, ErrStored
	}
	start := w.end()
	at, err := w.store(p)
	if err != nil {
		w.cut(start)
		return Ref{}, err
	}
	w.index[keyOf(&p.Target)] = at
	w.next++
	return Ref{Plan: w.plan, Sequence: at.sequence, Offset: at.offset}, nil
}

// store puts the content of a message, then its metadata.
func (w *Writer) store(p *spoor.Parcel) (place, error) {
	start := w.end()
	w.raw = w.raw[:0]
	w.hash.Reset()
	c := content{writer: w, sequence: w.next}
	r := record{Entry: Entry{Target: p.Target, MTA: p.MTA, CallerUID: p.CallerUID, Stored: p.StoredTime}}
	if err := c.store(p, &r); err != nil {
		return place{}, err
	}
	r.parts, r.contentBytes = c.parts, w.end()-start
	if err := r.check(); err != nil {
		return place{}, fmt.Errorf("%w: %w: %w", ErrSource, ErrUnstorable, err)
	}
	w.text = appendRecord(w.text[:0], &r)
	if len(w.text) > maxRaw {
		return place{}, fmt.Errorf("%w: %d bytes of metadata: %w", ErrSource, len(w.text), ErrUnstorable)
	}
	at := place{sequence: w.next, offset: w.end()}
	w.put(frame{kind: kindMessage, sequence: w.next, part: c.parts}, w.text)
	return at, w.flushFull()
}

// content cuts the content of one message into frames.
type content struct {
	writer   *Writer
	sequence uint64
	parts    uint32
}

func (c *content) store(p *spoor.Parcel, r *record) error {
	w := c.writer
	w.text = appendEnvelope(w.text[:0], p)
	r.envelopeBytes = int64(len(w.text))
	if err := c.write(w.text); err != nil {
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
	if len(w.raw) > 0 {
		return c.cut()
	}
	return nil
}

// storeFile reads one file to its end.
func (c *content) storeFile(f *storedFile) error {
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
func (c *content) copy(in spoor.Content, size int64) error {
	for left := size; ; {
		room, err := c.room()
		if err != nil {
			return err
		}
		// One byte more than there may be, to see that there is none.
		room = room[:min(int64(len(room)), left+1)]
		n, err := in.Read(room)
		n = max(min(n, len(room)), 0)
		left -= int64(n)
		switch {
		case left < 0, errors.Is(err, io.EOF) && left > 0:
			return fmt.Errorf("%w: %d bytes: %w", ErrSource, size, ErrSize)
		case err != nil && !errors.Is(err, io.EOF):
			return fmt.Errorf("%w: %w", ErrSource, err)
		}
		_, _ = c.writer.hash.Write(room[:n])
		c.writer.raw = c.writer.raw[:len(c.writer.raw)+n]
		if err != nil { // the end of the file
			return nil //nolint:nilerr // any other error was returned above
		}
	}
}

// write takes data as a whole.
func (c *content) write(data []byte) error {
	_, _ = c.writer.hash.Write(data)
	for len(data) > 0 {
		room, err := c.room()
		if err != nil {
			return err
		}
		n := copy(room, data)
		c.writer.raw = c.writer.raw[:len(c.writer.raw)+n]
		data = data[n:]
	}
	return nil
}

// room returns where the next content goes, never empty.
func (c *content) room() ([]byte, error) {
	w := c.writer
	if w.raw == nil {
		w.raw = make([]byte, 0, maxContent)
	}
	if len(w.raw) == maxContent {
		if err := c.cut(); err != nil {
			return nil, err
		}
	}
	return w.raw[len(w.raw):maxContent], nil
}

// cut ends a frame.
func (c *content) cut() error {
	w := c.writer
	w.put(frame{kind: kindContent, sequence: c.sequence, part: c.parts}, w.raw)
	c.parts++
	w.raw = w.raw[:0]
	return w.flushFull()
}

// sum takes the checksum of what was hashed, and begins anew.
func (c *content) sum(d *digest) {
	c.writer.hash.Sum(d[:0])
	c.writer.hash.Reset()
}
