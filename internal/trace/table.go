package trace

import (
	"iter"
	"math/bits"
)

// table is a map from numbers to pointers or numbers, for what is looked up for
// every line of a log: about twice as fast there as Go's own, which has to do for
// all keys. Keys are spread by multiplication; a place that is taken passes on to
// the next. The zero table is empty. Nil and 0 are no values.
type table[V comparable] struct {
	slots []slot[V] // a power of two of them
	shift int       // 64 less the logarithm of their number
	n     int
}

type slot[V comparable] struct {
	key   uint64
	value V // nil or 0: free
}

func (s *slot[V]) free() bool {
	var none V
	return s.value == none
}

const (
	firstSlots = 1 << 6
	spread     = 0x9e3779b97f4a7c15 // 2^64 divided by the golden ratio
)

func (t *table[V]) home(key uint64) int { return int(key * spread >> t.shift) }

// get returns the value of a key; nil or 0 if there is none.
func (t *table[V]) get(key uint64) (none V) {
	if t.n == 0 {
		return none
	}
	mask := len(t.slots) - 1
	for i := t.home(key); ; i = (i + 1) & mask {
		s := &t.slots[i]
		if s.key == key || s.free() {
			return s.value
		}
	}
}

// put sets the value of a key.
func (t *table[V]) put(key uint64, value V) {
	if 4*(t.n+1) > 3*len(t.slots) {
		t.grow()
	}
	mask := len(t.slots) - 1
	for i := t.home(key); ; i = (i + 1) & mask {
		s := &t.slots[i]
		if s.free() {
			t.n++
		} else if s.key != key {
			continue
		}
		s.key, s.value = key, value
		return
	}
}

func (t *table[V]) grow() {
	old := t.slots
	t.slots, t.n = make([]slot[V], max(firstSlots, 2*len(old))), 0
	t.shift = 64 - bits.TrailingZeros(uint(len(t.slots)))
	for _, s := range old {
		if !s.free() {
			t.put(s.key, s.value)
		}
	}
}

// remove takes a key out. What had to go past its place moves back.
func (t *table[V]) remove(key uint64) {
	if t.n == 0 {
		return
	}
	mask := len(t.slots) - 1
	i := t.home(key)
	for ; t.slots[i].free() || t.slots[i].key != key; i = (i + 1) & mask {
		if t.slots[i].free() {
			return
		}
	}
	t.n--
	for next := (i + 1) & mask; !t.slots[next].free(); next = (next + 1) & mask {
		if from := t.home(t.slots[next].key); (next-from)&mask >= (next-i)&mask {
			t.slots[i], i = t.slots[next], next
		}
	}
	t.slots[i] = slot[V]{}
}

// clear takes everything out, and keeps the room.
func (t *table[V]) clear() {
	clear(t.slots)
	t.n = 0
}

// all yields keys and values, in no order. The table may not change meanwhile.
func (t *table[V]) all() iter.Seq2[uint64, V] {
	return func(yield func(uint64, V) bool) {
		for i := range t.slots {
			if s := &t.slots[i]; !s.free() && !yield(s.key, s.value) {
				return
			}
		}
	}
}
