package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"spoor"
	"spoor/internal/remedy"
	"spoor/internal/report"
	"spoor/internal/store"
	"spoor/internal/vault"
)

// indexName is the index of the vault, in the state folder.
const indexName = "index.db"

// index opens the index of the vault and makes it agree with the containers: what
// it holds is never more than a copy. A damaged one is set aside and made anew.
func index(ctx context.Context, state *remedy.State) (*store.Index, error) {
	path := state.Dir().Name() + "/" + indexName
	for attempt := 0; ; attempt++ {
		x, err := store.Open(path)
		if err == nil {
			if err = refresh(ctx, x, state); err == nil {
				return x, nil
			}
			_ = x.Close()
		}
		if attempt > 0 || !errors.Is(err, store.ErrDamaged) {
			return nil, err
		}
		if err := store.MoveAside(path); err != nil {
			return nil, err
		}
	}
}

// refresh reads the containers that have changed since they were indexed.
func refresh(ctx context.Context, x *store.Index, state *remedy.State) error {
	plans, err := state.Vault.Plans()
	if err != nil {
		return err
	}
	known, err := x.Plans(ctx)
	if err != nil {
		return err
	}
	for _, plan := range known {
		if !slices.Contains(plans, plan) {
			if err := x.Forget(ctx, plan); err != nil {
				return err
			}
		}
	}
	for _, plan := range plans {
		if err := refreshPlan(ctx, x, state, plan); err != nil {
			return err
		}
	}
	return nil
}

func refreshPlan(ctx context.Context, x *store.Index, state *remedy.State, plan string) error {
	st, err := state.Vault.Stat(plan)
	if err != nil {
		return err
	}
	now := store.Stamp{SizeBytes: st.SizeBytes, Modified: st.Modified}
	if stamp, ok, err := x.Known(ctx, plan); err != nil || ok && stamp == now {
		return err
	}
	if err := x.Forget(ctx, plan); err != nil {
		return err
	}
	var rows []store.Row
	for entry, err := range state.Vault.Entries(plan) {
		if errors.Is(err, vault.ErrDamaged) {
			continue // spoor vault check tells
		}
		if err != nil {
			return err
		}
		rows = append(rows, rowOf(&entry))
	}
	if err := x.Put(ctx, rows); err != nil {
		return err
	}
	return x.SetKnown(ctx, plan, now)
}

func rowOf(e *vault.Entry) store.Row {
	return store.Row{
		Plan: e.Plan, Sequence: e.Sequence, Offset: e.Offset, ID: e.ID, MTA: e.MTA, Sender: e.Sender, Subject: e.Subject,
		Recipients: e.Recipients, Done: e.Done, SizeBytes: e.SizeBytes, PackedBytes: e.PackedBytes, Source: e.Source, Class: e.Class,
		Confidence: e.Confidence, Arrived: e.Arrived, Stored: e.Stored, Fate: e.Mark.Fate.String(), NewID: e.Mark.NewID, Damaged: e.Damaged,
	}
}

// indexedMessages lists the vault by its index. ok is false where there is none
// that can be used.
func (o *options) indexedMessages(ctx context.Context, state *remedy.State, selector *spoor.Selector, f *vaultFlags) (list []report.StoredMessage, ok bool) {
	x, err := index(ctx, state)
	if err != nil {
		return nil, false
	}
	defer func() { _ = x.Close() }()
	to := map[string]recipients{}
	if selector.NeedsAddresses() {
		if to, err = allRecipients(ctx, x, state, f.plan); err != nil {
			return nil, false
		}
	}
	for row, err := range x.Query(ctx, store.Filter{Plan: f.plan}) {
		if err != nil {
			return nil, false
		}
		fate, _ := vault.ParseFate(row.Fate)
		waiting := fate == vault.FateStored || fate == vault.FateRestoring
		m := messageOfRow(&row)
		to[row.Plan].addTo(m, row.Sequence)
		if (f.all || waiting) && selector.Match(m, row.Source, -1) {
			list = append(list, storedRow(&row))
		}
	}
	return list, true
}

// allRecipients are the recipients of one plan, or of all that are indexed.
func allRecipients(ctx context.Context, x *store.Index, state *remedy.State, plan string) (map[string]recipients, error) {
	plans, err := x.Plans(ctx)
	if err != nil {
		return nil, err
	}
	all := map[string]recipients{}
	for _, one := range plans {
		if plan != "" && one != plan {
			continue
		}
		if all[one], err = indexedRecipients(ctx, x, state, one); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func storedRow(r *store.Row) report.StoredMessage {
	return report.StoredMessage{
		Target: spoor.Target{
			ID: r.ID, Arrived: r.Arrived, SizeBytes: r.SizeBytes, Sender: r.Sender, Subject: r.Subject, Recipients: r.Recipients, Done: r.Done,
			Source: r.Source, Class: r.Class, Confidence: r.Confidence, Vault: r.Plan,
		},
		Fate: r.Fate, NewID: r.NewID, Stored: r.Stored, PackedBytes: r.PackedBytes, Damaged: r.Damaged,
	}
}

func messageOfRow(r *store.Row) *spoor.Message {
	return messageOf(&vault.Entry{Target: storedRow(r).Target, CallerUID: -1})
}

// vaultCheck reads everything in the vault and tells what is damaged.
func (o *options) vaultCheck(ctx context.Context) error {
	s, state, done, err := o.openVault(ctx)
	if err != nil {
		return err
	}
	defer done()
	entries, gaps, err := o.stored(state, nil, &vaultFlags{all: true})
	if err != nil {
		return err
	}
	var damage spoor.Gaps
	damage.AddAll(gaps)
	files := 0
	for i := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := readWhole(state, &entries[i])
		files += n
		if err != nil {
			damage.Add(entries[i].Plan+" "+string(entries[i].ID), err.Error())
		}
	}
	page := &report.Vault{Head: s.pageHead(o), Damage: damage.List()}
	fmt.Fprintf(o.env.Out, "%d messages, %d files read; %d damaged\n", len(entries), files, damage.Total())
	if damage.Total() == 0 {
		return nil
	}
	if err := page.Text(o.env.Out, o.style()); err != nil {
		return err
	}
	return partial()
}

// readWhole reads every file of a message, whose checksum is proven at its end.
func readWhole(state *remedy.State, e *vault.Entry) (files int, err error) {
	parcel, err := state.Vault.Parcel(*e)
	if err != nil {
		return 0, err
	}
	for i := range parcel.Files {
		content, err := parcel.Files[i].Open()
		if err != nil {
			return files, err
		}
		_, err = io.Copy(io.Discard, content)
		if err := errors.Join(err, content.Close()); err != nil {
			return files, err
		}
		files++
	}
	return files, nil
}
