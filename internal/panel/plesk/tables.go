package plesk

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// Errors that say what psa lacks.
var (
	errNoTable  = errors.New("it has no table")
	errNoColumn = errors.New("it has no column")
)

// tables reads whole tables of psa.
type tables struct {
	db    *sql.DB
	heard *hearing // keeps what is read
	kept  *Answers // what is read in place of db, where that is not nil
}

// noSuchTable is ER_NO_SUCH_TABLE of MySQL's error reference.
const noSuchTable = 1146

// row is one row with the columns that were asked for, in that order. A column
// that this version of Plesk does not have is not valid.
type row []sql.NullString

// id reads a column as a number; -1 where it is NULL or none.
func (r row) id(column int) int {
	n, err := strconv.ParseInt(r[column].String, 10, 64)
	if err != nil || !r[column].Valid {
		return -1
	}
	return int(n)
}

// read returns the rows of a table, ordered by its first column. The schema
// differs from version to version, so only columns that are there are asked
// for; a missing one among the first required makes the table useless
// (errNoColumn). For a table that is not there, or that may not be read, the
// error is errNoTable. Table and columns are constants of this package.
func (t tables) read(ctx context.Context, table string, required int, columns ...string) ([]row, error) {
	return t.readSome(ctx, selection{table: table, required: required, columns: columns})
}

// selection is what is read of a table. Its parts are constants of this package.
type selection struct {
	table    string
	required int // of columns, from the first
	columns  []string
	where    string // "" for all rows; the tables of settings hold passwords too
}

// readSome is read for some rows.
func (t tables) readSome(ctx context.Context, s selection) ([]row, error) {
	if t.kept != nil {
		rows, err := t.kept.read(s)
		if answer := t.kept.of(s); answer != nil {
			t.heard.add(*answer)
		} else {
			t.heard.missing(s.table)
		}
		return rows, err
	}
	table, required, columns := s.table, s.required, s.columns
	there, err := t.columns(ctx, table)
	if err != nil {
		return nil, err
	}
	if len(there) == 0 {
		t.heard.missing(table)
		return nil, fmt.Errorf("%w %s", errNoTable, table)
	}
	terms := make([]string, len(columns))
	for i, column := range columns {
		terms[i] = "`" + column + "`"
		if !there[column] {
			terms[i] = "NULL"
			if i < required {
				return nil, fmt.Errorf("%w %s.%s", errNoColumn, table, column)
			}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	query := "SELECT " + strings.Join(terms, ", ") + " FROM `" + table + "`" //nolint:gosec // constants only
	if s.where != "" {
		query += " WHERE " + s.where
	}
	query += " ORDER BY 1"
	result, err := t.db.QueryContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", table, err)
	}
	defer func() { _ = result.Close() }()
	var rows []row
	for result.Next() {
		one := make(row, len(columns))
		targets := make([]any, len(columns))
		for i := range one {
			targets[i] = &one[i]
		}
		if err := result.Scan(targets...); err != nil {
			return nil, fmt.Errorf("read %s: %w", table, err)
		}
		rows = append(rows, one)
	}
	if err := result.Err(); err != nil {
		return rows, err
	}
	t.heard.rows(s, there, rows)
	return rows, nil
}

// columns names the columns of a table. It is empty for a table that is not
// there. SHOW COLUMNS works on servers older than information_schema.
func (t tables) columns(ctx context.Context, table string) (map[string]bool, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	result, err := t.db.QueryContext(ctx, "SHOW COLUMNS FROM `"+table+"`") //nolint:gosec // a constant
	if mysqlErr := (*mysql.MySQLError)(nil); errors.As(err, &mysqlErr) && mysqlErr.Number == noSuchTable {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the columns of %s: %w", table, err)
	}
	defer func() { _ = result.Close() }()
	names := map[string]bool{}
	for result.Next() {
		var field string
		var skip sql.RawBytes
		if err := result.Scan(&field, &skip, &skip, &skip, &skip, &skip); err != nil {
			return nil, fmt.Errorf("read the columns of %s: %w", table, err)
		}
		names[field] = true
	}
	return names, result.Err()
}
