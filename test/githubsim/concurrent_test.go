package githubsim_test

import (
	"net/http"
	"sync"
	"testing"

	"github.com/callboard/callboard/test/githubsim"
	"github.com/callboard/callboard/test/githubsim/gitrepo"
)

// TestManyAtOnce changes and reads one organisation from many sides, for the
// race detector and for locks taken in the wrong order.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	s, rc := open(t), listen(t)
	_, in := withApp(t, s, rc)
	create(t, s, "shared", githubsim.RepoOptions{}, map[string]string{"f": "0"})
	var wg sync.WaitGroup
	const n = 8
	for i := range n {
		wg.Go(func() {
			name := "r" + itoa(int64(i))
			if _, err := s.CreateRepo("acme", name, githubsim.RepoOptions{}, map[string]string{"f": name}); err != nil {
				t.Error(err)
			}
			for k := range n {
				if _, err := s.Commit("acme/shared", "main", "m", map[string]*string{name: new(itoa(int64(k)))}); err != nil {
					t.Error(err)
				}
				a, err := try(t, "GET", s.APIURL()+"/repos/acme/shared/git/trees/main?recursive=1", in.Token(), "")
				if err != nil || a.Status != http.StatusOK {
					t.Errorf("tree: %d, %v", a.Status, err)
				}
				a, err = try(t, "POST", s.GraphQLURL(), in.Token(), `{"query":"{organization(login:\"acme\"){repositories(first:9){nodes{name defaultBranchRef{target{oid}}}}}}"}`)
				if err != nil || a.Status != http.StatusOK {
					t.Errorf("graphql: %d, %v", a.Status, err)
				}
			}
			if err := s.RenameRepo("acme/"+name, name+"-new"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	pushes := map[string]string{}
	for _, g := range rc.take(t, s) {
		if g.Header.Get("X-GitHub-Event") == "push" {
			pushes[g.Body["before"].(string)] = g.Body["after"].(string)
		}
	}
	// Every push to the shared repository starts where another ended.
	steps, at := 0, gitrepo.ZeroSHA
	for sha := s.Head("acme/shared", "main"); at != sha; steps++ {
		next, ok := pushes[at]
		if at == gitrepo.ZeroSHA { // the first push of every repository starts at zero
			log, err := s.Tree("acme/shared", "main")
			if err != nil || len(log) != n+1 {
				t.Fatalf("tree has %d files, %v", len(log), err)
			}
			next, ok = firstCommit(t, s, in), true
		}
		if !ok {
			t.Fatalf("no push starts at %s", at)
		}
		at = next
	}
	if steps != n*n+1 {
		t.Errorf("%d pushes in a row, want %d", steps, n*n+1)
	}
}

// firstCommit is the oldest commit of acme/shared.
func firstCommit(t *testing.T, s *githubsim.Server, in *githubsim.Installation) string {
	t.Helper()
	var log []struct{ SHA string }
	request(t, "GET", s.APIURL()+"/repos/acme/shared/commits?per_page=100", in.Token(), "").decode(t, &log)
	return log[len(log)-1].SHA
}
