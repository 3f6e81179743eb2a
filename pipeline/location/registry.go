package location

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/callboard/callboard/pipeline/descriptor"
	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/storage"
)

// maxRegistered bounds how many locations may be registered by hand. Whoever
// needs more wants discovery.
const maxRegistered = 10_000

// ErrExists is answered when a location is registered already.
var ErrExists = errors.New("already exists")

// OnConflict says what becomes of a registration that there is already.
type OnConflict string

// The strategies of contract catalog 4.14.
const (
	Reject  OnConflict = "reject"
	Refresh OnConflict = "refresh"
)

// Registry holds the locations that are registered through the API. Each change
// is stored together with the message that asks for a look at what it concerns.
type Registry struct {
	Store storage.Store
}

// List is all that are registered, by id.
func (g Registry) List(ctx context.Context) ([]storage.Location, error) {
	return registered(ctx, g.Store)
}

func registered(ctx context.Context, r storage.Reader) ([]storage.Location, error) {
	all, err := r.Locations(ctx)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(l storage.Location) bool { return !strings.HasPrefix(l.Source, sourceAPI) })
	slices.SortFunc(all, func(a, b storage.Location) int { return strings.Compare(a.ID, b.ID) })
	return all, nil
}

// Get finds one by id; storage.ErrNotFound without it.
func (g Registry) Get(ctx context.Context, id string) (storage.Location, error) {
	all, err := g.List(ctx)
	if err != nil {
		return storage.Location{}, err
	}
	i := slices.IndexFunc(all, func(l storage.Location) bool { return l.ID == id })
	if i < 0 {
		return storage.Location{}, fmt.Errorf("location %s: %w", id, storage.ErrNotFound)
	}
	return all[i], nil
}

// Create registers a checked location. One that is registered already is read
// again or refused with ErrExists.
func (g Registry) Create(ctx context.Context, l storage.Location, conflict OnConflict, actor string) (out storage.Location, err error) {
	l.ID = uuid.NewString()
	err = g.change(ctx, actor, func(tx storage.Tx, all []storage.Location) (looks, error) {
		if i := slices.IndexFunc(all, same(l)); i >= 0 {
			out = all[i]
			if conflict == Refresh {
				return looks{at: []storage.Location{out}}, nil
			}
			return looks{}, ErrExists
		}
		if len(all) >= maxRegistered {
			return looks{}, invalid("%d locations are registered, and no more can be. Name files with a glob, or let the App discover the repositories", maxRegistered)
		}
		out = l
		out.Name = freeName(out, all)
		return looks{[]storage.Location{out}, true}, tx.ReplaceLocations(ctx, sourceAPI+l.ID, []storage.Location{out})
	})
	return out, err
}

// Update gives a registered location another target. Its id and the name of its
// entity stay (contract catalog 4.14).
func (g Registry) Update(ctx context.Context, id string, l storage.Location, actor string) (out storage.Location, err error) {
	l.ID = id
	err = g.change(ctx, actor, func(tx storage.Tx, all []storage.Location) (looks, error) {
		i := slices.IndexFunc(all, func(l storage.Location) bool { return l.ID == id })
		switch other := slices.IndexFunc(all, same(l)); {
		case i < 0:
			return looks{}, storage.ErrNotFound
		case other >= 0 && other != i:
			return looks{}, ErrExists
		}
		out = l
		out.Name = all[i].Name
		err := errors.Join( // the id is that of the old row, which goes first
			tx.ReplaceLocations(ctx, all[i].Source, nil),
			tx.ReplaceLocations(ctx, all[i].Source, []storage.Location{out}),
		)
		return looks{[]storage.Location{out, all[i]}, true}, err
	})
	return out, err
}

// Delete forgets a registered location; what only it brought in goes with it.
func (g Registry) Delete(ctx context.Context, id, actor string) error {
	return g.change(ctx, actor, func(tx storage.Tx, all []storage.Location) (looks, error) {
		i := slices.IndexFunc(all, func(l storage.Location) bool { return l.ID == id })
		if i < 0 {
			return looks{}, storage.ErrNotFound
		}
		return looks{all[i : i+1], true}, tx.ReplaceLocations(ctx, all[i].Source, nil)
	})
}

// looks are the locations whose repositories are to be looked at, and whether
// they changed.
type looks struct {
	at      []storage.Location
	changed bool
}

// change runs fn with what is registered, alone, and asks for the looks that it
// returns.
func (g Registry) change(ctx context.Context, actor string, fn func(tx storage.Tx, all []storage.Location) (looks, error)) error {
	return g.Store.InTx(ctx, func(ctx context.Context, tx storage.Tx) error {
		if err := tx.LockCatalog(ctx); err != nil {
			return err
		}
		all, err := registered(ctx, tx)
		if err != nil {
			return err
		}
		look, err := fn(tx, all)
		if err != nil {
			return err
		}
		msgs, err := Messages(ctx, tx, look.at, storage.Cause{Actor: actor})
		if err != nil {
			return err
		}
		for _, msg := range msgs {
			if _, err := event.Ask(ctx, tx, time.Now(), msg, look.changed); err != nil {
				return err
			}
		}
		return nil
	})
}

// Name is the name of the Location entity that a location gets.
func Name(l storage.Location) string { return descriptor.RootName(l.Type, l.Target) }

// freeName is the name that the target gives, unless a location that had this
// target before holds it still.
func freeName(l storage.Location, all []storage.Location) string {
	name := Name(l)
	if slices.IndexFunc(all, func(o storage.Location) bool { return o.Name == name }) >= 0 {
		return descriptor.RootName(l.Type, l.Target+"#"+l.ID)
	}
	return name
}

func same(l storage.Location) func(storage.Location) bool {
	return func(o storage.Location) bool { return o.Type == l.Type && o.Target == l.Target }
}
