package view_test

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
	"github.com/callboard/callboard/storage/view"
)

func TestServedJSON(t *testing.T) {
	t.Parallel()
	e := row("component:default/cart", "u-1",
		`{"apiVersion":"backstage.io/v1alpha1","kind":"Component","metadata":{"zeta":1.0,"name":"Cart","uid":"of the author","alpha":"a\u003cb"},"spec":{"type":"x","owner":"a"}}`,
		"component:default/cart ownedBy group:default/a", "group:default/a ownerOf component:default/cart",
		"component:default/cart dependsOn resource:default/db", "component:default/cart dependsOn api:default/x")
	v := loaded(t, 7, e)
	relations := `"relations":[{"type":"dependsOn","targetRef":"api:default/x"},{"type":"dependsOn","targetRef":"resource:default/db"},{"type":"ownedBy","targetRef":"group:default/a"}]`
	canonical := `{"apiVersion":"backstage.io/v1alpha1","kind":"Component","metadata":{"alpha":"a<b","name":"Cart","zeta":1},"relations":[{"targetRef":"api:default/x","type":"dependsOn"},{"targetRef":"resource:default/db","type":"dependsOn"},{"targetRef":"group:default/a","type":"ownedBy"}],"spec":{"owner":"a","type":"x"}}`
	sum := sha1.Sum([]byte(canonical))
	want := `{"metadata":{"zeta":1.0,"name":"Cart","alpha":"a\u003cb","uid":"u-1","etag":"` + hex.EncodeToString(sum[:]) +
		`"},"apiVersion":"backstage.io/v1alpha1","kind":"Component","spec":{"type":"x","owner":"a"},` + relations + `}`
	if diff := cmp.Diff(want, string(byRef(v, "component:default/cart").JSON())); diff != "" {
		t.Error(diff)
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	broken := component("cart", "u-1", "")
	broken.Errors = []entity.StatusItem{{Type: "backstage.io/catalog-processing", Level: "error", Message: "InputError: bad"}}
	v := loaded(t, 1, component("cart", "u-1", ""))
	fine := string(byRef(v, "component:default/cart").JSON())
	if strings.Contains(fine, "status") {
		t.Errorf("status without errors: %s", fine)
	}
	apply(v, 2, []storage.Entity{broken})
	const status = `"relations":[],"status":{"items":[{"type":"backstage.io/catalog-processing","level":"error","message":"InputError: bad"}]}}`
	if got := string(byRef(v, "component:default/cart").JSON()); !strings.HasSuffix(got, status) {
		t.Errorf("no status: %s", got)
	}
	// A neighbour's change makes it new, and the status stays.
	apply(v, 3, []storage.Entity{row("group:default/a", "u-2", `{"kind":"Group","metadata":{"name":"a"}}`,
		"component:default/cart ownedBy group:default/a")})
	got := string(byRef(v, "component:default/cart").JSON())
	if !strings.Contains(got, `"relations":[{"type":"ownedBy","targetRef":"group:default/a"}],"status":{"items":[`) || !json.Valid([]byte(got)) {
		t.Errorf("after a neighbour's change: %s", got)
	}
	apply(v, 4, []storage.Entity{component("cart", "u-1", "")}, "group:default/a")
	if diff := cmp.Diff(fine, string(byRef(v, "component:default/cart").JSON())); diff != "" {
		t.Errorf("after the repair: %s", diff)
	}
}

func TestEtag(t *testing.T) {
	t.Parallel()
	etag := func(e *view.Entity) string {
		var doc struct{ Metadata struct{ Etag string } }
		if err := json.Unmarshal(e.JSON(), &doc); err != nil {
			t.Fatal(err)
		}
		return doc.Metadata.Etag
	}
	v := loaded(t, 1, component("cart", "u-1", ""), component("own", "u-2", `"etag":"mine"`))
	cart, own := byRef(v, "component:default/cart"), byRef(v, "component:default/own")
	if len(etag(cart)) != 40 || etag(own) != "mine" {
		t.Errorf("etags %q and %q", etag(cart), etag(own))
	}
	apply(v, 2, []storage.Entity{component("new", "u-3", "",
		"component:default/cart dependsOn component:default/new", "component:default/own dependsOn component:default/new")})
	cart2, own2 := byRef(v, "component:default/cart"), byRef(v, "component:default/own")
	if etag(cart2) == etag(cart) || etag(own2) != "mine" {
		t.Errorf("etags after a relation came: %q and %q", etag(cart2), etag(own2))
	}
	if own2.Digest() == own.Digest() {
		t.Error("the digest must tell a change that the author's etag hides")
	}
	apply(v, 3, nil, "component:default/new")
	if got := byRef(v, "component:default/cart"); etag(got) != etag(cart) || string(got.JSON()) != string(cart.JSON()) {
		t.Error("the old content must have the old etag")
	}
}

func TestRelationsLiveWithTheirDeclarer(t *testing.T) {
	t.Parallel()
	edges := []string{"user:default/u memberOf group:default/g", "group:default/g hasMember user:default/u"}
	user := row("user:default/u", "1", `{"kind":"User","metadata":{"name":"u"}}`, edges...)
	group := row("group:default/g", "2", `{"kind":"Group","metadata":{"name":"g"}}`, edges...)
	v := loaded(t, 1, user)
	if got := refs(t, v, "relations.memberof=group:default/g"); len(got) != 1 {
		t.Errorf("a dangling relation must be searchable: %v", got)
	}
	apply(v, 2, []storage.Entity{group}) // declared twice, served once
	for ref, n := range map[string]string{"user:default/u": `"memberOf"`, "group:default/g": `"hasMember"`} {
		if got := strings.Count(string(byRef(v, ref).JSON()), n); got != 1 {
			t.Errorf("%s has %s %d times", ref, n, got)
		}
	}
	apply(v, 3, nil, "user:default/u")
	if got := refs(t, v, "relations.hasmember"); len(got) != 1 {
		t.Errorf("the group still declares it: %v", got)
	}
	apply(v, 4, []storage.Entity{row("group:default/g", "2", `{"kind":"Group","metadata":{"name":"g"}}`)})
	if got := refs(t, v, "relations.hasmember"); len(got) != 0 {
		t.Errorf("nobody declares it: %v", got)
	}
}

// The rules of contract catalog 4.4 and 4.5, one by one.
func TestFilter(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 201)
	v := loaded(t, 1,
		component("Cart", "U-1", `"tags":["java","Go"],"title":null,"labels":{"a":""},"annotations":{"github.com/project-slug":"acme/Shop"}`,
			"component:default/cart ownedBy group:default/team-a"),
		component("petstore", "u-2", `"title":"Pet Store","links":[{"url":"https://x/y","title":"t"}],"description":"has, comma"`),
		row("api:other/petstore", "u-3", `{"kind":"API","metadata":{"name":"petstore","namespace":"other","etag":"e"},"spec":{"nested":{"A":[{"d":1},"c"]},"nothing":null,"flag":true,"count":7.0,"big":1e21,"long":"`+long+`","empty":{},"`+long+`":1}}`),
		row("system:default/bare", "u-4", `{"kind":"System","metadata":{"name":"bare"}}`),
	)
	cart, pet, api, bare := "component:default/cart", "component:default/petstore", "api:other/petstore", "system:default/bare"
	tests := []struct {
		filter []string
		want   []string
	}{
		{nil, []string{api, cart, pet, bare}},
		{[]string{",,"}, []string{api, cart, pet, bare}},
		{[]string{"kind=component"}, []string{cart, pet}},
		{[]string{"KIND = Component "}, []string{cart, pet}},
		{[]string{"kind=component,metadata.name=petstore"}, []string{pet}},
		{[]string{"kind=component,metadata.name=cart", "kind=api"}, []string{api, cart}},
		{[]string{"kind=component,kind=api"}, []string{api, cart, pet}},
		{[]string{"kind,kind=api"}, []string{api}},
		{[]string{"metadata.title"}, []string{cart, pet}},
		{[]string{"metadata.title=pet store"}, []string{pet}},
		{[]string{"metadata.labels.a="}, []string{cart}},
		{[]string{"metadata.title="}, []string{}},
		{[]string{"metadata.description=has, comma"}, []string{}},
		{[]string{"metadata.tags=java"}, []string{cart}},
		{[]string{"metadata.tags.java"}, []string{cart}},
		{[]string{"metadata.tags.GO=true"}, []string{cart}},
		{[]string{"metadata.tags.go=false"}, []string{}},
		{[]string{"metadata.links.url=https://x/y"}, []string{pet}},
		{[]string{"metadata.annotations.github.com/project-slug=acme/shop"}, []string{cart}},
		{[]string{"relations.ownedby=group:default/team-a"}, []string{cart}},
		{[]string{"relations.ownedBy"}, []string{cart}},
		{[]string{"relations.ownedby=team-a"}, []string{}},
		{[]string{"spec.count=7"}, []string{api}},
		{[]string{"spec.flag=TRUE"}, []string{api}},
		{[]string{"spec.big=1e+21"}, []string{api}},
		{[]string{"spec.nested.a.d=1,spec.nested.a=c,spec.nested.a.c=true,spec.nothing"}, []string{api}},
		{[]string{"spec.nested"}, []string{}},
		{[]string{"spec.empty"}, []string{}},
		{[]string{"spec.long"}, []string{api}},
		{[]string{"spec.long=" + long}, []string{}},
		{[]string{"spec." + long}, []string{}},
		{[]string{"metadata.namespace=default"}, []string{cart, pet, bare}},
		{[]string{"metadata.uid=u-1"}, []string{cart}},
		{[]string{"metadata.etag"}, []string{}},
		{[]string{"metadata.etag=e"}, []string{}},
		{[]string{"nobody"}, []string{}},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.filter, "&"), func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, refs(t, v, tt.filter...)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFilterError(t *testing.T) {
	t.Parallel()
	_, err := view.ParseFilter([]string{"kind=a", "x=1, =x"})
	const want = `Invalid filter, '=x' is not a valid statement (expected a string on the form a=b or a= or a)`
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

func TestFilterIsBounded(t *testing.T) {
	t.Parallel()
	keys := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "k%d=v,", i)
		}
		return b.String()
	}
	f, err := view.ParseFilter([]string{keys(499), keys(498)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := view.ParsePredicate(view.PredicateJSON(f)); err != nil {
		t.Errorf("the largest filter does not fit into a predicate: %v", err)
	}
	_, err = view.ParseFilter([]string{keys(499), keys(499)})
	if want := "Invalid filter, it has more than 999 conditions"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestFacet(t *testing.T) {
	t.Parallel()
	v := loaded(t, 1,
		component("a", "1", `"tags":["Go","go","java"],"n":7,"b":true,"null":null`, "component:default/a ownedBy group:default/x"),
		component("b", "2", `"tags":["go"],"n":7.0`, "component:default/b ownedBy group:default/x"),
		component("c", "3", `"tags":["GO"]`),
	)
	tests := []struct{ key, want string }{
		{"KIND", "Component=3"},
		{"metadata.tags", "GO=1 Go=1 go=1 java=1"}, // a has Go first, so go of a is the same row
		{"metadata.tags.go", "true=3"},
		{"metadata.n", "7=2"},
		{"metadata.b", "true=1"},
		{"metadata.null", ""},
		{"relations.ownedBy", "group:default/x=2"},
		{"none", ""},
	}
	for _, tt := range tests {
		if got := facet(v, tt.key); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.key, got, tt.want)
		}
	}
	apply(v, 2, []storage.Entity{component("a", "1", "")}, "component:default/c")
	if got := facet(v, "metadata.tags"); got != "go=1" {
		t.Errorf("after changes: %q", got)
	}
}

func TestOrder(t *testing.T) {
	t.Parallel()
	v := loaded(t, 1,
		component("a", "u9", `"rank":"b","tags":["x","b"]`),
		component("b", "u8", `"rank":"A","tags":["c"]`),
		component("c", "u7", `"rank":"b"`),
		component("d", "u6", `"tags":["a","z"]`),
		component("e", "u5", `"rank":null`),
	)
	tests := []struct {
		name string
		by   []view.Order
		want string
	}{
		{"by ref", nil, "a b c d e"},
		{"by uid", view.ByUID, "e d c b a"},
		{"ascending, absent and null last by uid", []view.Order{{Field: "metadata.rank"}}, "b c a e d"},
		{"descending, the same last", []view.Order{{Field: "METADATA.Rank", Desc: true}}, "c a b e d"},
		{"then another", []view.Order{{Field: "metadata.rank"}, {Field: "metadata.name"}}, "b a c d e"},
		{"several values: the least counts", []view.Order{{Field: "metadata.tags"}}, "d a b e c"},
		{"several values, descending", []view.Order{{Field: "metadata.tags", Desc: true}}, "b a d e c"},
		{"unknown", []view.Order{{Field: "x"}}, "e d c b a"},
		{"a flag", []view.Order{{Field: "metadata.tags.z"}}, "d e c b a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			all := ordered(t, v, tt.by)
			if got := strings.ReplaceAll(strings.Join(all, " "), "component:default/", ""); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			for limit := 1; limit <= 6; limit++ { // pages add up to the whole
				var got []string
				more := true
				for offset := 0; more; offset += limit {
					v.Read(func(s *view.Snapshot) {
						var page []*view.Entity
						page, more = s.Select(nil).Page(tt.by, offset, limit)
						for _, e := range page {
							got = append(got, e.Ref())
						}
					})
				}
				if diff := cmp.Diff(all, got); diff != "" {
					t.Errorf("limit %d: %s", limit, diff)
				}
			}
		})
	}
}

func TestLookups(t *testing.T) {
	t.Parallel()
	v := loaded(t, 1, component("cart", "Abc-1", ""))
	v.Read(func(s *view.Snapshot) {
		if s.ByRef("component:default/cart") == nil || s.ByRef("component:default/none") != nil {
			t.Error("by ref")
		}
		if s.ByUID("aBC-1") == nil || s.ByUID("abc") != nil || s.ByUID("") != nil {
			t.Error("by uid")
		}
	})
	// Deleted and made anew: another uid, the old one is gone.
	apply(v, 2, []storage.Entity{component("cart", "new", "")})
	v.Read(func(s *view.Snapshot) {
		if s.ByUID("abc-1") != nil || s.ByUID("new") == nil || s.Len() != 1 || s.Revision() != 2 {
			t.Error("after a new uid")
		}
	})
}

func TestBadRowsAreLeftOut(t *testing.T) {
	t.Parallel()
	v := loaded(t, 1, row("a:b/c", "1", `{"kind":`), row("a:b/d", "2", `[]`), component("fine", "3", ""))
	if diff := cmp.Diff([]string{"component:default/fine"}, refs(t, v)); diff != "" {
		t.Error(diff)
	}
	apply(v, 2, []storage.Entity{row("component:default/fine", "3", `{"metadata":1}`)})
	if byRef(v, "component:default/fine") == nil {
		t.Error("the last good version must stay")
	}
}

func TestWaitRevision(t *testing.T) {
	t.Parallel()
	v := loaded(t, 3)
	if err := v.WaitRevision(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- v.WaitRevision(t.Context(), 5) }()
	apply(v, 4, nil)
	apply(v, 5, nil)
	if err := <-done; err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := v.WaitRevision(ctx, 6); err == nil {
		t.Error("must end with its context")
	}
}

func TestDigestDoesNotDependOnTheWay(t *testing.T) {
	t.Parallel()
	digest := func(v *view.View) (d uint64) {
		v.Read(func(s *view.Snapshot) { d = s.Digest() })
		return d
	}
	a, b := component("a", "1", ""), component("b", "2", "", "component:default/a dependsOn component:default/b")
	straight := loaded(t, 1, a, b)
	detour := loaded(t, 1, component("c", "3", ""))
	if digest(straight) == digest(detour) {
		t.Error("different catalogs, equal digests")
	}
	apply(detour, 2, []storage.Entity{b, b})
	apply(detour, 3, []storage.Entity{component("a", "1", `"x":1`)})
	apply(detour, 4, []storage.Entity{a}, "component:default/c")
	if digest(straight) != digest(detour) {
		t.Error("equal catalogs, different digests")
	}
	apply(detour, 5, nil, "component:default/a", "component:default/b")
	if digest(detour) != 0 || fmt.Sprint(refs(t, detour)) != "[]" {
		t.Error("an empty catalog has digest 0")
	}
}
