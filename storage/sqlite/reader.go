package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/row"
)

// queryer runs reads: the pool of readers, one snapshot of it, or a transaction.
type queryer interface {
	query(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	// snapshot runs fn with reads that all see the same state.
	snapshot(ctx context.Context, fn func(queryer) error) error
}

// reader is storage.Reader over a queryer; its methods stand with their tables.
type reader struct{ queryer }

// collect reads all rows of a query.
func collect[T any](ctx context.Context, q queryer, scan func(row.Scanner) (T, error), query string, args ...any) ([]T, error) {
	var all []T
	err := each(ctx, q, scan, func(v T) error {
		all = append(all, v)
		return nil
	}, query, args...)
	return all, err
}

func each[T any](ctx context.Context, q queryer, scan func(row.Scanner) (T, error), fn func(T) error, query string, args ...any) error {
	rows, err := q.query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // rows.Err has what matters
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return err
		}
		if err := fn(v); err != nil {
			return err
		}
	}
	return rows.Err()
}

// one reads a single row, or storage.ErrNotFound.
func one[T any](ctx context.Context, q queryer, scan func(row.Scanner) (T, error), query string, args ...any) (T, error) {
	var zero T
	all, err := collect(ctx, q, scan, query, args...)
	if err != nil {
		return zero, err
	}
	if len(all) == 0 {
		return zero, storage.ErrNotFound
	}
	return all[0], nil
}

func number(s row.Scanner) (n int64, err error) { return n, s.Scan(&n) }

func text(s row.Scanner) (v string, err error) { return v, s.Scan(&v) }

// textSet and idSet make a list the argument of inSet: one statement to
// prepare, whatever the length of the list.
func textSet(values []string) string {
	clean := row.Args([]any{values})[0]
	b, _ := json.Marshal(clean) // strings always encode
	return string(b)
}

func idSet(values []int64) string {
	b, _ := json.Marshal(values) // so do integers
	return string(b)
}

const inSet = `IN (SELECT value FROM json_each(?))`

// insert writes INSERT with a mark for each column.
func insert(table, columns string) string {
	return "INSERT INTO " + table + " (" + columns + ") VALUES (" + marks(columns) + ")"
}

func marks(columns string) string {
	return strings.Repeat("?, ", strings.Count(columns, ",")) + "?"
}

// excluded names the same columns of the row that an upsert could not insert.
func excluded(columns string) string {
	names := strings.Split(columns, ",")
	for i, name := range names {
		names[i] = "excluded." + strings.TrimSpace(name)
	}
	return strings.Join(names, ", ")
}

// pool runs reads on any free reader.
type pool struct {
	db       *sql.DB
	mu       sync.Mutex
	prepared map[string]*sql.Stmt
}

func (p *pool) statement(ctx context.Context, query string) (*sql.Stmt, error) {
	p.mu.Lock()
	stmt := p.prepared[query]
	p.mu.Unlock()
	if stmt != nil {
		return stmt, nil
	}
	// Preparing may wait for a free reader, so not under the lock.
	stmt, err := p.db.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if first := p.prepared[query]; first != nil {
		return first, stmt.Close() //nolint:sqlclosecheck // the other one is used from now on
	}
	p.prepared[query] = stmt
	return stmt, nil
}

func (p *pool) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	stmt, err := p.statement(ctx, query) //nolint:sqlclosecheck // prepared once, closed with the store
	if err != nil {
		return nil, err
	}
	return stmt.QueryContext(ctx, row.Args(args)...)
}

func (p *pool) snapshot(ctx context.Context, fn func(queryer) error) error {
	tx, err := p.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return fmt.Errorf("begin to read: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	return fn(snapshot{tx})
}

type snapshot struct{ tx *sql.Tx }

func (s snapshot) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return s.tx.QueryContext(ctx, query, row.Args(args)...)
}

func (s snapshot) snapshot(_ context.Context, fn func(queryer) error) error { return fn(s) }
