package scan_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/pipeline/discovery"
	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/pipeline/fault"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/storage"
)

func same(t testing.TB, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestAScanAsksForWhatIsNew(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.show(10)
	f.github.listed[8].Head = ""
	id := f.start()
	s := f.proceed(id)
	same(t, "asked for", []string{"1 seen", "2 seen", "3 seen", "4 seen", "5 seen", "6 seen", "7 seen", "8 seen", "10 seen"}, words(f.refreshes()))
	first := f.refreshes()[0]
	same(t, "facts", &f.github.listed[0].Seen, first.Seen)
	same(t, "cause", storage.Cause{Reason: "scan", Actor: "someone", Repository: "acme/r1", Scan: id}, first.Cause)
	if !first.Discovered || first.InstallationID != 7 || first.Head != "head1" {
		t.Errorf("asks for %+v", first.Refresh)
	}
	same(t, "pages", []githubapp.PageQuery{
		{Size: 4, Path: "catalog-info.yaml"}, {Cursor: "4", Size: 4, Path: "catalog-info.yaml"}, {Cursor: "8", Size: 4, Path: "catalog-info.yaml"},
	}, f.github.asked)
	same(t, "progress", []int{3, 10, 10, 9, 3}, []int{s.Pages, s.Total, s.Seen, s.Changed, s.Requests})

	f.refreshed(nil)
	s = f.proceed(id)
	if s.State != storage.ScanDone || s.Error != "" || s.FinishedAt.IsZero() || len(s.SeenIDs) != 0 {
		t.Errorf("ends as %+v", s)
	}
	if log := f.log.String(); !strings.Contains(log, `msg="scan began"`) || !strings.Contains(log, `msg="scan done"`) {
		t.Errorf("the log says:\n%s", log)
	}
}

func TestAnUnchangedAccountCostsOneRequestAPage(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.show(10)
	f.know(7)
	s := f.proceed(f.start())
	if s.State != storage.ScanDone || s.Changed+s.Missing != 0 || len(f.github.asked) != 3 || f.github.listings != 2 {
		t.Errorf("%+v after %d pages and %d lists of installations", s, len(f.github.asked), f.github.listings)
	}
}

// What a scan asks for a repository that is known.
func TestCompare(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		listed func(*githubapp.Listed)
		stored func(*storage.Repository)
		want   []string
	}{
		{"unchanged", nil, nil, nil},
		{"pushed to", func(l *githubapp.Listed) { l.Head = "new" }, nil, []string{"1"}},
		{"empty and still empty", func(l *githubapp.Listed) { l.Head = "" }, func(r *storage.Repository) { r.AppliedSHA = "" }, nil},
		{"renamed", func(l *githubapp.Listed) { l.Name, l.URL = "x", "https://github.com/acme/x" }, nil, []string{"1 look"}},
		{"archived", func(l *githubapp.Listed) { l.Archived = true }, nil, []string{"1 look"}},
		{"another visibility", func(l *githubapp.Listed) { l.Visibility = "public" }, nil, []string{"1 look"}},
		{"visibility in capitals", func(l *githubapp.Listed) { l.Visibility = "PRIVATE" }, nil, nil},
		{"another topic", func(l *githubapp.Listed) { l.Topics = []string{"a"} }, nil, []string{"1 look"}},
		{"another branch", func(l *githubapp.Listed) { l.DefaultBranch = "trunk" }, nil, []string{"1 look"}},
		{"failed", nil, func(r *storage.Repository) { r.Error = "e" }, []string{"1 look"}},
		{"was unreachable", nil, func(r *storage.Repository) { r.State = storage.RepositoryUnreachable }, []string{"1 look"}},
		{"was removed", nil, func(r *storage.Repository) { r.State = storage.RepositoryRemoved }, []string{"1 look"}},
		{"only a location named it", nil, func(r *storage.Repository) { r.Discovered = false }, []string{"1 look"}},
		{"came through another installation", nil, func(r *storage.Repository) { r.InstallationID = 3 }, []string{"1 look"}},
		{"head unknown, pushed since", func(l *githubapp.Listed) { l.HeadUnknown, l.Head, l.PushedAt = true, "", time.Now() }, nil, []string{"1"}},
		{"head unknown, push unknown", func(l *githubapp.Listed) { l.HeadUnknown, l.Head = true, "" }, nil, []string{"1"}},
		{"head unknown, pushed before", func(l *githubapp.Listed) { l.HeadUnknown, l.Head, l.PushedAt = true, "", time.Unix(1, 0) },
			func(r *storage.Repository) { r.VerifiedAt = time.Unix(1000, 0) }, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			f.show(1)
			f.know(7)
			if tt.stored != nil {
				f.change(1, tt.stored)
			}
			if tt.listed != nil {
				tt.listed(&f.github.listed[0])
			}
			f.proceed(f.start())
			same(t, "asked for", tt.want, words(f.refreshes()))
		})
	}
}

func TestTheFilterKeepsOutWhatIsUnknown(t *testing.T) {
	t.Parallel()
	f := setup(t, discovery.Provider{
		ID: "p", Host: host, Organization: "acme", CatalogPath: "**/catalog.yaml", Branch: "release", PageSize: 50,
		Filter: discovery.Filter{TopicExclude: []string{"hidden"}},
	})
	f.show(3)
	f.know(7)
	for i := range f.github.listed[:2] { // 1 is known, 4 is not
		f.github.listed = append(f.github.listed, listed(int64(4+i)))
	}
	f.github.listed[0].Topics, f.github.listed[3].Topics = []string{"hidden"}, []string{"hidden"}
	f.proceed(f.start())
	same(t, "asked for", []string{"1 look", "5 seen"}, words(f.refreshes()))
	same(t, "page", githubapp.PageQuery{Size: 50, Branch: "release"}, f.github.asked[0])
}

func TestAPageThatIsTooHeavyIsHalved(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.show(9)
	f.github.answer = func(q githubapp.PageQuery) (githubapp.Page, error, bool) {
		return githubapp.Page{}, githubapp.ErrTooHeavy, q.Cursor == "4" && q.Size > 1
	}
	s := f.proceed(f.start())
	var sizes []int
	for _, q := range f.github.asked {
		sizes = append(sizes, q.Size)
	}
	same(t, "sizes", []int{4, 4, 2, 1, 2, 4}, sizes)
	same(t, "seen", 9, s.Seen)
}

func TestAPageIsTriedAgain(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.show(9)
	down := errors.New("GitHub answers 500")
	fails := 3
	f.github.answer = func(q githubapp.PageQuery) (githubapp.Page, error, bool) {
		if q.Cursor == "4" && fails > 0 {
			fails--
			return githubapp.Page{}, down, true
		}
		return githubapp.Page{}, nil, false
	}
	began := f.now
	s := f.proceed(f.start())
	if s.Seen != 9 || s.Retries != 0 || s.Error != "" || f.now.Sub(began) != 7*time.Second {
		t.Errorf("%+v after %s", s, f.now.Sub(began))
	}

	f.refreshed(nil)
	f.know(7)
	f.proceed(s.ID)
	f.github.answer = func(githubapp.PageQuery) (githubapp.Page, error, bool) { return githubapp.Page{}, down, true }
	began = f.now
	s = f.proceed(f.start())
	if s.State != storage.ScanFailed || s.Error != down.Error() || s.Missing != 0 || len(f.refreshes()) != 0 {
		t.Errorf("ends as %+v", s)
	}
	if took := f.now.Sub(began); took < time.Hour || took > time.Hour+2*time.Minute {
		t.Errorf("gave up after %s", took)
	}
	f.github.answer = nil
	if again := f.proceed(f.start()); again.State != storage.ScanDone {
		t.Errorf("the next one ends as %+v", again)
	}
}

func TestARateLimitPostpones(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.show(3)
	f.github.answer = func(githubapp.PageQuery) (githubapp.Page, error, bool) { return githubapp.Page{}, limited(), true }
	id := f.start()
	_, err := f.run(event.ScanKey(event.Scan{Scan: id}))
	if fate, ok := fault.Of(err); !ok || fate.After != time.Hour {
		t.Errorf("the bus is told %v", err)
	}
	same(t, "row", storage.ScanRunning, f.scan(id).State)
}

func TestWhatIsMissingIsAskedFor(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		given func(f *fixture)
		want  []string
		error string
	}{
		{"missing", func(*fixture) {}, []string{"5 gone", "6 gone"}, ""},
		{"removed already", func(f *fixture) {
			f.change(6, func(r *storage.Repository) { r.State = storage.RepositoryRemoved })
		}, []string{"5 gone"}, ""},
		{"only named by a location", func(f *fixture) { f.change(6, func(r *storage.Repository) { r.Discovered = false }) }, []string{"5 gone"}, ""},
		{"of another account", func(f *fixture) { f.change(6, func(r *storage.Repository) { r.Owner = "other" }) }, []string{"5 gone"}, ""},
		{"shown by another App", func(f *fixture) {
			f.github.installed[0].Selected = true
			f.github.installed = append(f.github.installed, githubapp.Installation{ID: 8, AppID: 2, Host: host, Account: "ACME", Selected: true, Suspended: true})
			f.change(6, func(r *storage.Repository) { r.InstallationID = 8 })
		}, []string{"5 gone"}, ""},
		{"shown by another App that shows no more than this one", func(f *fixture) {
			f.github.installed = append(f.github.installed, githubapp.Installation{ID: 8, AppID: 2, Host: host, Account: "ACME"})
			f.change(6, func(r *storage.Repository) { r.InstallationID = 8 })
		}, []string{"5 gone", "6 gone"}, ""},
		{"of an installation that is no more", func(f *fixture) {
			f.change(6, func(r *storage.Repository) { r.InstallationID = 3 })
		}, []string{"5 gone", "6 gone"}, ""},
		{"GitHub counts more than it shows", func(f *fixture) { f.github.total = 5 }, nil, "GitHub showed 4 of 5 repositories; nothing is taken for gone"},
		{"GitHub counts less than it shows", func(f *fixture) { f.github.total = 3 }, nil, "GitHub showed 4 of 3 repositories; nothing is taken for gone"},
		{"GitHub does not count", func(f *fixture) { f.github.total = -1 }, nil,
			"GitHub did not show all repositories, or did not say how many there are; nothing is taken for gone"},
		{"one cannot be read", func(f *fixture) {
			f.github.answer = func(githubapp.PageQuery) (githubapp.Page, error, bool) {
				return githubapp.Page{Repositories: f.github.listed, Total: 4, Unreadable: 1}, nil, true
			}
		}, nil, "GitHub did not show all repositories, or did not say how many there are; nothing is taken for gone"},
		{"the same twice, and not all", func(f *fixture) {
			f.github.listed = append(f.github.listed[:3:3], f.github.listed[0])
		}, nil, "GitHub showed 3 of 4 repositories; nothing is taken for gone"},
		{"fewer on a later page", func(f *fixture) {
			f.show(5)
			f.github.answer = func(q githubapp.PageQuery) (githubapp.Page, error, bool) {
				return githubapp.Page{Total: 4}, nil, q.Cursor != ""
			}
		}, nil, "GitHub showed 4 of 5 repositories; nothing is taken for gone"},
		{"the App is not installed any more", func(f *fixture) { f.github.installed = nil }, []string{"1 gone", "2 gone", "3 gone", "4 gone", "5 gone", "6 gone"}, ""},
		{"a token sees less", func(f *fixture) {
			f.github.token = true
			for id := range int64(6) {
				f.change(id+1, func(r *storage.Repository) { r.InstallationID = 0 })
			}
		}, []string{"5 look", "6 look"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := setup(t, discovery.Provider{ID: "p", Host: host, Organization: "acme", PageSize: 4, Filter: discovery.Filter{AllowArchived: true}})
			f.show(6)
			f.know(7)
			f.show(4)
			tt.given(f)
			s := f.proceed(f.start())
			same(t, "asked for", tt.want, words(f.refreshes()))
			same(t, "error", tt.error, s.Error)
			same(t, "counted", len(tt.want), s.Missing)
		})
	}
}

func TestNobodyMissesWhatASuspendedInstallationHides(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.show(3)
	f.know(7)
	id := f.start()
	f.github.installed[0].Suspended = true
	if s := f.proceed(id); s.State != storage.ScanFailed || len(f.refreshes()) != 0 {
		t.Errorf("ends as %+v", s)
	}
	if _, err := f.step.Start(t.Context(), "", "acme", "someone"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("started: %v", err)
	}
}

// Where the entries of an account agree, the page carries the descriptor; where
// they do not, it carries facts, and the head counts only on its own branch.
func TestSeveralEntries(t *testing.T) {
	t.Parallel()
	entry := func(id, path, branch, topic string) discovery.Provider {
		p := discovery.Provider{ID: id, Host: host, Organization: "acme", CatalogPath: path, Branch: branch, PageSize: 4}
		if topic != "" {
			p.Filter.TopicInclude = []string{topic}
		}
		return p
	}
	tests := []struct {
		name         string
		entries      []discovery.Provider
		path, branch string
		want         []string // the first is not known; the head of the second moved, and nobody pushed
	}{
		{"alike", []discovery.Provider{entry("x", "a.yaml", "dev", "z"), entry("y", "a.yaml", "dev", "a")}, "a.yaml", "dev", []string{"1 seen", "2"}},
		{"other paths", []discovery.Provider{entry("x", "a.yaml", "dev", ""), entry("y", "b.yaml", "dev", "")}, "", "dev", []string{"1 seen", "2"}},
		{"a glob", []discovery.Provider{entry("x", "**/a.yaml", "", "")}, "", "", []string{"1 seen", "2"}},
		{"other branches, the default one counts", []discovery.Provider{entry("x", "a.yaml", "dev", "z"), entry("y", "a.yaml", "", "a")}, "", "", []string{"1 seen", "2"}},
		{"other branches, another counts", []discovery.Provider{entry("x", "a.yaml", "dev", "a"), entry("y", "a.yaml", "", "")}, "", "", []string{"1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := setup(t, tt.entries...)
			f.show(2)
			l := f.github.listed[1]
			l.Head = "older"
			f.tx(func(ctx context.Context, tx storage.Tx) error {
				known := stored(l, 7)
				known.VerifiedAt = f.now
				_, err := tx.PutRepository(ctx, known)
				return err
			})
			f.github.listed[1].PushedAt = f.now.Add(-time.Hour)
			f.proceed(f.start())
			if q := f.github.asked[0]; q.Path != tt.path || q.Branch != tt.branch {
				t.Errorf("asked for %q on %q, want %q on %q", q.Path, q.Branch, tt.path, tt.branch)
			}
			same(t, "asked for", tt.want, words(f.refreshes()))
		})
	}
}

func TestAccounts(t *testing.T) {
	t.Parallel()
	org := func(id, name string) discovery.Provider {
		return discovery.Provider{ID: id, Host: host, Organization: name}
	}
	installed := func(id, app int64, account string) githubapp.Installation {
		return githubapp.Installation{ID: id, AppID: app, Host: host, Account: account}
	}
	user := func(id, app int64, account string) githubapp.Installation {
		in := installed(id, app, account)
		in.AccountType = "User"
		return in
	}
	part := func(id int64, account string) githubapp.Installation {
		in := installed(id, id, account)
		in.Selected = true
		return in
	}
	suspended := func(in githubapp.Installation) githubapp.Installation {
		in.Suspended = true
		return in
	}
	tests := []struct {
		name      string
		providers []discovery.Provider
		token     bool
		installed []githubapp.Installation
		owner     string
		want      []string
		err       error
	}{
		{"all that the App is on", nil, false, []githubapp.Installation{installed(1, 1, "a"), installed(2, 1, "b")}, "", []string{"a 1", "b 2"}, nil},
		{"one of them", nil, false, []githubapp.Installation{installed(1, 1, "a"), installed(2, 1, "b")}, "B", []string{"b 2"}, nil},
		{"none of them", nil, false, []githubapp.Installation{installed(1, 1, "a")}, "c", nil, storage.ErrNotFound},
		{"what is configured", []discovery.Provider{org("x", "B")}, false, []githubapp.Installation{installed(1, 1, "a"), installed(2, 1, "b")}, "", []string{"b 2"}, nil},
		{"by App", []discovery.Provider{{ID: "x", Host: host, App: 2}}, false, []githubapp.Installation{installed(1, 1, "a"), installed(2, 2, "b")}, "", []string{"b 2"}, nil},
		{"by App, which is on a user", []discovery.Provider{{ID: "x", Host: host, App: 2}}, false, []githubapp.Installation{user(1, 2, "a"), installed(2, 2, "b")}, "", []string{"b 2"}, nil},
		{"several entries", []discovery.Provider{org("x", "b"), org("y", "b"), {ID: "z", Host: host, App: 1}}, false, []githubapp.Installation{installed(1, 1, "b")}, "", []string{"b 1"}, nil},
		{"without an installation", []discovery.Provider{org("x", "a"), org("y", "c")}, false, []githubapp.Installation{installed(1, 1, "a")}, "", []string{"a 1", "c 0"}, nil},
		{"a part each", nil, false, []githubapp.Installation{part(1, "a"), part(2, "A"), part(3, "b")}, "a", []string{"A 2", "a 1"}, nil},
		{"a part and all", nil, false, []githubapp.Installation{part(1, "a"), installed(2, 2, "a"), installed(3, 3, "a")}, "", []string{"a 2"}, nil},
		{"a part, and all suspended", nil, false, []githubapp.Installation{part(1, "a"), suspended(installed(2, 2, "a"))}, "", []string{"a 1"}, nil},
		{"suspended", []discovery.Provider{org("x", "a")}, false, []githubapp.Installation{suspended(part(1, "a"))}, "", nil, storage.ErrNotFound},
		{"with a token", []discovery.Provider{org("x", "a")}, true, nil, "", []string{"a 0"}, nil},
		{"with a token and nothing else", nil, true, nil, "", nil, storage.ErrNotFound},
		{"an installation that is no more", nil, false, nil, "", []string{"acme 7"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := setup(t, tt.providers...)
			f.github.token, f.github.installed = tt.token, tt.installed
			if len(tt.want) == 1 && tt.want[0] == "acme 7" {
				f.show(1)
				f.know(7)
			}
			_, err := f.step.Start(t.Context(), "", tt.owner, "someone")
			if !errors.Is(err, tt.err) {
				t.Fatalf("error is %v, want %v", err, tt.err)
			}
			var got []string
			for _, s := range f.scans() {
				got = append(got, s.Owner+" "+string(rune('0'+s.InstallationID)))
			}
			slices.Sort(got)
			same(t, "accounts", tt.want, got)
		})
	}
}

func TestSenselessMessagesAreParked(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, payload := range []string{`x`, `{}`, `{"host":1}`} {
		_, err := f.step.Plan(t.Context(), []storage.Message{{ID: 1, Payload: []byte(payload)}})
		if fate, ok := fault.Of(err); !ok || !fate.Permanent {
			t.Errorf("%s: %v", payload, err)
		}
	}
}

// Failures in a row are counted from the first of them: an hour of waiting for a
// rate limit before, or between them, gives nobody's scan up.
func TestOneHiccupAfterALongWait(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.show(9)
	id := f.start()
	key := event.ScanKey(event.Scan{Scan: id})
	if _, err := f.run(key); err != nil {
		t.Fatal(err)
	}
	down := fault.Unavailable(errors.New("GitHub answers 502"))
	for _, why := range []error{limited(), down, limited(), down} {
		f.github.answer = func(githubapp.PageQuery) (githubapp.Page, error, bool) { return githubapp.Page{}, why, true }
		if _, err := f.run(key); err != nil && !errors.Is(err, why) {
			t.Fatal(err)
		}
		f.now = f.now.Add(61 * time.Minute) // the bus postponed it as GitHub said
		same(t, "state", storage.ScanRunning, f.scan(id).State)
	}
	f.github.answer = nil
	f.proceed(id)
	same(t, "seen", 9, f.scan(id).Seen)
}

// However many ask while a scan runs: one request waits for its end, with the
// age of the youngest.
func TestRequestsForOneAccountAreOne(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.show(9)
	f.start()
	req := event.Scan{Host: host, Owner: "acme", InstallationID: 7}
	for i := range 200 {
		f.tx(func(ctx context.Context, tx storage.Tx) error {
			_, err := tx.AddMessages(ctx, []storage.Message{{
				Topic: event.TopicScan, Key: event.ScanKey(req), Payload: []byte(`{"host":"github.com","owner":"acme","installationId":7}`),
				CreatedAt: f.now.Add(time.Duration(1+i%100) * time.Millisecond),
			}})
			return err
		})
	}
	youngest := f.now.Add(100 * time.Millisecond)
	for range 3 {
		f.now = f.now.Add(6 * time.Second)
		if _, err := f.run(event.ScanKey(req)); err != nil {
			t.Fatal(err)
		}
		waiting := f.undone(event.TopicScan, event.ScanKey(req))
		same(t, "requests", 1, len(waiting))
		if !waiting[0].CreatedAt.Equal(youngest) {
			t.Errorf("it is of %s, want %s", waiting[0].CreatedAt, youngest)
		}
	}
}
