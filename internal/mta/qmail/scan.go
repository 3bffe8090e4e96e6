package qmail

import (
	"context"
	"fmt"

	"spoor"
	"spoor/internal/mta"
)

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

	scan := &mta.Scan{
		Listed: l.messages, Count: func() (int, int) { return l.messages, l.todos }, Gaps: gaps, Complete: !l.partial.Load(),
	}
	slots := &mta.Slots[slot]{List: l.slots, NewReader: func() mta.SlotReader[slot] { return newReader(q, want, gaps) }}
	slots.Divide(ctx, scan)
	return scan, nil
}
