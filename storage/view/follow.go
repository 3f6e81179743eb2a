package view

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/callboard/callboard/storage"
)

const (
	// pollEvery is how late the view may be when nobody wakes it, by default.
	pollEvery = time.Second
	// feedBatch is how many changes are read, and applied, at once; more only
	// where one transaction made more, and then maxBatch at most.
	feedBatch = 1000
	maxBatch  = 100 * feedBatch
)

// Log keys, as in pipeline/event, which storage must not import.
const (
	logError    = "error"
	logRevision = "revision"
	logDuration = "duration_ms"
)

// ErrRunning is answered by a second Run.
var ErrRunning = errors.New("the view is running already")

// Run loads the view and follows the feed until ctx ends, which is no error.
// The database may come and go: Run keeps trying, and the view keeps answering.
func (v *View) Run(ctx context.Context) error {
	if v.running.Swap(true) {
		return ErrRunning
	}
	v.follow(ctx)
	return nil
}

func (v *View) follow(ctx context.Context) {
	ticker := time.NewTicker(v.poll)
	defer ticker.Stop()
	loaded := false
	for ctx.Err() == nil {
		err := v.step(ctx, &loaded)
		if err != nil && ctx.Err() == nil {
			v.logger.WarnContext(ctx, "view is behind, trying again", slog.Any(logError, err))
		}
		select {
		case <-ctx.Done():
		case <-v.wake:
		case <-ticker.C:
		}
	}
}

func (v *View) step(ctx context.Context, loaded *bool) error {
	if !*loaded {
		start := time.Now()
		if err := v.Load(ctx, func(fn func(storage.Entity) error) (int64, error) {
			return v.store.EachEntity(ctx, fn)
		}); err != nil {
			return fmt.Errorf("load the view: %w", err)
		}
		*loaded = true
		v.logger.InfoContext(ctx, "catalog loaded",
			slog.Int("entities", v.Len()),
			slog.Int64(logRevision, v.Revision()),
			slog.Int64(logDuration, time.Since(start).Milliseconds()))
		close(v.ready)
	}
	return v.catchUp(ctx)
}

// Len is the number of entities.
func (v *View) Len() (n int) {
	v.Read(func(s *Snapshot) { n = s.Len() })
	return n
}

// catchUp applies what the feed has beyond the view. The entities are read
// after the changes and may be newer than these; the feed then names them
// again, and applying them twice is harmless.
func (v *View) catchUp(ctx context.Context) error {
	for {
		changes, err := v.changes(ctx)
		if err != nil {
			return fmt.Errorf("read changes after %d: %w", v.Revision(), err)
		}
		if len(changes) == 0 {
			return nil
		}
		refs := make([]string, 0, len(changes))
		for _, c := range changes {
			refs = append(refs, c.Ref)
		}
		slices.Sort(refs)
		refs = slices.Compact(refs)
		living, err := v.store.Entities(ctx, refs)
		if err != nil {
			return fmt.Errorf("read %d changed entities: %w", len(refs), err)
		}
		put := make(map[string]bool, len(living))
		for _, e := range living {
			put[e.Ref] = true
		}
		gone := slices.DeleteFunc(refs, func(ref string) bool { return put[ref] })
		v.Apply(ctx, Batch{Put: living, Remove: gone, Revision: changes[len(changes)-1].Revision})
	}
}

// changes reads the next of the feed, without tearing what one transaction made:
// that has one cause and one time.
func (v *View) changes(ctx context.Context) ([]storage.Change, error) {
	changes, err := v.store.Changes(ctx, v.Revision(), feedBatch)
	for err == nil && len(changes)%feedBatch == 0 && len(changes) > 0 && len(changes) < maxBatch {
		last := changes[len(changes)-1]
		first := slices.IndexFunc(changes, func(c storage.Change) bool { return c.Cause == last.Cause && c.At.Equal(last.At) })
		if first > 0 {
			return changes[:first], nil // the rest comes next time, with what follows it
		}
		var more []storage.Change
		if more, err = v.store.Changes(ctx, last.Revision, feedBatch); len(more) == 0 {
			break
		}
		changes = append(changes, more...)
	}
	return changes, err
}
