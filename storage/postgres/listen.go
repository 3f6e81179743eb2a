package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/callboard/callboard/storage"
)

// channel carries "<instance> <revision>" from the transactions that add changes.
const channel = "callboard_changes"

const (
	// pulse is how long the connection may be silent before it is tried out. A
	// connection whose other end is gone without a word looks just so.
	pulse = 30 * time.Second
	// patience bounds an answer on that connection, and a new connection.
	patience = 10 * time.Second
	// reconnect is the longest pause between two attempts.
	reconnect = 5 * time.Second
)

// listen makes a connection of its own: a pooled one would lose the LISTEN.
func listen(ctx context.Context, config *pgx.ConnConfig) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect to listen: %w", err)
	}
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return nil, errors.Join(fmt.Errorf("listen: %w", err), conn.Close(ctx))
	}
	return conn, nil
}

// follow hears notifications until ctx ends, over one connection after another.
func (s *Store) follow(ctx context.Context, config *pgx.ConnConfig, conn *pgx.Conn) {
	for pause := time.Duration(0); ; {
		if conn != nil {
			pause = 0
			err := s.hear(ctx, conn)
			// The server may be gone: do not wait for it to say good-bye.
			bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			_ = conn.Close(bounded)
			cancel()
			if ctx.Err() != nil {
				return
			}
			s.log.WarnContext(ctx, "database notifications lost, connecting again", "error", err)
		}
		if !wait(ctx, rand.N(pause+time.Millisecond)) {
			return
		}
		pause = min(2*pause+50*time.Millisecond, reconnect)
		var err error
		if conn, err = listen(ctx, config); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "database notifications unavailable", "error", err)
		}
	}
}

// hear passes on notifications of one connection until it breaks. It begins
// with the newest revision: what was sent while nobody listened is not kept.
func (s *Store) hear(ctx context.Context, conn *pgx.Conn) error {
	for {
		if err := s.catchUp(ctx, conn); err != nil {
			return err
		}
		if err := s.hearUntil(ctx, conn); err != nil {
			return err
		}
	}
}

func (s *Store) catchUp(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var revision int64
	if err := conn.QueryRow(ctx, selectRevision).Scan(&revision); err != nil {
		return fmt.Errorf("read the revision: %w", err)
	}
	s.tellForeign(revision)
	return nil
}

// hearUntil returns nil after a silent pulse.
func (s *Store) hearUntil(ctx context.Context, conn *pgx.Conn) error {
	for {
		silence, cancel := context.WithTimeout(ctx, pulse)
		n, err := conn.WaitForNotification(silence)
		cancel()
		switch {
		case err == nil:
			instance, revision, _ := strings.Cut(n.Payload, " ")
			if instance == s.instance {
				continue // InTx told of it
			}
			newest, err := strconv.ParseInt(revision, 10, 64)
			if err != nil {
				continue // not ours: anybody may notify on a channel
			}
			s.tellForeign(newest)
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, context.DeadlineExceeded) && !conn.IsClosed():
			return nil
		default:
			return err
		}
	}
}

// tellForeign passes on a revision of another process unless it is old news.
func (s *Store) tellForeign(revision int64) {
	s.mu.Lock()
	news := revision > s.told
	s.mu.Unlock()
	if news {
		s.tell(storage.Commit{Revision: revision})
	}
}

// wait says whether d passed before ctx ended.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
