package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"

	driver "modernc.org/sqlite"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/row"
)

// maxAttempts bounds how often a busy database is tried; each attempt waits for
// busy_timeout already.
const maxAttempts = 3

// InTx is storage.Store's. Transactions run one after the other; those that
// queue share a commit.
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

func (s *Store) inTx(ctx context.Context, fn func(context.Context, storage.Tx) error) (storage.Commit, error) {
	t := &tx{store: s}
	t.reader = reader{queryer: t}
	err := s.writer.run(ctx, func() error {
		// Afterwards, even after a panic, the transaction is of no use.
		defer t.fail(errOver)
		err := fn(ctx, t)
		return cmp.Or(err, t.err)
	})
	return t.commit, err
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

func (t *tx) fail(err error) {
	if t.err == nil {
		t.err = err
	}
}

func (t *tx) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := cmp.Or(t.err, ctx.Err()); err != nil {
		return nil, err
	}
	ctx = context.WithoutCancel(ctx)
	stmt, err := t.store.writer.statement(ctx, query) //nolint:sqlclosecheck // prepared once, closed with the store
	if err != nil {
		t.fail(err)
		return nil, err
	}
	rows, err := stmt.QueryContext(ctx, row.Args(args)...)
	if err != nil {
		t.fail(err)
	}
	return rows, err
}

// snapshot is what a transaction is.
func (t *tx) snapshot(_ context.Context, fn func(queryer) error) error { return fn(t) }

// exec runs a statement and says how many rows it touched.
func (t *tx) exec(ctx context.Context, query string, args ...any) (int64, error) {
	if err := cmp.Or(t.err, ctx.Err()); err != nil {
		return 0, err
	}
	res, err := t.store.writer.exec(context.WithoutCancel(ctx), query, row.Args(args)...)
	if err != nil {
		t.fail(err)
		return 0, err
	}
	return res.RowsAffected()
}
