// Package sqlite keeps Callboard's data in one SQLite file: the embedded size.
//
// It owns the SQL of that dialect and the one writer. It filters nothing in
// memory, and promises what storage says and storagetest proves.
//
//	store, err := sqlite.Open(ctx, "/var/lib/callboard/callboard.db")
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/migrate"
)

//go:embed migrations/*.sql
var migrations embed.FS

// readers is how many reads may run at once beside the writer.
const readers = 4

// Store is a storage.Store in a file.
type Store struct {
	reader
	pool     *sql.DB
	writer   *writer
	now      func() time.Time
	log      *slog.Logger
	onCommit []func(storage.Commit)
}

var _ storage.Store = (*Store)(nil)

// Option changes what Open does by default.
type Option func(*Store)

// WithLogger sets where migrations are reported; without it, nowhere.
func WithLogger(log *slog.Logger) Option { return func(s *Store) { s.log = log } }

// WithClock replaces time.Now, which gives a message its time when the caller
// did not.
func WithClock(now func() time.Time) Option { return func(s *Store) { s.now = now } }

// Open opens or makes the file at path, and its folder, and migrates it.
// Close releases it.
func Open(ctx context.Context, path string, opts ...Option) (*Store, error) {
	s := &Store{now: time.Now, log: slog.New(slog.DiscardHandler)}
	for _, opt := range opts {
		opt(s)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("make the database folder: %w", err)
	}
	if err := s.open(ctx, path); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", path, err), s.Close())
	}
	return s, nil
}

func (s *Store) open(ctx context.Context, path string) error {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	// An accepted webhook must survive a power cut, so synchronous is FULL.
	write, err := sql.Open("sqlite", dsn(path, "synchronous(FULL)", "immediate"))
	if err != nil {
		return err
	}
	write.SetMaxOpenConns(1)
	s.writer = newWriter(write)
	if err := migrate.SQLite(ctx, write, sub, s.log); err != nil {
		return err
	}
	if err := s.writer.connect(ctx); err != nil {
		return err
	}
	s.pool, err = sql.Open("sqlite", dsn(path, "query_only(1)", "deferred"))
	if err != nil {
		return err
	}
	s.pool.SetMaxOpenConns(readers)
	s.pool.SetMaxIdleConns(readers)
	p := &pool{db: s.pool, prepared: map[string]*sql.Stmt{}}
	s.reader = reader{queryer: p}
	return s.Ping(ctx)
}

// dsn puts the settings where every pooled connection finds them. busy_timeout
// comes first, because switching to WAL may itself have to wait.
func dsn(path, pragma, txlock string) string {
	q := url.Values{
		"_pragma": {"busy_timeout(5000)", "journal_mode(WAL)", "foreign_keys(1)", pragma},
		"_txlock": {txlock},
	}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String()
}

// OnCommit is storage.Store's. SQLite does not tell of other processes' commits.
func (s *Store) OnCommit(fn func(storage.Commit)) { s.onCommit = append(s.onCommit, fn) }

// Ping reads one row.
func (s *Store) Ping(ctx context.Context) error {
	if _, err := s.Revision(ctx); err != nil {
		return fmt.Errorf("ping the database: %w", err)
	}
	return nil
}

// Close waits for the running transaction and closes the file.
func (s *Store) Close() error {
	var errs []error
	if s.pool != nil {
		errs = append(errs, s.pool.Close())
	}
	if s.writer != nil {
		errs = append(errs, s.writer.close())
	}
	return errors.Join(errs...)
}
