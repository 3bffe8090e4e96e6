package vault

import (
	"errors"
	"fmt"

	"spoor"
)

// ErrLarge is returned by Packer.Pack for a message that is not to be held in
// memory as a whole. Writer.Add takes it.
var ErrLarge = errors.New("is larger than what is packed in memory")

// largePacked is what a Packer holds of one message, packed, in bytes.
const largePacked = 256 << 10

// Packer packs messages beside the Writer of their container, which is the larger
// part of the work: several goroutines can have one each, and one goroutine adds
// what they have packed.
type Packer struct{ own packing }

// Packed is a message that is packed, for any Writer.
type Packed struct {
	key    spoor.Key
	id     spoor.QueueID
	out    []byte
	frames []frame
}

// NewPacker makes a Packer. The caller closes it.
func NewPacker() (*Packer, error) {
	own, err := newPacking()
	if err != nil {
		return nil, fmt.Errorf("pack messages: %w", err)
	}
	return &Packer{own: own}, nil
}

// Pack reads a message whole. It returns ErrLarge, and ErrSource where the message
// could not be read or has no place in a container.
func (k *Packer) Pack(p *spoor.Parcel) (*Packed, error) {
	k.own.begin(func(done *packing) error {
		if len(done.out) > largePacked {
			return ErrLarge
		}
		return nil
	})
	if err := k.own.pack(p); err != nil {
		return nil, fmt.Errorf("pack message %s: %w", p.ID, err)
	}
	return &Packed{
		key: keyOf(&p.Target), id: p.ID,
		out: append([]byte(nil), k.own.out...), frames: append([]frame(nil), k.own.frames...),
	}, nil
}

// Close frees what the Packer holds.
func (k *Packer) Close() error { return k.own.zip.Close() }

// AddPacked stores a message that is packed, as Add does.
func (w *Writer) AddPacked(p *Packed) (Ref, error) {
	ref, err := w.addPacked(p)
	if err != nil {
		return ref, fmt.Errorf("store message %s in %s%s: %w", p.id, w.plan, extension, err)
	}
	return ref, nil
}

func (w *Writer) addPacked(p *Packed) (Ref, error) {
	if ref, err := w.fresh(p.key); err != nil {
		return ref, err
	}
	start := w.end()
	w.take(p.out, p.frames)
	return w.finish(p.key, start)
}
