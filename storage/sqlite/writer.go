package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"sync/atomic"
)

// writer is the one connection that writes. It speaks BEGIN and COMMIT itself:
// statements prepared on the connection can then be used in every transaction
// (database/sql would prepare them anew each time), and a context that ends
// cannot tear the connection down in the middle.
type writer struct {
	db      *sql.DB
	conn    *sql.Conn
	turn    chan struct{} // holds a token while the writer is free
	waiting atomic.Int32  // how many want the turn
	closed  chan struct{}
	closing sync.Once

	// Only who has the turn touches these.
	open     *group // what is begun and not committed, or nil
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
			errs = append(errs, w.flush(context.Background()))
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
	stmt, err := w.statement(ctx, query) //nolint:sqlclosecheck // prepared once, closed with the store
	if err != nil {
		return nil, err
	}
	return stmt.ExecContext(ctx, args...)
}
