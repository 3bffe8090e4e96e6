package store

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"math"
	"strings"
	"time"

	"spoor"
)

// Row is what a listing shows of a stored message.
type Row struct {
	Plan     string
	Sequence uint64 // with Plan, what names the row
	Offset   int64  // in the container, in bytes

	ID          spoor.QueueID
	MTA         string
	Sender      string
	Subject     string // raw
	Recipients  int
	Done        int
	SizeBytes   int64 // of the message in the queue
	PackedBytes int64 // in the container
	Source      spoor.Source
	Class       spoor.Class
	Confidence  float64
	Arrived     time.Time // UTC, to the nanosecond
	Stored      time.Time // UTC
	Fate        string    // the vault's word
	NewID       spoor.QueueID
	Damaged     bool
}

const columns = "plan, sequence, offset, id, mta, sender, subject, recipients, done, size, packed, kind, name, class, confidence, arrived, stored, fate, newid, damaged"

// Put adds rows, in place of those of the same plan and sequence, in one
// transaction.
func (x *Index) Put(ctx context.Context, rows []Row) error {
	err := x.change(ctx, func(tx *sql.Tx) error {
		put, err := tx.PrepareContext(ctx, "INSERT OR REPLACE INTO message ("+columns+") VALUES ("+strings.Repeat("?, ", 19)+"?)") //nolint:gosec // constants only
		if err != nil {
			return err
		}
		defer func() { _ = put.Close() }()
		for i := range rows {
			if err := rows[i].put(ctx, put); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("add to the index: %w", err)
	}
	return nil
}

// put binds what comes from outside as bytes: it may be no UTF-8 and hold NULs.
func (r *Row) put(ctx context.Context, put *sql.Stmt) error {
	_, err := put.ExecContext(ctx,
		r.Plan, int64(r.Sequence), r.Offset, raw(string(r.ID)), r.MTA, raw(r.Sender), raw(r.Subject), r.Recipients, r.Done,
		r.SizeBytes, r.PackedBytes, int(r.Source.Kind), raw(r.Source.Name), int(r.Class), r.Confidence,
		ticks(r.Arrived), ticks(r.Stored), r.Fate, raw(string(r.NewID)), r.Damaged)
	return err
}

// scan is the inverse of put.
func (r *Row) scan(rows *sql.Rows) error {
	var sequence, arrived, stored int64
	var kind, class int
	var id, sender, subject, name, newID []byte
	err := rows.Scan(
		&r.Plan, &sequence, &r.Offset, &id, &r.MTA, &sender, &subject, &r.Recipients, &r.Done,
		&r.SizeBytes, &r.PackedBytes, &kind, &name, &class, &r.Confidence,
		&arrived, &stored, &r.Fate, &newID, &r.Damaged)
	r.Sequence, r.Arrived, r.Stored = uint64(sequence), clock(arrived), clock(stored)
	r.ID, r.Sender, r.Subject, r.NewID = spoor.QueueID(id), string(sender), string(subject), spoor.QueueID(newID)
	r.Source, r.Class = spoor.Source{Kind: spoor.Kind(kind), Name: string(name)}, spoor.Class(class)
	return err
}

// raw is never nil, which would be NULL.
func raw(text string) []byte { return append(make([]byte, 0, len(text)), text...) }

// noTime stands for the zero time.
const noTime = math.MinInt64

// ticks is a time in nanoseconds since the Unix epoch; what is too far away for
// that is the nearest that is not.
func ticks(t time.Time) int64 {
	switch year := t.Year(); {
	case t.IsZero():
		return noTime
	case year < 1678:
		return noTime + 1
	case year > 2261:
		return math.MaxInt64
	}
	return t.UnixNano()
}

func clock(ticks int64) time.Time {
	if ticks == noTime {
		return time.Time{}
	}
	return time.Unix(0, ticks).UTC()
}

// Order is what a query is sorted by.
type Order uint8

// The orders. Rows that are equal follow plan and sequence.
const (
	ByPlan Order = iota // then by sequence: the order of storing
	ByStored
	ByArrived
	BySize
	BySender
)

// Orders lists every Order.
func Orders() []Order { return []Order{ByPlan, ByStored, ByArrived, BySize, BySender} }

// String returns the word of the command line.
func (o Order) String() string {
	switch o {
	case ByPlan:
		return "plan"
	case ByStored:
		return "stored"
	case ByArrived:
		return "arrived"
	case BySize:
		return "size"
	case BySender:
		return "sender"
	}
	return fmt.Sprintf("order(%d)", uint8(o))
}

// Filter says which rows a query yields. A zero field accepts all; several
// fields must all accept.
type Filter struct {
	Plan   string
	ID     spoor.QueueID // the old or the new one
	Sender string        // an address, or "@" and a domain; the case of ASCII letters does not matter
	Source spoor.Source
	Fate   string
	Since  time.Time // stored then or later
	Until  time.Time // stored before

	Order      Order
	Descending bool
	Limit      int // 0: no limit
}

// where returns the condition, with its values.
func (f *Filter) where() (string, []any) {
	conditions, values := []string{"1"}, []any(nil)
	add := func(condition string, value ...any) {
		conditions, values = append(conditions, condition), append(values, value...)
	}
	if f.Plan != "" {
		add("plan = ?", f.Plan)
	}
	if f.ID != "" {
		add("(id = ? OR newid = ?)", raw(string(f.ID)), raw(string(f.ID)))
	}
	if f.Sender != "" {
		// lower() leaves everything but ASCII letters as it is, in bytes too.
		from := "sender"
		if strings.HasPrefix(f.Sender, "@") {
			from = fmt.Sprintf("substr(sender, -%d)", len(f.Sender))
		}
		add("lower(CAST("+from+" AS TEXT)) = lower(CAST(? AS TEXT))", raw(f.Sender))
	}
	if f.Source != (spoor.Source{}) {
		add("kind = ? AND name = ?", int(f.Source.Kind), raw(f.Source.Name))
	}
	if f.Fate != "" {
		add("fate = ?", f.Fate)
	}
	if !f.Since.IsZero() {
		add("stored >= ?", ticks(f.Since))
	}
	if !f.Until.IsZero() {
		add("stored < ?", ticks(f.Until))
	}
	return strings.Join(conditions, " AND "), values
}

func (f *Filter) order() string {
	direction := ""
	if f.Descending {
		direction = " DESC"
	}
	column := [...]string{ByPlan: "", ByStored: "stored", ByArrived: "arrived", BySize: "size", BySender: "sender"}[min(f.Order, BySender)]
	if column != "" {
		column += direction + ", "
	}
	return column + "plan" + direction + ", sequence" + direction
}

// Query yields the rows that a filter accepts. An error is the last element. A
// Put waits until the sequence has been read or left.
func (x *Index) Query(ctx context.Context, f Filter) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		where, values := f.where()
		limit := -1
		if f.Limit > 0 {
			limit = f.Limit
		}
		rows, err := x.db.QueryContext(ctx, "SELECT "+columns+" FROM message WHERE "+where+" ORDER BY "+f.order()+" LIMIT ?", append(values, limit)...) //nolint:gosec // columns, conditions and order are constants; values are bound
		if err != nil {
			yield(Row{}, fmt.Errorf("search the index: %w", told(err)))
			return
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var r Row
			if err := r.scan(rows); err != nil {
				yield(Row{}, fmt.Errorf("read a row of the index: %w", told(err)))
				return
			}
			if !yield(r, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(Row{}, fmt.Errorf("search the index: %w", told(err)))
		}
	}
}
