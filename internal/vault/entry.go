package vault

import (
	"fmt"
	"time"

	"spoor"
)

// Ref names a stored message.
type Ref struct {
	Plan     string
	Sequence uint64 // from 1, in the order of storing; a purge leaves it as it is
	Offset   int64  // of the frame of its metadata, in bytes; a purge changes it
}

// Fate is what became of a stored message.
type Fate uint8

// The fates. The last mark of a message counts.
const (
	FateStored    Fate = iota // it is here, and nowhere else
	FateVoid                  // it stayed in the queue after all: what is stored is a copy of no use
	FateRestoring             // it waits beside the queue, or is in the queue already
	FateRestored              // it is in the queue again
	FatePurged                // it is given up, and goes with the next purge
)

var fateNames = [...]string{"stored", "void", "restoring", "restored", "purged"}

// Fates lists every Fate, in the order of their constants.
func Fates() []Fate {
	fates := make([]Fate, len(fateNames))
	for i := range fates {
		fates[i] = Fate(i)
	}
	return fates
}

// String returns the word of listings and of the container.
func (f Fate) String() string {
	if int(f) < len(fateNames) {
		return fateNames[f]
	}
	return fmt.Sprintf("fate(%d)", uint8(f))
}

// ParseFate is the inverse of Fate.String.
func ParseFate(word string) (Fate, bool) {
	for i, name := range fateNames {
		if name == word {
			return Fate(i), true
		}
	}
	return FateStored, false
}

// Mark is a fate with what belongs to it.
type Mark struct {
	Fate     Fate
	Time     time.Time      // UTC, to the nanosecond
	Prepared spoor.Prepared // of FateRestoring
	NewID    spoor.QueueID  // of FateRestored: its ID in the queue now
	By       string         // of FateRestoring: the plan that puts it back; "" where that was not noted
}

// Entry is what is known of a stored message without reading its content.
type Entry struct {
	Ref
	spoor.Target // Source, Class, Confidence and State too
	MTA          string
	CallerUID    int       // -1 where the MTA recorded none
	Stored       time.Time // UTC
	Mark         Mark      // the last one; FateStored where there is none
	RawBytes     int64     // of its files
	PackedBytes  int64     // in the container, all its frames
	Damaged      bool      // a part of its content is known to be lost

	contentStart int64 // offset of its first frame
}

// Key is the identity of the message that is stored.
func (e *Entry) Key() spoor.Key { return keyOf(&e.Target) }

func keyOf(t *spoor.Target) spoor.Key {
	return spoor.Key{ID: t.ID, Arrived: t.Arrived.UnixNano()}
}

// Damage is a stretch of a container that is not what was written. It is an
// ErrDamaged.
type Damage struct {
	Plan     string
	Offset   int64  // of its first byte
	Bytes    int64  // that are skipped
	Sequence uint64 // of the message that it is a part of, 0 where not known
	Reason   string
	Err      error // of reading, or nil
}

// Error names the place.
func (d *Damage) Error() string {
	text := fmt.Sprintf("%s%s: %d bytes at %d: %s", d.Plan, extension, d.Bytes, d.Offset, d.Reason)
	if d.Err != nil {
		return text + ": " + d.Err.Error()
	}
	return text
}

// Unwrap returns ErrDamaged and the error of reading.
func (d *Damage) Unwrap() []error {
	if d.Err != nil {
		return []error{ErrDamaged, d.Err}
	}
	return []error{ErrDamaged}
}
