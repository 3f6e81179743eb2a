package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/callboard/callboard/handlers/closing"
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
	// Validate says what is wrong with an entity that would lie at target. It
	// calls turn before it asks GitHub, and ends with turn's error.
	Validate(ctx context.Context, raw json.RawMessage, target string, turn func() error) ([]*entity.Error, error)
}

// An inspection costs requests to GitHub, so only a few go on at a time, and
// none for long. Each that waits holds its body.
const (
	inspections    = 4
	maxQueue       = 32
	inspectionTime = 30 * time.Second
)

// inspect runs fn, which calls turn before it asks GitHub.
func (a *Locations) inspect(w http.ResponseWriter, r *http.Request, fn func(ctx context.Context, turn func() error) error) error {
	open, cancel := closing.Context(r.Context(), a.api.closing)
	defer cancel()
	limited, cancel := context.WithTimeout(open, inspectionTime)
	defer cancel()
	mine := false
	defer func() {
		if mine {
			<-a.turns
		}
	}()
	err := fn(limited, func() (err error) {
		if !mine {
			err = a.turn(limited)
			mine = err == nil
		}
		return err
	})
	switch f, known := fault.Of(err); {
	case err == nil:
		return nil
	case r.Context().Err() != nil:
		return r.Context().Err() // the client has gone
	case open.Err() != nil:
		err = errClosing
	case limited.Err() != nil:
		err = respond.Unavailable("GitHub was not read within %s; try again, or register the location and see its status", inspectionTime)
	case errors.Is(err, errBusy):
	case known && (f.Reason == fault.ReasonUnavailable || f.Reason == fault.ReasonRateLimited):
		err = respond.Unavailable("GitHub cannot be read now; try again later")
	default:
		return err
	}
	w.Header().Set("Retry-After", "5")
	return err
}

var (
	errBusy    = respond.Unavailable("%d requests are waiting to read GitHub already; try again later", maxQueue)
	errClosing = respond.Unavailable("This process is stopping; try again")
)

// turn waits for one of the turns, which its taker gives back.
func (a *Locations) turn(ctx context.Context) error {
	select {
	case a.turns <- struct{}{}:
		return nil
	default:
	}
	select {
	case a.queue <- struct{}{}:
		defer func() { <-a.queue }()
	default:
		return errBusy
	}
	select {
	case a.turns <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
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
	err = a.inspect(w, r, func(ctx context.Context, turn func() error) error {
		if err := turn(); err != nil {
			return err
		}
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
	return respond.JSON(w, r, http.StatusCreated, created{Location: newLocation(l), Entities: entities, Exists: &exists})
}

// asInput gives the words of a location.InvalidError.
func asInput(err error) error {
	if bad, ok := errors.AsType[*location.InvalidError](err); ok {
		return respond.Input("%s", bad.Message)
	}
	return err
}
