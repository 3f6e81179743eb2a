package postgres_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/postgres"
	"github.com/callboard/callboard/storage/storagetest"
	"github.com/callboard/callboard/test/services"
)

func TestMain(m *testing.M) {
	// The server of this process ends with it.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/callboard/callboard/test/services.launch.func2"))
}

func open(t testing.TB, dsn string) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func TestConformance(t *testing.T) {
	t.Parallel()
	storagetest.Run(t, func(t *testing.T) storage.Store { return open(t, services.Postgres(t)) })
}

func TestShared(t *testing.T) {
	t.Parallel()
	storagetest.RunShared(t, func(t *testing.T) storagetest.Opener {
		dsn := services.Postgres(t)
		return func(t *testing.T) storage.Store { return open(t, dsn) }
	})
}

func BenchmarkStore(b *testing.B) {
	storagetest.Benchmark(b, func(b *testing.B) storage.Store { return open(b, services.Postgres(b)) })
}
