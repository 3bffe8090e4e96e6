package vault

import (
	"errors"
	"fmt"
	"iter"

	"spoor"
)

// Envelope is the recipients of a stored message, as its container has them.
type Envelope struct {
	Sequence uint64
	Text     []byte // for ParseEnvelope
}

// Envelopes yields the recipients of the messages of a plan, in the order of storing.
// A message whose recipients are damaged is left out; any other error is the last.
func (v *Vault) Envelopes(plan string) iter.Seq2[Envelope, error] {
	return func(yield func(Envelope, error) bool) {
		f, err := v.open(plan)
		if err != nil {
			yield(Envelope{}, err)
			return
		}
		defer func() { _ = f.Close() }()
		s, err := v.scan(plan, f)
		if err != nil {
			yield(Envelope{}, fmt.Errorf("%s%s: %w", plan, extension, err))
			return
		}
		contents := s.beside()
		for r, err := range s.records() {
			var text []byte
			if err == nil {
				text, err = contents.envelope(r)
			}
			if err != nil && !unreadable(err) {
				continue
			}
			if err != nil {
				yield(Envelope{}, err)
				return
			}
			if !yield(Envelope{Sequence: r.Sequence, Text: text}, nil) {
				return
			}
		}
	}
}

// envelope reads the first piece of a message's content.
func (s *scanner) envelope(r *record) ([]byte, error) {
	if r.envelopeBytes > maxEnvelope {
		return nil, fmt.Errorf("an envelope of %d bytes: %w", r.envelopeBytes, ErrDamaged)
	}
	s.offset = r.contentStart
	var text []byte
	for part := uint32(0); int64(len(text)) < r.envelopeBytes; part++ {
		f, err := s.next()
		if err == nil && (f.kind != kindContent || f.sequence != r.Sequence || f.part != part) {
			err = s.damage(&f, "a part of the message is missing", nil)
		}
		if err != nil {
			return nil, err
		}
		raw, err := s.payload(&f)
		if err != nil {
			return nil, err
		}
		text = append(text, raw...)
	}
	return text[:r.envelopeBytes], nil
}

// errEnvelope is returned for text that is no envelope.
var errEnvelope = errors.New("not an envelope")

// ParseEnvelope reads the recipients of a message from the text of an Envelope. It
// returns ErrDamaged for anything else.
func ParseEnvelope(text []byte) ([]spoor.Recipient, error) {
	var p spoor.Parcel
	if err := parseEnvelope(text, &p); err != nil {
		return nil, fmt.Errorf("%w: %w: %w", errEnvelope, err, ErrDamaged)
	}
	return p.Envelope, nil
}
