package sqlite_test

import (
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/sqlite"
	"github.com/callboard/callboard/storage/storagetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, path string) storage.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path)
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
	storagetest.Run(t, func(t *testing.T) storage.Store {
		return open(t, filepath.Join(t.TempDir(), "callboard.db"))
	})
}

func TestShared(t *testing.T) {
	t.Parallel()
	storagetest.RunShared(t, func(t *testing.T) storagetest.Opener {
		path := filepath.Join(t.TempDir(), "callboard.db")
		return func(t *testing.T) storage.Store { return open(t, path) }
	})
}

func BenchmarkStore(b *testing.B) {
	storagetest.Benchmark(b, func(b *testing.B) storage.Store {
		return open(b, filepath.Join(b.TempDir(), "callboard.db"))
	})
}
