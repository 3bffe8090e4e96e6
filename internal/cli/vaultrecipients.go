package cli

import (
	"context"

	"spoor"
	"spoor/internal/remedy"
	"spoor/internal/store"
	"spoor/internal/vault"
)

// recipients are those of the messages of a plan, by sequence; nil where nobody asks
// for them.
type recipients map[uint64][]byte

// storedRecipients reads them from the container.
func storedRecipients(state *remedy.State, plan string) (recipients, error) {
	all := recipients{}
	for envelope, err := range state.Vault.Envelopes(plan) {
		if err != nil {
			return nil, err
		}
		all[envelope.Sequence] = envelope.Text
	}
	return all, nil
}

// indexedRecipients reads them from the index, where they are put first if need be.
func indexedRecipients(ctx context.Context, x *store.Index, state *remedy.State, plan string) (recipients, error) {
	if has, err := x.HasEnvelopes(ctx, plan); err != nil || has {
		if err != nil {
			return nil, err
		}
		all, err := x.Envelopes(ctx, plan)
		return all, err
	}
	all, err := storedRecipients(state, plan)
	if err != nil {
		return nil, err
	}
	list := make([]store.Envelope, 0, len(all))
	for sequence, text := range all {
		list = append(list, store.Envelope{Sequence: sequence, Text: text})
	}
	if !x.ReadOnly() {
		err = x.PutEnvelopes(ctx, plan, list)
	}
	return all, err
}

// addTo gives a message its recipients in place of their numbers. Where they are
// damaged, the numbers stay.
func (r recipients) addTo(m *spoor.Message, sequence uint64) {
	text, ok := r[sequence]
	if !ok {
		return
	}
	envelope, err := vault.ParseEnvelope(text)
	if err != nil {
		return
	}
	m.Recipients = spoor.Recipients{}
	for i := range envelope {
		m.Recipients.Add(envelope[i].Channel, envelope[i].Done, []byte(envelope[i].Address))
	}
}
