// Package postgres keeps Callboard's data in PostgreSQL: the production size,
// any number of replicas on one database.
//
// It owns the SQL of that dialect, and the notifications by which replicas
// learn of each other's changes. It filters nothing in memory, and promises
// what storage says and storagetest proves.
//
//	store, err := postgres.Open(ctx, "postgres://callboard@db/callboard")
package postgres

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/migrate"
)

//go:embed migrations/*.sql
var migrations embed.FS

// maxConns is the size of the pool unless the DSN has pool_max_conns. Waiting
// commits share a flush, so some more than cores pays.
const maxConns = 16

// planAnew has a statement planned at each execution. The plan that PostgreSQL
// would keep is one for the size that tables had when the connection was young:
// empty at the first start, where reading all of a table looks cheapest. Measured
// with 2,000 repositories coming in: 3 s instead of 11 s in the server. Nothing
// here runs so long that compiling its plan pays: a load of 100,000 entities
// takes a second, and compiling a seventh of one.
const planAnew = "SET plan_cache_mode = force_custom_plan; SET jit = off"

// Store is a storage.Store in a database.
type Store struct {
	reader
	pool     *pgxpool.Pool
	instance string // tells own notifications from others'
	now      func() time.Time
	log      *slog.Logger

	mu       sync.Mutex
	onCommit []func(storage.Commit)
	told     int64 // the highest revision that onCommit heard of

	stopListening context.CancelFunc
	listening     sync.WaitGroup
}

var _ storage.Store = (*Store)(nil)

// Option changes what Open does by default.
type Option func(*Store)

// WithLogger sets where migrations and lost connections are reported; without
// it, nowhere.
func WithLogger(log *slog.Logger) Option { return func(s *Store) { s.log = log } }

// WithClock replaces time.Now, which gives a message its time when the caller
// did not.
func WithClock(now func() time.Time) Option { return func(s *Store) { s.now = now } }

// Open connects, migrates the database and listens for the commits of other
// processes, until Close. ctx bounds the opening only.
func Open(ctx context.Context, dsn string, opts ...Option) (*Store, error) {
	s := &Store{instance: rand.Text(), now: time.Now, log: slog.New(slog.DiscardHandler), stopListening: func() {}}
	for _, opt := range opts {
		opt(s)
	}
	if err := s.open(ctx, dsn); err != nil {
		return nil, errors.Join(fmt.Errorf("open database: %w", err), s.Close())
	}
	return s, nil
}

func (s *Store) open(ctx context.Context, dsn string) error {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return err
	}
	if !strings.Contains(dsn, "pool_max_conns") {
		config.MaxConns = maxConns
	}
	if config.ConnConfig.RuntimeParams["application_name"] == "" {
		config.ConnConfig.RuntimeParams["application_name"] = "callboard"
	}

	config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, planAnew)
		return err
	}

	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	db := stdlib.OpenDB(*config.ConnConfig)
	if err := errors.Join(migrate.Postgres(ctx, db, sub, s.log), db.Close()); err != nil {
		return err
	}

	if s.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return err
	}
	s.reader = reader{pool{s.pool}}
	// The first connection is made here, so that from the first commit on nothing
	// is missed, and a database that cannot be listened to is refused at once.
	conn, err := listen(ctx, config.ConnConfig)
	if err != nil {
		return err
	}
	ctx, s.stopListening = context.WithCancel(context.WithoutCancel(ctx))
	s.listening.Go(func() { s.follow(ctx, config.ConnConfig, conn) })
	return nil
}

// OnCommit is storage.Store's.
func (s *Store) OnCommit(fn func(storage.Commit)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onCommit = append(s.onCommit, fn)
}

// tell passes a commit on.
func (s *Store) tell(commit storage.Commit) {
	s.mu.Lock()
	s.told = max(s.told, commit.Revision)
	fns := s.onCommit
	s.mu.Unlock()
	for _, fn := range fns {
		fn(commit)
	}
}

// Ping asks the server.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.pool.Ping(ctx); err != nil {
		return fmt.Errorf("ping the database: %w", err)
	}
	return nil
}

// Close waits for running transactions and closes the connections.
func (s *Store) Close() error {
	s.stopListening()
	s.listening.Wait()
	if s.pool != nil {
		s.pool.Close()
	}
	return nil
}
