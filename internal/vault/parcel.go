package vault

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"

	"spoor"
)

// Parcel returns a stored message. Its files are read from the container, each
// opening it by itself, until the container is purged; several goroutines may do
// so. Reading a file to its end checks its checksum: ErrDamaged. A message that
// is not in the container any more is fs.ErrNotExist.
func (v *Vault) Parcel(e Entry) (*spoor.Parcel, error) {
	r, whole, err := v.look(e.Ref)
	if err != nil {
		return nil, fmt.Errorf("message %d of %s%s: %w", e.Sequence, e.Plan, extension, err)
	}
	p := &spoor.Parcel{Target: r.Target, MTA: r.MTA, CallerUID: r.CallerUID, StoredTime: r.Stored}
	piece := span{ref: r.Ref, first: r.contentStart, parts: r.parts, whole: whole, size: r.envelopeBytes, sum: r.envelopeSum}
	if err := v.envelope(piece, p); err != nil {
		return nil, fmt.Errorf("the envelope of message %d of %s%s: %w", e.Sequence, e.Plan, extension, err)
	}
	for i := range r.files {
		f := r.files[i]
		piece.skip += piece.size
		piece.size, piece.sum = f.SizeBytes, f.sum
		mine := piece
		f.Open = func() (spoor.Content, error) { return v.content(mine) }
		p.Files = append(p.Files, f.PackedFile)
	}
	return p, nil
}

// look reads the metadata of a message anew, since the caller's may be old, and
// the content of a small one.
func (v *Vault) look(ref Ref) (r *record, whole []byte, err error) {
	f, err := v.open(ref.Plan)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = f.Close() }()
	s, err := v.scanAhead(ref.Plan, f, glimpse)
	if err != nil {
		return nil, nil, err
	}
	if r, err = s.recordAt(ref); err != nil || r.parts != 1 || r.envelopeBytes+r.RawBytes > smallContent {
		return r, nil, err
	}
	return r, s.small(r), nil
}

// small reads the content of a message that has one frame of it. Where it is
// damaged there is none: whoever opens a file is told.
func (s *scanner) small(r *record) []byte {
	s.offset = r.contentStart
	part, err := s.next()
	if err != nil || part.kind != kindContent || part.sequence != r.Sequence || part.raw > smallContent {
		return nil
	}
	whole, err := s.payload(&part)
	if err != nil {
		return nil
	}
	return whole
}

// verify reads the content of a message without unpacking it.
func (s *scanner) verify(r *record) error {
	s.offset = r.contentStart
	parts := chain{}
	for s.offset < r.Offset {
		f, err := s.next()
		if err == nil {
			_, err = s.packed(&f)
		}
		if err != nil {
			return err
		}
		parts.add(&f)
	}
	if !parts.complete(&frame{kind: kindMessage, sequence: r.Sequence, part: r.parts}) {
		return &Damage{Plan: s.plan, Offset: r.contentStart, Bytes: r.contentBytes, Sequence: r.Sequence, Reason: "a part of the message is missing"}
	}
	return nil
}

// smallContent is how much content is read with the metadata, in bytes.
const smallContent = 64 << 10

// recordAt reads the metadata of a message from where it should be or, after a
// purge, from where it is.
func (s *scanner) recordAt(ref Ref) (*record, error) {
	if ref.Offset >= headSize {
		head, err := s.at(ref.Offset, frameSize)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if f, ok := decodeFrame(head, s.marker); ok && f.kind == kindMessage && f.sequence == ref.Sequence {
			f.offset = ref.Offset
			return s.record(&f)
		}
	}
	s.rewind()
	for {
		f, err := s.next()
		switch {
		case errors.Is(err, io.EOF):
			return nil, fs.ErrNotExist
		case err == nil && f.kind == kindMessage && f.sequence == ref.Sequence:
			return s.record(&f)
		}
	}
}

// envelope reads the recipients of a message.
func (v *Vault) envelope(piece span, p *spoor.Parcel) error {
	in, err := v.content(piece)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(in)
	if err := errors.Join(err, in.Close()); err != nil {
		return err
	}
	if err := parseEnvelope(text, p); err != nil {
		return fmt.Errorf("%w: %w", err, ErrDamaged)
	}
	return nil
}

// span is where a piece of content is.
type span struct {
	ref   Ref
	first int64 // offset of the first frame of the message's content
	parts uint32
	whole []byte // all the content, where it is in memory
	skip  int64  // bytes of content that are before it
	size  int64
	sum   digest
}

// content opens a piece of content.
func (v *Vault) content(piece span) (*reader, error) {
	r := &reader{piece: piece, left: piece.size, hash: sha256.New()}
	if piece.whole != nil && piece.skip+piece.size <= int64(len(piece.whole)) {
		r.scanner = &scanner{plan: piece.ref.Plan}
		r.rest = piece.whole[piece.skip:]
		return r, nil
	}
	f, err := v.open(piece.ref.Plan)
	if err != nil {
		return nil, err
	}
	s, err := v.scanAhead(piece.ref.Plan, f, glimpse)
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	s.offset = piece.first
	r.scanner = s
	if err := r.seek(); err != nil {
		_ = f.Close()
		return nil, err
	}
	return r, nil
}

// reader reads a piece of content, frame by frame.
type reader struct {
	*scanner
	piece span
	part  uint32 // of the next frame
	rest  []byte // of the frame that was unpacked last
	left  int64
	hash  hash.Hash
	err   error
}

// seek passes over the frames that end before the piece begins.
func (r *reader) seek() error {
	skip := r.piece.skip
	for r.left > 0 {
		f, err := r.frame()
		if err != nil {
			return err
		}
		if skip < int64(f.raw) {
			raw, err := r.payload(&f)
			if err != nil {
				return err
			}
			r.rest = raw[skip:]
			return nil
		}
		skip -= int64(f.raw)
	}
	return nil
}

// frame returns the head of the next frame of the message.
func (r *reader) frame() (frame, error) {
	at := r.offset
	f, err := r.next()
	if err == nil && f.kind == kindContent && f.sequence == r.piece.ref.Sequence && f.part == r.part && r.part < r.piece.parts {
		r.part++
		return f, nil
	}
	var damage *Damage
	if errors.As(err, &damage) {
		damage.Sequence = r.piece.ref.Sequence
		return f, damage
	}
	return f, &Damage{Plan: r.plan, Offset: at, Sequence: r.piece.ref.Sequence, Reason: "a part of the message is missing"}
}

// Read implements io.Reader.
func (r *reader) Read(buf []byte) (int, error) {
	if r.err == nil && r.left == 0 {
		r.err = r.finish()
	}
	for r.err == nil && len(r.rest) == 0 {
		r.err = r.fill()
	}
	if r.err != nil {
		return 0, r.err
	}
	n := copy(buf[:min(int64(len(buf)), r.left)], r.rest)
	_, _ = r.hash.Write(buf[:n])
	r.rest = r.rest[n:]
	r.left -= int64(n)
	return n, nil
}

func (r *reader) fill() error {
	f, err := r.frame()
	if err != nil {
		return err
	}
	r.rest, err = r.payload(&f)
	return err
}

// finish returns io.EOF for content that is what was stored.
func (r *reader) finish() error {
	var sum digest
	r.hash.Sum(sum[:0])
	if sum != r.piece.sum {
		return &Damage{
			Plan: r.plan, Offset: r.piece.first, Bytes: r.offset - r.piece.first, Sequence: r.piece.ref.Sequence,
			Reason: "the SHA-256 of the content is wrong",
		}
	}
	return io.EOF
}

// Close implements io.Closer.
func (r *reader) Close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}
