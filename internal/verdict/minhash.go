package verdict

import (
	"encoding/binary"
	"math"

	"github.com/cespare/xxhash/v2"
)

// hashes is the number of hash functions of a signature.
const hashes = 64

// minShingles is the number of shingles below which a text is too short to be
// compared with others.
const minShingles = 8

// signature is the MinHash of a text: the share of its places in which two
// signatures agree estimates the Jaccard similarity of the sets of their
// shingles (Broder, "On the resemblance and containment of documents", 1997).
// The standard error is at most 1/16.
type signature [hashes]uint32

// signer makes signatures. It is not safe for concurrent use.
type signer struct {
	factors, offsets [hashes]uint64 // of one multiply-shift hash each
	text             []byte         // reused from body to body
}

// newSigner returns a signer whose signatures are the same in every run.
func newSigner() *signer {
	s := &signer{}
	state := uint64(0)
	next := func() uint64 { // splitmix64
		state += 0x9e3779b97f4a7c15
		z := (state ^ state>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		return z ^ z>>31
	}
	for i := range hashes {
		s.factors[i], s.offsets[i] = next()|1, next()
	}
	return s
}

// sign returns the signature of what a body says. It is false for one that says
// too little to be compared.
func (s *signer) sign(body []byte) (signature, bool) {
	s.text = plaintext(s.text[:0], body)
	sig := emptySignature()
	n := 0
	for shingle := range shingles(s.text) {
		s.add(&sig, shingle)
		n++
	}
	return sig, n >= minShingles
}

// add puts one member of the set into a signature.
func (s *signer) add(sig *signature, member uint64) {
	for i := range sig {
		sig[i] = min(sig[i], uint32((s.factors[i]*member+s.offsets[i])>>32))
	}
}

// emptySignature is the signature of the empty set.
func emptySignature() signature {
	var sig signature
	for i := range sig {
		sig[i] = math.MaxUint32
	}
	return sig
}

// similarity estimates the Jaccard similarity of two sets, from 0 to 1.
func (a *signature) similarity(b *signature) float64 {
	return float64(a.agreements(b)) / hashes
}

func (a *signature) agreements(b *signature) int {
	n := 0
	for i := range a {
		if a[i] == b[i] {
			n++
		}
	}
	return n
}

// key is a hash of the signature.
func (a *signature) key() uint64 {
	var packed [4 * hashes]byte
	for i, v := range a {
		binary.LittleEndian.PutUint32(packed[4*i:], v)
	}
	return xxhash.Sum64(packed[:])
}
