package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Envelope is the recipients of a stored message, in the vault's words. They are
// put into the index only when somebody looks for a recipient: they take as much
// room as all the rest.
type Envelope struct {
	Sequence uint64
	Text     []byte
}

// HasEnvelopes reports whether the recipients of a plan are in the index.
func (x *Index) HasEnvelopes(ctx context.Context, plan string) (bool, error) {
	var has int
	err := x.db.QueryRowContext(ctx, "SELECT envelopes FROM container WHERE plan = ?", plan).Scan(&has)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return false, fmt.Errorf("look for the recipients of %s in the index: %w", plan, told(err))
	}
	return has != 0, nil
}

// PutEnvelopes puts the recipients of all messages of a plan that is known into the
// index.
func (x *Index) PutEnvelopes(ctx context.Context, plan string, envelopes []Envelope) error {
	err := x.change(ctx, func(tx *sql.Tx) error {
		put, err := tx.PrepareContext(ctx, "INSERT OR REPLACE INTO envelope VALUES (?, ?, ?)")
		if err != nil {
			return err
		}
		defer func() { _ = put.Close() }()
		for i := range envelopes {
			if _, err := put.ExecContext(ctx, plan, int64(envelopes[i].Sequence), raw(string(envelopes[i].Text))); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, "UPDATE container SET envelopes = 1 WHERE plan = ?", plan)
		return err
	})
	if err != nil {
		return fmt.Errorf("add recipients to the index: %w", err)
	}
	return nil
}

// Envelopes returns the recipients of the messages of a plan, by sequence.
func (x *Index) Envelopes(ctx context.Context, plan string) (map[uint64][]byte, error) {
	rows, err := x.db.QueryContext(ctx, "SELECT sequence, text FROM envelope WHERE plan = ?", plan)
	if err != nil {
		return nil, fmt.Errorf("read recipients from the index: %w", told(err))
	}
	defer func() { _ = rows.Close() }()
	envelopes := map[uint64][]byte{}
	for rows.Next() {
		var sequence int64
		var text []byte
		if err := rows.Scan(&sequence, &text); err != nil {
			return nil, fmt.Errorf("read recipients from the index: %w", told(err))
		}
		envelopes[uint64(sequence)] = text
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read recipients from the index: %w", told(err))
	}
	return envelopes, nil
}
