// Package origin knows the records of the sendmail shim. An ID and a line of the
// log come in from the recorder, to be signed and written; the header field of a
// queued message comes in from the other side, to be checked and joined to its
// line.
package origin

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"spoor/internal/shim"
)

// Errors of Key.Verify.
var (
	ErrMalformed = errors.New("not an ID of the recorder")
	ErrForged    = errors.New("not signed by this server's recorder")
	ErrUnsigned  = errors.New("made without the recorder: it proves nothing")
)

// keyBytes is the length of a Key.
const keyBytes = 32

// Key signs IDs. Only root may know it: who does can make an ID for any UID.
type Key [keyBytes]byte

// NewKey returns a key at random.
func NewKey() (k Key) {
	_, _ = rand.Read(k[:]) // never fails, see crypto/rand
	return k
}

// keyHead begins the text of a key.
const keyHead = "spoor-origin-key-1 "

// String is the text of the file that has the key.
func (k Key) String() string { return keyHead + hex.EncodeToString(k[:]) + "\n" }

// ErrKey is returned for a file that holds no key.
var ErrKey = errors.New("not a key of the recorder")

// ParseKey is the inverse of Key.String.
func ParseKey(text []byte) (k Key, err error) {
	digits, ok := strings.CutPrefix(strings.TrimSpace(string(text)), keyHead)
	raw, err := hex.DecodeString(digits)
	if !ok || err != nil || len(raw) != keyBytes {
		return Key{}, ErrKey
	}
	return Key(raw), nil
}

// Nonce makes an ID unique.
type Nonce [8]byte

// NewNonce returns a nonce at random.
func NewNonce() (n Nonce) {
	_, _ = rand.Read(n[:])
	return n
}

// String is the nonce in hexadecimal digits.
func (n Nonce) String() string { return hex.EncodeToString(n[:]) }

// ID is issued for one message: when, and to a process of which user.
type ID struct {
	Issued time.Time // to the second
	UID    int
	Nonce  Nonce
}

// Name is what a message with the ID is called while it is held.
func (id ID) Name() string {
	return id.Issued.UTC().Format("20060102T150405") + "-" + id.Nonce.String()
}

const (
	version   = "1"
	macBytes  = 16
	parts     = 5
	macDomain = "spoor origin 1\x00" // the key signs nothing else by chance
)

// Sign writes an ID as it stands in a header: version, time, UID, nonce and an
// HMAC-SHA-256 over these (RFC 2104), cut to 16 bytes.
func (k Key) Sign(id ID) string {
	text := strings.Join([]string{version, strconv.FormatInt(id.Issued.Unix(), 36), strconv.Itoa(id.UID), id.Nonce.String()}, ".")
	return text + "." + base64.RawURLEncoding.EncodeToString(k.mac(text))
}

func (k Key) mac(text string) []byte {
	h := hmac.New(sha256.New, k[:])
	_, _ = h.Write([]byte(macDomain + text))
	return h.Sum(nil)[:macBytes]
}

// Verify reads what Sign has written. It returns ErrForged for another key's,
// ErrUnsigned for what a shim writes when it cannot reach the recorder,
// ErrMalformed for anything else. The ID is that of the text in each case, as far
// as it can be read.
func (k Key) Verify(text string) (ID, error) {
	id, signed, mac, err := Parse(text)
	if err != nil {
		return id, err
	}
	if !hmac.Equal(mac, k.mac(signed)) {
		return id, ErrForged
	}
	return id, nil
}

// Parse takes an ID apart without a key: nothing of it is proven. signed is what
// mac has to be of.
func Parse(text string) (id ID, signed string, mac []byte, err error) {
	id.UID = -1
	if strings.HasPrefix(text, shim.Unsigned) {
		return id, "", nil, ErrUnsigned
	}
	fields := strings.Split(text, ".")
	if len(fields) != parts || fields[0] != version {
		return id, "", nil, ErrMalformed
	}
	seconds, err1 := strconv.ParseInt(fields[1], 36, 64)
	uid, err2 := strconv.ParseUint(fields[2], 10, 32)
	nonce, err3 := hex.DecodeString(fields[3])
	mac, err4 := base64.RawURLEncoding.Strict().DecodeString(fields[4])
	if err := errors.Join(err1, err2, err3, err4); err != nil || len(nonce) != len(id.Nonce) || len(mac) != macBytes || seconds < 0 || seconds > 1<<40 {
		return id, "", nil, ErrMalformed
	}
	id = ID{Issued: time.Unix(seconds, 0).UTC(), UID: int(uid), Nonce: Nonce(nonce)}
	return id, text[:strings.LastIndexByte(text, '.')], mac, nil
}

// ParseNonce reads Nonce.String.
func ParseNonce(text string) (Nonce, error) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(Nonce{}) {
		return Nonce{}, fmt.Errorf("%q: %w", text, ErrMalformed)
	}
	return Nonce(raw), nil
}
