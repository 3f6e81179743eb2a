package localfile

import (
	"context"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/pipeline/location"
	"github.com/callboard/callboard/pipeline/match"
	"github.com/callboard/callboard/storage"
)

const (
	lookEvery = 5 * time.Second
	// settling is how long before a file was read it may have changed without
	// that it was read as it is: clocks of file systems are coarse.
	settling = 2 * time.Second
)

// Watcher asks for a look at the files when one of them, or a folder that a glob
// looks into, changes. While nothing does it asks the file system for their times
// and the database for one row, and reads nothing.
type Watcher struct {
	Store storage.Store
	// Source is the repository that the files are kept in.
	Source storage.Repository
	Log    *slog.Logger
	// Every is how often it looks, by default 5 s.
	Every time.Duration

	version int64 // of the source that stamps were made for; -1 before the first
	stamps  map[string]stamp
}

// stamp is what changes with a file. It is zero for one that is not there.
type stamp struct {
	at   time.Time
	size int64
	mode fs.FileMode
}

// Run looks until ctx ends, which is no error.
func (w *Watcher) Run(ctx context.Context) error {
	if w.Every == 0 {
		w.Every = lookEvery
	}
	w.version = -1
	tick := time.NewTicker(w.Every)
	defer tick.Stop()
	for {
		if err := w.look(ctx); err != nil && ctx.Err() == nil {
			w.Log.WarnContext(ctx, "look for changed files, trying again", slog.Any(event.LogError, err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// look compares the files with what they were when it looked last.
func (w *Watcher) look(ctx context.Context) error {
	pages, err := w.Store.RepositoriesByID(ctx, []int64{w.Source.ID})
	if err != nil || len(pages) == 0 {
		return err // the first look at the files was asked for at the start
	}
	source := pages[0]
	paths := slices.Collect(maps.Keys(w.stamps))
	renewed := source.Version != w.version
	if renewed {
		if paths, err = w.watched(ctx); err != nil {
			return err
		}
	}
	changed, now := false, make(map[string]stamp, len(paths))
	for _, p := range paths {
		s := stampOf(p)
		before, known := w.stamps[p]
		changed = changed || known && s != before || !known && s.at.After(source.AppliedAt.Add(-settling))
		now[p] = s
	}
	if changed {
		if err := w.ask(ctx); err != nil {
			return err
		}
	}
	w.stamps, w.version = now, source.Version
	return nil
}

func stampOf(p string) stamp {
	info, err := os.Stat(filepath.FromSlash("/" + p))
	if err != nil {
		return stamp{}
	}
	return stamp{info.ModTime(), info.Size(), info.Mode()}
}

// watched are the files that are read, and the folders that globs look into.
func (w *Watcher) watched(ctx context.Context) ([]string, error) {
	locations, err := location.Of(ctx, w.Store, w.Source)
	if err != nil {
		return nil, err
	}
	files, err := w.Store.Files(ctx, w.Source.ID)
	if err != nil {
		return nil, err
	}
	set := map[string]bool{}
	globs := map[string]bool{}
	for _, l := range locations {
		globs[l.Path] = true
	}
	for _, f := range files {
		set[f.Path] = true
		for in := range f.Inputs {
			set[in] = true
		}
		for _, target := range f.Targets {
			globs[target] = true
		}
	}
	for g := range globs {
		p, err := match.Compile(g)
		if err != nil {
			continue // told when it was read
		}
		if plain, ok := p.Plain(); ok {
			set[plain] = true
			continue
		}
		set[fixed(g)] = true
		// A folder that cannot be looked through is told when it is read.
		_ = walk(ctx, p, func(file string, d fs.DirEntry) {
			if d.IsDir() {
				set[file] = true
			}
		})
	}
	return slices.Collect(maps.Keys(set)), nil
}

// ask adds a message.
func (w *Watcher) ask(ctx context.Context) error {
	msg, err := event.FilesMessage(event.Files{}, storage.Cause{Reason: storage.ReasonLocation, Actor: "file system"})
	if err != nil {
		return err
	}
	return w.Store.InTx(ctx, func(ctx context.Context, tx storage.Tx) error {
		_, err := tx.AddMessages(ctx, []storage.Message{msg})
		return err
	})
}
