package handlers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/storage"
)

// placed puts an entity into a file; document -1 is the generated Location.
func placed(e storage.Entity, repository int64, path string, document int) storage.Entity {
	e.RepositoryID, e.Path, e.Document = repository, path, document
	return e
}

func location(name string) storage.Entity {
	return row("location:default/"+name, "l-"+name, `{"kind":"Location","metadata":{"name":"`+name+`","namespace":"default"},"spec":{}}`)
}

// ancestry is who leads to an entity, as "ref < parent parent".
func (f *fixture) ancestry(path string) (lines []string) {
	f.t.Helper()
	var got struct {
		RootEntityRef string
		Items         []struct {
			Entity struct {
				Kind     string
				Metadata struct{ Name, UID string }
			}
			ParentEntityRefs []string
		}
	}
	w := f.get("/api/catalog/entities/by-name/" + path + "/ancestry")
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 200 {
		f.t.Fatalf("%d %s", w.Code, w.Body)
	}
	lines = append(lines, got.RootEntityRef)
	for _, item := range got.Items {
		if item.ParentEntityRefs == nil || item.Entity.Metadata.UID == "" {
			f.t.Errorf("%s: no list of parents, or no entity: %s", path, w.Body)
		}
		lines = append(lines, strings.TrimSpace(item.Entity.Metadata.Name+" < "+strings.ReplaceAll(strings.Join(item.ParentEntityRefs, " "), "location:default/", "")))
	}
	return lines
}

// Parents are found by the files that led to a file: in its repository, and in
// others whose Location entities name it.
func TestAncestry(t *testing.T) {
	t.Parallel()
	f := setup(t,
		placed(location("generated-1"), 1, "catalog-info.yaml", -1),
		placed(location("all"), 1, "catalog-info.yaml", 0),
		placed(component("sibling", "s", ""), 1, "catalog-info.yaml", 1),
		placed(component("nested", "n", ""), 1, "sub/catalog-info.yaml", 0),
		placed(location("deeper"), 1, "sub/catalog-info.yaml", 1),
		placed(component("deep", "d", ""), 1, "sub/deep.yaml", 0),
		placed(component("far", "f", ""), 2, "services/far.yaml", 0),
		placed(location("generated-2"), 2, "services/far.yaml", -1),
		placed(component("lost", "x", ""), 9, "nowhere.yaml", 0),
	)
	f.repository(storage.Repository{ID: 1, Host: "h", Owner: "Acme", Name: "One", State: storage.RepositoryActive})
	f.repository(storage.Repository{ID: 2, Host: "h", Owner: "acme", Name: "two", State: storage.RepositoryActive})
	f.tx(func(ctx context.Context, tx storage.Tx) error {
		if err := tx.ReplaceLocations(ctx, "entity:1:sub/catalog-info.yaml", []storage.Location{
			{ID: "00000000-0000-4000-8000-000000000001", Type: "url", Target: "https://h/acme/two/blob/main/services/*.yaml", Host: "h", Owner: "acme", Repo: "two", GitRef: "main", Path: "services/*.yaml"},
			{ID: "00000000-0000-4000-8000-000000000002", Type: "url", Target: "https://h/acme/two/blob/main/other.yaml", Host: "h", Owner: "acme", Repo: "two", GitRef: "main", Path: "other.yaml"},
		}); err != nil {
			return err
		}
		// Two Locations that name each other's files end in no circle.
		if err := tx.ReplaceLocations(ctx, "entity:2:services/far.yaml", []storage.Location{
			{ID: "00000000-0000-4000-8000-000000000003", Type: "url", Target: "https://h/acme/one/blob/main/catalog-info.yaml", Host: "h", Owner: "acme", Repo: "one", GitRef: "main", Path: "catalog-info.yaml"},
		}); err != nil {
			return err
		}
		return tx.PutFiles(ctx, []storage.File{
			{RepositoryID: 1, Path: "catalog-info.yaml", Role: storage.RolePattern, Status: storage.FileOK},
			{RepositoryID: 1, Path: "sub/catalog-info.yaml", Role: storage.RoleTarget, Parent: "catalog-info.yaml", Status: storage.FileOK},
			{RepositoryID: 1, Path: "sub/deep.yaml", Role: storage.RoleTarget, Parent: "sub/catalog-info.yaml", Status: storage.FileOK},
			{RepositoryID: 2, Path: "services/far.yaml", Role: storage.RoleRegistered, Status: storage.FileOK},
		})
	})
	all := []string{"all < generated-1", "generated-1 <"}
	tests := []struct {
		path string
		want []string
	}{
		{"location/default/generated-1", []string{"location:default/generated-1", "generated-1 <"}},
		{"Component/DEFAULT/Sibling", []string{"component:default/sibling", "sibling < generated-1", "generated-1 <"}},
		{"component/default/nested", append([]string{"component:default/nested", "nested < all"}, all...)},
		{"component/default/deep", append([]string{"component:default/deep", "deep < deeper", "deeper < all"}, all...)},
		{"component/default/far", append([]string{"component:default/far", "far < deeper generated-2", "deeper < all", "generated-2 <"}, all...)},
		{"component/default/lost", []string{"component:default/lost", "lost <"}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, f.ancestry(tt.path)); diff != "" {
			t.Errorf("%s: %s", tt.path, diff)
		}
	}
	u := "/entities/by-name/Component/Default/Gone/ancestry"
	same(t, u, envelope(404, "NotFoundError", "No such entity component:default/gone", "GET", u), f.get("/api/catalog"+u).Body.String())
	u = "/entities/by-name/component/default/far/ancestry?fields=kind"
	same(t, u, envelope(400, "InputError", "Unknown query parameter 'fields'", "GET", u), f.get("/api/catalog"+u).Body.String())
}

// Neither a circle nor a crowd makes an ancestry without end.
func TestAncestryIsBounded(t *testing.T) {
	t.Parallel()
	var rows []storage.Entity
	for i := range 1100 {
		rows = append(rows, placed(location(fmt.Sprintf("l%d", i)), 1, "b.yaml", i))
	}
	f := setup(t, append(rows, placed(location("back"), 1, "a.yaml", 0))...)
	f.tx(func(ctx context.Context, tx storage.Tx) error {
		return tx.PutFiles(ctx, []storage.File{
			{RepositoryID: 1, Path: "a.yaml", Role: storage.RoleTarget, Parent: "b.yaml", Status: storage.FileOK},
			{RepositoryID: 1, Path: "b.yaml", Role: storage.RoleTarget, Parent: "a.yaml", Status: storage.FileOK},
		})
	})
	if got := f.ancestry("location/default/back"); len(got) != 1+1000 {
		t.Errorf("%d entities", len(got)-1)
	}
	if got := f.ancestry("location/default/l7"); len(got) != 1+1000 || got[1] != "l7 < back" {
		t.Errorf("%d entities, %v", len(got)-1, got[:2])
	}
}

// Of several Locations in one file only those that name a file led to it.
func TestAncestryOfSeveralLocations(t *testing.T) {
	t.Parallel()
	to := func(name, target string) storage.Entity {
		return row("location:default/"+name, "l-"+name,
			`{"kind":"Location","metadata":{"name":"`+name+`","namespace":"default"},"spec":{"targets":["`+target+`"]}}`)
	}
	f := setup(t,
		placed(to("glob", "./parts/*.yaml"), 1, "lists/all.yaml", 0),
		placed(to("root", "/lists/parts/a.yaml"), 1, "lists/all.yaml", 1),
		placed(to("url", "https://h/Acme/one/blob/main/lists/parts/a.yaml"), 1, "lists/all.yaml", 2),
		placed(to("sibling", "./parts/b.yaml"), 1, "lists/all.yaml", 3),
		placed(to("elsewhere", "https://h/acme/two/blob/main/lists/parts/a.yaml"), 1, "lists/all.yaml", 4),
		placed(component("part", "p", ""), 1, "lists/parts/a.yaml", 0),
	)
	f.repository(storage.Repository{ID: 1, Host: "h", Owner: "Acme", Name: "One", State: storage.RepositoryActive})
	f.tx(func(ctx context.Context, tx storage.Tx) error {
		return tx.PutFiles(ctx, []storage.File{{
			RepositoryID: 1, Path: "lists/parts/a.yaml", Role: storage.RoleTarget, Parent: "lists/all.yaml", Status: storage.FileOK,
		}})
	})
	want := []string{"component:default/part", "part < glob root url", "glob <", "root <", "url <"}
	if diff := cmp.Diff(want, f.ancestry("component/default/part")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
