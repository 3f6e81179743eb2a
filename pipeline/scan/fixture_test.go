package scan_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/callboard/callboard/pipeline/bus"
	"github.com/callboard/callboard/pipeline/discovery"
	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/pipeline/fault"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/pipeline/scan"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
	"github.com/callboard/callboard/storage/sqlite"
)

const host = "github.com"

// github answers from lists, and counts what it is asked. Its cursors are offsets.
type github struct {
	token     bool // there is no App
	installed []githubapp.Installation
	listed    []githubapp.Listed
	total     int // of all pages; 0 for as many as are listed
	asked     []githubapp.PageQuery
	listings  int // how often for installations
	// answer overrules a page where it is set and does not say ok.
	answer func(q githubapp.PageQuery) (page githubapp.Page, err error, ok bool)
}

func (g *github) Hosts() []string     { return []string{host} }
func (g *github) HasApps(string) bool { return !g.token }

func (g *github) AppsOn(_, owner string) (apps []int64) {
	for _, in := range g.installed {
		if !strings.EqualFold(in.Account, owner) {
			continue
		}
		if apps == nil {
			apps = []int64{}
		}
		if in.Organization() {
			apps = append(apps, in.AppID)
		}
	}
	return apps
}

func (g *github) Installations(context.Context, string) ([]githubapp.Installation, error) {
	g.listings++
	return g.installed, nil
}

func (g *github) Repositories(_ context.Context, _ githubapp.Account, q githubapp.PageQuery) (githubapp.Page, error) {
	g.asked = append(g.asked, q)
	if g.answer != nil {
		if page, err, overruled := g.answer(q); overruled {
			return page, err
		}
	}
	from, _ := strconv.Atoi(q.Cursor)
	to := min(from+q.Size, len(g.listed))
	page := githubapp.Page{Repositories: g.listed[from:to], Total: len(g.listed), Requests: 1}
	if g.total != 0 {
		page.Total = g.total
	}
	if to < len(g.listed) {
		page.Next = strconv.Itoa(to)
	}
	return page, nil
}

// fixture is a scan step with a store, a GitHub and a clock of its own. Refreshes
// are not carried out: a test looks at what is asked for.
type fixture struct {
	*testing.T
	store  storage.Store
	github *github
	step   *scan.Step
	now    time.Time
	log    strings.Builder
}

func acme(id int64) githubapp.Installation {
	return githubapp.Installation{ID: id, AppID: 1, Host: host, Account: "acme", AccountType: "Organization"}
}

func setup(t *testing.T, providers ...discovery.Provider) *fixture {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "callboard.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	f := &fixture{
		T: t, store: store, now: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC),
		github: &github{installed: []githubapp.Installation{acme(7)}},
	}
	policy := discovery.All("")
	policy.Providers = providers
	policy.Undirected.PageSize = 4
	f.step = scan.New(scan.Config{
		Policy: policy, MaxRemovedShare: 0.1, MaxRemovedEntities: 2, Now: func() time.Time { return f.now },
	}, store, f.github, slog.New(slog.NewTextHandler(&f.log, nil)), nil)
	return f
}

// show makes GitHub list repositories 1 to n.
func (f *fixture) show(n int) {
	f.github.listed = nil
	for id := range int64(n) {
		f.github.listed = append(f.github.listed, listed(id+1))
	}
}

func listed(id int64) githubapp.Listed {
	name := fmt.Sprintf("r%d", id)
	return githubapp.Listed{Seen: event.Seen{
		ID: id, Owner: "acme", Name: name, URL: "https://github.com/acme/" + name, DefaultBranch: "main",
		Visibility: "private", Topics: []string{"a", "b"}, Head: fmt.Sprintf("head%d", id),
	}}
}

// stored is a repository as a refresh leaves it that saw what is listed.
func stored(l githubapp.Listed, installation int64) storage.Repository {
	return storage.Repository{
		ID: l.ID, Host: host, Owner: l.Owner, Name: l.Name, DefaultBranch: l.DefaultBranch, HTMLURL: l.URL, Visibility: l.Visibility,
		Topics: []string{"b", "a"}, InstallationID: installation, Discovered: true, State: storage.RepositoryActive, AppliedSHA: l.Head,
	}
}

// know stores everything that GitHub shows.
func (f *fixture) know(installation int64) {
	f.tx(func(ctx context.Context, tx storage.Tx) error {
		for _, l := range f.github.listed {
			if _, err := tx.PutRepository(ctx, stored(l, installation)); err != nil {
				return err
			}
		}
		return nil
	})
}

// change writes a stored repository over.
func (f *fixture) change(id int64, fn func(*storage.Repository)) {
	f.tx(func(ctx context.Context, tx storage.Tx) error {
		r, err := tx.Repository(ctx, id)
		if err != nil {
			return err
		}
		fn(&r)
		_, err = tx.PutRepository(ctx, r)
		return err
	})
}

// declare gives a repository entities.
func (f *fixture) declare(repository int64, n int) {
	f.tx(func(ctx context.Context, tx storage.Tx) error {
		var all []storage.Entity
		for i := range n {
			ref := fmt.Sprintf("component:default/c%d-%d", repository, i)
			all = append(all, storage.Entity{UID: ref, Claim: storage.Claim{RepositoryID: repository, Declaration: entity.Declaration{Ref: ref, JSON: []byte(`{}`)}}})
		}
		return tx.PutEntities(ctx, all)
	})
}

func (f *fixture) tx(fn func(ctx context.Context, tx storage.Tx) error) {
	f.Helper()
	if err := f.store.InTx(f.Context(), fn); err != nil {
		f.Fatal(err)
	}
}

// start begins a scan of acme by hand.
func (f *fixture) start() string {
	f.Helper()
	ids, err := f.step.Start(f.Context(), "", "acme", "someone")
	if err != nil || len(ids) != 1 {
		f.Fatalf("started %v, %v", ids, err)
	}
	return ids[0]
}

// keys are those of the steps that wait: of scans of the account, and of each scan.
func (f *fixture) undone(topic string, keys ...string) []storage.Message {
	f.Helper()
	all, err := f.store.UndoneMessages(f.Context(), topic, keys...)
	if err != nil {
		f.Fatal(err)
	}
	return all
}

// run does one step of a scan, as the bus does; false when none is due.
func (f *fixture) run(key string) (bool, error) {
	f.Helper()
	msgs := slices.DeleteFunc(f.undone(event.TopicScan, key), func(m storage.Message) bool { return m.RunAfter.After(f.now) })
	if len(msgs) == 0 {
		return false, nil
	}
	plan, err := f.step.Plan(f.Context(), msgs)
	if err != nil {
		return true, err
	}
	f.tx(func(ctx context.Context, tx storage.Tx) error {
		var ids []int64
		for _, m := range msgs {
			ids = append(ids, m.ID)
		}
		if err := tx.FinishMessages(ctx, ids, f.now); err != nil {
			return err
		}
		_, err := f.step.Apply(ctx, tx, plan)
		return err
	})
	return true, nil
}

// proceed runs a scan's steps, letting time pass, until it waits for something
// else than time or is over.
func (f *fixture) proceed(id string) storage.Scan {
	f.Helper()
	for range 10_000 {
		if s := f.scan(id); s.State != storage.ScanRunning {
			return s
		}
		ran, err := f.run(event.ScanKey(event.Scan{Scan: id}))
		if err != nil {
			f.Fatal(err)
		}
		if !ran {
			f.now = f.now.Add(time.Second)
		}
		if s := f.scan(id); s.Pages > 0 && s.Cursor == "" && len(f.refreshes()) > 0 {
			return s
		}
	}
	f.Fatal("the scan does not end")
	return storage.Scan{}
}

func (f *fixture) scan(id string) storage.Scan {
	f.Helper()
	s, err := f.store.Scan(f.Context(), id)
	if err != nil {
		f.Fatal(err)
	}
	return s
}

// asked is a refresh that a scan asks for.
type asked struct {
	event.Refresh
	storage.Message
}

func (f *fixture) refreshes() []asked {
	f.Helper()
	var keys []string
	for id := range int64(100) {
		keys = append(keys, event.RefreshKey(event.Refresh{Host: host, RepositoryID: id}))
	}
	var all []asked
	for _, m := range f.undone(event.TopicScanned, keys...) {
		a := asked{Message: m}
		if err := json.Unmarshal(m.Payload, &a.Refresh); err != nil {
			f.Fatal(err)
		}
		all = append(all, a)
	}
	slices.SortFunc(all, func(a, b asked) int { return int(a.RepositoryID - b.RepositoryID) })
	return all
}

// words says of each refresh which repository, and in which manner.
func words(all []asked) (out []string) {
	for _, a := range all {
		w := strconv.FormatInt(a.RepositoryID, 10)
		for word, on := range map[string]bool{" seen": a.Seen != nil, " look": a.Look, " gone": a.Gone != "", " released": a.Released > 0} {
			if on {
				w += word
			}
		}
		out = append(out, w)
	}
	return out
}

// refreshed does what is asked for: each hold of these many entities is held.
func (f *fixture) refreshed(held map[int64]int) {
	f.Helper()
	f.tx(func(ctx context.Context, tx storage.Tx) error {
		for _, a := range f.refreshes() {
			if err := tx.FinishMessages(ctx, []int64{a.ID}, f.now); err != nil {
				return err
			}
			n := held[a.RepositoryID]
			if n == 0 {
				continue
			}
			again := a.Refresh
			again.Released = n
			payload, err := json.Marshal(again)
			if err != nil {
				return err
			}
			h := storage.Hold{ScanID: a.Cause.Scan, RepositoryID: a.RepositoryID, Repository: a.Owner + "/" + a.Name, Entities: n, Payload: payload, At: f.now}
			if err := tx.PutHold(ctx, h); err != nil {
				return err
			}
		}
		return nil
	})
}

func limited() error {
	return fault.RetryAfter(time.Hour, fault.ReasonRateLimited, fmt.Errorf("come again"))
}

var _ bus.Step[scan.Plan] = (*scan.Step)(nil)
