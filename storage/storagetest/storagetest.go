// Package storagetest holds every promise of package storage, as tests that each
// backend runs. A bug that was found in one backend becomes a case here.
//
// It knows no backend. Whoever runs it says how to open a database.
package storagetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/storage"
)

// Opener opens a store and closes it when the test ends.
type Opener func(t *testing.T) storage.Store

// Run runs the suite. Each call of open gives a store on an empty database.
func Run(t *testing.T, open func(t *testing.T) storage.Store) {
	areas := []struct {
		name  string
		tests []scenario
	}{
		{"deliveries", deliveries},
		{"messages", messages},
		{"repositories", repositories},
		{"repository pages", repositoryPages},
		{"files", files},
		{"entities", entities},
		{"tombstones", tombstones},
		{"claims", claims},
		{"diagnostics", diagnostics},
		{"conflicts", conflicts},
		{"changes", changes},
		{"locations", locations},
		{"leases", leases},
		{"scans", scans},
		{"checkpoints", checkpoints},
		{"transactions", transactions},
		{"text", texts},
	}
	for _, area := range areas {
		t.Run(area.name, func(t *testing.T) {
			t.Parallel()
			for _, tt := range area.tests {
				t.Run(tt.name, func(t *testing.T) {
					t.Parallel()
					tt.run(fixture{t, open(t)})
				})
			}
		})
	}
}

// RunShared runs what takes several stores on one database: processes that come
// and go. newDatabase makes an empty database and answers how to open it.
func RunShared(t *testing.T, newDatabase func(t *testing.T) Opener) {
	for _, tt := range shared {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.run(t, newDatabase(t))
		})
	}
}

type scenario struct {
	name string
	run  func(f fixture)
}

// fixture is a store with the shorthands that keep the scenarios readable.
type fixture struct {
	*testing.T
	store storage.Store
}

// day0 is when every scenario starts. Its microseconds must survive.
var day0 = time.Date(2026, 3, 14, 15, 9, 26, 535_897_000, time.UTC)

func at(d time.Duration) time.Time { return day0.Add(d) }

// write runs fn in a transaction that must succeed.
func (f fixture) write(fn func(tx writes)) {
	f.Helper()
	if err := f.try(fn); err != nil {
		f.Fatalf("transaction: %v", err)
	}
}

func (f fixture) try(fn func(tx writes)) error {
	return f.store.InTx(f.Context(), func(ctx context.Context, tx storage.Tx) (err error) {
		defer func() {
			if r := recover(); r != nil {
				failed, ok := r.(stop)
				if !ok {
					panic(r)
				}
				err = failed.err
			}
		}()
		fn(writes{ctx, tx})
		return nil
	})
}

// writes ends a scenario's transaction at the first error, with stop.
type writes struct {
	ctx context.Context
	storage.Tx
}

type stop struct{ err error }

func (w writes) do(err error) {
	if err != nil {
		panic(stop{err})
	}
}

// AddDelivery adds one.
func (w writes) AddDelivery(ctx context.Context, d storage.Delivery) (bool, error) {
	return addDelivery(ctx, w.Tx, d)
}

func addDelivery(ctx context.Context, tx storage.Tx, d storage.Delivery) (bool, error) {
	added, err := tx.AddDeliveries(ctx, []storage.Delivery{d})
	return err == nil && added[0], err
}

// must unwraps an answer inside a transaction.
func must[T any](v T, err error) T {
	if err != nil {
		panic(stop{err})
	}
	return v
}

// get unwraps an answer outside of one.
func get[T any](f fixture) func(v T, err error) T {
	return func(v T, err error) T {
		f.Helper()
		if err != nil {
			f.Fatalf("read: %v", err)
		}
		return v
	}
}

// same fails unless want and got are equal.
func same(t testing.TB, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error is %v, want %v", err, want)
	}
}
