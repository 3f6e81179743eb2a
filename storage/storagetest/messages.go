package storagetest

import (
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/callboard/callboard/storage"
)

func message(key string) storage.Message {
	return storage.Message{
		Topic: "t", Key: key, Payload: json.RawMessage(`{"n":1}`), CreatedAt: day0,
		Cause: storage.Cause{Reason: storage.ReasonPush, Delivery: "g1", Pusher: "ann <a&b>"},
	}
}

func ids(ms []storage.Message) []int64 {
	var all []int64
	for _, m := range ms {
		all = append(all, m.ID)
	}
	return all
}

// add stores messages and answers their ids.
func (f fixture) add(ms ...storage.Message) (added []int64) {
	f.Helper()
	f.write(func(tx writes) { added = must(tx.AddMessages(tx.ctx, ms)) })
	return added
}

func (f fixture) pending(key string, now time.Duration) []storage.Message {
	f.Helper()
	return get[[]storage.Message](f)(f.store.PendingMessages(f.Context(), "t", key, at(now)))
}

func (f fixture) pendingIn(tx writes, key string) []storage.Message {
	return must(tx.PendingMessages(tx.ctx, "t", key, at(0)))
}

// raceToFinish lets several finish the same messages and add an effect, in
// transactions that overlap as far as the database lets them.
func raceToFinish(f fixture) {
	const rounds, racers = 10, 4
	for range rounds {
		got := f.add(message("k"), message("k"))
		var won atomic.Int32
		var wg sync.WaitGroup
		for range racers {
			wg.Go(func() {
				err := f.try(func(tx writes) {
					tx.do(tx.FinishMessages(tx.ctx, got, at(0)))
					must(tx.AddMessages(tx.ctx, []storage.Message{message("effect")}))
				})
				switch {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, storage.ErrStale):
					f.Errorf("finish: %v", err)
				}
			})
		}
		wg.Wait()
		same(f, "winners", int32(1), won.Load())
	}
	same(f, "effects", rounds, len(f.pending("effect", 0)))
}

func (f fixture) swept(now, quiet time.Duration) []int64 {
	f.Helper()
	return ids(get[[]storage.Message](f)(f.store.SweepMessages(f.Context(), at(now), at(quiet), 100)))
}

var messages = []scenario{
	{"a message is kept as it came and runs when it was made", func(f fixture) {
		m := message("k")
		got := f.add(m, message("other"), m)
		if got[0] >= got[1] || got[1] >= got[2] {
			f.Errorf("ids %v do not rise", got)
		}
		same(f, "before it is due", 0, len(f.pending("k", -time.Microsecond)))
		want := []storage.Message{m, m}
		want[0].ID, want[0].RunAfter = got[0], day0
		want[1].ID, want[1].RunAfter = got[2], day0
		same(f, "pending", want, f.pending("k", 0))
		same(f, "of another topic", 0, len(get[[]storage.Message](f)(f.store.PendingMessages(f.Context(), "u", "k", at(0)))))
	}},
	{"without CreatedAt it is made now", func(f fixture) {
		before := time.Now()
		f.add(storage.Message{Topic: "t", Key: "k"})
		got := get[[]storage.Message](f)(f.store.PendingMessages(f.Context(), "t", "k", time.Now().Add(time.Second)))
		if len(got) != 1 || got[0].CreatedAt.Before(before.Add(-time.Second)) || !got[0].RunAfter.Equal(got[0].CreatedAt) || got[0].Payload != nil {
			f.Errorf("got %+v", got)
		}
	}},
	{"done and parked messages are not pending", func(f fixture) {
		got := f.add(message("k"), message("k"), message("k"))
		f.write(func(tx writes) {
			tx.do(tx.FinishMessages(tx.ctx, got[:1], at(time.Second)))
			tx.do(tx.ParkMessages(tx.ctx, got[1:2], at(time.Second), "broken"))
		})
		same(f, "pending", got[2:], ids(f.pending("k", time.Hour)))
		same(f, "to sweep", got[2:], f.swept(time.Hour, time.Hour))
		n, oldest, err := f.store.MessageBacklog(f.Context())
		same(f, "backlog", 1, n)
		same(f, "oldest", day0, oldest)
		wantErr(f, err, nil)
	}},
	{"undone messages are those that are due, wait or are parked", func(f fixture) {
		got := f.add(message("k"), message("k"), message("k"), message("k"), message("other"))
		f.write(func(tx writes) {
			tx.do(tx.FinishMessages(tx.ctx, got[:1], at(time.Second)))
			tx.do(tx.ParkMessages(tx.ctx, got[1:2], at(time.Second), "broken"))
			tx.do(tx.RetryMessages(tx.ctx, got[2:3], at(time.Hour), "502"))
			same(f, "undone", got[1:4], ids(must(tx.UndoneMessages(tx.ctx, "t", "k"))))
		})
		same(f, "of several keys", 4, len(get[[]storage.Message](f)(f.store.UndoneMessages(f.Context(), "t", "other", "k", "none"))))
		same(f, "of no key", 0, len(get[[]storage.Message](f)(f.store.UndoneMessages(f.Context(), "t"))))
		same(f, "of another topic", 0, len(get[[]storage.Message](f)(f.store.UndoneMessages(f.Context(), "u", "k"))))
	}},
	{"finishing tells what somebody else has done", func(f fixture) {
		got := f.add(message("k"), message("k"), message("k"))
		f.write(func(tx writes) {
			tx.do(tx.ParkMessages(tx.ctx, got[:1], at(0), "parked is not done"))
			tx.do(tx.FinishMessages(tx.ctx, []int64{got[0], got[1], got[1]}, at(0)))
		})
		err := f.try(func(tx writes) {
			err := tx.FinishMessages(tx.ctx, got[1:], at(0))
			wantErr(f, err, storage.ErrStale)
			same(f, "the rest is done", 0, len(f.pendingIn(tx, "k")))
			tx.do(err)
		})
		wantErr(f, err, storage.ErrStale)
		same(f, "after the rollback", got[2:], ids(f.pending("k", 0)))
		f.write(func(tx writes) { wantErr(f, tx.FinishMessages(tx.ctx, []int64{1 << 40}, at(0)), storage.ErrStale) })
	}},
	{"of two who finish a message one has it", raceToFinish},
	{"an empty backlog has no oldest", func(f fixture) {
		n, oldest, err := f.store.MessageBacklog(f.Context())
		same(f, "backlog", 0, n)
		same(f, "oldest", time.Time{}, oldest)
		wantErr(f, err, nil)
	}},
	{"a retry counts, a postponement does not", func(f fixture) {
		got := f.add(message("k"), message("k"))
		f.write(func(tx writes) {
			tx.do(tx.RetryMessages(tx.ctx, got[:1], at(time.Minute), "502"))
			tx.do(tx.PostponeMessages(tx.ctx, got[1:], at(time.Hour), "rate limit"))
		})
		same(f, "at once", 0, len(f.pending("k", 0)))
		same(f, "after a minute", got[:1], ids(f.pending("k", time.Minute)))
		all := f.pending("k", time.Hour)
		same(f, "attempts", []int{1, 0}, []int{all[0].Attempts, all[1].Attempts})
		same(f, "errors", []string{"502", "rate limit"}, []string{all[0].Error, all[1].Error})
		same(f, "run after", at(time.Hour), all[1].RunAfter)
	}},
	{"parked messages are listed newest first, and come back", func(f fixture) {
		got := f.add(message("a"), message("b"), message("c"))
		f.write(func(tx writes) {
			tx.do(tx.ParkMessages(tx.ctx, got[1:2], at(time.Second), "one"))
			tx.do(tx.ParkMessages(tx.ctx, []int64{got[0], got[2]}, at(time.Minute), "two"))
		})
		all := get[[]storage.Message](f)(f.store.ParkedMessages(f.Context(), 10))
		same(f, "parked", []int64{got[2], got[0], got[1]}, ids(all))
		same(f, "error", "one", all[2].Error)
		same(f, "parked at", at(time.Second), all[2].ParkedAt)
		same(f, "limit", 2, len(get[[]storage.Message](f)(f.store.ParkedMessages(f.Context(), 2))))
		f.write(func(tx writes) {
			tx.do(tx.FinishMessages(tx.ctx, got[:1], at(time.Hour)))
			tx.do(tx.PostponeMessages(tx.ctx, got[1:2], at(time.Hour), ""))
		})
		same(f, "parked after replay", got[2:], ids(get[[]storage.Message](f)(f.store.ParkedMessages(f.Context(), 10))))
		same(f, "pending after replay", got[1:2], ids(f.pending("b", time.Hour)))
	}},
	{"what is done stays done", func(f fixture) {
		got := f.add(message("k"))
		f.write(func(tx writes) { tx.do(tx.FinishMessages(tx.ctx, got, time.Time{})) })
		f.write(func(tx writes) {
			tx.do(tx.RetryMessages(tx.ctx, got, at(0), "late"))
			tx.do(tx.PostponeMessages(tx.ctx, got, at(0), "late"))
			tx.do(tx.ParkMessages(tx.ctx, got, at(0), "late"))
		})
		same(f, "pending", 0, len(f.pending("k", time.Hour)))
		same(f, "parked", 0, len(get[[]storage.Message](f)(f.store.ParkedMessages(f.Context(), 10))))
	}},
	{"the sweeper takes what was quiet", func(f fixture) {
		got := f.add(message("k"))
		same(f, "just added", 0, len(f.swept(time.Second, -time.Minute)))
		same(f, "quiet", got, f.swept(time.Minute, time.Second))
		f.write(func(tx writes) { tx.do(tx.MarkSwept(tx.ctx, got, at(time.Minute))) })
		same(f, "just swept", 0, len(f.swept(time.Minute, 0)))
		same(f, "quiet again", got, f.swept(time.Hour, time.Minute+time.Microsecond))
	}},
	{"the sweeper takes what came due, at once and once", func(f fixture) {
		later := message("later")
		later.RunAfter = at(10 * time.Second)
		got := append(f.add(message("failed"), message("postponed")), f.add(later)...)
		f.write(func(tx writes) {
			tx.do(tx.RetryMessages(tx.ctx, got[:1], day0, "now")) // due at the very moment it was made
			tx.do(tx.PostponeMessages(tx.ctx, got[1:2], at(5*time.Second), "wait"))
		})
		quiet := -time.Hour
		same(f, "failed", got[:1], f.swept(0, quiet))
		same(f, "postponed", got[:2], f.swept(5*time.Second, quiet))
		same(f, "made for later", got, f.swept(10*time.Second, quiet))
		f.write(func(tx writes) { tx.do(tx.MarkSwept(tx.ctx, got, at(10*time.Second))) })
		same(f, "once", 0, len(f.swept(20*time.Second, quiet)))
		f.write(func(tx writes) { tx.do(tx.RetryMessages(tx.ctx, got[:1], at(30*time.Second), "again")) })
		same(f, "failed again", got[:1], f.swept(30*time.Second, quiet))
		limited := get[[]storage.Message](f)(f.store.SweepMessages(f.Context(), at(time.Hour), at(time.Hour), 2))
		same(f, "limit", 2, len(limited))
	}},
	{"a long list of ids", func(f fixture) {
		const n = 2000
		ms := make([]storage.Message, n)
		for i := range ms {
			ms[i] = message("k")
		}
		got := f.add(ms...)
		f.write(func(tx writes) { tx.do(tx.FinishMessages(tx.ctx, got[1:], at(0))) })
		same(f, "pending", got[:1], ids(f.pending("k", 0)))
		f.write(func(tx writes) { tx.do(tx.FinishMessages(tx.ctx, nil, at(0))) })
	}},
}
