package vault

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/cespare/xxhash/v2"
	"github.com/klauspost/compress/zstd"

	"spoor/internal/disk"
)

// scanner walks the frames of a container from front to back.
type scanner struct {
	plan   string
	file   *disk.File
	unpack *zstd.Decoder
	marker marker
	guess  bool  // the marker is the first frame's, since the head is damaged
	size   int64 // of the file when the walk began
	beyond int64 // offset of the first frame that would end behind it
	offset int64 // of the next frame

	ahead  int    // how much is read at once, in bytes
	window []byte // what was read last
	start  int64  // where in the file the window begins
	raw    []byte // the payload that was unpacked last
}

const (
	windowSize = 64 << 10 // of a walk
	glimpse    = 8 << 10  // to read of one message
	pageSize   = 4096     // what a disk loses at once
)

// scan begins a walk at the head. A head that is damaged is made up for by the
// first frame, which has the same marker.
func (v *Vault) scan(plan string, f *disk.File) (*scanner, error) {
	return v.scanAhead(plan, f, windowSize)
}

func (v *Vault) scanAhead(plan string, f *disk.File, ahead int) (*scanner, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	s := &scanner{plan: plan, file: f, unpack: v.unpack, size: st.SizeBytes, beyond: math.MaxInt64, offset: headSize, ahead: ahead}
	head, err := s.at(0, headSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("the head: %w", err)
	}
	s.marker, err = decodeHead(head)
	if err == nil || !errors.Is(err, ErrDamaged) {
		return s, err
	}
	if st.SizeBytes <= headSize && begun(head) {
		return s, nil // a crash came before the first message
	}
	first, failed := s.at(headSize, frameSize)
	if failed != nil {
		return s, err
	}
	s.guess, s.marker = true, marker(first[:8])
	if _, ok := decodeFrame(first, s.marker); !ok || s.marker == (marker{}) {
		return s, err
	}
	return s, nil
}

// at returns n bytes of the file, good until the next call. It returns io.EOF
// with fewer bytes where the file ends.
func (s *scanner) at(offset int64, n int) ([]byte, error) {
	if offset >= s.start && offset+int64(n) <= s.start+int64(len(s.window)) {
		return s.window[offset-s.start:][:n], nil
	}
	want := int(max(min(int64(max(n, s.ahead)), s.size-offset), 0))
	if cap(s.window) < want {
		s.window = make([]byte, want)
	}
	s.start, s.window = offset, s.window[:want]
	got, err := s.file.ReadAt(s.window, offset)
	s.window = s.window[:got]
	switch {
	case got >= n:
		return s.window[:n], nil
	case err == nil:
		err = io.EOF
	}
	return s.window[:got], err
}

// next returns the head of the next frame, whose payload may be damaged. It
// returns a *Damage for a stretch that was passed over, and io.EOF at the end.
func (s *scanner) next() (frame, error) {
	if s.offset >= s.size {
		return frame{}, io.EOF
	}
	head, err := s.at(s.offset, frameSize)
	f, ok := decodeFrame(head, s.marker)
	f.offset = s.offset
	if err == nil && ok && f.end() <= s.size {
		s.offset = f.end()
		return f, nil
	}
	if err == nil && ok {
		s.beyond = min(s.beyond, s.offset)
	}
	return f, s.resume(err)
}

// resume looks for the next frame behind one that is damaged.
func (s *scanner) resume(cause error) error {
	damage := &Damage{Plan: s.plan, Offset: s.offset, Reason: "no frame where one should be"}
	if cause != nil && !errors.Is(cause, io.EOF) {
		damage.Err, damage.Reason = cause, "cannot be read"
	}
	at := s.offset + 1
	for at < s.size {
		found, err := s.find(at)
		if err == nil {
			at = found
			break
		}
		damage.Err = err
		at = (found/pageSize + 1) * pageSize
	}
	s.offset = min(at, s.size)
	damage.Bytes = s.offset - damage.Offset
	return damage
}

// find returns where the next frame begins at or behind an offset, or the size
// of the file.
func (s *scanner) find(at int64) (int64, error) {
	for at < s.size {
		window, err := s.at(at, int(min(windowSize, s.size-at)))
		if err != nil && !errors.Is(err, io.EOF) && len(window) == 0 {
			return at, err
		}
		i := bytes.Index(window, s.marker[:])
		if i < 0 {
			at += int64(max(len(window)-len(s.marker)+1, 1))
			continue
		}
		at += int64(i)
		head, err := s.at(at, frameSize)
		if err != nil && !errors.Is(err, io.EOF) {
			return at, err
		}
		if _, ok := decodeFrame(head, s.marker); ok {
			return at, nil
		}
		at++
	}
	return s.size, nil
}

// payload reads, checks and unpacks what a frame holds, good until the next call.
func (s *scanner) payload(f *frame) ([]byte, error) {
	packed, err := s.packed(f)
	if err != nil {
		return nil, err
	}
	s.raw, err = s.unpack.DecodeAll(packed, s.raw[:0])
	if err != nil || len(s.raw) != f.raw {
		return nil, s.damage(f, "cannot be unpacked", nil)
	}
	return s.raw, nil
}

// packed reads and checks what a frame holds.
func (s *scanner) packed(f *frame) ([]byte, error) {
	packed, err := s.at(f.offset+frameSize, f.packed)
	switch {
	case errors.Is(err, io.EOF):
		return nil, s.damage(f, "cut off", nil)
	case err != nil:
		return nil, s.damage(f, "cannot be read", err)
	case xxhash.Sum64(packed) != f.sum:
		return nil, s.damage(f, "the checksum of a frame is wrong", nil)
	}
	return packed, nil
}

func (s *scanner) damage(f *frame, reason string, err error) *Damage {
	return &Damage{Plan: s.plan, Offset: f.offset, Bytes: f.end() - f.offset, Sequence: f.sequence, Reason: reason, Err: err}
}

// record reads the metadata of a message from its frame.
func (s *scanner) record(f *frame) (*record, error) {
	text, err := s.payload(f)
	if err != nil {
		return nil, err
	}
	r, err := parseRecord(text)
	if err != nil {
		return nil, s.damage(f, "its metadata: "+err.Error(), nil)
	}
	if r.parts != f.part || r.contentBytes > f.offset-headSize {
		return nil, s.damage(f, "its metadata contradicts its frame", nil)
	}
	r.Ref = Ref{Plan: s.plan, Sequence: f.sequence, Offset: f.offset}
	r.contentStart = f.offset - r.contentBytes
	r.PackedBytes = r.contentBytes + f.end() - f.offset
	return r, nil
}
