package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/row"
)

// maxAttempts bounds how often a transaction runs that PostgreSQL chose to fail.
const maxAttempts = 10

// InTx is storage.Store's.
func (s *Store) InTx(ctx context.Context, fn func(context.Context, storage.Tx) error) error {
	for attempt := 1; ; attempt++ {
		commit, err := s.inTx(ctx, fn)
		if err == nil {
			if len(commit.Messages) > 0 || commit.Revision > 0 {
				s.tell(commit)
			}
			return nil
		}
		if attempt == maxAttempts || !retryable(err) || !wait(ctx, rand.N(time.Millisecond<<attempt)) {
			return err
		}
	}
}

// inTx reads committed data: each statement after LockCatalog sees what the
// holders before wrote. A stricter level would fail all who waited.
func (s *Store) inTx(ctx context.Context, fn func(context.Context, storage.Tx) error) (commit storage.Commit, err error) {
	conn, err := s.pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted})
	if err != nil {
		return commit, fmt.Errorf("begin: %w", err)
	}
	defer func() { _ = rollback(ctx, conn) }() // also on panic; after a commit it does nothing
	t := &tx{store: s, conn: conn}
	t.reader = reader{t}
	if err := fn(ctx, t); err != nil {
		return commit, err
	}
	if err := errors.Join(t.err, ctx.Err()); err != nil {
		return commit, err
	}
	if err := conn.Commit(ctx); err != nil {
		return commit, fmt.Errorf("commit: %w", err)
	}
	return t.commit, nil
}

// rollback outlives the context that may be why we roll back.
func rollback(ctx context.Context, tx pgx.Tx) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return tx.Rollback(ctx)
}

// retryable says that PostgreSQL failed the transaction to resolve a conflict,
// or that the connection was gone before anything was sent.
func retryable(err error) bool {
	const serializationFailure, deadlockDetected = "40001", "40P01"
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code == serializationFailure || e.Code == deadlockDetected
	}
	return pgconn.SafeToRetry(err)
}

// tx is a transaction.
type tx struct {
	reader
	store  *Store
	conn   pgx.Tx
	commit storage.Commit
	locked bool
	// err is the first error of a statement. The server dooms a transaction for
	// an error of its own, but not for one that never reached it.
	err error
}

var _ storage.Tx = (*tx)(nil)

func (t *tx) fail(err error) error {
	if t.err == nil {
		t.err = err
	}
	return err
}

func (t *tx) query(ctx context.Context, query string, args ...any) (pgx.Rows, error) {
	if t.err != nil {
		return nil, t.err
	}
	rows, err := t.conn.Query(ctx, query, row.Args(args)...)
	if err != nil {
		return nil, t.fail(err)
	}
	return rows, nil
}

// snapshot holds writers off instead: a transaction reads what is committed, so
// two reads of it could differ.
func (t *tx) snapshot(ctx context.Context, fn func(queryer) error) error {
	if err := t.LockCatalog(ctx); err != nil {
		return err
	}
	return fn(t)
}

// exec runs a statement and says how many rows it touched.
func (t *tx) exec(ctx context.Context, query string, args ...any) (int64, error) {
	if t.err != nil {
		return 0, t.err
	}
	tag, err := t.conn.Exec(ctx, query, row.Args(args)...)
	if err != nil {
		return 0, t.fail(err)
	}
	return tag.RowsAffected(), nil
}

// batch collects statements that go to the server in one round trip.
type batch struct{ pgx.Batch }

func (b *batch) add(query string, args ...any) *pgx.QueuedQuery {
	return b.Queue(query, row.Args(args)...)
}

func (t *tx) send(ctx context.Context, b *batch) error {
	if t.err != nil || b.Len() == 0 {
		return t.err
	}
	if err := t.conn.SendBatch(ctx, &b.Batch).Close(); err != nil {
		return t.fail(err)
	}
	return nil
}
