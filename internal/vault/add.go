package vault

import (
	"errors"
	"fmt"

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
	key := keyOf(&p.Target)
	if ref, err := w.fresh(key); err != nil {
		return ref, err
	}
	start := w.end()
	w.own.begin(func(done *packing) error {
		w.take(done.out, done.frames)
		done.empty()
		return w.flushFull()
	})
	if err := w.own.pack(p); err != nil {
		w.cut(start)
		return Ref{}, err
	}
	return w.finish(key, start)
}

// fresh returns ErrStored for a message that is in the container.
func (w *Writer) fresh(key spoor.Key) (Ref, error) {
	at, known := w.find(key)
	if w.broken != nil {
		return Ref{}, w.broken
	}
	if known && w.fates[at.sequence].fate != FateRestored {
		return Ref{Plan: w.plan, Sequence: at.sequence, Offset: at.offset}, ErrStored
	}
	return Ref{}, nil
}

// take appends frames that are packed. The last one of a message is that of its
// metadata.
func (w *Writer) take(out []byte, frames []frame) {
	start := len(w.out)
	w.out = append(w.out, out...)
	for _, f := range frames {
		f.sequence = w.next
		if f.kind == kindMessage {
			w.last = place{sequence: w.next, offset: w.flushed + int64(start) + f.offset}
		}
		f.encode(w.out[int64(start)+f.offset:], w.marker)
	}
}

// finish makes a message known whose frames were taken.
func (w *Writer) finish(key spoor.Key, start int64) (Ref, error) {
	at := w.last
	if err := w.flushFull(); err != nil {
		w.cut(start)
		return Ref{}, err
	}
	w.index[key] = at
	w.next++
	return Ref{Plan: w.plan, Sequence: at.sequence, Offset: at.offset}, nil
}
