package bus_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/callboard/callboard/pipeline/bus"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/postgres"
	"github.com/callboard/callboard/storage/sqlite"
	"github.com/callboard/callboard/test/services"
)

// BenchmarkBus is the time from the commit of a message to the end of its run,
// one at a time, with a step that does nothing.
func BenchmarkBus(b *testing.B) {
	b.Run("sqlite, memory", func(b *testing.B) {
		store, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "callboard.db"))
		if err != nil {
			b.Fatal(err)
		}
		benchmark(b, store, bus.Memory())
	})
	b.Run("postgres, memory", func(b *testing.B) {
		store, err := postgres.Open(b.Context(), services.Postgres(b))
		if err != nil {
			b.Fatal(err)
		}
		benchmark(b, store, bus.Memory())
	})
	b.Run("postgres, redis", func(b *testing.B) {
		store, err := postgres.Open(b.Context(), services.Postgres(b))
		if err != nil {
			b.Fatal(err)
		}
		transport, err := bus.Redis(bus.RedisConfig{URL: services.Redis(b)})
		if err != nil {
			b.Fatal(err)
		}
		benchmark(b, store, transport)
	})
}

func benchmark(b *testing.B, store storage.Store, transport bus.Transport) {
	defer func() { _ = store.Close() }()
	done := make(chan struct{}, 1)
	work := bus.New(store, transport, bus.Config{Observe: func(bus.Observed) { done <- struct{}{} }},
		slog.New(slog.DiscardHandler), nil)
	bus.Register(work, step{apply: func(context.Context, storage.Tx, []storage.Message) (bus.Outcome, error) {
		return applied, nil
	}})
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- work.Run(ctx) }()
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		n++
		err := store.InTx(ctx, func(ctx context.Context, tx storage.Tx) error {
			_, err := tx.AddMessages(ctx, []storage.Message{{Topic: topic, Key: fmt.Sprint(n), Payload: []byte("{}")}})
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
		<-done
	}
	b.StopTimer()
	cancel()
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
}
