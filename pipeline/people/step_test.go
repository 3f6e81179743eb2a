package people_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/pipeline/bus"
	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/pipeline/fault"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/pipeline/people"
	"github.com/callboard/callboard/pipeline/refresh"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/sqlite"
)

// office is a GitHub whose answers a test sets.
type office struct {
	orgs      map[string]githubapp.People
	installed []githubapp.Installation
	err       error
	looks     int
	// hidden are there, but in no list; refused is the answer to every single question.
	hidden  []string
	refused error
	asked   int
}

func (o *office) Hosts() []string { return []string{"github.com"} }

func (o *office) Installations(context.Context, string) ([]githubapp.Installation, error) {
	return o.installed, nil
}

func (o *office) People(_ context.Context, _, org string, _ int64, _ githubapp.PeopleQuery) (githubapp.People, error) {
	o.looks++
	p, ok := o.orgs[strings.ToLower(org)]
	if !ok && o.err == nil {
		return p, githubapp.ErrNotFound
	}
	p.Requests = 3
	return p, o.err
}

func (o *office) Present(_ context.Context, _, org string, whom []string) (map[string]bool, error) {
	o.asked += len(whom)
	present := map[string]bool{}
	for _, who := range o.hidden {
		present[who] = true
	}
	for _, m := range o.orgs[strings.ToLower(org)].Members {
		present["members/"+strings.ToLower(m.Login)] = true
	}
	for _, t := range o.orgs[strings.ToLower(org)].Teams {
		present["teams/"+t.Slug] = true
	}
	return present, o.refused
}

// catalog is what cmd/app makes of refresh.
type catalog struct{ *refresh.Step }

func (catalog) SourceID(host, owner, name string) int64 { return refresh.SourceID(host, owner, name) }

func (c catalog) PlanEntries(ctx context.Context, source storage.Repository, entries []people.Entry, force bool, cause storage.Cause) (people.Change, error) {
	all := make([]refresh.Entry, len(entries))
	for i, e := range entries {
		all[i] = refresh.Entry(e)
	}
	plan, err := c.Step.PlanEntries(ctx, source, all, force, cause)
	return change{plan, c.Step}, err
}

type change struct {
	refresh.Plan
	step *refresh.Step
}

func (c change) Apply(ctx context.Context, tx storage.Tx) (bus.Outcome, error) {
	return c.step.Apply(ctx, tx, c.Plan)
}

type fixture struct {
	t     *testing.T
	store storage.Store
	hub   *office
	now   time.Time
	cfg   people.Config
	step  *people.Step
	ids   int64
}

// setup has one provider for the organization acme.
func setup(t *testing.T) *fixture {
	t.Helper()
	t.Parallel()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "callboard.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	f := &fixture{t: t, store: store, hub: &office{orgs: map[string]githubapp.People{}}, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	f.configure(provider("main", "acme"))
	return f
}

func provider(id string, orgs ...string) people.Provider {
	return people.Provider{ID: id, Host: "github.com", Orgs: orgs}
}

// configure is a start of the process with another configuration.
func (f *fixture) configure(providers ...people.Provider) {
	f.cfg.Providers, f.cfg.MaxRemovedShare, f.cfg.MaxRemovedEntities = providers, 0.1, 3
	f.cfg.Now = func() time.Time { return f.now }
	f.step = f.start(f.hub)
}

// start makes the step, with a GitHub.
func (f *fixture) start(hub people.GitHub) *people.Step {
	log := slog.New(slog.DiscardHandler)
	return people.New(f.cfg, f.store, hub, catalog{refresh.New(refresh.Config{Now: f.cfg.Now}, f.store, nil, log)}, log)
}

func (f *fixture) message(p people.Provider, org string, change func(*event.People, *storage.Message)) storage.Message {
	f.t.Helper()
	f.ids++
	req, msg := event.People{Host: p.Host, Org: org}, storage.Message{ID: f.ids, Topic: event.TopicPeople}
	if change != nil {
		change(&req, &msg)
	}
	made, err := event.PeopleMessage(req, storage.Cause{Reason: storage.ReasonPeople, Delivery: fmt.Sprint("guid-", f.ids)})
	if err != nil {
		f.t.Fatal(err)
	}
	made.ID, made.Attempts = msg.ID, msg.Attempts
	return made
}

// look is one look, an hour after the last.
func (f *fixture) look(org string) (bus.Outcome, error) {
	f.t.Helper()
	f.now = f.now.Add(time.Hour)
	return f.run(f.message(provider(""), org, nil))
}

// lastTry is a look after others that failed.
func (f *fixture) lastTry(org string) (bus.Outcome, error) {
	f.t.Helper()
	f.now = f.now.Add(time.Hour)
	return f.run(f.message(provider(""), org, func(_ *event.People, m *storage.Message) { m.Attempts = 2 }))
}

func (f *fixture) run(msgs ...storage.Message) (out bus.Outcome, err error) {
	f.t.Helper()
	p, err := f.step.Plan(f.t.Context(), msgs)
	if err != nil {
		return out, err
	}
	err = f.store.InTx(f.t.Context(), func(ctx context.Context, tx storage.Tx) error {
		var err error
		out, err = f.step.Apply(ctx, tx, p)
		return err
	})
	return out, err
}

// must fails the test when a look failed.
func (f *fixture) must(out bus.Outcome, err error) bus.Outcome {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
	return out
}

// uids are the living entities.
func (f *fixture) uids() map[string]string {
	f.t.Helper()
	out := map[string]string{}
	if _, err := f.store.EachEntity(f.t.Context(), func(e storage.Entity) error { out[e.Ref] = e.UID; return nil }); err != nil {
		f.t.Fatal(err)
	}
	return out
}

func (f *fixture) expect(refs ...string) {
	f.t.Helper()
	var got []string
	for ref := range f.uids() {
		got = append(got, ref)
	}
	slices.Sort(got)
	slices.Sort(refs)
	if diff := cmp.Diff(refs, got); diff != "" {
		f.t.Fatalf("entities (-want +got)\n%s", diff)
	}
}

func (f *fixture) row(owner string) storage.Repository {
	f.t.Helper()
	r, err := f.store.Repository(f.t.Context(), refresh.SourceID("github.com", owner, event.PeopleName))
	if err != nil {
		f.t.Fatal(err)
	}
	return r
}

func (f *fixture) scans() []storage.Scan {
	f.t.Helper()
	all, err := f.store.Scans(f.t.Context(), storage.ScanFilter{Kind: storage.ScanPeople})
	if err != nil {
		f.t.Fatal(err)
	}
	return all
}

// undone are the organizations that looks are asked for at.
func (f *fixture) undone(orgs ...string) (n int) {
	f.t.Helper()
	for _, org := range orgs {
		all, err := f.store.UndoneMessages(f.t.Context(), event.TopicPeople, event.PeopleKey(event.People{Host: "github.com", Org: org}))
		if err != nil {
			f.t.Fatal(err)
		}
		n += len(all)
	}
	return n
}

// crowd is an organization of n members and no team.
func crowd(org string, n int) githubapp.People {
	p := githubapp.People{Org: org}
	for i := range n {
		p.Members = append(p.Members, githubapp.Member{Login: fmt.Sprintf("u%02d", i)})
	}
	return p
}

func TestLook(t *testing.T) {
	f := setup(t)
	f.hub.orgs["acme"] = acme
	if out := f.must(f.look("ACME")); out.State != storage.DeliveryApplied || out.Changes != 7 || out.Repository != "acme/~people" {
		t.Errorf("the first look is %+v", out)
	}
	f.expect("user:default/amara", "user:default/bo", "user:default/cy",
		"group:default/engineering", "group:default/shop", "group:default/cart", "group:default/hidden-child")
	before := f.uids()
	if out := f.must(f.look("acme")); out.State != storage.DeliveryUnchanged || out.Changes != 0 {
		t.Errorf("the second look is %+v", out)
	}
	changed := acme
	changed.Teams = slices.Clone(acme.Teams)
	changed.Teams[1].Members = []string{"bo"}
	f.hub.orgs["acme"] = changed
	if out := f.must(f.look("acme")); out.Changes != 2 {
		t.Errorf("bo joined shop: %+v, want both changed", out)
	}
	if diff := cmp.Diff(before, f.uids()); diff != "" {
		t.Errorf("uids changed\n%s", diff)
	}
	if row := f.row("acme"); row.State != storage.RepositoryActive || row.HTMLURL != "https://github.com/orgs/Acme/people" {
		t.Errorf("the row is %+v", row)
	}
	history, err := f.store.History(t.Context(), "group:default/shop", 1)
	if err != nil || len(history) != 1 || history[0].Cause.Delivery != "guid-3" {
		t.Errorf("the history is %+v, %v; want it caused by the third delivery", history, err)
	}
}

// A burst is one look now and one when what the first cost is spread.
func TestBurst(t *testing.T) {
	f := setup(t)
	f.hub.orgs["acme"] = acme
	f.must(f.look("acme"))
	burst := []storage.Message{f.message(provider(""), "acme", nil), f.message(provider(""), "acme", nil)}
	_, err := f.run(burst...)
	if fate, ok := fault.Of(err); !ok || fate.After <= 0 || fate.Permanent || fate.Reason != fault.ReasonTurn {
		t.Fatalf("a second look at once: %v, want it postponed", err)
	}
	f.now = f.now.Add(2999 * time.Millisecond)
	if _, err := f.run(burst...); err == nil {
		t.Fatal("three requests are spread over three seconds")
	}
	f.now = f.now.Add(time.Millisecond)
	f.must(f.run(burst...))
	if f.hub.looks != 2 {
		t.Errorf("%d looks, want 2", f.hub.looks)
	}
}

// While one replica looks, another does not; the one that looks may try again.
func TestOneLookAtATime(t *testing.T) {
	f := setup(t)
	f.hub.orgs["acme"] = acme
	mine, other := f.message(provider(""), "acme", nil), f.message(provider(""), "acme", nil)
	if _, err := f.step.Plan(t.Context(), []storage.Message{mine}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.run(other); err == nil {
		t.Error("two looks at one time")
	}
	replica := *f
	replica.configure(f.cfg.Providers...)
	if _, err := replica.run(mine); err == nil {
		t.Error("two processes look because of one message")
	}
	f.must(f.run(mine, other))
}

// However complete an answer says it is, it does not take many people away
// without anybody's word.
func TestManyRemovalsWait(t *testing.T) {
	f := setup(t)
	f.hub.orgs["acme"] = crowd("acme", 40)
	f.must(f.look("acme"))
	f.hub.orgs["acme"] = crowd("acme", 20)
	out := f.must(f.look("acme"))
	if len(f.uids()) != 40 {
		t.Fatalf("%d users are left, want all 40", len(f.uids()))
	}
	scans := f.scans()
	if len(scans) != 1 || scans[0].State != storage.ScanPaused || scans[0].Removing != 20 || scans[0].Total != 40 {
		t.Fatalf("scans are %+v", scans)
	}
	if row := f.row("acme"); !strings.Contains(row.Error, "callboard scan approve "+scans[0].ID) || out.Reason != row.Error {
		t.Errorf("row and outcome say %q and %q", row.Error, out.Reason)
	}
	expectShown(t, f, scans[0].ID, 20, "user:default/u20")
	// More than was approved is asked again, under the same id.
	f.hub.orgs["acme"] = crowd("acme", 10)
	f.now = f.now.Add(time.Hour)
	f.must(f.run(f.approve(scans[0].ID), f.message(provider(""), "acme", nil)))
	again := f.scans()
	if len(f.uids()) != 40 || len(again) != 1 || again[0].ID != scans[0].ID || again[0].Removing != 30 {
		t.Fatalf("%d users are left, scans are %+v", len(f.uids()), again)
	}
	expectShown(t, f, scans[0].ID, 30, "user:default/u10")
	for _, nothing := range []storage.Message{f.approval("no-such-scan"), f.approval(scans[0].ID)} { // the last one waits again
		f.now = f.now.Add(time.Hour)
		f.must(f.run(nothing))
		if len(f.uids()) != 40 {
			t.Fatal("an approval of nothing released something")
		}
	}
	f.now = f.now.Add(time.Hour)
	f.must(f.run(f.approve(scans[0].ID), f.message(provider(""), "acme", nil)))
	if done := f.scans(); len(f.uids()) != 10 || len(done) != 1 || done[0].State != storage.ScanDone || done[0].FinishedAt.IsZero() {
		t.Fatalf("%d users are left, scans are %+v", len(f.uids()), done)
	}
	if row := f.row("acme"); row.Error != "" || row.State != storage.RepositoryActive {
		t.Errorf("the row still says %+v", row)
	}
	expectShown(t, f, scans[0].ID, 0, "")
}

func TestAGoodAnswerEndsThePause(t *testing.T) {
	f := setup(t)
	f.hub.orgs["acme"] = crowd("acme", 40)
	f.must(f.look("acme"))
	f.hub.orgs["acme"] = crowd("acme", 1)
	f.must(f.look("acme"))
	f.hub.orgs["acme"] = crowd("acme", 38) // two gone: few enough
	f.must(f.look("acme"))
	if scans := f.scans(); len(f.uids()) != 38 || len(scans) != 1 || scans[0].State != storage.ScanSuperseded {
		t.Errorf("%d users are left, scans are %+v", len(f.uids()), scans)
	}
}

func TestFailures(t *testing.T) {
	f := setup(t)
	f.hub.orgs["acme"] = acme
	f.must(f.look("acme"))
	before := f.uids()

	f.hub.err = fault.Unavailable(errors.New("GitHub answers 502"))
	if _, err := f.look("acme"); err == nil {
		t.Error("an outage is tried again by the bus")
	}
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"half an answer", errors.New("3 of 4 members were listed"), "3 of 4 members"},
		{"no installation", fmt.Errorf("no: %w", githubapp.ErrNotFound), "install the App on it"},
		{"no permission", fmt.Errorf("no: %w", githubapp.ErrForbidden), "the permission members: read"},
	}
	for _, tt := range tests {
		f.hub.err = tt.err
		if _, err := f.look("acme"); err == nil {
			t.Errorf("%s is not tried again", tt.name)
		}
		if out := f.must(f.lastTry("acme")); out.State != storage.DeliveryIgnored || !strings.Contains(out.Reason, tt.want) {
			t.Errorf("%s: %+v", tt.name, out)
		}
		if row := f.row("acme"); !strings.Contains(row.Error, tt.want) || row.State != storage.RepositoryUnreachable {
			t.Errorf("%s: the row says %+v", tt.name, row)
		}
	}
	if diff := cmp.Diff(before, f.uids()); diff != "" {
		t.Errorf("failures changed entities\n%s", diff)
	}
	f.hub.err = nil
	f.must(f.look("acme"))
	if row := f.row("acme"); row.Error != "" || row.State != storage.RepositoryActive {
		t.Errorf("the row still says %+v", row)
	}
	_, err := f.run(storage.Message{ID: 99, Topic: event.TopicPeople, Payload: []byte(`{"org":""}`)})
	if fate, ok := fault.Of(err); !ok || !fate.Permanent {
		t.Errorf("a senseless message: %v", err)
	}
}
