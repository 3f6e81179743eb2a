package refresh_test

import (
	"slices"
	"testing"
	"time"

	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/pipeline/refresh"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/test/githubsim"
)

// verified is when GitHub last confirmed the head of a repository, and the
// version of its row.
func (f *fixture) verified(id int64) (at time.Time, version int64) {
	f.t.Helper()
	r, err := f.store.Repository(f.t.Context(), id)
	if err != nil {
		f.t.Fatal(err)
	}
	return r.VerifiedAt, r.Version
}

// A head that did not move is noted once a minute, and nothing else is written.
func TestVerifiedAt(t *testing.T) {
	f := setup(t, "catalog-info.yaml")
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	f.configure(func(c *refresh.Config) { c.Now = func() time.Time { return now } })
	repo := f.create("acme/cart", map[string]string{"catalog-info.yaml": component("cart")})
	look := func(r *event.Refresh) { r.Look = true }
	steps := []struct {
		name   string
		later  time.Duration
		change func(*event.Refresh)
		moved  bool
	}{
		{"first read", 0, nil, true},
		{"a moment later", 59 * time.Second, nil, false},
		{"a minute later", time.Second, nil, true},
		{"a look, a moment later", time.Second, look, false},
		{"a look, a minute later", time.Minute, look, true},
	}
	var before time.Time
	for i, tt := range steps {
		now = now.Add(tt.later)
		f.mustRun(repo, tt.change)
		at, version := f.verified(repo.ID())
		if moved := !at.Equal(before); moved != tt.moved || moved && !at.Equal(now) {
			t.Errorf("%s: verified at %s, before %s", tt.name, at, before)
		}
		if version != 1 {
			t.Errorf("%s: version %d after step %d", tt.name, version, i)
		}
		before = at
	}
}

func (f *fixture) entity(ref string) storage.Entity {
	f.t.Helper()
	found, err := f.store.Entities(f.t.Context(), []string{ref})
	if err != nil {
		f.t.Fatal(err)
	}
	if len(found) == 0 {
		return storage.Entity{}
	}
	return found[0]
}

// What is removed is gone, its heir is another entity, and the file that
// declares it still is read again.
func TestRemove(t *testing.T) {
	f := setup(t, "catalog-info.yaml")
	const ref = "component:default/cart"
	var repos []*githubsim.Repo
	for _, name := range []string{"acme/first", "acme/second", "acme/third"} {
		repo := f.create(name, map[string]string{"catalog-info.yaml": component("cart")})
		f.mustRun(repo, nil)
		repos = append(repos, repo)
	}
	first, second, third := repos[0], repos[1], repos[2]
	served := f.entity(ref)
	if err := f.step.Remove(t.Context(), ref, "another uid", "ann"); err != nil {
		t.Fatal(err)
	}
	if f.entity(ref).UID != served.UID {
		t.Fatal("an entity with another uid was removed")
	}
	if err := f.step.Remove(t.Context(), ref, served.UID, "ann"); err != nil {
		t.Fatal(err)
	}
	heir := f.entity(ref)
	if heir.RepositoryID != second.ID() || heir.UID == served.UID || heir.UID == "" {
		t.Errorf("the heir is of repository %d, uid %s", heir.RepositoryID, heir.UID)
	}
	history, err := f.store.History(t.Context(), ref, 10)
	if err != nil {
		t.Fatal(err)
	}
	var what []storage.ChangeKind
	for _, c := range history[:2] {
		what = append(what, c.What)
		if c.Cause.Actor != "ann" || c.Cause.Reason != storage.ReasonDelete {
			t.Errorf("cause %+v", c.Cause)
		}
	}
	if !slices.Equal(what, []storage.ChangeKind{storage.ChangeCreated, storage.ChangeDeleted}) {
		t.Errorf("history %v", what)
	}
	waiting, err := f.store.UndoneMessages(t.Context(), event.TopicRefresh, event.RefreshKey(event.Refresh{Host: f.host, RepositoryID: first.ID()}))
	if err != nil || len(waiting) != 1 {
		t.Fatalf("messages %+v, %v", waiting, err)
	}
	// Read again, the file claims it once more and comes last.
	f.mustRun(first, func(r *event.Refresh) { r.Force = true })
	claims, err := f.store.Claims(t.Context(), []string{ref})
	if err != nil || len(claims) != 2 || claims[0].RepositoryID != third.ID() || claims[1].RepositoryID != first.ID() {
		t.Errorf("claims %+v, %v", claims, err)
	}
	if f.entity(ref).UID != heir.UID {
		t.Error("the heir was displaced")
	}
}
