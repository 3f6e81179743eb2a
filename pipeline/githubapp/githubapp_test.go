package githubapp_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/callboard/callboard/pipeline/fault"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/test/githubsim"
)

type fixture struct {
	*githubsim.Server
	app  *githubsim.App
	host string
}

func simulator(t *testing.T, opts ...githubsim.Option) fixture {
	t.Helper()
	t.Parallel()
	sim, err := githubsim.Open(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	app, err := sim.AddApp("callboard", githubsim.AppOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return fixture{sim, app, strings.TrimPrefix(sim.URL(), "http://")}
}

func (f fixture) clients(t *testing.T, apps ...githubapp.App) *githubapp.Clients {
	t.Helper()
	if len(apps) == 0 {
		apps = []githubapp.App{{ID: f.app.ID(), PrivateKey: f.app.KeyPEM()}}
	}
	c, err := githubapp.New([]githubapp.Host{{Host: f.host, BaseURL: f.URL(), Apps: apps}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (f fixture) repo(t *testing.T, name string, files map[string]string) *githubsim.Repo {
	t.Helper()
	owner, repo, _ := strings.Cut(name, "/")
	r, err := f.CreateRepo(owner, repo, githubsim.RepoOptions{Topics: []string{"go"}}, files)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (f fixture) install(t *testing.T, account string) {
	t.Helper()
	if _, err := f.Install(f.app, account, nil); err != nil {
		t.Fatal(err)
	}
}

func (f fixture) name(owner, name string) githubapp.Name {
	return githubapp.Name{Host: f.host, Owner: owner, Name: name}
}

func TestOpenLookupRead(t *testing.T) {
	f := simulator(t)
	big, binary := strings.Repeat("x", 600_000), "\xff\xfe\x00binary"
	r := f.repo(t, "acme/one", map[string]string{"a.yaml": "a: 1\n", "d/b.yaml": "b", "big.txt": big, "bin": binary, "empty": ""})
	f.install(t, "acme")
	s, err := f.clients(t).Open(t.Context(), f.name("acme", "one"), []string{"a.yaml", "nope.yaml", "d"})
	if err != nil {
		t.Fatal(err)
	}
	facts := s.Facts()
	if facts.ID != r.ID() || facts.Head != f.Head("acme/one", "main") || facts.DefaultBranch != "main" ||
		facts.URL != r.HTMLURL() || facts.Visibility != "public" || len(facts.Topics) != 1 {
		t.Errorf("facts are %+v", facts)
	}
	found, err := s.Lookup(t.Context(), []string{"a.yaml", "nope.yaml", "d", "d/b.yaml", "big.txt", "bin", "empty", "a b*?\"\\.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 5 {
		t.Errorf("found %v, want the five files and no folder", found)
	}
	var objects []githubapp.Object
	for _, o := range found {
		objects = append(objects, o)
	}
	bodies, err := s.Read(t.Context(), objects)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"a.yaml": "a: 1\n", "d/b.yaml": "b", "big.txt": big, "bin": binary, "empty": ""} {
		if got := string(bodies[found[path].SHA]); got != want {
			t.Errorf("%s has %d bytes, want %d", path, len(got), len(want))
		}
	}
	entries, err := s.List(t.Context())
	if err != nil || len(entries) != 5 {
		t.Errorf("the tree is %v, %v", entries, err)
	}
}

func TestNotFound(t *testing.T) {
	f := simulator(t)
	f.repo(t, "acme/one", nil)
	f.repo(t, "other/one", map[string]string{"a": "b"})
	f.install(t, "acme")
	c := f.clients(t)
	if _, err := c.Open(t.Context(), f.name("acme", "nobody"), nil); !errors.Is(err, githubapp.ErrNotFound) {
		t.Errorf("unknown repository: %v", err)
	}
	if _, err := c.Open(t.Context(), f.name("other", "one"), nil); !errors.Is(err, githubapp.ErrNotFound) {
		t.Errorf("no installation: %v", err)
	}
	if s, err := c.Open(t.Context(), f.name("acme", "one"), []string{"x"}); err != nil || s.Facts().Head != "" {
		t.Errorf("an empty repository: %v", err)
	}
	if _, err := c.Open(t.Context(), githubapp.Name{Host: "elsewhere", Owner: "a", Name: "b"}, nil); err == nil {
		t.Error("an unknown host is no error")
	}
}

// The id finds a repository whose name somebody else has taken.
func TestIDFindsRenamed(t *testing.T) {
	f := simulator(t)
	first := f.repo(t, "acme/one", map[string]string{"a": "first"})
	f.install(t, "acme")
	if err := f.RenameRepo("acme/one", "uno"); err != nil {
		t.Fatal(err)
	}
	f.repo(t, "acme/one", map[string]string{"a": "second"})
	n := f.name("acme", "one")
	n.ID = first.ID()
	s, err := f.clients(t).Open(t.Context(), n, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s.Facts().Name != "uno" {
		t.Errorf("found %s, want uno", s.Facts().Name)
	}
}

// One token serves many that ask at once.
func TestTokensWithoutStampede(t *testing.T) {
	f := simulator(t)
	f.repo(t, "acme/one", map[string]string{"a": "b"})
	f.install(t, "acme")
	c := f.clients(t)
	var wg sync.WaitGroup
	errs := make(chan error, 40)
	for range 40 {
		wg.Go(func() {
			_, err := c.Open(t.Context(), f.name("acme", "one"), nil)
			errs <- err
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	tokens := 0
	for route, n := range f.Requests() {
		if strings.Contains(route, "access_tokens") {
			tokens += n.Total
		}
	}
	if tokens != 1 {
		t.Errorf("%d tokens were made, want 1", tokens)
	}
}

func TestTheRightAppIsUsed(t *testing.T) {
	f := simulator(t)
	second, err := f.AddApp("second", githubsim.AppOptions{})
	if err != nil {
		t.Fatal(err)
	}
	f.repo(t, "beta/one", map[string]string{"a": "b"})
	in, err := f.Install(second, "beta", nil)
	if err != nil {
		t.Fatal(err)
	}
	c := f.clients(t, githubapp.App{ID: f.app.ID(), PrivateKey: f.app.KeyPEM()}, githubapp.App{ID: second.ID(), PrivateKey: second.KeyPEM()})
	n := f.name("beta", "one")
	n.InstallationID = in.ID() // as an event says, before anything is known of it
	if _, err := c.Open(t.Context(), n, nil); err != nil {
		t.Error(err)
	}
}

func TestLimits(t *testing.T) {
	reset := time.Now().Add(90 * time.Second)
	tests := []struct {
		name  string
		fault githubsim.Fault
		min   time.Duration
	}{
		{"primary", githubsim.PrimaryLimit("*", reset), 80 * time.Second},
		{"secondary 403", githubsim.SecondaryLimit("*", http.StatusForbidden, 7*time.Second), 7 * time.Second},
		{"secondary 429", githubsim.SecondaryLimit("*", http.StatusTooManyRequests, 7*time.Second), 7 * time.Second},
		{"429 without a word", githubsim.Fault{Match: "*", Status: http.StatusTooManyRequests}, time.Minute},
		{"403 in words only", githubsim.Fault{Match: "*", Status: http.StatusForbidden, Body: `{"message":"You have exceeded a secondary rate limit."}`}, time.Minute},
		{"GraphQL", githubsim.GraphQLError("RATE_LIMITED", "API rate limit exceeded"), time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := simulator(t)
			f.repo(t, "acme/one", map[string]string{"a": "b"})
			f.install(t, "acme")
			c := f.clients(t)
			if _, err := c.Open(t.Context(), f.name("acme", "one"), nil); err != nil {
				t.Fatal(err)
			}
			defer f.Inject(tt.fault)()
			_, err := c.Open(t.Context(), f.name("acme", "one"), nil)
			fate, ok := fault.Of(err)
			if !ok || fate.Reason != fault.ReasonRateLimited || fate.After < tt.min {
				t.Errorf("error is %v (%+v), want to wait at least %s", err, fate, tt.min)
			}
		})
	}
}

// A 403 about permissions is no reason to wait.
func TestForbiddenIsNotALimit(t *testing.T) {
	f := simulator(t)
	f.repo(t, "acme/one", map[string]string{"a": "b"})
	f.install(t, "acme")
	c := f.clients(t)
	defer f.Inject(githubsim.Fault{Match: "*graphql*", Status: http.StatusForbidden, Body: `{"message":"Resource not accessible by integration"}`})()
	_, err := c.Open(t.Context(), f.name("acme", "one"), nil)
	if _, limited := fault.Of(err); err == nil || limited || !strings.Contains(err.Error(), "permission") {
		t.Errorf("error is %v", err)
	}
}

func TestConfigurationFaults(t *testing.T) {
	t.Parallel()
	for i, hosts := range [][]githubapp.Host{
		{{Host: "https://github.com"}},
		{{Host: "github.com"}, {Host: "GitHub.com"}},
		{{Host: "github.com", Apps: []githubapp.App{{ID: 1}}}},
		{{Host: "github.com", Apps: []githubapp.App{{ID: 1, PrivateKey: []byte("no key")}}}},
		{{Host: "ghe.test", APIBaseURL: "/relative"}},
	} {
		if _, err := githubapp.New(hosts, 0); err == nil || !strings.Contains(err.Error(), "integrations.github") {
			t.Errorf("%d: error is %v", i, err)
		}
	}
}

func TestManyFilesAreReadInBatches(t *testing.T) {
	f := simulator(t)
	files := map[string]string{}
	var paths []string
	for i := range 250 {
		p := fmt.Sprintf("d%d/f%d.yaml", i%7, i)
		files[p] = fmt.Sprint("content ", i)
		paths = append(paths, p)
	}
	f.repo(t, "acme/one", files)
	f.install(t, "acme")
	s, err := f.clients(t).Open(t.Context(), f.name("acme", "one"), nil)
	if err != nil {
		t.Fatal(err)
	}
	f.ResetRequests()
	found, err := s.Lookup(t.Context(), paths)
	if err != nil {
		t.Fatal(err)
	}
	var objects []githubapp.Object
	for _, o := range found {
		objects = append(objects, o)
	}
	bodies, err := s.Read(t.Context(), objects)
	if err != nil {
		t.Fatal(err)
	}
	for p, want := range files {
		if got := string(bodies[found[p].SHA]); got != want {
			t.Errorf("%s is %q, want %q", p, got, want)
		}
	}
	requests := 0
	for _, n := range f.Requests() {
		requests += n.Total
	}
	if requests > 10 {
		t.Errorf("%d requests for 250 files", requests)
	}
}
