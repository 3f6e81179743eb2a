package app

import (
	"context"
	"log/slog"
	"slices"

	"github.com/google/uuid"

	"github.com/callboard/callboard/cmd/config"
	"github.com/callboard/callboard/pipeline/bus"
	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/pipeline/localfile"
	"github.com/callboard/callboard/pipeline/location"
	"github.com/callboard/callboard/pipeline/refresh"
	"github.com/callboard/callboard/pipeline/scan"
	"github.com/callboard/callboard/storage"
)

// registerLocations makes the stored locations of the configuration equal to
// catalog.locations, and asks for a look at every repository concerned, those
// of locations that left the configuration included. A location that cannot be
// read is told and left out; it never stops the start.
func (a *App) registerLocations(ctx context.Context, hosts []string) error {
	const source = location.SourceConfig
	var want []storage.Location
	for _, l := range a.cfg.Locations {
		loc, err := checkLocation(l, hosts)
		if err != nil {
			a.log.WarnContext(ctx, "catalog.locations: an entry is left out", slog.String("at", l.Place), slog.Any(event.LogError, err))
			continue
		}
		loc.ID, loc.Source = uuid.NewString(), source
		want = append(want, loc)
	}
	return a.store.InTx(ctx, func(ctx context.Context, tx storage.Tx) error {
		had, err := tx.Locations(ctx)
		if err != nil {
			return err
		}
		had = slices.DeleteFunc(had, func(l storage.Location) bool { return l.Source != source })
		if err := tx.ReplaceLocations(ctx, source, want); err != nil {
			return err
		}
		msgs, err := location.Messages(ctx, tx, append(want, had...), storage.Cause{Actor: "configuration"})
		if err != nil || len(msgs) == 0 {
			return err
		}
		_, err = tx.AddMessages(ctx, msgs)
		return err
	})
}

func checkLocation(l config.Location, hosts []string) (storage.Location, error) {
	if l.Type == "file" {
		return location.File(l.Target)
	}
	return location.Check(l.Type, l.Target, hosts)
}

// localFiles reads the files that catalog.locations names.
func (a *App) localFiles(step *refresh.Step) {
	bus.Register(a.bus, refresh.LocalFiles{Step: step, Open: func(locations []storage.Location, limit int) refresh.LocalTree {
		return localfile.Open(locations, limit)
	}})
	if slices.ContainsFunc(a.cfg.Locations, func(l config.Location) bool { return l.Type == "file" }) {
		a.files = &localfile.Watcher{Store: a.store, Source: refresh.LocalRepository(), Log: a.log}
	}
}

// readAgain asks for a look at everything that was read under other settings.
func (a *App) readAgain(ctx context.Context, step *refresh.Step, scans *scan.Step) error {
	outdated, err := step.Outdated(ctx)
	if err != nil {
		return err
	}
	if len(outdated) > 0 {
		a.log.InfoContext(ctx, "settings changed, reading repositories again", slog.Int("repositories", len(outdated)))
	}
	return scans.Settings(ctx, outdated)
}
