package qmail

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"spoor/internal/mta"
)

// recoverService is Adapter.Recover.
func recoverService(ctx context.Context, s *mta.Server, c mta.Control) error {
	if !c.Live || c.State == nil {
		return nil
	}
	dir, err := s.Root.Resolve(queueDir(s.Home))
	if err != nil {
		return err
	}
	return endOutage(ctx, c, dir, c.State)
}

// freezing is a Freezer with its method. It implements mta.Freezer.
type freezing struct {
	freezer *Freezer
	method  FreezeMethod
}

// openFreezer is Adapter.Freezer. Methods are the names of the control files.
func openFreezer(s *mta.Server, c mta.Control, method string) (mta.Freezer, error) {
	f := &freezing{freezer: NewFreezer(s, c)}
	f.freezer.State = c.State
	switch method {
	case "", FreezeRoutes.String():
	case FreezeConcurrency.String():
		f.method = FreezeConcurrency
	default:
		return nil, fmt.Errorf("no way to freeze qmail is called %q: want %s or %s", method, FreezeRoutes, FreezeConcurrency)
	}
	return f, nil
}

// Explain implements mta.Freezer.
func (f *freezing) Explain() []string { return f.freezer.Explain(f.method) }

// Plan implements mta.Freezer. The record is a Frozen in JSON.
func (f *freezing) Plan(ctx context.Context) ([]byte, error) {
	r, err := f.freezer.Plan(ctx, f.method)
	if err != nil {
		return nil, err
	}
	return json.Marshal(r)
}

// Freeze implements mta.Freezer.
func (f *freezing) Freeze(ctx context.Context, record []byte) error {
	r, err := frozenOf(record)
	if err != nil {
		return err
	}
	return f.freezer.Freeze(ctx, r)
}

// Thaw implements mta.Freezer.
func (f *freezing) Thaw(ctx context.Context, record []byte, force bool) error {
	r, err := frozenOf(record)
	if err != nil {
		return err
	}
	return f.freezer.Thaw(ctx, r, force)
}

// Look implements mta.Freezer.
func (f *freezing) Look(record []byte) (mta.FreezeState, error) {
	r, err := frozenOf(record)
	if err != nil {
		return mta.FreezeState{}, err
	}
	return f.freezer.Look(r)
}

func frozenOf(record []byte) (*Frozen, error) {
	r := &Frozen{}
	if err := json.Unmarshal(record, r); err != nil {
		return nil, fmt.Errorf("the record of the freeze: %w", err)
	}
	return r, nil
}

// interrupt is Adapter.Interrupt.
func interrupt(ctx context.Context, s *mta.Server, c mta.Control) (func() error, error) {
	dir, err := s.Root.Resolve(queueDir(s.Home))
	if err != nil {
		return nil, err
	}
	d, err := findService(ctx, c, dir)
	if errors.Is(err, errDown) || errors.Is(err, mta.ErrUnsupported) {
		return func() error { return nil }, nil
	}
	if err != nil {
		return nil, err
	}
	o, err := interruptDelivery(ctx, d, c.State, c.Plan)
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	return func() error { return errors.Join(o.end(context.WithoutCancel(ctx)), d.close()) }, nil
}
