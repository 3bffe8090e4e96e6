package vault

import (
	"errors"
	"fmt"
	"io"
	"iter"
)

// Entries yields the metadata of the messages of a plan with their fates, in the
// order of storing. A stretch that is damaged is yielded as a *Damage, and the
// messages behind it follow; any other error is the last.
func (v *Vault) Entries(plan string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		f, err := v.open(plan)
		if err != nil {
			yield(Entry{Ref: Ref{Plan: plan}}, err)
			return
		}
		defer func() { _ = f.Close() }()
		s, err := v.scan(plan, f)
		if err != nil {
			yield(Entry{Ref: Ref{Plan: plan}}, fmt.Errorf("%s%s: %w", plan, extension, err))
			return
		}
		for entry, err := range s.entries(s.fates()) {
			if !yield(entry, err) {
				return
			}
		}
	}
}

// fates walks the container and notes the last mark of each message. Damage is
// left to the walk that follows.
func (s *scanner) fates() map[uint64]fatePlace {
	fates := map[uint64]fatePlace{}
	defer s.rewind()
	for {
		f, err := s.next()
		switch {
		case errors.Is(err, io.EOF):
			return fates
		case err == nil && f.kind == kindFate:
			fates[f.sequence] = fatePlace{fate: f.fate, offset: f.offset}
		}
	}
}

func (s *scanner) rewind() { s.offset = headSize }

// entries walks the container. A message whose mark is damaged is yielded, and
// the damage after it.
func (s *scanner) entries(fates map[uint64]fatePlace) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		marks := s.beside()
		for r, err := range s.records() {
			if err != nil {
				if !yield(s.damaged(err), err) {
					return
				}
				continue
			}
			r.Mark, err = marks.mark(fates, r.Sequence)
			if !yield(r.Entry, nil) || err != nil && !yield(s.damaged(err), err) {
				return
			}
		}
	}
}

// beside returns a scanner of the same container with a window of its own.
func (s *scanner) beside() *scanner {
	return &scanner{plan: s.plan, file: s.file, unpack: s.unpack, marker: s.marker, size: s.size, offset: headSize, ahead: s.ahead}
}

// damaged is the entry that is yielded with an error: it says where.
func (s *scanner) damaged(err error) Entry {
	entry := Entry{Ref: Ref{Plan: s.plan}}
	var damage *Damage
	if errors.As(err, &damage) {
		entry.Sequence, entry.Offset = damage.Sequence, damage.Offset
	}
	return entry
}

// records walks the container and reads the metadata of each message.
func (s *scanner) records() iter.Seq2[*record, error] {
	return func(yield func(*record, error) bool) {
		parts := chain{}
		for {
			f, err := s.next()
			var r *record
			switch {
			case errors.Is(err, io.EOF):
				return
			case err == nil && f.kind == kindMessage:
				if r, err = s.record(&f); err == nil {
					r.Damaged = !parts.complete(&f)
				}
			case err == nil:
				parts.add(&f)
				continue
			}
			parts = chain{}
			if !yield(r, err) {
				return
			}
		}
	}
}

// mark reads the last mark of a message. Of one that is damaged the fate is
// known nevertheless.
func (s *scanner) mark(fates map[uint64]fatePlace, sequence uint64) (Mark, error) {
	at, marked := fates[sequence]
	if !marked {
		return Mark{}, nil
	}
	short := Mark{Fate: at.fate}
	head, err := s.at(at.offset, frameSize)
	if err != nil {
		return short, &Damage{Plan: s.plan, Offset: at.offset, Bytes: frameSize, Sequence: sequence, Reason: "cannot be read", Err: err}
	}
	f, ok := decodeFrame(head, s.marker)
	f.offset = at.offset
	if !ok || f.kind != kindFate || f.sequence != sequence {
		return short, s.damage(&f, "not the mark that was here", nil)
	}
	text, err := s.payload(&f)
	if err != nil {
		return short, err
	}
	m, err := parseMark(text)
	if err != nil || m.Fate != at.fate {
		return short, s.damage(&f, "its mark cannot be understood", nil)
	}
	return m, nil
}
