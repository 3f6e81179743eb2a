package bus_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/callboard/callboard/pipeline/bus"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/test/services"
)

// stream is the name that other processes and operators know.
const stream = "callboard:wake.v1"

func redisClient(t *testing.T, url string) *redis.Client {
	opts, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(opts)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// onRedis is a running bus whose wake-ups do go through Redis, with a sweeper
// that comes too late to help.
func onRedis(t *testing.T, url string, steps ...step) *fixture {
	f := newFixture(t, setup{open: sqliteFile, transport: func(t *testing.T) bus.Transport { return redisAt(t, url) }})
	f.cfg.SweepInterval = time.Hour
	f.start(steps...)
	f.linked(redisClient(t, url))
	return f
}

// linked waits until the bus reads from the stream.
func (f *fixture) linked(client *redis.Client) {
	f.t.Helper()
	f.until("the consumer group", func() bool {
		groups, err := client.XInfoGroups(f.t.Context(), stream).Result()
		return err == nil && len(groups) == 1
	})
}

func TestRedisURL(t *testing.T) {
	t.Parallel()
	if _, err := bus.Redis(bus.RedisConfig{URL: "http://localhost"}); err == nil {
		t.Error("a wrong URL was accepted")
	}
}

func TestRedisMalformedEntries(t *testing.T) {
	t.Parallel()
	url := services.Redis(t)
	client := redisClient(t, url)
	f := onRedis(t, url, step{})
	for _, values := range []map[string]any{
		{"x": "y"}, {"topic": ""}, {"key": "k"}, {"topic": "unknown.v1", "key": "k"},
		{"payload": "\xff\x00", "metadata": "\xc1"}, {"topic": strings.Repeat("t", 1<<20), "key": "\x00"},
	} {
		for range 20 { // each consumer gets some
			if err := client.XAdd(t.Context(), &redis.XAddArgs{Stream: stream, Values: values}).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	keys := make([]string, 50)
	for i := range keys {
		keys[i] = fmt.Sprint(i)
	}
	f.add(keys...)
	for range keys {
		f.next()
	}
	f.until("everything is acked", func() bool {
		pending, err := client.XPending(t.Context(), stream, "callboard").Result()
		return err == nil && pending.Count == 0
	})
}

// A foreign hand wakes a key: the stream's two fields are all there is to it.
func TestRedisCarriesWakeUps(t *testing.T) {
	t.Parallel()
	url := services.Redis(t)
	client := redisClient(t, url)
	f := onRedis(t, url, step{})
	other := f.open(t, f.clock)
	defer func() { _ = other.Close() }()
	tx(t, other, func(ctx context.Context, tx storage.Tx) error { // nobody relays this store's commits
		_, err := tx.AddMessages(ctx, []storage.Message{{Topic: topic, Key: "cart", Payload: []byte("{}")}})
		return err
	})
	err := client.XAdd(t.Context(), &redis.XAddArgs{Stream: stream, Values: []string{"topic", topic, "key", "cart"}}).Err()
	if err != nil {
		t.Fatal(err)
	}
	f.nextOf("cart", "applied")
}

// FLUSHALL takes stream and group away. The group comes back by itself, and
// wake-ups published in between are read.
func TestRedisFlush(t *testing.T) {
	t.Parallel()
	url := services.Redis(t)
	client := redisClient(t, url)
	f := onRedis(t, url, step{})
	f.add("before")
	f.nextOf("before", "applied")
	for i := range 3 {
		if err := client.FlushDB(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		key := fmt.Sprint(i)
		f.add(key)
		f.nextOf(key, "applied")
	}
	f.linked(client)
}

// Without Redis the process works on alone, and with it again when it is back.
func TestRedisAway(t *testing.T) {
	t.Parallel()
	server := services.RedisServer(t)
	begun, release := make(chan struct{}), make(chan struct{})
	f := onRedis(t, server.URL, step{plan: func(_ context.Context, msgs []storage.Message) error {
		if msgs[0].Key == "running" {
			close(begun)
			<-release
		}
		return nil
	}})
	ids := f.add("running")
	<-begun
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		key := fmt.Sprintf("away-%d", i)
		ids = append(ids, f.add(key)...)
		f.nextOf(key, "applied")
	}
	close(release)
	f.nextOf("running", "applied")
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	client := redisClient(t, server.URL)
	if err := client.Del(t.Context(), stream).Err(); err != nil { // only who reconnects makes it again
		t.Fatal(err)
	}
	ids = append(ids, f.add("back")...)
	f.nextOf("back", "applied")
	f.linked(client)
	f.until("wake-ups go through the stream again", func() bool {
		id := f.add(fmt.Sprint(time.Now().UnixNano()))
		ids = append(ids, id...)
		n, err := client.XLen(t.Context(), stream).Result()
		return err == nil && n > 0
	})
	f.settled()
	counts := f.effects()
	for _, id := range ids {
		if counts[id] != 1 {
			t.Errorf("message %d had %d effects", id, counts[id])
		}
	}
}

// A process that starts while Redis is away works, and connects later.
func TestRedisStartsAway(t *testing.T) {
	t.Parallel()
	server := services.RedisServer(t)
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, setup{open: sqliteFile, transport: func(t *testing.T) bus.Transport { return redisAt(t, server.URL) }})
	f.start(step{})
	f.add("cart")
	f.nextOf("cart", "applied")
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.linked(redisClient(t, server.URL))
}

// Two processes share the stream, and a sweeper that forgets at once has both
// run the same messages: all is done once, and what one leaves when it ends is
// done by the other.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(*testing.T) func(*testing.T, *clock) storage.Store{
		"sqlite": sqliteFile, "postgres": postgresDatabase,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := services.Redis(t)
			transport := func(t *testing.T) bus.Transport { return redisAt(t, url) }
			first := newFixture(t, setup{open: open, transport: transport})
			second := newFixture(t, setup{
				open:      func(*testing.T) func(*testing.T, *clock) storage.Store { return first.open },
				transport: transport,
			})
			for _, f := range []*fixture{first, second} {
				f.cfg.QuietFor = time.Nanosecond
				f.cfg.SweepInterval = time.Millisecond
				f.start(step{})
			}
			want := map[int64]int{}
			for i := range 100 {
				for _, id := range append(first.add(fmt.Sprint("first-", i)), second.add(fmt.Sprint("second-", i))...) {
					want[id] = 1
				}
				if i == 50 {
					second.stop()
				}
			}
			first.settled()
			if diff := cmp.Diff(want, first.effects()); diff != "" {
				t.Errorf("effects (-want +got):\n%s", diff)
			}
		})
	}
}

// A run that takes longer than wake-ups are trusted is not begun by another
// process as well.
func TestLongRunsAreLeftAlone(t *testing.T) {
	t.Parallel()
	url := services.Redis(t)
	transport := func(t *testing.T) bus.Transport { return redisAt(t, url) }
	first := newFixture(t, setup{open: sqliteFile, transport: transport})
	second := newFixture(t, setup{
		open:      func(*testing.T) func(*testing.T, *clock) storage.Store { return first.open },
		transport: transport,
	})
	var plans counter
	begun, release := make(chan struct{}), make(chan struct{})
	work := step{plan: func(_ context.Context, msgs []storage.Message) error {
		if plans.add(msgs[0].Key, 1) == 1 {
			close(begun)
			<-release
		}
		return nil
	}}
	for _, f := range []*fixture{first, second} {
		f.cfg.QuietFor = 3 * time.Second
	}
	// The second is past the sweep it begins with when it is the sweeper.
	second.start(work)
	second.until("the second is the sweeper", func() (held bool) {
		tx(t, second.store, func(ctx context.Context, tx storage.Tx) error {
			got, err := tx.AcquireLease(ctx, "sweep", "test", second.clock.Now(), second.clock.Now())
			held = !got
			return err
		})
		return held
	})
	first.add("long")
	first.start(work)
	<-begun
	added := first.pending("long")[0].CreatedAt
	first.until("the time of two wake-ups has passed", func() bool {
		return first.pending("long")[0].SweptAt.Sub(added) > 2*first.cfg.QuietFor
	})
	close(release)
	first.settled()
	if n := plans.add("long", 0); n != 1 {
		t.Errorf("%d processes planned the same messages", n)
	}
}
