package storagetest

import (
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/callboard/callboard/storage"
)

func location(target string) storage.Location {
	return storage.Location{
		Type: "url", Target: target, Host: "github.com", Owner: "acme", Repo: "cart", GitRef: "main", Path: "c.yaml",
		Origin: "url:" + target, Name: "generated-" + target,
	}
}

func (f fixture) replaceLocations(source string, ls ...storage.Location) {
	f.Helper()
	f.write(func(tx writes) { tx.do(tx.ReplaceLocations(tx.ctx, source, ls)) })
}

// locationIDs reads the ids by source and target.
func (f fixture) locationIDs() map[string]string {
	f.Helper()
	m := map[string]string{}
	for _, l := range get[[]storage.Location](f)(f.store.Locations(f.Context())) {
		m[l.Source+" "+l.Target] = l.ID
	}
	return m
}

var locations = []scenario{
	{"locations are kept as they came, by target", func(f fixture) {
		a, b := location("a"), storage.Location{ID: "fixed", Type: "file", Target: "B"}
		f.replaceLocations("config", a, b)
		a.Source, b.Source = "config", "config"
		got := get[[]storage.Location](f)(f.store.Locations(f.Context()))
		if diff := cmp.Diff([]storage.Location{b, a}, got, cmpopts.IgnoreFields(storage.Location{}, "ID")); diff != "" {
			f.Errorf("locations (-want +got):\n%s", diff)
		}
		same(f, "given id", "fixed", got[0].ID)
		if len(got[1].ID) != 36 {
			f.Errorf("made id is %q, want a UUID", got[1].ID)
		}
	}},
	{"a source is replaced, and what is kept keeps its id", func(f fixture) {
		f.replaceLocations("config", location("a"), location("b"))
		f.replaceLocations("api", location("b"), location("c"))
		before := f.locationIDs()
		b := location("b")
		b.ID, b.Path, b.Name = "another", "moved.yaml", "renamed"
		f.replaceLocations("config", b, location("d"), location("d"))
		after := f.locationIDs()
		same(f, "locations", 4, len(after)) // config: b, d; api: b, c
		same(f, "kept", before["config b"], after["config b"])
		same(f, "of the other source", before["api b"], after["api b"])
		if after["config d"] == "" || after["config a"] != "" {
			f.Errorf("locations are %v", after)
		}
		f.replaceLocations("config")
		same(f, "emptied", 2, len(f.locationIDs()))
	}},
	{"a location may get another target under its id, and is seen so before the end", func(f fixture) {
		was, is := location("a"), location("b")
		was.ID, is.ID = "fixed", "fixed"
		f.replaceLocations("api:fixed", was)
		f.replaceLocations("api:other", location("c"))
		f.write(func(tx writes) {
			tx.do(tx.ReplaceLocations(tx.ctx, "api:fixed", nil))
			tx.do(tx.ReplaceLocations(tx.ctx, "api:fixed", []storage.Location{is}))
			is.Source = "api:fixed"
			same(f, "moved", is, must(tx.Locations(tx.ctx))[0])
		})
		same(f, "locations", 2, len(f.locationIDs()))
	}},
	{"a repository's locations, in any case", func(f fixture) {
		other := location("z")
		other.Repo = "other"
		f.replaceLocations("config", location("b"), location("a"), other)
		got := get[[]storage.Location](f)(f.store.RepositoryLocations(f.Context(), "github.com", "ACME", "Cart"))
		same(f, "targets", []string{"a", "b"}, []string{got[0].Target, got[1].Target})
		same(f, "of none", 0, len(get[[]storage.Location](f)(f.store.RepositoryLocations(f.Context(), "github.com", "acme", "none"))))
	}},
}

var leases = []scenario{
	{"a lease has one holder until it is over", func(f fixture) {
		acquire := func(holder string, now, until time.Duration) (got bool) {
			f.Helper()
			f.write(func(tx writes) { got = must(tx.AcquireLease(tx.ctx, "sweep", holder, at(now), at(until))) })
			return got
		}
		steps := []struct {
			holder     string
			now, until time.Duration
			want       bool
		}{
			{"a", 0, time.Minute, true},
			{"b", time.Second, time.Hour, false},
			{"a", 2 * time.Second, 2 * time.Minute, true}, // renewed
			{"b", 2*time.Minute - time.Microsecond, time.Hour, false},
			{"b", 2 * time.Minute, time.Hour, true}, // over
			{"a", 3 * time.Minute, time.Hour, false},
			{"b", 4 * time.Minute, 4 * time.Minute, true}, // given back
			{"a", 4 * time.Minute, time.Hour, true},
		}
		for i, s := range steps {
			if got := acquire(s.holder, s.now, s.until); got != s.want {
				f.Errorf("step %d: %s gets %t, want %t", i, s.holder, got, s.want)
			}
		}
	}},
	{"leases of other names do not meet", func(f fixture) {
		f.write(func(tx writes) {
			for _, name := range []string{"sweep", "scan"} {
				if !must(tx.AcquireLease(tx.ctx, name, name, at(0), at(time.Hour))) {
					f.Errorf("%s was not acquired", name)
				}
			}
		})
	}},
}
