package vault

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"fmt"

	"github.com/cespare/xxhash/v2"
)

// A container is a head and frames. All numbers are little-endian.
//
//	head   "spoor vault\n", version (4 bytes), marker (8), XXH64 of these 24
//	frame  marker (8), kind (1), fate (1), 0 (2), packed length (4), raw length (4),
//	       part (4), sequence (8), XXH64 of the payload, XXH64 of these 40 bytes;
//	       then the payload, one zstd frame
//
// The marker is drawn for each container, so that whoever sends a message cannot
// put into it what looks like a frame of the container that it ends up in.
const (
	magic     = "spoor vault\n"
	version   = 1
	headSize  = 32
	frameSize = 48

	maxContent = 1 << 20                 // of a frame, raw, in bytes
	maxRaw     = maxContent              // of any frame
	maxPacked  = maxRaw + maxRaw/16 + 64 // what zstd makes of noise is little longer
)

type marker [8]byte

func newMarker() (m marker) {
	_, _ = rand.Read(m[:]) // it never fails (crypto/rand)
	return m
}

// encodeHead returns the first bytes of a container.
func encodeHead(m marker) []byte {
	head := make([]byte, 0, headSize)
	head = append(head, magic...)
	head = binary.LittleEndian.AppendUint32(head, version)
	head = append(head, m[:]...)
	return binary.LittleEndian.AppendUint64(head, xxhash.Sum64(head))
}

// decodeHead reads the first bytes of a container.
func decodeHead(head []byte) (m marker, err error) {
	if len(head) < headSize || !bytes.HasPrefix(head, []byte(magic)) ||
		binary.LittleEndian.Uint64(head[24:]) != xxhash.Sum64(head[:24]) {
		return m, fmt.Errorf("the head of the container: %w", ErrDamaged)
	}
	if v := binary.LittleEndian.Uint32(head[12:]); v != version {
		return m, fmt.Errorf("version %d: %w", v, ErrVersion)
	}
	return marker(head[16:24]), nil
}

// begun is whether bytes are what a crash can leave of a head.
func begun(head []byte) bool {
	return bytes.HasPrefix(head, []byte(magic)) || bytes.HasPrefix([]byte(magic), bytes.Trim(head, "\x00"))
}

// kind is what a frame holds.
type kind byte

const (
	kindContent kind = 'C' // a part of a message's content
	kindMessage kind = 'M' // a message's metadata, behind its content
	kindFate    kind = 'F' // what became of a message
	kindSynced  kind = 'S' // all that is before it was durable when it was written
)

// frame is the head of a frame.
type frame struct {
	offset   int64 // of its first byte
	kind     kind
	fate     Fate   // of kindFate
	packed   int    // bytes of its payload
	raw      int    // bytes of its payload, unpacked
	part     uint32 // of kindContent: counts up from 0 in its message; of kindMessage: how many there are
	sequence uint64
	sum      uint64
}

func (f *frame) end() int64 { return f.offset + frameSize + int64(f.packed) }

// completes is whether nothing that is before the frame waits for what follows.
func (f *frame) completes() bool { return f.kind != kindContent }

// encode writes the head of a frame into dst, which has room for it.
func (f *frame) encode(dst []byte, m marker) {
	copy(dst, m[:])
	dst[8], dst[9], dst[10], dst[11] = byte(f.kind), byte(f.fate), 0, 0
	binary.LittleEndian.PutUint32(dst[12:], uint32(f.packed))
	binary.LittleEndian.PutUint32(dst[16:], uint32(f.raw))
	binary.LittleEndian.PutUint32(dst[20:], f.part)
	binary.LittleEndian.PutUint64(dst[24:], f.sequence)
	binary.LittleEndian.PutUint64(dst[32:], f.sum)
	binary.LittleEndian.PutUint64(dst[40:], xxhash.Sum64(dst[:40]))
}

// decodeFrame reads the head of a frame; ok is whether it is one.
func decodeFrame(src []byte, m marker) (f frame, ok bool) {
	if len(src) < frameSize || marker(src[:8]) != m || binary.LittleEndian.Uint64(src[40:]) != xxhash.Sum64(src[:40]) {
		return f, false
	}
	f = frame{
		kind: kind(src[8]), fate: Fate(src[9]),
		packed: int(binary.LittleEndian.Uint32(src[12:])), raw: int(binary.LittleEndian.Uint32(src[16:])),
		part: binary.LittleEndian.Uint32(src[20:]), sequence: binary.LittleEndian.Uint64(src[24:]),
		sum: binary.LittleEndian.Uint64(src[32:]),
	}
	return f, f.packed <= maxPacked && f.raw <= maxRaw
}

// maxPlain is how much appendPlain takes, in bytes.
const maxPlain = 60 << 10

// appendPlain appends a zstd frame of one block that is not compressed (RFC 8878
// §3.1.1), or nothing for no text.
func appendPlain(dst, text []byte) []byte {
	const rawFrame, single, twoByteSize, lastRawBlock = 0xFD2FB528, 1 << 5, 1 << 6, 1
	if len(text) == 0 {
		return dst
	}
	dst = binary.LittleEndian.AppendUint32(dst, rawFrame)
	if len(text) < 256 {
		dst = append(dst, single, byte(len(text)))
	} else {
		dst = binary.LittleEndian.AppendUint16(append(dst, single|twoByteSize), uint16(len(text)-256))
	}
	block := uint32(len(text))<<3 | lastRawBlock
	return append(append(dst, byte(block), byte(block>>8), byte(block>>16)), text...)
}
