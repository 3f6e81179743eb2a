package clients

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/test/harness"
)

// The two Go clients of the catalog cannot be had as modules here, so these
// tests send the requests that their sources send, method by method, and decode
// the answers into structs of the same types. What a client takes for success
// is what counts: einride's wants exactly 200, or 204 for deletions.

// metadata is what both clients decode of entity metadata.
type metadata struct {
	Name, UID, ETag, Namespace, Title, Description string
	Labels, Annotations                            map[string]string
	Tags                                           []string
	Links                                          []struct{ URL, Title, Icon, Type string }
}

type relation struct{ Type, TargetRef string }

type profile struct{ DisplayName, Email, Picture string }

// goEntity is an entity with the spec that the caller expects.
type goEntity[S any] struct {
	APIVersion string
	Kind       string
	Metadata   metadata
	Spec       S
	Relations  []relation
}

func namesOf[S any](list []*goEntity[S]) []string {
	out := []string{}
	for _, e := range list {
		if e == nil {
			out = append(out, "<nil>")
		} else {
			out = append(out, e.Metadata.Name)
		}
	}
	return out
}

// goClient sends what a Go client sends.
type goClient struct {
	t      *testing.T
	base   string
	header map[string]string
}

// send asks, checks the status and decodes into into, if that is not nil, as
// strictly as encoding/json does: types have to fit. An empty body is left alone.
func (c goClient) send(method, path string, query url.Values, body any, status int, into any) http.Header {
	c.t.Helper()
	target := c.base + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	var reader io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			c.t.Fatal(err)
		}
		reader = bytes.NewReader(raw)
	}
	r, err := http.NewRequestWithContext(c.t.Context(), method, target, reader)
	if err != nil {
		c.t.Fatal(err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for name, value := range c.header {
		r.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	if res.StatusCode != status {
		c.t.Fatalf("%s %s: %d, want %d: %s", method, target, res.StatusCode, status, raw)
	}
	if into == nil {
		if status == http.StatusNoContent && len(raw) > 0 {
			c.t.Errorf("%s %s: a body after 204: %s", method, target, raw)
		}
		return res.Header
	}
	if err := json.Unmarshal(raw, into); err != nil {
		c.t.Fatalf("%s %s: %v in %s", method, target, err, raw)
	}
	return res.Header
}

func (c goClient) get(path string, query url.Values, into any) http.Header {
	c.t.Helper()
	return c.send(http.MethodGet, path, query, nil, http.StatusOK, into)
}

func equal(t *testing.T, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func onBoth(t *testing.T, test func(t *testing.T, w *harness.World, r *recorder)) {
	t.Helper()
	t.Parallel()
	for _, setup := range harness.Setups[:2] {
		t.Run(setup.Name, func(t *testing.T) {
			t.Parallel()
			w, r := start(t, setup)
			test(t, w, r)
		})
	}
}

// go.einride.tech/backstage, package catalog.
func TestEinrideClient(t *testing.T) {
	onBoth(t, func(t *testing.T, w *harness.World, r *recorder) {
		client := func(t *testing.T) goClient {
			return goClient{t: t, base: r.URL, header: map[string]string{"Authorization": "Bearer " + token}}
		}
		type loose = goEntity[map[string]any]
		next := regexp.MustCompile(`<(.*)>; *rel="next"`) // what the client looks for
		var cart *loose

		t.Run("ListEntities", func(t *testing.T) {
			var pages [][]string
			query := url.Values{"filter": {"kind=component,spec.type=service", "kind=api"}, "fields": {"kind,metadata"}, "limit": {"2"}}
			for {
				var page []*loose
				header := client(t).get("/api/catalog/entities", query, &page)
				pages = append(pages, namesOf(page))
				link := next.FindStringSubmatch(header.Get("Link"))
				if link == nil {
					break
				}
				target, err := url.ParseRequestURI(link[1])
				if err != nil {
					t.Fatal(err)
				}
				query.Set("after", target.Query().Get("after"))
			}
			equal(t, [][]string{{"cart-api", "cart"}, {"checkout", "nested"}, {"payments"}}, pages)
			var rest []*loose
			client(t).get("/api/catalog/entities", url.Values{"filter": {"kind=component"}, "offset": {"5"}}, &rest)
			equal(t, []string{"web", "zoo"}, namesOf(rest))
		})
		t.Run("QueryEntities", func(t *testing.T) {
			type answer struct {
				Items    []*loose
				PageInfo *struct{ NextCursor, PrevCursor string }
			}
			var first, second, back answer
			client(t).get("/api/catalog/entities/by-query", url.Values{"filter": {"kind=component"}, "fields": {"kind,metadata.name"}, "limit": {"4"}, "orderField": {"metadata.name,desc"}}, &first)
			client(t).get("/api/catalog/entities/by-query", url.Values{"cursor": {first.PageInfo.NextCursor}}, &second)
			client(t).get("/api/catalog/entities/by-query", url.Values{"cursor": {second.PageInfo.PrevCursor}}, &back)
			equal(t, []string{"zoo", "web", "search", "payments"}, namesOf(first.Items))
			equal(t, []string{"nested", "checkout", "cart"}, namesOf(second.Items)[:3])
			equal(t, namesOf(first.Items), namesOf(back.Items))
			equal(t, "", second.PageInfo.NextCursor)
		})
		t.Run("GetEntityByName", func(t *testing.T) {
			client(t).get("/api/catalog/entities/by-name/component/default/cart", nil, &cart)
			equal(t, "Shopping cart", cart.Metadata.Title)
			equal(t, []string{"go"}, cart.Metadata.Tags)
			equal(t, "1", cart.Metadata.Annotations["acme.com/tier"])
			equal(t, relation{"ownedBy", "group:default/team-a"}, cart.Relations[1])
			client(t).send(http.MethodGet, "/api/catalog/entities/by-name/component/default/unknown", nil, nil, http.StatusNotFound, nil)
		})
		t.Run("GetEntityByUID", func(t *testing.T) {
			var again *loose
			client(t).get("/api/catalog/entities/by-uid/"+url.PathEscape(cart.Metadata.UID), nil, &again)
			equal(t, cart, again)
			client(t).send(http.MethodGet, "/api/catalog/entities/by-uid/unknown", nil, nil, http.StatusNotFound, nil)
		})
		t.Run("BatchGetEntitiesByRefs", func(t *testing.T) {
			var got struct{ Items []*loose }
			body := struct {
				EntityRefs []string `json:"entityRefs"`
				Fields     []string `json:"fields,omitempty"`
			}{EntityRefs: []string{"system:default/shop", "component:default/unknown", "domain:default/retail"}}
			client(t).send(http.MethodPost, "/api/catalog/entities/by-refs", nil, body, http.StatusOK, &got)
			equal(t, []string{"shop", "<nil>", "retail"}, namesOf(got.Items))
		})
		t.Run("specs", func(t *testing.T) { einrideSpecs(client(t)) })
		t.Run("DeleteEntityByUID", func(t *testing.T) {
			client(t).send(http.MethodDelete, "/api/catalog/entities/by-uid/"+cart.Metadata.UID, nil, nil, http.StatusNoContent, nil)
			w.Settled()
			var back *loose // its file brings it back, as another
			client(t).get("/api/catalog/entities/by-name/component/default/cart", nil, &back)
			if back.Metadata.UID == cart.Metadata.UID {
				t.Error("the entity was not deleted")
			}
		})
	})
}

// einrideSpecs decodes the specs that the client has types for.
func einrideSpecs(c goClient) {
	c.t.Helper()
	var component goEntity[struct {
		Type, Lifecycle, Owner, System, SubcomponentOf string
		ProvidesAPIs, ConsumesAPIs, DependsOn          []string
	}]
	c.get("/api/catalog/entities/by-name/component/default/checkout", nil, &component)
	equal(c.t, []string{"cart-api"}, component.Spec.ConsumesAPIs)
	equal(c.t, []string{"component:cart"}, component.Spec.DependsOn)
	var group goEntity[struct {
		Type, Parent      string
		Profile           profile
		Children, Members []string
	}]
	c.get("/api/catalog/entities/by-name/group/default/team-a", nil, &group)
	equal(c.t, profile{DisplayName: "Team A", Email: "a@acme.test"}, group.Spec.Profile)
	equal(c.t, []string{"ann"}, group.Spec.Members)
	var user goEntity[struct {
		Profile  profile
		MemberOf []string
	}]
	c.get("/api/catalog/entities/by-name/user/default/ann", nil, &user)
	equal(c.t, []string{"team-a"}, user.Spec.MemberOf)
	var location goEntity[struct {
		Type, Target, Presence string
		Targets                []string
	}]
	c.get("/api/catalog/entities/by-name/location/default/more", nil, &location)
	equal(c.t, []string{"./more/nested.yaml"}, location.Spec.Targets)
}

// github.com/tdabasinskas/go-backstage/v2.
func TestGoBackstageClient(t *testing.T) {
	onBoth(t, func(t *testing.T, w *harness.World, r *recorder) {
		client := func(t *testing.T) goClient {
			return goClient{t: t, base: r.URL + "/api", header: map[string]string{
				"Accept": "application/json", "User-Agent": "go-backstage",
				"Authorization": "Bearer " + token, // of the http.Client that its user brings
			}}
		}
		type loose = goEntity[map[string]any]
		var all []*loose

		t.Run("Entities.List", func(t *testing.T) {
			client(t).get("/catalog/entities?", nil, &all)
			if len(all) < 13 {
				t.Errorf("%d entities, want all", len(all))
			}
			var some []*loose
			client(t).get("/catalog/entities", url.Values{
				"filter": {"kind=component,spec.owner=team-a", "kind=system"}, "fields": {"metadata.name"}, "order": {"desc:metadata.name"},
			}, &some)
			equal(t, []string{"zoo", "web", "shop", "checkout", "cart"}, namesOf(some))
			// Older versions write the query by hand, with a separator at its end.
			client(t).get("/catalog/entities?filter=kind=component,metadata.title&fields=metadata.name&order=asc:metadata.name&", nil, &some)
			equal(t, []string{"cart", "payments", "web"}, namesOf(some))
		})
		t.Run("Entities.Get", func(t *testing.T) {
			for _, e := range all {
				var got *loose
				client(t).get("/catalog/entities/by-uid/"+e.Metadata.UID, nil, &got)
				equal(t, e, got)
			}
		})
		t.Run("kinds", func(t *testing.T) { goBackstageKinds(client(t)) })
		t.Run("Locations", func(t *testing.T) { goBackstageLocations(client(t), w) })
		t.Run("Entities.Delete", func(t *testing.T) {
			client(t).send(http.MethodDelete, "/catalog/entities/by-uid/"+all[0].Metadata.UID, nil, nil, http.StatusNoContent, nil)
			client(t).send(http.MethodDelete, "/catalog/entities/by-uid/unknown", nil, nil, http.StatusNoContent, nil)
		})
	})
}

// goBackstageKinds asks as APIs.Get, Components.Get and so on do.
func goBackstageKinds(c goClient) {
	c.t.Helper()
	type spec struct {
		Type, Lifecycle, Owner, Definition, System, Domain, Target string
		DependsOn, MemberOf, Children, Members                     []string
		Profile                                                    profile
	}
	tests := []struct {
		kind, name string
		want       spec
	}{
		{"api", "cart-api", spec{Type: "openapi", Lifecycle: "production", Owner: "team-a", Definition: "openapi: 3.0.0", System: "shop"}},
		{"component", "payments", spec{Type: "service", Lifecycle: "production", Owner: "team-b"}},
		{"domain", "retail", spec{Owner: "team-a"}},
		{"group", "team-a", spec{Type: "team", Children: []string{}, Members: []string{"ann"}, Profile: profile{DisplayName: "Team A", Email: "a@acme.test"}}},
		{"resource", "db", spec{Type: "database", Owner: "team-b", System: "shop"}},
		{"system", "shop", spec{Owner: "team-a", Domain: "retail"}},
		{"user", "ann", spec{MemberOf: []string{"team-a"}, Profile: profile{DisplayName: "Ann"}}},
	}
	for _, tt := range tests {
		var got *goEntity[spec]
		c.get("/catalog/entities/by-name/"+tt.kind+"/default/"+tt.name, nil, &got)
		equal(c.t, tt.want, got.Spec)
		equal(c.t, tt.kind, strings.ToLower(got.Kind))
	}
	// An unknown one is decoded too: the envelope has none of an entity's fields.
	var none *goEntity[spec]
	c.send(http.MethodGet, "/catalog/entities/by-name/location/default/unknown", nil, nil, http.StatusNotFound, &none)
	equal(c.t, goEntity[spec]{}, *none)
}

func goBackstageLocations(c goClient, w *harness.World) {
	c.t.Helper()
	type location struct{ ID, Type, Target string }
	type created struct {
		Exists   bool
		Location *location
		Entities []goEntity[map[string]any]
	}
	target := w.GitHub.URL() + "/acme/tools/blob/main/tools.yaml"
	body := map[string]string{"target": target, "type": "url"}

	var dry, done created
	c.send(http.MethodPost, "/catalog/locations", url.Values{"dryRun": {"true"}}, body, http.StatusCreated, &dry)
	equal(c.t, false, dry.Exists)
	equal(c.t, 3, len(dry.Entities))
	c.send(http.MethodPost, "/catalog/locations", url.Values{"dryRun": {"false"}}, body, http.StatusCreated, &done)
	equal(c.t, location{done.Location.ID, "url", target}, *done.Location)

	var list []struct{ Data *location }
	c.get("/catalog/locations", nil, &list)
	equal(c.t, 1, len(list))
	equal(c.t, done.Location, list[0].Data)
	var one *location
	c.get("/catalog/locations/"+done.Location.ID, nil, &one)
	equal(c.t, done.Location, one)

	// Locations.Get is for the entity that stands for it.
	w.Settled()
	var generated []*goEntity[struct{ Type, Target string }]
	c.get("/catalog/entities", url.Values{"filter": {"kind=location,spec.target=" + target}}, &generated)
	equal(c.t, 1, len(generated))
	var entity *goEntity[struct{ Type, Target string }]
	c.get("/catalog/entities/by-name/location/default/"+generated[0].Metadata.Name, nil, &entity)
	equal(c.t, target, entity.Spec.Target)

	c.send(http.MethodDelete, "/catalog/locations/"+done.Location.ID, nil, nil, http.StatusNoContent, nil)
	c.send(http.MethodGet, "/catalog/locations/"+done.Location.ID, nil, nil, http.StatusNotFound, &one)
}
