package refresh_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/callboard/callboard/pipeline/descriptor"
	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/pipeline/refresh"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
)

const cart = "component:default/cart"

func (f *fixture) undo(filter storage.TombstoneFilter) (served, lost []string) {
	f.t.Helper()
	served, lost, err := f.step.Undo(f.t.Context(), filter, "ann")
	if err != nil {
		f.t.Fatal(err)
	}
	return served, lost
}

func (f *fixture) orphan(ref string) bool {
	f.t.Helper()
	return strings.Contains(string(f.entity(ref).JSON), `"backstage.io/orphan":"true"`)
}

func gone(r *event.Refresh)  { r.Gone = "deleted" }
func force(r *event.Refresh) { r.Force = true }

// What its repository declares again is the entity that it was.
func TestRevival(t *testing.T) {
	f := setup(t, "catalog-info.yaml")
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	f.configure(func(c *refresh.Config) { c.Now = func() time.Time { return now } })
	repo := f.create("acme/cart", map[string]string{"catalog-info.yaml": component("cart")})
	f.mustRun(repo, nil)
	first := f.entity(cart)
	steps := []struct {
		name string
		do   func()
		same bool
	}{
		{"the file comes back", func() { f.commit("acme/cart", map[string]*string{"catalog-info.yaml": nil}); f.mustRun(repo, nil) }, true},
		{"somebody deletes it", func() {
			if err := f.step.Remove(t.Context(), cart, f.entity(cart).UID, "ann"); err != nil {
				t.Fatal(err)
			}
		}, false},
		{"too late", func() {
			f.commit("acme/cart", map[string]*string{"catalog-info.yaml": nil})
			f.mustRun(repo, nil)
			now = now.Add(7*24*time.Hour + time.Second)
		}, false},
	}
	for _, tt := range steps {
		before := f.entity(cart)
		now = now.Add(time.Hour)
		tt.do()
		if f.entity(cart).UID != "" {
			t.Fatalf("%s: it did not go", tt.name)
		}
		f.commit("acme/cart", map[string]*string{"catalog-info.yaml": new(component("cart"))})
		f.mustRun(repo, force)
		after := f.entity(cart)
		if same := after.UID == before.UID; same != tt.same || after.UID == "" {
			t.Errorf("%s: uid %s, before %s", tt.name, after.UID, before.UID)
		}
		if same := after.FirstSeen.Equal(before.FirstSeen) && after.Since.Equal(before.Since); same != tt.same {
			t.Errorf("%s: first seen %s, before %s", tt.name, after.FirstSeen, before.FirstSeen)
		}
	}
	history, err := f.store.History(t.Context(), cart, 100)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(history)
	if back := history[2]; back.What != storage.ChangeCreated || back.UID != first.UID || back.BeforeHash != first.Hash {
		t.Errorf("the way back is told as %+v", back)
	}
	if left, err := f.store.Tombstones(t.Context(), storage.TombstoneFilter{}); err != nil || len(left) != 0 {
		t.Errorf("tombstones %+v, %v", left, err)
	}
}

// A name that another repository takes is another entity.
func TestRevivalIsOfOneRepository(t *testing.T) {
	f := setup(t, "catalog-info.yaml")
	a := f.create("acme/a", map[string]string{"catalog-info.yaml": component("cart")})
	b := f.create("acme/b", map[string]string{"catalog-info.yaml": component("cart")})
	f.mustRun(a, nil)
	before := f.entity(cart)
	f.commit("acme/a", map[string]*string{"catalog-info.yaml": nil})
	f.mustRun(a, nil)
	f.mustRun(b, nil)
	if after := f.entity(cart); after.UID == before.UID || after.RepositoryID != b.ID() {
		t.Errorf("the entity of b has the uid of a's: %+v", after)
	}
}

// What is brought back by hand stays until there is news of it.
func TestOrphan(t *testing.T) {
	two := component("cart") + "---\n" + component("shop")
	steps := map[string][]struct {
		name string
		do   func(f *fixture, run func(func(*event.Refresh)))
		want string // "orphan", "declared" or ""
	}{
		"the file declares it again": {
			{"a push beside it", func(f *fixture, run func(func(*event.Refresh))) {
				f.commit("acme/cart", map[string]*string{"README.md": new("x")})
				run(nil)
			}, "orphan"},
			{"every file is read again", func(_ *fixture, run func(func(*event.Refresh))) { run(force) }, "orphan"},
			{"the file is back", func(f *fixture, run func(func(*event.Refresh))) {
				f.commit("acme/cart", map[string]*string{"catalog-info.yaml": new(two)})
				run(nil)
			}, "declared"},
		},
		"another file declares it": {
			{"moved", func(f *fixture, run func(func(*event.Refresh))) {
				f.commit("acme/cart", map[string]*string{"other/catalog-info.yaml": new(component("cart"))})
				run(nil)
			}, "declared"},
		},
		"the file changes without it": {
			{"broken", func(f *fixture, run func(func(*event.Refresh))) {
				f.commit("acme/cart", map[string]*string{"catalog-info.yaml": new("a: [\n")})
				run(nil)
			}, "orphan"},
			{"good", func(f *fixture, run func(func(*event.Refresh))) {
				f.commit("acme/cart", map[string]*string{"catalog-info.yaml": new(component("another"))})
				run(nil)
			}, ""},
		},
		"the file goes": {
			{"gone", func(f *fixture, run func(func(*event.Refresh))) {
				f.commit("acme/cart", map[string]*string{"catalog-info.yaml": nil})
				run(nil)
			}, ""},
		},
		"the repository goes": {
			{"gone", func(f *fixture, run func(func(*event.Refresh))) {
				if err := f.sim.DeleteRepo("acme/cart"); err != nil {
					f.t.Fatal(err)
				}
				run(gone)
			}, ""},
			{"brought back", func(f *fixture, _ func(func(*event.Refresh))) {
				f.undo(storage.TombstoneFilter{Refs: []string{cart}})
			}, "orphan"},
			{"gone, once more", func(_ *fixture, run func(func(*event.Refresh))) { run(gone) }, "orphan"},
			{"deleted by its uid", func(f *fixture, run func(func(*event.Refresh))) {
				if err := f.step.Remove(f.t.Context(), cart, f.entity(cart).UID, "ann"); err != nil {
					f.t.Fatal(err)
				}
				run(gone)
			}, ""},
			{"and brought back nevertheless", func(f *fixture, _ func(func(*event.Refresh))) {
				f.undo(storage.TombstoneFilter{Refs: []string{cart}})
			}, "orphan"},
		},
	}
	for name, all := range steps {
		t.Run(name, func(t *testing.T) {
			f := setup(t, "**/catalog-info.yaml")
			repo := f.create("acme/cart", map[string]string{"catalog-info.yaml": two})
			f.mustRun(repo, nil)
			before := f.entity(cart)
			f.commit("acme/cart", map[string]*string{"catalog-info.yaml": new(component("shop"))})
			f.mustRun(repo, nil)
			if served, lost := f.undo(storage.TombstoneFilter{RepositoryIDs: []int64{repo.ID()}}); !slices.Equal(served, []string{cart}) || lost != nil {
				t.Fatalf("brought back %v, lost %v", served, lost)
			}
			after := f.entity(cart)
			if after.UID != before.UID || !after.FirstSeen.Equal(before.FirstSeen) || !f.orphan(cart) {
				t.Errorf("brought back is %s first seen %s, before %s %s", after.UID, after.FirstSeen, before.UID, before.FirstSeen)
			}
			if diff := cmp.Diff(before.Relations, after.Relations); diff != "" {
				t.Errorf("relations (-before +after):\n%s", diff)
			}
			for _, tt := range all {
				tt.do(f, func(change func(*event.Refresh)) { f.mustRun(repo, change) })
				got := ""
				switch e := f.entity(cart); {
				case f.orphan(cart):
					got = "orphan"
				case e.UID != "":
					got = "declared"
				}
				if got != tt.want || got != "" && f.entity(cart).UID != before.UID {
					t.Fatalf("%s: %q, want %q", tt.name, got, tt.want)
				}
			}
		})
	}
}

// Whoever declares a ref goes before who had it brought back; that one serves
// when the other goes.
func TestOrphanOfATakenName(t *testing.T) {
	f := setup(t, "catalog-info.yaml")
	a := f.create("acme/a", map[string]string{"catalog-info.yaml": component("cart")})
	b := f.create("acme/b", map[string]string{"catalog-info.yaml": component("cart")})
	f.mustRun(a, nil)
	f.commit("acme/a", map[string]*string{"catalog-info.yaml": nil})
	f.mustRun(a, nil)
	f.mustRun(b, nil)
	served, lost := f.undo(storage.TombstoneFilter{Refs: []string{cart}})
	if served != nil || !slices.Equal(lost, []string{cart}) || f.entity(cart).RepositoryID != b.ID() || f.orphan(cart) {
		t.Fatalf("served %v, lost %v", served, lost)
	}
	f.commit("acme/b", map[string]*string{"catalog-info.yaml": nil})
	f.mustRun(b, nil)
	if !f.orphan(cart) || f.entity(cart).RepositoryID != a.ID() {
		t.Fatal("nobody declares it, and the orphan does not serve")
	}
	f.commit("acme/b", map[string]*string{"catalog-info.yaml": new(component("cart"))})
	f.mustRun(b, nil)
	if f.orphan(cart) || f.entity(cart).RepositoryID != b.ID() {
		t.Fatal("an orphan goes before what is declared")
	}
	f.commit("acme/a", map[string]*string{"catalog-info.yaml": new(component("cart"))})
	f.mustRun(a, nil)
	claims, err := f.store.Claims(t.Context(), []string{cart})
	if err != nil || len(claims) != 1 || claims[0].Document != 0 || claims[0].RepositoryID != a.ID() {
		t.Errorf("claims %+v, %v", claims, err)
	}
}

// Whatever comes and goes: an entity that comes back soon enough is the one that went,
// and any other is a new one.
func TestUIDsAreKept(t *testing.T) {
	f := setup(t, "catalog-info.yaml")
	n := 0
	rapid.Check(t, func(r *rapid.T) {
		n++
		now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
		f.configure(func(c *refresh.Config) { c.Now = func() time.Time { return now } })
		m := &lives{f: f, source: fmt.Sprint("~source", n), declared: map[string]bool{}, all: map[string]*life{}, now: &now}
		for _, name := range []string{"a", "b", "c"} {
			m.all["component:default/"+name+fmt.Sprint(n)] = &life{}
		}
		r.Repeat(map[string]func(*rapid.T){
			"":       m.check,
			"change": func(r *rapid.T) { m.toggle(m.any(r)) },
			"wait":   func(*rapid.T) { now = now.Add(3 * 24 * time.Hour) },
			"delete": func(r *rapid.T) { m.remove(m.any(r)) },
			"undo":   func(r *rapid.T) { m.undo(m.any(r)) },
		})
	})
}

// lives is what a source declares, and what should have become of it.
type lives struct {
	f        *fixture
	source   string
	declared map[string]bool
	all      map[string]*life
	now      *time.Time
}

type life struct {
	uid     string // of the last one
	living  bool
	died    time.Time
	deleted bool // by its uid
}

func (m *lives) any(r *rapid.T) string {
	var refs []string
	for ref := range m.all {
		refs = append(refs, ref)
	}
	slices.Sort(refs)
	return rapid.SampledFrom(refs).Draw(r, "ref")
}

func (m *lives) apply() {
	m.f.t.Helper()
	var entries []refresh.Entry
	for ref := range m.declared {
		entries = append(entries, refresh.Entry{Path: ref, SHA: ref, Origin: "url:x", Declarations: []entity.Declaration{named(ref)}})
	}
	id := refresh.SourceID("host", "acme", m.source)
	plan, err := m.f.step.PlanEntries(m.f.t.Context(), storage.Repository{ID: id, Host: "host", Owner: "acme", Name: m.source}, entries, false, storage.Cause{})
	if err == nil {
		err = m.f.store.InTx(m.f.t.Context(), func(ctx context.Context, tx storage.Tx) error {
			_, err := m.f.step.Apply(ctx, tx, plan)
			return err
		})
	}
	if err != nil {
		m.f.t.Fatal(err)
	}
}

func named(ref string) entity.Declaration {
	d := descriptor.NamedLocation("x", "url", "x", false)
	d.Ref = ref
	return d
}

func (m *lives) young(l *life) bool { return l.uid != "" && m.now.Sub(l.died) <= 7*24*time.Hour }

func (m *lives) toggle(ref string) {
	l := m.all[ref]
	if m.declared[ref] {
		delete(m.declared, ref)
		if l.living {
			l.living, l.died, l.deleted = false, *m.now, false
		}
	} else {
		m.declared[ref] = true
		if !l.living && (!m.young(l) || l.deleted) {
			l.uid = "" // another one
		}
		l.living = true
	}
	m.apply()
	if got := m.f.entity(ref).UID; l.living && l.uid == "" {
		l.uid = got
	}
}

func (m *lives) remove(ref string) {
	l := m.all[ref]
	if !l.living || m.declared[ref] {
		return // the source would declare it again
	}
	if err := m.f.step.Remove(m.f.t.Context(), ref, l.uid, "ann"); err != nil {
		m.f.t.Fatal(err)
	}
	l.living, l.died, l.deleted = false, *m.now, true
}

func (m *lives) undo(ref string) {
	l := m.all[ref]
	served, _ := m.f.undo(storage.TombstoneFilter{Refs: []string{ref}})
	if want := !l.living && m.young(l); want != (len(served) == 1) {
		m.f.t.Fatalf("%+v: brought back %v", l, served)
	}
	l.living = l.living || len(served) == 1
}

func (m *lives) check(r *rapid.T) {
	for ref, l := range m.all {
		e := m.f.entity(ref)
		if (e.UID != "") != l.living || l.living && e.UID != l.uid {
			r.Fatalf("%s is %q, want %+v", ref, e.UID, l)
		}
		if l.living && m.f.orphan(ref) == m.declared[ref] {
			r.Fatalf("%s is an orphan: %t", ref, m.f.orphan(ref))
		}
	}
}
