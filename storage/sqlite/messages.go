package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/row"
)

// open must be written as the partial indexes have it, or they are not used.
const (
	selectMessages = `SELECT id, ` + row.MessageColumns + ` FROM messages WHERE `
	open           = `done_at = 0 AND parked_at = 0`
)

const (
	pendingMessages = selectMessages + open + ` AND topic = ? AND key = ? AND run_after <= ? ORDER BY id`
	undoneMessages  = selectMessages + `done_at = 0 AND topic = ? AND key ` + inSet + ` ORDER BY id`
)

func (r reader) PendingMessages(ctx context.Context, topic, key string, now time.Time) ([]storage.Message, error) {
	all, err := collect(ctx, r, row.ScanMessage, pendingMessages, topic, key, row.Micros(now))
	if err != nil {
		return nil, fmt.Errorf("read pending messages of %s %s: %w", topic, key, err)
	}
	return all, nil
}

func (r reader) UndoneMessages(ctx context.Context, topic string, keys ...string) ([]storage.Message, error) {
	all, err := collect(ctx, r, row.ScanMessage, undoneMessages, topic, textSet(keys))
	if err != nil {
		return nil, fmt.Errorf("read undone messages of %s %q: %w", topic, keys, err)
	}
	return all, nil
}

// A message is swept when it became due after its last wake-up (it was added,
// swept or tried before run_after), or when that wake-up led to nothing for too
// long.
const sweepMessages = selectMessages + open + ` AND run_after <= ?1
	AND (swept_at < run_after AND (attempts > 0 OR created_at < run_after) OR created_at < ?2 AND swept_at < ?2)
	ORDER BY run_after, id LIMIT ?3`

func (r reader) SweepMessages(ctx context.Context, now, quietSince time.Time, limit int) ([]storage.Message, error) {
	all, err := collect(ctx, r, row.ScanMessage, sweepMessages, row.Micros(now), row.Micros(quietSince), limit)
	if err != nil {
		return nil, fmt.Errorf("sweep messages: %w", err)
	}
	return all, nil
}

const parkedMessages = selectMessages + `done_at = 0 AND parked_at <> 0 ORDER BY parked_at DESC, id DESC LIMIT ?`

func (r reader) ParkedMessages(ctx context.Context, limit int) ([]storage.Message, error) {
	all, err := collect(ctx, r, row.ScanMessage, parkedMessages, limit)
	if err != nil {
		return nil, fmt.Errorf("list parked messages: %w", err)
	}
	return all, nil
}

const messageBacklog = `SELECT count(*), coalesce(min(created_at), 0) FROM messages WHERE ` + open

func (r reader) MessageBacklog(ctx context.Context) (int, time.Time, error) {
	b, err := one(ctx, r, func(s row.Scanner) (b [2]int64, err error) {
		return b, s.Scan(&b[0], &b[1])
	}, messageBacklog)
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("count messages: %w", err)
	}
	return int(b[0]), row.Time(b[1]), nil
}

var insertMessage = insert("messages", row.MessageColumns) + ` RETURNING id`

func (t *tx) AddMessages(ctx context.Context, msgs []storage.Message) ([]int64, error) {
	if len(msgs) == 0 {
		return nil, nil
	}
	ids := make([]int64, len(msgs))
	now := t.store.now()
	for i, m := range msgs {
		m, due := row.Schedule(m, now)
		id, err := one(ctx, t, number, insertMessage, row.Message(m)...)
		if err != nil {
			return nil, fmt.Errorf("add message %s %s: %w", m.Topic, m.Key, err)
		}
		ids[i], m.ID = id, id
		if due {
			m.Payload = nil
			t.commit.Messages = append(t.commit.Messages, m)
		}
	}
	return ids, nil
}

const (
	finishMessages = `UPDATE messages SET done_at = ?, parked_at = 0 WHERE done_at = 0 AND id ` + inSet
	retryMessages  = `UPDATE messages SET attempts = attempts + 1, run_after = ?, error = ?, parked_at = 0
		WHERE done_at = 0 AND id ` + inSet
	postponeMessages = `UPDATE messages SET run_after = ?, error = ?, parked_at = 0 WHERE done_at = 0 AND id ` + inSet
	parkMessages     = `UPDATE messages SET parked_at = ?, error = ? WHERE done_at = 0 AND id ` + inSet
	markSwept        = `UPDATE messages SET swept_at = ? WHERE done_at = 0 AND id ` + inSet
)

func (t *tx) FinishMessages(ctx context.Context, ids []int64, at time.Time) error {
	ids = row.Last(ids, func(id int64) int64 { return id })
	n, err := t.updateMessages(ctx, "finish", finishMessages, ids, t.micros(at))
	if err == nil && n < len(ids) {
		err = fmt.Errorf("finish messages: %w", storage.ErrStale)
	}
	return err
}

func (t *tx) RetryMessages(ctx context.Context, ids []int64, runAfter time.Time, reason string) error {
	_, err := t.updateMessages(ctx, "retry", retryMessages, ids, row.Micros(runAfter), reason)
	return err
}

func (t *tx) ParkMessages(ctx context.Context, ids []int64, at time.Time, reason string) error {
	_, err := t.updateMessages(ctx, "park", parkMessages, ids, t.micros(at), reason)
	return err
}

func (t *tx) PostponeMessages(ctx context.Context, ids []int64, runAfter time.Time, reason string) error {
	_, err := t.updateMessages(ctx, "postpone", postponeMessages, ids, row.Micros(runAfter), reason)
	return err
}

func (t *tx) MarkSwept(ctx context.Context, ids []int64, at time.Time) error {
	_, err := t.updateMessages(ctx, "mark as swept", markSwept, ids, t.micros(at))
	return err
}

// micros is row.Micros, but the zero time is now: in a column that says when
// something ended, 0 means that it did not.
func (t *tx) micros(at time.Time) int64 {
	if at.IsZero() {
		at = t.store.now()
	}
	return row.Micros(at)
}

// updateMessages says how many were not done. The ids are the last argument.
func (t *tx) updateMessages(ctx context.Context, what, query string, ids []int64, args ...any) (int, error) {
	if len(ids) == 0 {
		return 0, nil
	}
	n, err := t.exec(ctx, query, append(args, idSet(ids))...)
	if err != nil {
		return 0, fmt.Errorf("%s messages: %w", what, err)
	}
	return int(n), nil
}

// A lease that is over at now is anybody's.
const acquireLease = `INSERT INTO leases (name, holder, expires_at) VALUES (?1, ?2, ?3)
	ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
	WHERE leases.holder = excluded.holder OR leases.expires_at <= ?4`

func (t *tx) AcquireLease(ctx context.Context, name, holder string, now, until time.Time) (bool, error) {
	n, err := t.exec(ctx, acquireLease, name, holder, row.Micros(until), row.Micros(now))
	if err != nil {
		return false, fmt.Errorf("acquire lease %s: %w", name, err)
	}
	return n == 1, nil
}
