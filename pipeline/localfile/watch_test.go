package localfile

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/sqlite"
)

// watching is a watcher of a store in which somebody has read these files.
type watching struct {
	*Watcher
	t     *testing.T
	store *sqlite.Store
	asked int
}

func (w *watching) write(fn func(ctx context.Context, tx storage.Tx) error) {
	w.t.Helper()
	must(w.t, w.store.InTx(w.t.Context(), fn))
}

// read notes that the files were read.
func (w *watching) read(at time.Time, files ...storage.File) {
	w.t.Helper()
	w.write(func(ctx context.Context, tx storage.Tx) error {
		repo := w.Source
		if before, err := tx.Repository(ctx, repo.ID); err == nil {
			repo.Version = before.Version
		}
		repo.AppliedAt = at
		if _, err := tx.PutRepository(ctx, repo); err != nil {
			return err
		}
		for i := range files {
			files[i].RepositoryID = repo.ID
		}
		return tx.PutFiles(ctx, files)
	})
}

// expect looks, and says how many looks at the files were asked for.
func (w *watching) expect(what string, asked int) {
	w.t.Helper()
	must(w.t, w.look(w.t.Context()))
	msgs, err := w.store.UndoneMessages(w.t.Context(), event.TopicFiles, event.FilesKey)
	must(w.t, err)
	if got := len(msgs) - w.asked; got != asked {
		w.t.Errorf("%s: asked for %d looks, want %d", what, got, asked)
	}
	w.asked = len(msgs)
}

func watch(t *testing.T, targets ...string) *watching {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "x.db"))
	must(t, err)
	t.Cleanup(func() { must(t, store.Close()) })
	w := &watching{t: t, store: store, Watcher: &Watcher{
		Store: store, Source: storage.Repository{ID: -7, Owner: event.FilesOwner, Name: event.FilesName}, Log: slog.New(slog.DiscardHandler), version: -1,
	}}
	w.write(func(ctx context.Context, tx storage.Tx) error {
		all := locations(t, targets...)
		for i := range all {
			all[i].ID, all[i].Source = all[i].Target, "config"
		}
		return tx.ReplaceLocations(ctx, "config", all)
	})
	return w
}

func TestWatcher(t *testing.T) {
	t.Parallel()
	dir, _ := place(t, "all.yaml", "text.md", "globs/x/a.yaml", "other.md")
	in := func(name string) string { return filepath.Join(dir, name) }
	hour := time.Now().Add(-time.Hour)
	touch := func(name string, at time.Time) {
		t.Helper()
		must(t, os.Chtimes(in(name), at, at))
	}
	for _, name := range []string{"all.yaml", "text.md", "globs/x/a.yaml", "globs", "globs/x"} {
		touch(name, hour)
	}
	w := watch(t, in("all.yaml"), in("none.yaml"))
	w.expect("nothing was read yet", 0)
	all := storage.File{Path: short(in("all.yaml")), Inputs: map[string]string{short(in("text.md")): "x"}, Targets: []string{short(in("globs/*/*.yaml"))}}
	a := storage.File{Path: short(in("globs/x/a.yaml"))}
	w.read(time.Now(), all, a)
	w.expect("everything is old", 0)
	w.expect("and still is", 0)
	steps := []struct {
		name  string
		do    func()
		asked int
	}{
		{"a file", func() { touch("all.yaml", hour.Add(time.Second)) }, 1},
		{"what a placeholder names", func() { touch("text.md", hour.Add(time.Second)) }, 1},
		{"what nobody reads", func() { touch("other.md", time.Now()) }, 0},
		{"a folder of a glob", func() { must(t, os.WriteFile(in("globs/x/b.yaml"), nil, 0o600)) }, 1},
		{"a file that was missing", func() { must(t, os.WriteFile(in("none.yaml"), nil, 0o600)) }, 1},
		{"a file that goes", func() { must(t, os.Remove(in("globs/x/a.yaml"))) }, 1},
	}
	for _, tt := range steps {
		tt.do()
		w.expect(tt.name, tt.asked)
		w.expect(tt.name+", a moment later", 0)
	}
	// What changed while it was read is looked at once more.
	must(t, os.WriteFile(in("new.yaml"), nil, 0o600))
	w.read(time.Now().Add(-time.Minute), storage.File{Path: short(in("new.yaml"))})
	w.expect("younger than what was read", 1)
	w.expect("younger than what was read, a moment later", 0)
}

func TestWatcherEnds(t *testing.T) {
	t.Parallel()
	w := watch(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	must(t, w.Run(ctx))
}

func BenchmarkIdle(b *testing.B) {
	dir, _ := place(b, "all.yaml")
	paths := make([]string, 200)
	for i := range paths {
		paths[i] = short(filepath.Join(dir, "all.yaml"))
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, p := range paths {
			_ = stampOf(p)
		}
	}
}
