package vault

import (
	"cmp"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"
)

// Retention says how long messages stay. A zero field sets no limit.
type Retention struct {
	MaxAge   time.Duration // since they were stored
	MaxBytes int64         // of all containers together
	MaxShare float64       // of the file system's size, that all containers together may have
}

// candidate is a message that may be purged.
type candidate struct {
	ref    Ref
	stored time.Time
	fate   Fate
	bytes  int64
}

// Expired yields the messages that are to be purged, oldest first: those that
// are too old, and as many more as are needed to come below the limits of size.
// Messages that are being restored are never among them, nor are those of plans
// for which finished is false. Damage is not yielded, and of
// their marks the fate alone.
func (v *Vault) Expired(r Retention, now time.Time, finished func(plan string) bool) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		over, err := v.Over(r)
		if err != nil {
			yield(Entry{}, err)
			return
		}
		list, err := v.candidates(finished)
		if err != nil {
			yield(Entry{}, err)
			return
		}
		for _, one := range list {
			old := r.MaxAge > 0 && now.Sub(one.stored) > r.MaxAge
			if !old && over <= 0 {
				return
			}
			over -= one.bytes
			r, _, err := v.look(one.ref)
			if err != nil {
				err = fmt.Errorf("message %d of %s%s: %w", one.ref.Sequence, one.ref.Plan, extension, err)
				r = &record{Entry: Entry{Ref: one.ref}}
			}
			r.Mark.Fate = one.fate
			if !yield(r.Entry, err) {
				return
			}
		}
	}
}

// Over is by how many bytes the containers are above the limits of size; negative
// where they are below, or where there is none.
func (v *Vault) Over(r Retention) (int64, error) {
	limit := int64(math.MaxInt64)
	if r.MaxBytes > 0 {
		limit = r.MaxBytes
	}
	if r.MaxShare > 0 {
		_, size, err := v.dir.Free()
		if err != nil {
			return 0, fmt.Errorf("measure the vault's file system: %w", err)
		}
		limit = min(limit, int64(r.MaxShare*float64(size)))
	}
	plans, err := v.Plans()
	if err != nil {
		return 0, err
	}
	over := -limit
	for _, plan := range plans {
		st, err := v.Stat(plan)
		if err != nil {
			return 0, fmt.Errorf("measure the vault: %w", err)
		}
		over += st.SizeBytes
	}
	return over, nil
}

// candidates lists what may be purged, oldest first.
func (v *Vault) candidates(finished func(plan string) bool) ([]candidate, error) {
	plans, err := v.Plans()
	if err != nil {
		return nil, err
	}
	var list []candidate
	for _, plan := range plans {
		if !finished(plan) {
			continue
		}
		for entry, err := range v.Entries(plan) {
			switch {
			case err == nil && entry.Mark.Fate != FateRestoring:
				list = append(list, candidate{ref: entry.Ref, stored: entry.Stored, fate: entry.Mark.Fate, bytes: entry.PackedBytes})
			case unreadable(err):
				return nil, err
			}
		}
	}
	slices.SortFunc(list, func(a, b candidate) int {
		return cmp.Or(a.stored.Compare(b.stored), cmp.Compare(a.ref.Plan, b.ref.Plan), cmp.Compare(a.ref.Sequence, b.ref.Sequence))
	})
	return list, nil
}
