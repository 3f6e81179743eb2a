package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/row"
)

// maxAttempts bounds how often a transaction runs that PostgreSQL chose to fail,
// or that lost its connection. The pauses add up to about a second.
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
	if err := cmp.Or(t.err, ctx.Err()); err != nil {
		return commit, err
	}
	// Who gives up while the server commits would not know how it ended.
	steady, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitPatience)
	defer cancel()
	if err := conn.Commit(steady); err != nil {
		return commit, &commitError{err}
	}
	return t.commit, nil
}

// commitPatience is for a server that does not answer any more.
const commitPatience = 30 * time.Second

// rollback outlives the context that may be why we roll back.
func rollback(ctx context.Context, tx pgx.Tx) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return tx.Rollback(ctx)
}

// retryable says that running the transaction again may help and cannot do
// harm: PostgreSQL failed it to resolve a conflict, or the connection went
// before the commit.
func retryable(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code == serializationFailure || e.Code == deadlockDetected || strings.HasPrefix(e.Code, shutdownClass)
	}
	var unknown *commitError
	var network net.Error
	return !errors.As(err, &unknown) &&
		(pgconn.SafeToRetry(err) || errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF))
}

// SQLSTATE values. A server that shuts down or starts says so in class 57P.
const (
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	shutdownClass        = "57P"
)

// commitError is a commit without an answer: it may have happened.
type commitError struct{ err error }

func (e *commitError) Error() string { return "commit: " + e.err.Error() }
func (e *commitError) Unwrap() error { return e.err }

// tx is a transaction.
type tx struct {
	reader
	store  *Store
	conn   pgx.Tx
	commit storage.Commit
	locked bool
	// revision is the newest of the feed, once locked.
	revision int64
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
