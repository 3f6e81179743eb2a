package catalog

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/callboard/callboard/handlers/respond"
	"github.com/callboard/callboard/pipeline/fault"
	"github.com/callboard/callboard/pipeline/location"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
)

// Inspector reads repositories as a refresh does, while somebody waits, and
// stores nothing.
type Inspector interface {
	// DryRun reads what a location would bring in. faults are what is wrong with it.
	DryRun(ctx context.Context, l storage.Location) (entities []json.RawMessage, faults []string, err error)
	// Analyze finds the catalog files of a repository; readable is false when
	// GitHub does not show it.
	Analyze(ctx context.Context, host, owner, name, filename string) (found []location.Found, readable bool, err error)
	// Validate says what is wrong with an entity that would lie at target.
	Validate(ctx context.Context, raw json.RawMessage, target string) ([]*entity.Error, error)
}

// An inspection costs requests to GitHub, so only a few go on at a time, and
// none for long.
const (
	inspections    = 4
	inspectionTime = 30 * time.Second
)

// inspect runs fn when it is its turn.
func (a *Locations) inspect(ctx context.Context, fn func(ctx context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, inspectionTime)
	defer cancel()
	tooLong := respond.Unavailable("GitHub was not read within %s; try again, or register the location and see its status", inspectionTime)
	select {
	case a.turns <- struct{}{}:
		defer func() { <-a.turns }()
	case <-limited.Done():
		return cmp.Or(ctx.Err(), tooLong)
	}
	err := fn(limited)
	switch f, known := fault.Of(err); {
	case err == nil:
		return nil
	case limited.Err() != nil:
		return cmp.Or(ctx.Err(), tooLong)
	case known && (f.Reason == fault.ReasonUnavailable || f.Reason == fault.ReasonRateLimited):
		return respond.Unavailable("GitHub cannot be read now; try again later")
	}
	return err
}

// dryRun answers what a location would bring in (contract catalog 4.14).
func (a *Locations) dryRun(w http.ResponseWriter, r *http.Request, l storage.Location) error {
	all, err := a.registry.List(r.Context())
	if err != nil {
		return err
	}
	exists := slices.ContainsFunc(all, func(o storage.Location) bool { return o.Type == l.Type && o.Target == l.Target })
	l.ID, l.Name = l.Type+":"+l.Target, location.Name(l)
	var entities []json.RawMessage
	err = a.inspect(r.Context(), func(ctx context.Context) error {
		found, faults, err := a.Inspector.DryRun(ctx, l)
		if err == nil && len(faults) > 0 {
			err = respond.Input("%s", strings.Join(faults, ", "))
		}
		entities = found
		return err
	})
	if err != nil {
		return err
	}
	return respond.JSON(w, http.StatusCreated, created{Location: newLocation(l), Entities: entities, Exists: &exists})
}

// asInput gives the words of a location.InvalidError.
func asInput(err error) error {
	if bad, ok := errors.AsType[*location.InvalidError](err); ok {
		return respond.Input("%s", bad.Message)
	}
	return err
}
