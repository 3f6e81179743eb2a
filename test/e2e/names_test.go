package e2e

import (
	"testing"

	"github.com/callboard/callboard/test/harness"
)

// A location that names a repository as it was called before goes on leading to
// it, and can be asked for, moved and deleted.
func TestLocationOfARenamedRepository(t *testing.T) {
	each(t, func(t *testing.T, w *harness.World) {
		create(t, w, "acme/one", map[string]string{"b.yaml": component("b", "x"), "c.yaml": component("c", "x")})
		w.Start().Install("acme")
		const target = "acme/one/blob/main/b.yaml"
		l := register(t, w, target)
		eventually(w, "component:default/b")
		if err := w.GitHub.RenameRepo("acme/one", "uno"); err != nil {
			t.Fatal(err)
		}
		w.Settled()
		eventually(w, "component:default/b")
		locationEntity(t, w, l, target, "")
		call(t, w, "POST", "/locations?onConflict=refresh", located(w, target), 201, nil)
		w.Settled()
		locationEntity(t, w, l, target, "")
		register(t, w, "acme/one/blob/main/c.yaml") // of a name of before
		eventually(w, "component:default/b", "component:default/c")
		create(t, w, "acme/one", map[string]string{"b.yaml": component("other", "x")})
		w.Settled()
		eventually(w, "component:default/other")
		locationEntity(t, w, l, target, "")
		call(t, w, "DELETE", "/locations/"+l.ID, "", 204, nil)
		eventually(w)
	})
}

// A repository that was deleted and created again has its locations back.
func TestLocationOfARecreatedRepository(t *testing.T) {
	each(t, func(t *testing.T, w *harness.World) {
		files := map[string]string{"b.yaml": component("b", "x")}
		create(t, w, "acme/one", files)
		w.Start().Install("acme")
		const target = "acme/one/blob/main/b.yaml"
		l := register(t, w, target)
		eventually(w, "component:default/b")
		uid := locationEntity(t, w, l, target, "").Metadata["uid"]
		if err := w.GitHub.DeleteRepo("acme/one"); err != nil {
			t.Fatal(err)
		}
		locationEntity(t, w, l, target, "GitHub says that the repository was deleted")
		create(t, w, "acme/one", files)
		eventually(w, "component:default/b")
		if got := locationEntity(t, w, l, target, "").Metadata["uid"]; got != uid {
			t.Errorf("the Location entity is another: %v, was %v", got, uid)
		}
		call(t, w, "DELETE", "/locations/"+l.ID, "", 204, nil)
		eventually(w)
	})
}
