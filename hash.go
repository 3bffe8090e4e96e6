package spoor

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"math/bits"
)

// Hashes tell IDs and addresses apart in memory. They are never stored, and say
// nothing about order. Eight bytes are taken at a time.
const (
	hashSeed  = 14695981039346656037
	hashPrime = 0x9fb21c651e98df25
)

// IDHash is what Event.Key is for a queue ID that is no number. It is not 0.
func IDHash[T ~string | ~[]byte](id T) uint64 { return hashOf([]byte(id), hashSeed, false) | 1 }

// AddressHash tells addresses apart, and their domains without regard to case.
// Neither is 0, but the domain of an address that has none.
//
// Anybody can make addresses up, and with a hash that is known find one whose domain
// has that of a domain which is served here, in seconds. So these have a key of this
// process.
func AddressHash(address []byte) (whole, domain uint64) {
	if at := bytes.LastIndexByte(address, '@'); at >= 0 {
		domain = hashOf(address[at+1:], addressKey, true) | 1
	}
	return hashOf(address, addressKey, false) | 1, domain
}

var addressKey = maphash.Bytes(maphash.MakeSeed(), nil)

// hashOf hashes a text, if wanted without regard to the case of ASCII. The last
// eight bytes may overlap those before.
func hashOf(text []byte, key uint64, fold bool) uint64 {
	hash := key ^ uint64(len(text))
	last := len(text) - 8
	if last < 0 {
		return mixed(hash, short(text), fold)
	}
	for at := 0; at < last; at += 8 {
		hash = mixed(hash, binary.LittleEndian.Uint64(text[at:]), fold)
	}
	return mixed(hash, binary.LittleEndian.Uint64(text[last:]), fold)
}

// mixed joins a hash and the next eight bytes.
func mixed(hash, next uint64, fold bool) uint64 {
	if fold {
		next = lower(next)
	}
	high, low := bits.Mul64(hash^next, hashPrime) // all bits of the text reach all of the hash
	return high ^ low
}

// short is a text of less than eight bytes.
func short(text []byte) (all uint64) {
	for _, c := range text {
		all = all<<8 | uint64(c)
	}
	return all
}

// lower turns the letters A to Z among eight bytes to lower case.
func lower(w uint64) uint64 {
	const each, high = 0x0101010101010101, 0x8080808080808080
	ascii := w &^ high
	fromA, afterZ := ascii+(0x80-'A')*each, ascii+(0x80-'Z'-1)*each // carry into the high bit
	return w | (fromA&^afterZ&^w&high)>>2
}
