package githubapp_test

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/callboard/callboard/pipeline/fault"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/test/githubsim"
)

// A name may be another repository's by now. The id says whether ours is covered.
func TestCoveredIsAboutTheID(t *testing.T) {
	f := simulator(t)
	f.AddOrg("umbrella", "umbrella")
	f.AddOrg("outside", "outside")
	f.install(t, "acme")
	f.install(t, "umbrella")
	c := f.clients(t)
	tests := []struct {
		name string
		then func(name string) error
		want bool
	}{
		{"there", func(string) error { return nil }, true},
		{"deleted", func(name string) error { return f.DeleteRepo(name) }, false},
		{"renamed", func(name string) error { return f.RenameRepo(name, "other-"+name[len("acme/"):]) }, true},
		{"transferred", func(name string) error { return f.TransferRepo(name, "umbrella") }, true},
		{"transferred away", func(name string) error { return f.TransferRepo(name, "outside") }, false},
	}
	for i, tt := range tests {
		for _, private := range []bool{false, true} {
			for _, again := range []bool{false, true} {
				what := fmt.Sprintf("%s, private %v, name taken %v", tt.name, private, again)
				repo := fmt.Sprintf("r%d-%v-%v", i, private, again)
				r := f.repo(t, "acme/"+repo, map[string]string{"a": "b"})
				err := f.SetPrivate("acme/"+repo, private)
				if err == nil {
					err = tt.then("acme/" + repo)
				}
				if err != nil {
					t.Fatal(err)
				}
				n := f.name("acme", repo)
				n.ID = r.ID()
				if again && tt.name != "there" {
					successor := n
					successor.ID = f.repo(t, "acme/"+repo, map[string]string{"a": "b"}).ID()
					if ok, err := c.Covered(t.Context(), successor); !ok || err != nil {
						t.Errorf("%s: the new one is covered: %v, %v", what, ok, err)
					}
				}
				if ok, err := c.Covered(t.Context(), n); ok != tt.want || err != nil {
					t.Errorf("%s: covered %v, %v", what, ok, err)
				}
			}
		}
	}
}

// While reads of one repository fail, nothing says that it is gone.
func TestCoveredWhileReadsFail(t *testing.T) {
	f := simulator(t)
	r := f.repo(t, "acme/one", map[string]string{"a": "b"})
	f.install(t, "acme")
	n := f.name("acme", "one")
	n.ID = r.ID()
	c := f.clients(t)
	remove := f.Inject(githubsim.Fault{Match: "GET /repos/{owner}/{repo}", Status: http.StatusNotFound})
	if ok, err := c.Covered(t.Context(), n); !ok || err != nil {
		t.Errorf("404: covered %v, %v", ok, err)
	}
	remove()
	f.Inject(githubsim.Fault{Match: "GET /repos/{owner}/{repo}", Status: http.StatusBadGateway})
	if _, err := c.Covered(t.Context(), n); err == nil {
		t.Error("502: it is known whether it is covered")
	}
}

// That an App is gone from an account is asked once for all its repositories,
// and soon again.
func TestCoveredOfAnUninstalledAccount(t *testing.T) {
	f := simulator(t)
	var later atomic.Int64
	c, err := githubapp.New([]githubapp.Host{{Host: f.host, BaseURL: f.URL(), Apps: []githubapp.App{{ID: f.app.ID(), PrivateKey: f.app.KeyPEM()}}}}, 0,
		githubapp.WithClock(func() time.Time { return time.Now().Add(time.Duration(later.Load())) }))
	if err != nil {
		t.Fatal(err)
	}
	var names []githubapp.Name
	in, err := f.Install(f.app, "acme", nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 60 {
		n := f.name("acme", fmt.Sprint("r", i))
		n.ID, n.InstallationID = f.repo(t, "acme/"+n.Name, map[string]string{"a": "b"}).ID(), in.ID()
		names = append(names, n)
	}
	ask := func(want bool) int {
		t.Helper()
		f.ResetRequests()
		var wg sync.WaitGroup
		for _, n := range names {
			wg.Go(func() {
				if ok, err := c.Covered(t.Context(), n); ok != want || err != nil {
					t.Errorf("%s is covered: %v, %v", n.Name, ok, err)
				}
			})
		}
		wg.Wait()
		n := 0
		for _, count := range f.Requests() {
			n += count.Total
		}
		return n
	}
	in.Uninstall()
	if n := ask(false); n > 5 {
		t.Errorf("%d requests", n)
	}
	if n := ask(false); n != 0 {
		t.Errorf("%d requests at once again", n)
	}
	later.Add(int64(time.Minute))
	if n := ask(false); n == 0 || n > 5 {
		t.Errorf("%d requests after a minute", n)
	}
	later.Add(int64(time.Minute))
	remove := f.Inject(githubsim.Fault{Match: "*", Status: http.StatusNotFound})
	_, err = c.Covered(t.Context(), names[0])
	if _, unavailable := fault.Of(err); !unavailable {
		t.Errorf("a 404 for everything is taken for evidence: %v", err)
	}
	remove()
	ask(false)
	f.install(t, "acme")
	if _, err := c.Installations(t.Context(), f.host); err != nil {
		t.Fatal(err)
	}
	ask(true)
}
