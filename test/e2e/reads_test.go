package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/callboard/callboard/test/githubsim"
	"github.com/callboard/callboard/test/harness"
)

// at reads a component as soon as the catalog shows a commit.
func at(w *harness.World, name, sha string) (description any, commit string, err error) {
	req, err := http.NewRequest(http.MethodGet, w.URL+"/api/catalog/entities/by-name/component/default/"+name+"?minCommit="+sha, nil)
	if err != nil {
		return nil, "", err
	}
	req.Header.Set("Prefer", "wait=30")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		return nil, "", errors.Join(err, fmt.Errorf("%d %s", res.StatusCode, body))
	}
	var e harness.Entity
	err = json.Unmarshal(body, &e)
	return e.Metadata["description"], res.Header.Get("Callboard-Commit"), err
}

// Whoever pushed reads what they pushed, without polling, from any replica; also
// when the push was never heard of and something else brought the commit in.
func TestReadYourPush(t *testing.T) {
	each(t, func(t *testing.T, w *harness.World) {
		create(t, w, "acme/cart", map[string]string{"catalog-info.yaml": component("cart", "0")})
		w.Start()
		replicas := []*harness.World{w}
		if w.Config.Database.Client == "pg" {
			replicas = append(replicas, w.Replica())
		}
		w.Install("acme")
		expect := func(sha, description string) {
			t.Helper()
			for i, r := range replicas {
				if got, commit, err := at(r, "cart", sha); err != nil || got != description || commit != sha {
					t.Errorf("replica %d shows %v of %.7s, %v; want %s of %.7s", i, got, commit, err, description, sha)
				}
			}
		}
		for n := range 5 {
			description := fmt.Sprint("push ", n)
			expect(commit(t, w, "acme/cart", map[string]*string{"catalog-info.yaml": new(component("cart", description))}), description)
		}
		w.Settled()
		sha, err := w.GitHub.Commit("acme/cart", "main", "unheard", map[string]*string{"catalog-info.yaml": new(component("cart", "unheard"))}, githubsim.Quiet())
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Post("/api/callboard/repositories/acme/cart/refresh"); err != nil {
			t.Fatal(err)
		}
		expect(sha, "unheard")
		// A commit that changes no descriptor is shown by what was there before.
		sha = commit(t, w, "acme/cart", map[string]*string{"README.md": new("# cart")})
		if got, _, err := at(replicas[len(replicas)-1], "cart", sha); err != nil || got != "unheard" {
			t.Errorf("after a commit that changes nothing: %v, %v", got, err)
		}
	})
}

// The ancestors of an entity are the Locations that led to its file, through
// directories and repositories.
func TestAncestors(t *testing.T) {
	w := embedded(t)
	create(t, w, "other/lib", map[string]string{"deep/lib.yaml": component("lib", "x")})
	create(t, w, "acme/mono", map[string]string{
		"catalog-info.yaml": location("all", "extra/list.yaml") + "---\n" + component("root", "x"),
		"extra/list.yaml":   location("more", "../hidden/*.yaml", w.GitHub.URL()+"/other/lib/blob/main/deep/lib.yaml"),
		"hidden/c.yaml":     component("c", "x"),
	})
	w.Start()
	if _, err := w.GitHub.Install(w.App, "other", nil, quiet); err != nil {
		t.Fatal(err)
	}
	w.Install("acme")
	w.Settled()
	for name, want := range map[string]string{
		"root": "root generated ", "c": "c more all generated ", "lib": "lib more all generated ",
	} {
		var got struct {
			RootEntityRef string
			Items         []struct {
				Entity           harness.Entity
				ParentEntityRefs []string
			}
		}
		if err := w.Get("/api/catalog/entities/by-name/component/default/"+name+"/ancestry", &got); err != nil {
			t.Fatal(err)
		}
		var line strings.Builder
		var parents []string // of the one before: here each has one
		for i, item := range got.Items {
			if i > 0 && !slices.Contains(parents, item.Entity.Ref()) {
				t.Errorf("%s: %s comes after one with the parents %v", name, item.Entity.Ref(), parents)
			}
			parents = item.ParentEntityRefs
			if strings.HasPrefix(item.Entity.Ref(), "location:default/generated-") {
				line.WriteString("generated ")
			} else {
				fmt.Fprint(&line, item.Entity.Metadata["name"], " ")
			}
		}
		if got.RootEntityRef != "component:default/"+name || line.String() != want || len(parents) != 0 {
			t.Errorf("%s: %s, the last with parents %v; want %s", name, line.String(), parents, want)
		}
	}
}
