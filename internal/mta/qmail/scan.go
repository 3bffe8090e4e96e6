package qmail

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"

	"spoor"
	"spoor/internal/mta"
)

// partSize is the number of messages in one part of a scan: small enough to
// keep all processors busy to the end, large enough to cost nothing.
const partSize = 512

// Scan lists the queue as it is now.
func (q *Queue) Scan(ctx context.Context, want mta.Want) (*mta.Scan, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("scan queue: %w", err)
	}
	gaps := &spoor.Gaps{}
	if q.tree == nil {
		gaps.Add("queue", "there is no queue: the answer is from the log alone")
		return &mta.Scan{Gaps: gaps, Count: func() (int, int) { return 0, 0 }, Unreadable: func() int { return 0 }}, nil
	}
	q.listing.Lock()
	l := q.tree.list(gaps)
	q.listing.Unlock()

	s := &scanner{queue: q, want: want, gaps: gaps, readers: sync.Pool{}}
	result := &mta.Scan{
		Listed: l.messages, Count: func() (int, int) { return l.messages, l.todos }, Gaps: gaps,
		Complete:   !l.partial.Load(),
		Unreadable: func() int { return int(s.unreadable.Load()) },
	}
	for slots := l.slots; len(slots) > 0; {
		n := min(partSize, len(slots))
		result.Parts = append(result.Parts, s.part(ctx, slots[:n]))
		slots = slots[n:]
	}
	return result, nil
}

// scanner hands readers, with their buffers, from part to part.
type scanner struct {
	queue      *Queue
	want       mta.Want
	gaps       *spoor.Gaps
	unreadable atomic.Int64
	readers    sync.Pool
}

func (s *scanner) part(ctx context.Context, slots []slot) iter.Seq2[*spoor.Message, error] {
	return func(yield func(*spoor.Message, error) bool) {
		r, ok := s.readers.Get().(*reader)
		if !ok {
			r = newReader(s.queue, s.want, s.gaps)
		}
		defer func() {
			s.unreadable.Add(int64(r.unreadable))
			r.unreadable = 0
			s.readers.Put(r)
		}()
		for _, one := range slots {
			if err := ctx.Err(); err != nil {
				yield(nil, fmt.Errorf("scan queue: %w", err))
				return
			}
			m, ok := r.read(one)
			if ok && !yield(m, nil) {
				return
			}
		}
	}
}
