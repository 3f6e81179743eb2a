package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/row"
)

// queryer runs reads: the pool, one snapshot of it, or a transaction.
type queryer interface {
	query(ctx context.Context, query string, args ...any) (pgx.Rows, error)
	// snapshot runs fn with reads that all see the same catalog.
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
	defer rows.Close()
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

// insert writes INSERT with a placeholder for each column.
func insert(table, columns string) string {
	return "INSERT INTO " + table + " (" + columns + ") VALUES (" + marks(columns) + ")"
}

// insertAll writes one INSERT for any number of rows, of which it takes a list
// per column. Rows are inserted in the order of the lists.
func insertAll(table, columns, types string) string {
	lists, names := strings.Split(types, ", "), make([]string, strings.Count(types, ",")+1)
	for i, t := range lists {
		names[i] = "c" + strconv.Itoa(i)
		lists[i] = "$" + strconv.Itoa(i+1) + "::" + t + "[]"
	}
	return "INSERT INTO " + table + " (" + columns + ") SELECT " + strings.Join(names, ", ") + " FROM unnest(" +
		strings.Join(lists, ", ") + ") WITH ORDINALITY AS rows (" + strings.Join(names, ", ") + ", n) ORDER BY n"
}

// columns makes rows the arguments of insertAll.
func columns(rows [][]any) []any {
	lists := make([]any, len(rows[0]))
	for i := range lists {
		list := make([]any, len(rows))
		for j, r := range rows {
			list[j] = r[i]
		}
		lists[i] = row.Args(list)
	}
	return lists
}

func marks(columns string) string {
	n := strings.Count(columns, ",") + 1
	all := make([]string, n)
	for i := range all {
		all[i] = "$" + strconv.Itoa(i+1)
	}
	return strings.Join(all, ", ")
}

// excluded names the same columns of the row that an upsert could not insert.
func excluded(columns string) string {
	names := strings.Split(columns, ",")
	for i, name := range names {
		names[i] = "excluded." + strings.TrimSpace(name)
	}
	return strings.Join(names, ", ")
}

// pool runs reads on any free connection.
type pool struct{ *pgxpool.Pool }

func (p pool) query(ctx context.Context, query string, args ...any) (pgx.Rows, error) {
	return p.Query(ctx, query, row.Args(args)...)
}

func (p pool) snapshot(ctx context.Context, fn func(queryer) error) error {
	tx, err := p.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return fmt.Errorf("begin to read: %w", err)
	}
	// Nothing was written, so its error says nothing.
	defer func() { _ = rollback(ctx, tx) }()
	return fn(snapshot{tx})
}

type snapshot struct{ tx pgx.Tx }

func (s snapshot) query(ctx context.Context, query string, args ...any) (pgx.Rows, error) {
	return s.tx.Query(ctx, query, row.Args(args)...)
}

func (s snapshot) snapshot(_ context.Context, fn func(queryer) error) error { return fn(s) }
