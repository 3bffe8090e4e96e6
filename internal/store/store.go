// Package store is the index of the vault: a SQLite file with a row for each
// stored message, so that a vault of millions is searched at once. Rows come in
// from the containers and go out to listings.
//
// It is never the truth: whoever loses it makes it anew from the containers.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"syscall"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// ErrDamaged is returned where the file turns out to be no sound database. The
// caller closes the index, and MoveAside makes room for a new one.
var ErrDamaged = errors.New("the index is damaged")

// ErrReadOnly is returned by what would change an index that can only be read.
var ErrReadOnly = errors.New("the index can only be read")

// Index is an open index. Its methods may be called by several goroutines at
// once.
type Index struct {
	db       *sql.DB
	readOnly bool
}

// schemaVersion changes with the schema: an index of another one is made anew.
const schemaVersion = 2

const schema = `
CREATE TABLE message (
	plan TEXT NOT NULL, sequence INTEGER NOT NULL, offset INTEGER NOT NULL,
	id BLOB NOT NULL, mta TEXT NOT NULL, sender BLOB NOT NULL, subject BLOB NOT NULL,
	recipients INTEGER NOT NULL, done INTEGER NOT NULL, size INTEGER NOT NULL, packed INTEGER NOT NULL,
	kind INTEGER NOT NULL, name BLOB NOT NULL, class INTEGER NOT NULL, confidence REAL NOT NULL,
	arrived INTEGER NOT NULL, stored INTEGER NOT NULL,
	fate TEXT NOT NULL, newid BLOB NOT NULL, damaged INTEGER NOT NULL,
	PRIMARY KEY (plan, sequence)
) WITHOUT ROWID;
CREATE INDEX message_id ON message (id);
CREATE INDEX message_source ON message (kind, name);
CREATE INDEX message_stored ON message (stored);
CREATE TABLE envelope (plan TEXT NOT NULL, sequence INTEGER NOT NULL, text BLOB NOT NULL, PRIMARY KEY (plan, sequence)) WITHOUT ROWID;
CREATE TABLE container (plan TEXT PRIMARY KEY, size INTEGER NOT NULL, modified INTEGER NOT NULL, envelopes INTEGER NOT NULL) WITHOUT ROWID;
`

// Open opens the index at a path, or makes it, readable by its owner alone. A
// file that is no database, or one of another version of the schema, is moved
// aside. Where the file can be read and not written, the index is read-only.
func Open(path string) (*Index, error) {
	x, err := open(path)
	if errors.Is(err, ErrDamaged) && (x == nil || !x.readOnly) {
		if err := MoveAside(path); err != nil {
			return nil, err
		}
		x, err = open(path)
	}
	if err != nil {
		return nil, fmt.Errorf("open the index %s: %w", path, err)
	}
	return x, nil
}

// MoveAside renames an index to its name with ".damaged" behind it, over one
// that was moved before.
func MoveAside(path string) error {
	if err := os.Rename(path, path+".damaged"); err != nil {
		return fmt.Errorf("move the index aside: %w", err)
	}
	// A journal belongs to the file that was there: SQLite would play it back into
	// the next one.
	if err := os.Remove(path + "-journal"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("move the index aside: %w", err)
	}
	return nil
}

// open opens the file. With ErrDamaged it may return an Index that is closed.
func open(path string) (*Index, error) {
	readOnly, empty, err := touch(path)
	if err != nil {
		return nil, err
	}
	// A rollback journal, and no log of writes (WAL): one process uses the file, and
	// it has to be readable where nothing can be written beside it.
	options := url.Values{"_pragma": {"busy_timeout(5000)", "synchronous(normal)"}, "_txlock": {"immediate"}}
	if readOnly {
		options.Set("mode", "ro")
	} else {
		options.Add("_pragma", "journal_mode(truncate)")
	}
	name := url.URL{Scheme: "file", Path: path, RawQuery: options.Encode()}
	db, err := sql.Open("sqlite", name.String())
	if err != nil {
		return nil, err
	}
	x := &Index{db: db, readOnly: readOnly}
	if err := x.begin(empty); err != nil {
		_ = db.Close()
		return x, err
	}
	return x, nil
}

// touch makes the file if need be, and finds out whether it can be written, and
// whether there is anything in it.
// SQLite would make it readable to all, and follow a link.
func touch(path string) (readOnly, empty bool, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	if errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.EACCES) {
		readOnly = true
		f, err = os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	}
	if err != nil {
		return readOnly, false, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: path, Err: syscall.EINVAL}
	}
	return readOnly, err == nil && info.Size() == 0, errors.Join(err, f.Close())
}

// begin makes the tables of a new file, and looks at those of an old one.
func (x *Index) begin(empty bool) error {
	ctx := context.Background()
	var version, tables int
	err := x.db.QueryRowContext(ctx, "SELECT (SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM sqlite_schema)").Scan(&version, &tables)
	switch {
	case err != nil:
		return told(err)
	case version == schemaVersion:
		return nil
	case tables > 0 || version != 0 || !empty: // a few bytes pass for an empty database
		return fmt.Errorf("version %d of the schema: %w", version, ErrDamaged)
	case x.readOnly:
		return fmt.Errorf("it is empty: %w", ErrReadOnly)
	}
	return x.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, schema+fmt.Sprintf("PRAGMA user_version = %d", schemaVersion))
		return err
	})
}

// Close closes the index.
func (x *Index) Close() error { return x.db.Close() }

// ReadOnly is whether the index can be read only.
func (x *Index) ReadOnly() bool { return x.readOnly }

// change makes one transaction of what f does.
func (x *Index) change(ctx context.Context, f func(tx *sql.Tx) error) error {
	if x.readOnly {
		return ErrReadOnly
	}
	tx, err := x.db.BeginTx(ctx, nil)
	if err != nil {
		return told(err)
	}
	if err := f(tx); err != nil {
		_ = tx.Rollback()
		return told(err)
	}
	return told(tx.Commit())
}

// told adds ErrDamaged to an error of SQLite that means it.
func told(err error) error {
	var failed *sqlite.Error
	if errors.As(err, &failed) && (failed.Code()&0xff == sqlite3.SQLITE_NOTADB || failed.Code()&0xff == sqlite3.SQLITE_CORRUPT) {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return err
}

// Stamp is the state of a container that rows were made from.
type Stamp struct {
	SizeBytes int64
	Modified  time.Time
}

// Known returns the state of the container that the rows of a plan were made
// from; ok is whether there are such rows.
func (x *Index) Known(ctx context.Context, plan string) (stamp Stamp, ok bool, err error) {
	var modified int64
	err = x.db.QueryRowContext(ctx, "SELECT size, modified FROM container WHERE plan = ?", plan).Scan(&stamp.SizeBytes, &modified)
	if errors.Is(err, sql.ErrNoRows) {
		return stamp, false, nil
	}
	if err != nil {
		return stamp, false, fmt.Errorf("look for the plan %s in the index: %w", plan, told(err))
	}
	stamp.Modified = clock(modified)
	return stamp, true, nil
}

// SetKnown records that the rows of a plan are those of its container as it is.
// It is called after the last Put, with what was seen before the first.
func (x *Index) SetKnown(ctx context.Context, plan string, stamp Stamp) error {
	err := x.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO container VALUES (?, ?, ?, 0)", plan, stamp.SizeBytes, ticks(stamp.Modified))
		return err
	})
	if err != nil {
		return fmt.Errorf("note the plan %s in the index: %w", plan, err)
	}
	return nil
}

// Forget removes the rows of a plan, and what is known of its container.
func (x *Index) Forget(ctx context.Context, plan string) error {
	err := x.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM container WHERE plan = ?", plan)
		if err == nil {
			_, err = tx.ExecContext(ctx, "DELETE FROM message WHERE plan = ?", plan)
		}
		if err == nil {
			_, err = tx.ExecContext(ctx, "DELETE FROM envelope WHERE plan = ?", plan)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("remove the plan %s from the index: %w", plan, err)
	}
	return nil
}

// Plans lists the plans that Known knows, by name.
func (x *Index) Plans(ctx context.Context) ([]string, error) {
	rows, err := x.db.QueryContext(ctx, "SELECT plan FROM container ORDER BY plan")
	if err != nil {
		return nil, fmt.Errorf("list the index: %w", told(err))
	}
	defer func() { _ = rows.Close() }()
	var plans []string
	for rows.Next() {
		var plan string
		if err := rows.Scan(&plan); err != nil {
			return nil, fmt.Errorf("list the index: %w", told(err))
		}
		plans = append(plans, plan)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list the index: %w", told(err))
	}
	return plans, nil
}
