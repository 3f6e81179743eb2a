package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/callboard/callboard/test/harness"
)

type registered struct {
	ID        string `json:"id"`
	Type      string `json:"type"`
	Target    string `json:"target"`
	EntityRef string `json:"entityRef"`
}

// call sends JSON and decodes the answer, which must have the status.
func call(t *testing.T, w *harness.World, method, path, body string, status int, out any) {
	t.Helper()
	got, raw := send(t, w, method, "/api/catalog"+path, body)
	if got != status {
		t.Fatalf("%s %s: %d %s, want %d", method, path, got, raw, status)
	}
	if out != nil {
		if err := json.Unmarshal(raw, out); err != nil {
			t.Fatalf("%s %s: %v in %s", method, path, err, raw)
		}
	}
}

func located(w *harness.World, path string) string {
	return fmt.Sprintf(`{"type":"url","target":"%s/%s"}`, w.GitHub.URL(), path)
}

func register(t *testing.T, w *harness.World, path string) registered {
	t.Helper()
	var out struct {
		Location registered
		Entities []any
	}
	call(t, w, "POST", "/locations", located(w, path), 201, &out)
	if out.Location.ID == "" || out.Entities == nil {
		t.Fatalf("registered %+v", out)
	}
	return out.Location
}

// locationEntity waits until the entity of a location is as it should be:
// wrong is a part of its error, "" for none.
func locationEntity(t *testing.T, w *harness.World, l registered, target, wrong string) harness.Entity {
	t.Helper()
	var e harness.Entity
	name := strings.TrimPrefix(l.EntityRef, "location:default/")
	w.Eventually("the Location entity of "+target, func() (err error) {
		if e, err = w.Entity("location", name); err != nil {
			return err
		}
		got := ""
		if e.Status != nil && len(e.Status.Items) > 0 {
			got = e.Status.Items[0].Message
		}
		if e.Spec["target"] != w.GitHub.URL()+"/"+target || (got == "") != (wrong == "") || !strings.Contains(got, wrong) {
			return fmt.Errorf("it shows %v with the error %q", e.Spec, got)
		}
		return nil
	})
	return e
}

// eventually waits until exactly these refs are served.
func eventually(w *harness.World, want ...string) {
	w.T.Helper()
	w.Eventually("served are "+strings.Join(want, ", "), func() error {
		got := refs(w)
		for _, ref := range want {
			if !got[ref] {
				return fmt.Errorf("%s is missing in %v", ref, got)
			}
		}
		if len(got) != len(want) {
			return fmt.Errorf("served are %v", got)
		}
		return nil
	})
}

func TestRegisteredLocation(t *testing.T) {
	each(t, func(t *testing.T, w *harness.World) {
		create(t, w, "acme/one", map[string]string{
			"docs/all.yaml": location("all", "./one.yaml"), "docs/one.yaml": component("one", "x"), "two.yaml": component("two", "x"),
		})
		w.Start().Install("acme")
		l := register(t, w, "acme/one/blob/main/docs/all.yaml")
		var got registered
		call(t, w, "GET", "/locations/"+l.ID, "", 200, &got)
		if got != l {
			t.Errorf("location is %+v, want %+v", got, l)
		}
		eventually(w, "component:default/one", "location:default/all")
		e := locationEntity(t, w, l, "acme/one/blob/main/docs/all.yaml", "")
		call(t, w, "GET", "/locations/by-entity/component/default/one", "", 200, &got)
		if got != l {
			t.Errorf("by entity it is %+v", got)
		}
		call(t, w, "POST", "/locations", located(w, "acme/one/blob/main/docs/all.yaml"), 409, nil)
		var again struct{ Location registered }
		call(t, w, "POST", "/locations?onConflict=refresh", located(w, "acme/one/blob/main/docs/all.yaml"), 201, &again)
		if again.Location != l {
			t.Errorf("again it is %+v", again)
		}

		call(t, w, "PUT", "/locations/"+l.ID, located(w, "acme/one/blob/main/two.yaml"), 200, &got)
		if got.ID != l.ID || got.EntityRef != l.EntityRef || got.Target != w.GitHub.URL()+"/acme/one/blob/main/two.yaml" {
			t.Errorf("moved it is %+v", got)
		}
		eventually(w, "component:default/two")
		moved := locationEntity(t, w, l, "acme/one/blob/main/two.yaml", "")
		if moved.Metadata["uid"] != e.Metadata["uid"] {
			t.Error("the Location entity has another uid")
		}
		// The first target is free again, and its name is taken.
		second := register(t, w, "acme/one/blob/main/docs/all.yaml")
		if second.EntityRef == l.EntityRef {
			t.Errorf("two locations have the entity %s", l.EntityRef)
		}
		locationEntity(t, w, second, "acme/one/blob/main/docs/all.yaml", "")
		call(t, w, "PUT", "/locations/"+l.ID, located(w, "acme/one/blob/main/docs/all.yaml"), 409, nil)

		for _, id := range []string{l.ID, second.ID} {
			call(t, w, "DELETE", "/locations/"+id, "", 204, nil)
		}
		call(t, w, "DELETE", "/locations/"+l.ID, "", 404, nil)
		call(t, w, "GET", "/locations/"+l.ID, "", 404, nil)
		eventually(w)
		var all []harness.Entity
		if err := w.Get("/api/catalog/entities", &all); err != nil || len(all) != 0 {
			t.Errorf("left are %v, %v", all, err)
		}
	})
}

// A location in a repository that is discovered anyhow adds its entity only,
// and takes along nothing else.
func TestLocationInADiscoveredRepository(t *testing.T) {
	each(t, func(t *testing.T, w *harness.World) {
		create(t, w, "acme/one", map[string]string{"catalog-info.yaml": component("one", "x"), "b.yaml": component("b", "x")})
		w.Start().Install("acme")
		eventually(w, "component:default/one")
		same, other := register(t, w, "acme/one/blob/main/catalog-info.yaml"), register(t, w, "acme/one/tree/main/catalog-info.yaml")
		b := register(t, w, "acme/one/blob/main/b.yaml")
		eventually(w, "component:default/one", "component:default/b")
		locationEntity(t, w, same, "acme/one/blob/main/catalog-info.yaml", "")
		locationEntity(t, w, other, "acme/one/tree/main/catalog-info.yaml", "")
		for _, l := range []registered{same, other, b} {
			call(t, w, "DELETE", "/locations/"+l.ID, "", 204, nil)
		}
		eventually(w, "component:default/one")
		w.Settled()
		// Its own Location is there again as one that was discovered.
		if e := locationEntity(t, w, same, "acme/one/blob/main/catalog-info.yaml", ""); e.Spec["presence"] != "optional" {
			t.Errorf("the Location is %v", e.Spec)
		}
		if _, err := w.Entity("location", strings.TrimPrefix(other.EntityRef, "location:default/")); err == nil {
			t.Error("the Location of a deleted registration is still served")
		}
	})
}

// What cannot be read is seen, repaired when it can be, and goes when told to.
func TestLocationThatCannotBeRead(t *testing.T) {
	each(t, func(t *testing.T, w *harness.World) {
		create(t, w, "acme/one", map[string]string{"catalog-info.yaml": component("one", "x")})
		w.Start().Install("acme")
		missing := register(t, w, "acme/one/blob/main/none.yaml")
		branch := register(t, w, "acme/one/blob/other/catalog-info.yaml")
		hidden, never := register(t, w, "secret/plans/blob/main/a.yaml"), register(t, w, "secret/never/blob/main/a.yaml")
		locationEntity(t, w, missing, "acme/one/blob/main/none.yaml", "NotFoundError: Unable to read url, no matching files found for")
		locationEntity(t, w, branch, "acme/one/blob/other/catalog-info.yaml", `names the branch "other"`)
		e := locationEntity(t, w, hidden, "secret/plans/blob/main/a.yaml", "GitHub answers 404")
		locationEntity(t, w, never, "secret/never/blob/main/a.yaml", "GitHub answers 404")
		var repo struct{ State, Error string }
		if err := w.Get("/api/callboard/repositories/secret/plans", &repo); err != nil || repo.State != "unreachable" || repo.Error == "" {
			t.Errorf("the repository is %+v, %v", repo, err)
		}
		eventually(w, "component:default/one")

		create(t, w, "secret/plans", map[string]string{"a.yaml": component("plan", "x")})
		w.Install("secret")
		commit(t, w, "acme/one", map[string]*string{"none.yaml": new(component("some", "x"))})
		eventually(w, "component:default/one", "component:default/plan", "component:default/some")
		locationEntity(t, w, missing, "acme/one/blob/main/none.yaml", "")
		if now := locationEntity(t, w, hidden, "secret/plans/blob/main/a.yaml", ""); now.Metadata["uid"] != e.Metadata["uid"] {
			t.Error("the Location entity has another uid")
		}
		for _, l := range []registered{missing, branch, hidden, never} {
			call(t, w, "DELETE", "/locations/"+l.ID, "", 204, nil)
		}
		eventually(w, "component:default/one")
		w.Eventually("the repository that never was is forgotten", func() error {
			if err := w.Get("/api/callboard/repositories/secret/never", nil); err == nil {
				return fmt.Errorf("it is still there")
			}
			return nil
		})
	})
}

// Another replica knows of a location at once, and which of two that register
// the same one comes second.
func TestLocationsOnReplicas(t *testing.T) {
	t.Parallel()
	for _, setup := range harness.Setups[1:] {
		t.Run(setup.Name, func(t *testing.T) {
			t.Parallel()
			w := harness.New(t, setup)
			create(t, w, "acme/one", map[string]string{"b.yaml": component("b", "x")})
			w.Start()
			second := w.Replica()
			w.Install("acme")
			l := register(t, w, "acme/one/blob/main/b.yaml")
			var got registered
			call(t, second, "GET", "/locations/"+l.ID, "", 200, &got)
			call(t, second, "POST", "/locations", located(w, "acme/one/blob/main/b.yaml"), 409, nil)
			if won := registerAtOnce(t, []*harness.World{w, second}, located(w, "acme/one/blob/main/c.yaml")); won != 1 {
				t.Errorf("%d of those who registered one location at once were told that they did", won)
			}
			eventually(second, "component:default/b")
			call(t, second, "DELETE", "/locations/"+l.ID, "", 204, nil)
			call(t, w, "GET", "/locations/"+l.ID, "", 404, nil)
			eventually(w)
		})
	}
}

// registerAtOnce counts how many of a crowd register a location.
func registerAtOnce(t *testing.T, replicas []*harness.World, body string) int {
	t.Helper()
	const crowd = 10
	statuses := make(chan int, crowd)
	for i := range crowd {
		go func() {
			res, err := http.Post(replicas[i%len(replicas)].URL+"/api/catalog/locations", "application/json", strings.NewReader(body))
			if err != nil {
				statuses <- 0
				return
			}
			_ = res.Body.Close()
			statuses <- res.StatusCode
		}()
	}
	won := 0
	for range crowd {
		switch status := <-statuses; status {
		case http.StatusCreated:
			won++
		case http.StatusConflict:
		default:
			t.Errorf("status %d", status)
		}
	}
	return won
}

// A dry run shows what a registration would bring in, and stores nothing.
func TestDryRun(t *testing.T) {
	w := embedded(t)
	create(t, w, "acme/one", map[string]string{
		"all.yaml": location("all", "./a.yaml", w.GitHub.URL()+"/acme/two/blob/main/b.yaml"), "a.yaml": component("a", "x"),
		"twice.yaml": component("t", "x") + "---\n" + component("t", "x"), "bad.yaml": location("bad", "./none.yaml", "./wrong.yaml"),
		"wrong.yaml": "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: {name: wrong}\nspec: {type: service}\n",
	})
	create(t, w, "acme/two", map[string]string{"b.yaml": component("b", "x")})
	w.Start().Install("acme")
	w.Settled()
	dry := func(path string, exists bool, want ...string) {
		t.Helper()
		var out struct {
			Exists   *bool
			Location registered
			Entities []harness.Entity
		}
		call(t, w, "POST", "/locations?dryRun=Yes", located(w, path), 201, &out)
		if out.Exists == nil || *out.Exists != exists || out.Location.ID != "url:"+w.GitHub.URL()+"/"+path {
			t.Errorf("%s: %+v", path, out)
		}
		var got []string
		for _, e := range out.Entities {
			got = append(got, e.Ref())
			if e.Metadata["uid"] != nil || e.Relations != nil {
				t.Errorf("%s has what only a stored entity has: %+v", e.Ref(), e)
			}
		}
		if want = append([]string{out.Location.EntityRef}, want...); strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%s brings in %q, want %q", path, got, want)
		}
	}
	dry("acme/one/blob/main/all.yaml", false, "location:default/all", "component:default/a", "component:default/b")
	refused := func(path string, words ...string) {
		t.Helper()
		var out struct {
			Error struct{ Name, Message string }
		}
		call(t, w, "POST", "/locations?dryRun=true", located(w, path), 400, &out)
		for _, part := range words {
			if out.Error.Name != "InputError" || !strings.Contains(out.Error.Message, part) {
				t.Errorf("%s: %+v lacks %q", path, out.Error, part)
			}
		}
	}
	refused("acme/one/blob/main/twice.yaml", "Duplicate nested entity: component:default/t")
	refused("acme/one/blob/main/bad.yaml", "no matching files found for", "must have required property 'lifecycle'")
	refused("acme/one/blob/main/nothing.yaml", "NotFoundError: Unable to read url, no matching files found for")
	refused("acme/nothing/blob/main/a.yaml", "NotFoundError: Unable to read url, no matching files found for")
	eventually(w)
	register(t, w, "acme/one/blob/main/a.yaml")
	eventually(w, "component:default/a")
	dry("acme/one/blob/main/a.yaml", true, "component:default/a")
}

func TestAnalyze(t *testing.T) {
	w := embedded(t)
	create(t, w, "acme/one", map[string]string{"catalog-info.yaml": component("one", "x"), "sub/other.yaml": component("sub", "x")})
	create(t, w, "acme/two..x", map[string]string{"README.md": "x"})
	w.Start().Install("acme")
	eventually(w, "component:default/one")
	type found struct {
		Location     registered
		IsRegistered bool
		Entity       harness.Entity
	}
	type analysis struct {
		ExistingEntityFiles []found
		GenerateEntities    []struct {
			Entity harness.Entity
			Fields []any
		}
	}
	analyze := func(target, more string) (a analysis) {
		t.Helper()
		call(t, w, "POST", "/analyze-location", fmt.Sprintf(`{"location":{"type":"url","target":%q}%s}`, target, more), 200, &a)
		return a
	}
	a := analyze(w.GitHub.URL()+"/acme/one", "")
	if len(a.ExistingEntityFiles) != 2 || len(a.GenerateEntities) != 0 {
		t.Fatalf("analysis is %+v", a)
	}
	if f := a.ExistingEntityFiles[1]; f.Entity.Ref() != "component:default/one" || !f.IsRegistered || f.Location.Target != w.GitHub.URL()+"/acme/one/blob/main/catalog-info.yaml" {
		t.Errorf("found %+v", f)
	}
	a = analyze(w.GitHub.URL()+"/acme/one/", `,"catalogFilename":"other.yaml"`)
	if len(a.ExistingEntityFiles) != 2 || a.ExistingEntityFiles[1].Entity.Ref() != "component:default/sub" || a.ExistingEntityFiles[1].IsRegistered {
		t.Errorf("analysis is %+v", a)
	}
	a = analyze(w.GitHub.URL()+"/acme/two..x.git", "")
	if len(a.ExistingEntityFiles) != 0 || len(a.GenerateEntities) != 1 {
		t.Fatalf("analysis is %+v", a)
	}
	if e := a.GenerateEntities[0].Entity; e.Metadata["name"] != "two..x" || e.Annotation("github.com/project-slug") != "acme/two..x" || a.GenerateEntities[0].Fields == nil {
		t.Errorf("generated %+v", e)
	}
	call(t, w, "POST", "/analyze-location", fmt.Sprintf(`{"location":{"type":"url","target":%q}}`, w.GitHub.URL()+"/acme/none"), 400, nil)
}

func TestValidate(t *testing.T) {
	w := embedded(t)
	create(t, w, "acme/one", map[string]string{"api.txt": "the text", "good.yaml": component("good", "x")})
	w.Start().Install("acme")
	entity := func(kind, spec string) string {
		return fmt.Sprintf(`{"location":"url:%s/acme/one/blob/main/x.yaml","entity":{"apiVersion":"backstage.io/v1alpha1","kind":%q,"metadata":{"name":"x"},"spec":%s}}`,
			w.GitHub.URL(), kind, spec)
	}
	api := func(definition string) string {
		return entity("API", `{"type":"openapi","lifecycle":"x","owner":"a","definition":`+definition+`}`)
	}
	good := []string{
		api(`"x"`), api(`{"$text":"./api.txt"}`), api(`{"$text":"/api.txt"}`), entity("Location", `{"target":"./good.yaml"}`),
		entity("Component", `{"type":"service","lifecycle":"x","owner":"\ud83d\ude00"}`),
	}
	for _, body := range good {
		call(t, w, "POST", "/validate-entity", body, 200, nil)
	}
	bad := []struct{ body, want string }{
		{entity("Component", `{"type":"service","lifecycle":"x"}`), `InputError: Processor BuiltinKindsEntityProcessor threw an error while validating the entity component:default/x; caused by TypeError: /spec must have required property 'owner' - missingProperty: owner`},
		{api(`{"$text":"./nope.txt"}`), "could not read location ./nope.txt, NotFoundError"},
		{api(`{"$text":"https://other.example/x"}`), "Placeholder $text could not"},
		{entity("Location", `{"target":"./nope.yaml"}`), "no matching files found"},
		{entity("Location", `{"target":"https://other.example/a/b/blob/main/x.yaml"}`), "not allowed"},
	}
	for _, tt := range bad {
		var out struct {
			Errors []struct {
				Name, Message string
				Cause         *struct{ Name string }
			}
		}
		call(t, w, "POST", "/validate-entity", tt.body, 400, &out)
		if len(out.Errors) == 0 || !strings.Contains(out.Errors[0].Name+": "+out.Errors[0].Message, tt.want) {
			t.Errorf("errors are %+v, want %q", out, tt.want)
		}
	}
}
