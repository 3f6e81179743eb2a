// Package e2e holds the tests that cross the whole program: a push to a real
// Git repository on one side, the HTTP API on the other.
package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/callboard/callboard/test/githubsim"
	"github.com/callboard/callboard/test/harness"
)

// each runs a test on every combination of database and bus.
func each(t *testing.T, fn func(t *testing.T, w *harness.World)) {
	t.Helper()
	t.Parallel()
	for _, s := range harness.Setups {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			fn(t, harness.New(t, s))
		})
	}
}

// embedded runs a test where the backend makes no difference.
func embedded(t *testing.T, opts ...githubsim.Option) *harness.World {
	t.Helper()
	t.Parallel()
	return harness.New(t, harness.Setups[0], opts...)
}

// component is a sound descriptor; more lines go into spec.
func component(name, description string, spec ...string) string {
	return fmt.Sprintf(`apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: %s
  description: %q
spec:
  type: service
  lifecycle: production
  owner: team-a
%s`, name, description, indent(spec))
}

func indent(lines []string) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString("  " + l + "\n")
	}
	return b.String()
}

func location(name string, targets ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata:\n  name: %s\nspec:\n  targets:\n", name)
	for _, t := range targets {
		fmt.Fprintf(&b, "    - %q\n", t)
	}
	return b.String()
}

func create(t *testing.T, w *harness.World, repo string, files map[string]string) *githubsim.Repo {
	t.Helper()
	owner, name, _ := strings.Cut(repo, "/")
	r, err := w.GitHub.CreateRepo(owner, name, githubsim.RepoOptions{}, files)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func commit(t *testing.T, w *harness.World, repo string, changes map[string]*string) string {
	t.Helper()
	sha, err := w.GitHub.Commit(repo, "main", "change", changes)
	if err != nil {
		t.Fatal(err)
	}
	return sha
}

// refs are the refs of what somebody wrote, as a set.
func refs(w *harness.World) map[string]bool {
	out := map[string]bool{}
	for ref := range w.Written() {
		out[ref] = true
	}
	return out
}

func expectRefs(t *testing.T, w *harness.World, want ...string) {
	t.Helper()
	got := refs(w)
	for _, ref := range want {
		if !got[ref] {
			t.Errorf("%s is missing", ref)
		}
		delete(got, ref)
	}
	for ref := range got {
		t.Errorf("%s is too much", ref)
	}
}

// send sends a request, with a body as JSON, and gives the answer.
func send(t *testing.T, w *harness.World, method, path, body string) (status int, answer []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, w.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if answer, err = io.ReadAll(res.Body); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, answer
}

// ask sends a request and gives the status alone.
func ask(t *testing.T, w *harness.World, method, path, body string) int {
	t.Helper()
	status, _ := send(t, w, method, path, body)
	return status
}
