package mta

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"

	"spoor"
)

// SlotReader reads messages of a queue, one after another, into memory that it
// uses again. One goroutine uses it at a time.
type SlotReader[S any] interface {
	// Read reads the message of a slot. ok is false for one that is gone, or whose
	// gap was counted. The message is good until the next call.
	Read(slot S) (m *spoor.Message, ok bool)
	// TakeUnreadable is how many messages had content that could not be read since
	// it was last asked.
	TakeUnreadable() int
}

// Slots are the places of a queue that may hold a message, in the order of their
// IDs, as an adapter has listed them.
type Slots[S any] struct {
	List      []S
	NewReader func() SlotReader[S]
	// Counts tells of a message that was read whether the MTA's own tool counts it,
	// and whether as one that is not processed yet. nil leaves Scan.Count alone.
	Counts func(m *spoor.Message) (message, unprocessed bool)

	readers                           sync.Pool
	messages, unprocessed, unreadable atomic.Int64
}

// partSize is the number of slots in one part of a scan: small enough to keep all
// processors busy to the end, large enough to cost nothing.
const partSize = 512

// Divide gives a scan its parts and counts.
func (s *Slots[S]) Divide(ctx context.Context, scan *Scan) {
	scan.Unreadable = func() int { return int(s.unreadable.Load()) }
	if s.Counts != nil {
		scan.Count = func() (int, int) { return int(s.messages.Load()), int(s.unprocessed.Load()) }
	}
	for slots := s.List; len(slots) > 0; {
		n := min(partSize, len(slots))
		scan.Parts = append(scan.Parts, s.part(ctx, slots[:n]))
		slots = slots[n:]
	}
}

// part goes through some slots with a reader that another part may have used.
func (s *Slots[S]) part(ctx context.Context, slots []S) iter.Seq2[*spoor.Message, error] {
	return func(yield func(*spoor.Message, error) bool) {
		r, ok := s.readers.Get().(SlotReader[S])
		if !ok {
			r = s.NewReader()
		}
		var messages, unprocessed int64
		defer func() {
			s.messages.Add(messages)
			s.unprocessed.Add(unprocessed)
			s.unreadable.Add(int64(r.TakeUnreadable()))
			s.readers.Put(r)
		}()
		for _, one := range slots {
			if err := ctx.Err(); err != nil {
				yield(nil, fmt.Errorf("scan queue: %w", err))
				return
			}
			m, ok := r.Read(one)
			if !ok {
				continue
			}
			if s.Counts != nil {
				message, waiting := s.Counts(m)
				messages += one64(message)
				unprocessed += one64(waiting)
			}
			if !yield(m, nil) {
				return
			}
		}
	}
}

func one64(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}
