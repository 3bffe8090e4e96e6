package spoor

import (
	"bytes"
	"iter"
)

// Channel is how a recipient is reached. Before a message is preprocessed the
// channel is not decided.
type Channel uint8

// The channels of qmail-send(8); other MTAs' transports map to them.
const (
	ChannelUndecided Channel = iota
	ChannelLocal
	ChannelRemote
)

var channelNames = [...]string{"", "local", "remote"}

// String returns "local", "remote", or "" while the channel is undecided.
func (c Channel) String() string {
	if int(c) < len(channelNames) {
		return channelNames[c]
	}
	return "invalid"
}

// Recipient is one envelope recipient (RFC 5321 §2.3.1).
type Recipient struct {
	Address string
	Channel Channel
	Done    bool // delivered, or failed for good
}

// Recipients is a list of envelope recipients, packed: a million of them are
// one piece of memory. The zero value is empty and ready to use. With
// CountOnly set, addresses are counted and not kept.
type Recipients struct {
	CountOnly bool

	packed []byte // one tag byte, the address, a NUL; for each recipient
	total  int
	done   int
	sum    uint64 // of the hashes of all addresses
}

// The tag byte of a packed recipient. tagSet keeps it from ever being NUL.
const (
	tagDone    = 0x80
	tagSet     = 0x40
	tagChannel = 0x03
)

// Add appends a recipient. The address is copied and must hold no NUL.
func (r *Recipients) Add(channel Channel, done bool, address []byte) {
	r.total++
	r.sum += hashOf(address, addressKey, true)
	tag := tagSet | byte(channel)
	if done {
		r.done++
		tag |= tagDone
	}
	if r.CountOnly {
		return
	}
	r.packed = append(r.packed, tag)
	r.packed = append(r.packed, address...)
	r.packed = append(r.packed, 0)
}

// Reset empties the list and keeps its memory.
func (r *Recipients) Reset() { r.packed, r.total, r.done, r.sum = r.packed[:0], 0, 0, 0 }

// Len is the number of recipients, done or not.
func (r *Recipients) Len() int { return r.total }

// Done is the number of recipients that need no further attempt.
func (r *Recipients) Done() int { return r.done }

// Key is the same for lists of the same addresses, in any order, and as good as always
// another for others, also where they are CountOnly.
func (r *Recipients) Key() uint64 { return r.sum }

// All yields the recipients in the order of the envelope. It yields nothing
// for a CountOnly list.
func (r *Recipients) All() iter.Seq[Recipient] {
	return func(yield func(Recipient) bool) {
		for rest := r.packed; len(rest) > 0; {
			end := bytes.IndexByte(rest, 0)
			tag := rest[0]
			one := Recipient{Address: string(rest[1:end]), Channel: Channel(tag & tagChannel), Done: tag&tagDone != 0}
			if !yield(one) {
				return
			}
			rest = rest[end+1:]
		}
	}
}

// Clone returns a copy that shares no memory with r.
func (r *Recipients) Clone() Recipients {
	c := *r
	c.packed = bytes.Clone(r.packed)
	return c
}
