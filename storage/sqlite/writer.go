package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	driver "modernc.org/sqlite"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/row"
)

// writer is the one connection that writes. It speaks BEGIN and COMMIT itself:
// statements prepared on the connection can then be used in every transaction
// (database/sql would prepare them anew each time), and a context that ends
// cannot tear the connection down in the middle.
type writer struct {
	db       *sql.DB
	conn     *sql.Conn
	turn     chan struct{} // holds a token while the writer is free
	closed   chan struct{}
	closing  sync.Once
	prepared map[string]*sql.Stmt
}

func newWriter(db *sql.DB) *writer {
	return &writer{
		db: db, turn: make(chan struct{}, 1), closed: make(chan struct{}), prepared: map[string]*sql.Stmt{},
	}
}

func (w *writer) connect(ctx context.Context) (err error) {
	w.conn, err = w.db.Conn(ctx)
	if err == nil {
		w.turn <- struct{}{}
	}
	return err
}

func (w *writer) close() (err error) {
	w.closing.Do(func() {
		close(w.closed)
		var errs []error
		if w.conn != nil {
			<-w.turn
			for _, stmt := range w.prepared {
				errs = append(errs, stmt.Close())
			}
			errs = append(errs, w.conn.Close())
		}
		err = errors.Join(append(errs, w.db.Close())...)
	})
	return err
}

// statement prepares a query once. It is only called by who has the turn.
func (w *writer) statement(ctx context.Context, query string) (*sql.Stmt, error) {
	if stmt, ok := w.prepared[query]; ok {
		return stmt, nil
	}
	stmt, err := w.conn.PrepareContext(ctx, query)
	if err == nil {
		w.prepared[query] = stmt
	}
	return stmt, err
}

func (w *writer) exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	stmt, err := w.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	return stmt.ExecContext(ctx, args...)
}

// maxAttempts bounds how often a busy database is tried; each attempt waits for
// busy_timeout already.
const maxAttempts = 3

// InTx is storage.Store's. Transactions run one after the other.
func (s *Store) InTx(ctx context.Context, fn func(context.Context, storage.Tx) error) error {
	for attempt := 1; ; attempt++ {
		commit, err := s.inTx(ctx, fn)
		if err == nil {
			if len(commit.Messages) > 0 || commit.Revision > 0 {
				for _, f := range s.onCommit {
					f(commit)
				}
			}
			return nil
		}
		if attempt == maxAttempts || !busy(err) || ctx.Err() != nil {
			return err
		}
	}
}

func (s *Store) inTx(ctx context.Context, fn func(context.Context, storage.Tx) error) (commit storage.Commit, err error) {
	w := s.writer
	select {
	case <-w.turn:
	case <-w.closed:
		return commit, sql.ErrConnDone
	case <-ctx.Done():
		return commit, fmt.Errorf("wait for the writer: %w", ctx.Err())
	}
	defer func() { w.turn <- struct{}{} }()
	if err := ctx.Err(); err != nil {
		return commit, err
	}

	// From here on no statement is interrupted: SQLite would roll the whole
	// transaction back under us. tx looks at ctx between statements instead.
	steady := context.WithoutCancel(ctx)
	if _, err := w.exec(steady, "BEGIN IMMEDIATE"); err != nil {
		return commit, fmt.Errorf("begin: %w", err)
	}
	tx := newTx(s)
	committed := false
	defer func() { // also on panic
		tx.end(errOver)
		if !committed {
			// The error is of no use: a transaction that is gone is what we want.
			_, _ = w.exec(steady, "ROLLBACK")
		}
	}()
	if err := fn(ctx, tx); err != nil {
		return commit, err
	}
	if err := errors.Join(tx.err, ctx.Err()); err != nil {
		return commit, err
	}
	if _, err := w.exec(steady, "COMMIT"); err != nil {
		return commit, fmt.Errorf("commit: %w", err)
	}
	committed = true
	return tx.commit, nil
}

// busy says that another process held the database for longer than busy_timeout.
func busy(err error) bool {
	var e *driver.Error
	const sqliteBusy = 5
	return errors.As(err, &e) && e.Code()&0xff == sqliteBusy
}

var errOver = errors.New("the transaction is over")

// tx is a transaction of the writer.
type tx struct {
	reader
	store  *Store
	commit storage.Commit
	locked bool
	// err is the first error of a statement. It dooms the transaction, as it does
	// in PostgreSQL: whoever swallows an error must not commit half of his work.
	err error
}

var _ storage.Tx = (*tx)(nil)

func newTx(s *Store) *tx {
	t := &tx{store: s}
	t.reader = reader{queryer: t}
	return t
}

func (t *tx) end(err error) {
	if t.err == nil {
		t.err = err
	}
}

func (t *tx) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := errors.Join(t.err, ctx.Err()); err != nil {
		return nil, err
	}
	ctx = context.WithoutCancel(ctx)
	stmt, err := t.store.writer.statement(ctx, query)
	if err != nil {
		t.end(err)
		return nil, err
	}
	rows, err := stmt.QueryContext(ctx, row.Args(args)...)
	if err != nil {
		t.end(err)
	}
	return rows, err
}

// snapshot is what a transaction is.
func (t *tx) snapshot(_ context.Context, fn func(queryer) error) error { return fn(t) }

// exec runs a statement and says how many rows it touched.
func (t *tx) exec(ctx context.Context, query string, args ...any) (int64, error) {
	if err := errors.Join(t.err, ctx.Err()); err != nil {
		return 0, err
	}
	res, err := t.store.writer.exec(context.WithoutCancel(ctx), query, row.Args(args)...)
	if err != nil {
		t.end(err)
		return 0, err
	}
	return res.RowsAffected()
}
