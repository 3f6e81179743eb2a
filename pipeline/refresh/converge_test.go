package refresh_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/pipeline/location"
	"github.com/callboard/callboard/pipeline/refresh"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/sqlite"
	"github.com/callboard/callboard/test/githubsim"
)

// Whatever happened, in whatever order it was heard: the catalog is what a fresh
// installation makes of the repositories as they are, and of what is registered.
func TestCatalogDependsOnTreesAndLocationsAlone(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			h := &history{
				fixture: setup(t, "catalog-info.yaml"), rnd: rand.New(rand.NewPCG(seed, 7)),
				repos: map[string]*githubsim.Repo{}, born: map[string]int{},
			}
			h.registry = location.Registry{Store: h.store}
			for range 30 {
				h.happen()
				if h.pick(2) == 0 {
					h.drain(h.store, h.step)
				}
			}
			h.drain(h.store, h.step)
			if diff := cmp.Diff(h.fresh(), h.dump(h.store)); diff != "" {
				t.Errorf("%s\n(-fresh +lived):\n%s", strings.Join(h.log, "\n"), diff)
			}
		})
	}
}

// history is what happens to three names on GitHub, and to what is registered.
type history struct {
	*fixture
	rnd      *rand.Rand
	registry location.Registry
	repos    map[string]*githubsim.Repo // by name
	born     map[string]int             // name → number of the repository that has it
	count    int
	log      []string
}

var (
	someNames = []string{"a", "b", "c"}
	somePaths = []string{"catalog-info.yaml", "b.yaml", "c/d.yaml"}
)

func (h *history) pick(n int) int              { return h.rnd.IntN(n) }
func (h *history) one(of ...string) string     { return of[h.pick(len(of))] }
func (h *history) say(format string, a ...any) { h.log = append(h.log, fmt.Sprintf(format, a...)) }

func (h *history) happen() {
	name := h.one(someNames...)
	switch k := h.pick(12); {
	case h.repos[name] == nil && k < 8:
		h.birth(name)
	case h.repos[name] == nil:
	case k < 4:
		h.push(name)
	case k == 4:
		h.rename(name)
	case k == 5:
		h.say("delete %s", name)
		must(h, h.sim.DeleteRepo("acme/"+name))
		h.tell(h.repos[name], "deleted")
		delete(h.repos, name)
	}
	if h.pick(2) == 0 {
		h.register()
	}
}

func must(h *history, err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *history) birth(name string) {
	h.count++
	h.born[name] = h.count
	files := map[string]string{"README": name}
	for _, p := range somePaths {
		if h.pick(2) == 0 {
			files[p] = h.content(name, p)
		}
	}
	h.say("create %s %q", name, files)
	h.repos[name] = h.create("acme/"+name, files)
	h.tell(h.repos[name], "")
}

func (h *history) push(name string) {
	h.count++
	path, changes := h.one(somePaths...), map[string]*string{"README": new(fmt.Sprint(h.count))}
	if h.pick(3) > 0 {
		changes[path] = new(h.content(name, path) + fmt.Sprintf("# %d\n", h.count))
		h.say("push %s %s %q", name, path, *changes[path])
	} else if _, err := h.sim.ReadFile("acme/"+name, "main", path); err == nil {
		changes[path] = nil
		h.say("push %s without %s", name, path)
	}
	h.commit("acme/"+name, changes)
	h.tell(h.repos[name], "")
}

func (h *history) rename(name string) {
	to := h.one(someNames...)
	if h.repos[to] != nil {
		return
	}
	h.say("rename %s to %s", name, to)
	must(h, h.sim.RenameRepo("acme/"+name, to))
	h.repos[to], h.born[to] = h.repos[name], h.born[name]
	delete(h.repos, name)
	h.tell(h.repos[to], "")
}

// content is a Component, a Location of another repository's file or of one of
// the same. No two repositories declare the same: who came first is history.
func (h *history) content(repo, path string) string {
	head := "apiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata: {name: " + h.entity(repo, path) + "}\n"
	switch h.pick(5) {
	case 0:
		return head + fmt.Sprintf("spec: {target: %s/acme/%s/blob/main/%s}\n", h.sim.URL(), h.one(someNames...), h.one(somePaths...))
	case 1:
		return head + fmt.Sprintf("spec: {target: ./%s}\n", h.one("b.yaml", "c/d.yaml", "c/*.yaml", "none.yaml"))
	}
	return component(h.entity(repo, path) + h.one("-x", "-y"))
}

func (h *history) entity(repo, path string) string {
	return fmt.Sprintf("e%d-%s", h.born[repo], strings.NewReplacer("/", "", ".", "").Replace(path))
}

// register registers, moves or deletes a location.
func (h *history) register() {
	all, err := h.registry.List(h.t.Context())
	must(h, err)
	target := fmt.Sprintf("%s/acme/%s/%s/%s", h.sim.URL(), h.one(someNames...), h.one("blob/main", "tree/main", "blob/HEAD", "blob/dev"),
		h.one("catalog-info.yaml", "b.yaml", "c/d.yaml", "c/*.yaml", "**/*.yaml", "none.yaml"))
	l, err := location.Check("url", target, []string{h.host})
	must(h, err)
	switch k := h.pick(4); {
	case k == 0 && len(all) > 0:
		o := all[h.pick(len(all))]
		h.say("unregister %s", o.Target)
		err = h.registry.Delete(h.t.Context(), o.ID, "ann")
	case k == 1 && len(all) > 0:
		o := all[h.pick(len(all))]
		h.say("move %s to %s", o.Target, target)
		_, err = h.registry.Update(h.t.Context(), o.ID, l, "ann")
	default:
		h.say("register %s", target)
		_, err = h.registry.Create(h.t.Context(), l, location.Reject, "ann")
	}
	if !errors.Is(err, location.ErrExists) {
		must(h, err)
	}
}

// tell is a webhook.
func (h *history) tell(r *githubsim.Repo, gone string) {
	h.add(h.store, nil, map[string]*githubsim.Repo{"": r}, gone)
}

// add asks for looks at repositories, and at those that locations lead to.
func (h *history) add(store storage.Store, locations []storage.Location, repos map[string]*githubsim.Repo, gone string) {
	must(h, store.InTx(h.t.Context(), func(ctx context.Context, tx storage.Tx) error {
		msgs, err := location.Messages(ctx, tx, locations, storage.Cause{})
		for _, l := range locations {
			err = errors.Join(err, tx.ReplaceLocations(ctx, l.Source, []storage.Location{l}))
		}
		for _, name := range slices.Sorted(maps.Keys(repos)) {
			r := repos[name]
			_, name, _ := strings.Cut(r.FullName(), "/")
			m, bad := event.RefreshMessage(event.Refresh{
				Host: h.host, RepositoryID: r.ID(), Owner: "acme", Name: name, Discovered: true, Look: true, Gone: gone,
			}, storage.Cause{Reason: storage.ReasonPush})
			msgs, err = append(msgs, m), errors.Join(err, bad)
		}
		if err == nil {
			_, err = tx.AddMessages(ctx, msgs)
		}
		return err
	}))
}

// drain does what the bus does, as badly as it may: all that waits is planned
// before any of it is applied.
func (h *history) drain(store storage.Store, step *refresh.Step) {
	for range 40 {
		later := time.Now().Add(time.Hour)
		all, err := store.SweepMessages(h.t.Context(), later, later, 1000)
		must(h, err)
		if len(all) == 0 {
			return
		}
		byKey, plans := map[string][]storage.Message{}, map[string]refresh.Plan{}
		for _, m := range all {
			m.Attempts = 3
			byKey[m.Topic+m.Key] = append(byKey[m.Topic+m.Key], m)
		}
		for key, msgs := range byKey {
			plans[key], err = step.Plan(h.t.Context(), msgs)
			must(h, err)
		}
		for key, msgs := range byKey {
			err := store.InTx(h.t.Context(), func(ctx context.Context, tx storage.Tx) error {
				if _, err := step.Apply(ctx, tx, plans[key]); err != nil {
					return err
				}
				var ids []int64
				for _, m := range msgs {
					ids = append(ids, m.ID)
				}
				return tx.FinishMessages(ctx, ids, time.Now())
			})
			if !errors.Is(err, storage.ErrStale) { // which is planned again
				must(h, err)
			}
		}
	}
	h.t.Fatalf("there is no end to it:\n%s", strings.Join(h.log, "\n"))
}

// fresh is the catalog of an installation that begins now.
func (h *history) fresh() []string {
	store, err := sqlite.Open(h.t.Context(), filepath.Join(h.t.TempDir(), "fresh.db"))
	must(h, err)
	h.t.Cleanup(func() { _ = store.Close() })
	clients, err := githubapp.New([]githubapp.Host{{Host: h.host, BaseURL: h.sim.URL(), Token: "token"}}, 0)
	must(h, err)
	step := refresh.New(refresh.Config{}, store, source{clients}, slog.New(slog.DiscardHandler))
	all, err := h.registry.List(h.t.Context())
	must(h, err)
	h.add(store, all, h.repos, "")
	h.drain(store, step)
	return h.dump(store)
}

// dump is what the catalog serves. Why a repository cannot be read is history.
func (h *history) dump(store storage.Store) (out []string) {
	_, err := store.EachEntity(h.t.Context(), func(e storage.Entity) error {
		var v any
		err := json.Unmarshal(e.JSON, &v)
		lines := []string{fmt.Sprint(e.Ref, " ", v)}
		for _, r := range e.Relations {
			lines = append(lines, r.Source+" "+r.Type+" "+r.Target)
		}
		for _, item := range e.Errors {
			before, _, lost := strings.Cut(item.Message, "GitHub ")
			if lost {
				item.Message = before + "…"
			}
			lines = append(lines, item.Message)
		}
		slices.Sort(lines[1:])
		out = append(out, strings.Join(lines, "\n"))
		return err
	})
	must(h, err)
	slices.Sort(out)
	return out
}
