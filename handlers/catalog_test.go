package handlers_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/callboard/callboard/handlers"
	"github.com/callboard/callboard/handlers/access"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/view"
)

// Answers of the endpoints, the worked examples of contract 4.8, 4.10, 4.12 and 4.17 among them.
func TestCatalogAnswers(t *testing.T) {
	t.Parallel()
	f := setup(t, shop()...)
	const byRefs = `{"entityRefs":["component:default/cart","api:default/cart-api","component:default/gone","component:default/cart"],"fields":["kind","metadata.name"]}`
	tests := []struct{ name, method, url, body, want string }{
		{"all, by uid", "GET", "/entities?fields=metadata.name", "",
			`[{"metadata":{"name":"cart-api"}},{"metadata":{"name":"web"}},{"metadata":{"name":"petstore"}},{"metadata":{"name":"checkout"}},{"metadata":{"name":"cart"}}]`},
		{"paged, by ref", "GET", "/entities?fields=metadata.name&offset=1&limit=2", "",
			`[{"metadata":{"name":"cart"}},{"metadata":{"name":"checkout"}}]`},
		{"example of 4.8", "GET", "/entities?filter=kind=component&fields=metadata.name&limit=2", "",
			`[{"metadata":{"name":"cart"}},{"metadata":{"name":"checkout"}}]`},
		{"offset without limit", "GET", "/entities?filter=kind=component&fields=metadata.name&offset=3", "", `[{"metadata":{"name":"web"}}]`},
		{"behind the end", "GET", "/entities?offset=99", "", `[]`},
		{"the cursor counts", "GET", "/entities?filter=kind=component&fields=metadata.name&limit=7&offset=0&after=" + cursor(`{"limit":1,"offset":2}`), "",
			`[{"metadata":{"name":"petstore"}}]`},
		{"filters are alternatives", "GET", "/entities?filter=kind=api&filter[]=metadata.name=web&fields=metadata.name", "",
			`[{"metadata":{"name":"cart-api"}},{"metadata":{"name":"web"}}]`},
		{"no filter at all", "GET", "/entities?filter=,,&fields=kind&limit=1", "", `[{"kind":"API"}]`},
		{"fields repeated", "GET", "/entities?filter=kind=api&fields=kind,spec.type&fields=metadata.name", "", `[{"metadata":{"name":"cart-api"},"kind":"API","spec":{"type":"openapi"}}]`},
		{"no such field", "GET", "/entities?filter=kind=api&fields=nothing", "", `[{}]`},
		{"order", "GET", "/entities?filter=kind=component&order=desc:metadata.name&fields=metadata.name&limit=2", "",
			`[{"metadata":{"name":"web"}},{"metadata":{"name":"petstore"}}]`},
		{"order, absent last, several values once", "GET", "/entities?filter=kind=component&order=asc:metadata.tags&order=asc:metadata.name&fields=metadata.name", "",
			`[{"metadata":{"name":"cart"}},{"metadata":{"name":"checkout"}},{"metadata":{"name":"petstore"}},{"metadata":{"name":"web"}}]`},
		{"example of 4.17, one ref twice", "POST", "/entities/by-refs?filter=kind=component", byRefs,
			`{"items":[{"kind":"Component","metadata":{"name":"cart"}},null,null,{"kind":"Component","metadata":{"name":"cart"}}]}`},
		{"refs match exactly", "POST", "/entities/by-refs", `{"entityRefs":["API:Default/cart-api","component:web",""],"x":1}`, `{"items":[null,null,null]}`},
		{"as large as allowed", "POST", "/entities/by-refs", `{"entityRefs":["` + strings.Repeat("x", 5<<20-19) + `"]}`, `{"items":[null]}`},
		{"fields that name nothing", "GET", "/entities?filter=kind=api&fields=,", "", `[{}]`},
		{"an empty list of fields", "POST", "/entities/by-refs", `{"entityRefs":["component:default/gone"],"fields":[]}`, `{"items":[null]}`},
		{"no refs", "POST", "/entities/by-refs", `{"entityRefs":[]}`, `{"items":[]}`},
		{"example of 4.17", "GET", "/entity-facets?facet=kind&facet=metadata.tags&filter=relations.ownedby=group:default/team-a", "",
			`{"facets":{"kind":[{"value":"API","count":1},{"value":"Component","count":2}],"metadata.tags":[{"value":"go","count":2},{"value":"java","count":1}]}}`},
		{"facets by predicate", "POST", "/entity-facets", `{"facets":["kind","metadata.tags","none"],"query":{"$not":{"kind":"api"}},"else":1}`,
			`{"facets":{"kind":[{"value":"Component","count":4}],"metadata.tags":[{"value":"go","count":2},{"value":"java","count":2}],"none":[]}}`},
		{"facets of everything", "POST", "/entity-facets", `{"facets":["kind"]}`, `{"facets":{"kind":[{"value":"API","count":1},{"value":"Component","count":4}]}}`},
		{"refs by predicate and filter", "POST", "/entities/by-refs?filter=kind=component", `{"entityRefs":["component:default/cart","component:default/web","api:default/cart-api"],"query":{"metadata.tags":{"$exists":true}},"fields":["kind"]}`,
			`{"items":[{"kind":"Component"},null,null]}`},
		{"refs by relation", "POST", "/entities/by-refs", `{"entityRefs":["component:default/cart","component:default/web"],"query":{"relations":{"$contains":{"type":"ownedBy","targetRef":"group:default/team-a"}}},"fields":["kind"]}`,
			`{"items":[{"kind":"Component"},null]}`},
		{"by-query, example of 4.9", "GET", "/entities/by-query?filter=kind=component&orderField=metadata.name,desc&limit=4&fields=metadata.name", "",
			`{"items":[{"metadata":{"name":"web"}},{"metadata":{"name":"petstore"}},{"metadata":{"name":"checkout"}},{"metadata":{"name":"cart"}}],"totalItems":4,"pageInfo":{}}`},
		{"array parameters with an index", "GET", "/entities?filter[0]=kind=api&filter[1]=metadata.name=web&fields[]=kind", "", `[{"kind":"API"},{"kind":"Component"}]`},
		{"facets in any case, unknown ones empty", "GET", "/entity-facets?facet[]=KIND&facet=none&facet=relations.ownedBy&facet=metadata.tags.java", "",
			`{"facets":{"KIND":[{"value":"API","count":1},{"value":"Component","count":4}],"none":[],"relations.ownedBy":[{"value":"group:default/team-a","count":3}],"metadata.tags.java":[{"value":"true","count":2}]}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := f.do(tt.method, "/api/catalog"+tt.url, tt.body)
			if w.Code != 200 || w.Header().Get("Content-Type") != "application/json; charset=utf-8" {
				t.Fatalf("%d %s %s", w.Code, w.Header().Get("Content-Type"), w.Body)
			}
			same(t, tt.url, tt.want, w.Body.String())
			if w.Header().Get("Callboard-Revision") != fmt.Sprint(f.view.Revision()) {
				t.Errorf("revision is %q", w.Header().Get("Callboard-Revision"))
			}
		})
	}
}

func cursor(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// Errors of the endpoints (contract 4.1 to 4.12), with name, status and words.
func TestCatalogErrors(t *testing.T) {
	t.Parallel()
	f := setup(t, shop()...)
	const input, missing = "InputError", "NotFoundError"
	tests := []struct {
		method, url, body string
		status            int
		name, message     string
	}{
		{"GET", "/entities?bogus=1", "", 400, input, "Unknown query parameter 'bogus'"},
		{"GET", "/entities?limit[]=1", "", 400, input, "Unknown query parameter 'limit[]'"},
		{"GET", "/entities?filter=", "", 400, input, "Empty value found for query parameter 'filter'"},
		{"GET", "/entities?filter", "", 400, input, "Empty value found for query parameter 'filter'"},
		{"GET", "/entities?filter=kind%3Dapi,%20=x", "", 400, input, "Invalid filter, '=x' is not a valid statement (expected a string on the form a=b or a= or a)"},
		{"GET", "/entities?fields=metadata.tags[0]", "", 400, input, `Invalid field "metadata.tags[0]", array type fields are not supported`},
		{"GET", "/entities?fields=" + strings.Repeat("a.", 200_000), "", 400, input, "Invalid field, longer than 1024 bytes"},
		{"GET", "/entities?fields=", "", 400, input, "Empty value found for query parameter 'fields'"},
		{"GET", "/entities?limit=x", "", 400, input, "request/query/limit must be integer"},
		{"GET", "/entities?limit=1.5", "", 400, input, "request/query/limit must be integer"},
		{"GET", "/entities?limit=%2B1", "", 400, input, "request/query/limit must be integer"},
		{"GET", "/entities?offset=+1", "", 400, input, "request/query/offset must be integer"},
		{"GET", "/entities?limit=99999999999999999999", "", 400, input, "request/query/limit must be integer"},
		{"GET", "/entities?limit=-1", "", 400, input, "request/query/limit must be >= 0"},
		{"GET", "/entities?limit=0", "", 400, input, "Invalid limit, must be greater than zero"},
		{"GET", "/entities?offset=-1", "", 400, input, "request/query/offset must be >= 0"},
		{"GET", "/entities?limit=2&limit=3", "", 400, input, "request/query/limit must be integer"},
		{"GET", "/entities?after=a&after=b", "", 400, input, "request/query/after must be string"},
		{"GET", "/entities?after=%21", "", 400, input, "Malformed after cursor, could not be parsed"},
		{"GET", "/entities?after=" + cursor("[]"), "", 400, input, "Malformed after cursor, could not be parsed"},
		{"GET", "/entities?after=" + cursor(`{"limit":-1}`), "", 400, input, "Malformed after cursor, could not be parsed"},
		{"GET", "/entities?after=" + cursor(`{"limit":0}`), "", 400, input, "Invalid limit, must be greater than zero"},
		{"GET", "/entities?order=metadata.name", "", 400, input, `Invalid order parameter "metadata.name", expected "<asc or desc>:<field name>"`},
		{"GET", "/entities?order=asc:", "", 400, input, `Invalid order parameter "asc:", expected "<asc or desc>:<field name>"`},
		{"GET", "/entities?order=up:x", "", 400, input, `Invalid order parameter "up:x", expected "<asc or desc>:<field name>"`},
		{"GET", "/entities/by-name/Component/Default/Gone", "", 404, missing, "No entity named 'Gone' found, with kind 'Component' in namespace 'Default'"},
		{"GET", "/entities/by-name/component/default/cart?fields=kind", "", 400, input, "Unknown query parameter 'fields'"},
		{"GET", "/entities/by-uid/1234", "", 404, missing, "No entity with uid 1234"},
		{"GET", "/entities/by-uid/1234?x=%20y", "", 400, input, "Unknown query parameter 'x'"},
		{"POST", "/entities/by-refs", `{}`, 400, input, "request/body must have required property 'entityRefs'"},
		{"POST", "/entities/by-refs", `[]`, 400, input, "request/body must be object"},
		{"POST", "/entities/by-refs", `null`, 400, input, "request/body must be object"},
		{"POST", "/entities/by-refs", `{"entityRefs":"a"}`, 400, input, "request/body/entityRefs must be array"},
		{"POST", "/entities/by-refs", `{"entityRefs":null}`, 400, input, "request/body/entityRefs must be array"},
		{"POST", "/entities/by-refs", `{"entityRefs":["a",1]}`, 400, input, "request/body/entityRefs/1 must be string"},
		{"POST", "/entities/by-refs", `{"entityRefs":[null]}`, 400, input, "request/body/entityRefs/0 must be string"},
		{"POST", "/entities/by-refs", `{"entityRefs":[],"fields":"kind"}`, 400, input, "request/body/fields must be array"},
		{"POST", "/entities/by-refs", `{"entityRefs":[],"fields":["a[0]"]}`, 400, input, `Invalid field "a[0]", array type fields are not supported`},
		{"POST", "/entities/by-refs", `{"entityRefs":`, 400, input, "unexpected end of JSON input"},
		{"POST", "/entities/by-refs?fields=x", `{}`, 400, input, "Unknown query parameter 'fields'"},
		{"POST", "/entities/by-refs", `{"entityRefs":["` + strings.Repeat("x", 5<<20-18) + `"]}`, 400, input, "request entity too large"},
		{"POST", "/entities/by-refs", `{"entityRefs":[],"query":"x"}`, 400, input, "request/body/query must be object"},
		{"POST", "/entities/by-refs", `{"entityRefs":[],"query":null}`, 400, input, "request/body/query must be object"},
		{"POST", "/entities/by-refs", `{"entityRefs":[],"query": []}`, 400, input, "request/body/query must be object"},
		{"POST", "/entities/by-refs", `{"entityRefs":[` + strings.Repeat(`"",`, 5000) + `""]}`, 400, input, "Too many entityRefs, at most 5000 are supported in one call"},
		{"POST", "/entities/by-refs", `{"entityRefs":[],"query":{"relations":{"$contains":{"a":1}}}}`, 400, input, "Invalid query: Validation error: \"a\" is unknown in $contains of relations, expected type and targetRef"},
		{"POST", "/entity-facets", `{}`, 400, input, "Missing or empty facets parameter"},
		{"POST", "/entity-facets", `{"facets":[]}`, 400, input, "Missing or empty facets parameter"},
		{"POST", "/entity-facets", `{"facets":"kind"}`, 400, input, "request/body/facets must be array"},
		{"POST", "/entity-facets", `{"facets":[1]}`, 400, input, "request/body/facets/0 must be string"},
		{"POST", "/entity-facets", `{"facets":["kind"],"query":1}`, 400, input, "request/body/query must be object"},
		{"POST", "/entity-facets", `{"facets":[` + strings.Repeat(`"a",`, 50) + `"a"]}`, 400, input, "Too many facets, at most 50 are supported in one call"},
		{"POST", "/entity-facets?facet=kind", `{"facets":["kind"]}`, 400, input, "Unknown query parameter 'facet'"},
		{"GET", "/entity-facets?" + strings.Repeat("facet=a&", 51), "", 400, input, "Too many facets, at most 50 are supported in one call"},
		{"GET", "/entity-facets", "", 400, input, "request/query must have required property 'facet'"},
		{"GET", "/entity-facets?facet=kind&limit=1", "", 400, input, "Unknown query parameter 'limit'"},
	}
	for _, tt := range tests {
		w := f.do(tt.method, "/api/catalog"+tt.url, tt.body)
		want := envelope(tt.status, tt.name, tt.message, tt.method, tt.url)
		if w.Code != tt.status {
			t.Errorf("%s %.60s: status %d, want %d: %s", tt.method, tt.url, w.Code, tt.status, w.Body)
			continue
		}
		same(t, tt.url, want, w.Body.String())
	}
	for contentType, message := range map[string]string{"text/plain": "unsupported media type text/plain", "": "media type not specified"} {
		w := f.do("POST", "/api/catalog/entities/by-refs", `{"entityRefs":[]}`, "Content-Type", contentType)
		same(t, contentType, envelope(400, input, message, "POST", "/entities/by-refs"), w.Body.String())
	}
}

func TestNextLink(t *testing.T) {
	t.Parallel()
	f := setup(t, shop()...)
	tests := []struct{ url, want string }{
		{"/entities?filter=kind=component&fields=metadata.name&limit=2",
			`</entities?filter=kind%3Dcomponent&fields=metadata.name&limit=2&after=eyJsaW1pdCI6Miwib2Zmc2V0IjoyfQ%3D%3D>; rel="next"`},
		{"/entities?offset=1&limit=1&filter=a%20b&filter=kind", `</entities?limit=1&filter=a+b&filter=kind&after=` + url.QueryEscape(cursor(`{"limit":1,"offset":2}`)) + `>; rel="next"`},
		{"/entities?after=" + cursor(`{"limit":2,"offset":2}`) + "&fields=kind",
			`</entities?after=` + url.QueryEscape(cursor(`{"limit":2,"offset":4}`)) + `&fields=kind>; rel="next"`},
		{"/entities?limit=5", ""},
		{"/entities?offset=1", ""},
		{"/entities", ""},
	}
	for _, tt := range tests {
		if got := f.get("/api/catalog" + tt.url).Header().Get("Link"); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.url, got, tt.want)
		}
	}
	// Following the links gives every entity once.
	var names []string
	next := "/entities?limit=2&fields=metadata.name"
	for next != "" {
		w := f.get("/api/catalog" + next)
		for _, part := range strings.Split(w.Body.String(), `"name":"`)[1:] {
			names = append(names, part[:strings.Index(part, `"`)])
		}
		next, _, _ = strings.Cut(strings.TrimPrefix(w.Header().Get("Link"), "<"), ">")
	}
	if got := strings.Join(names, " "); got != "cart-api cart checkout petstore web" {
		t.Errorf("pages hold %s", got)
	}
}

func TestSingleEntity(t *testing.T) {
	t.Parallel()
	rows := append(shop(), row("component:default/a/b", "Odd-1", `{"kind":"Component","metadata":{"name":"a/b","namespace":"default"}}`))
	f := setup(t, rows...)
	cart := f.get("/api/catalog/entities/by-name/component/default/cart")
	if cart.Code != 200 || !strings.HasPrefix(cart.Body.String(), `{"metadata":{"name":"cart","namespace":"default","tags":["go"],"uid":"c-4","etag":"`) ||
		!strings.HasSuffix(cart.Body.String(), `"},"apiVersion":"backstage.io/v1alpha1","kind":"Component","spec":{"type":"service"},"relations":[{"type":"ownedBy","targetRef":"group:default/team-a"},{"type":"providesApi","targetRef":"api:default/cart-api"}]}`) {
		t.Errorf("%d %s", cart.Code, cart.Body)
	}
	for _, path := range []string{
		"/api/catalog/entities/by-name/Component/DEFAULT/Cart",
		"/API/Catalog/Entities/By-Name/component/default/cart/",
		"/api/catalog/entities/by-uid/C-4",
		"/api/catalog/ENTITIES/by-uid/c-4/",
	} {
		if w := f.get(path); w.Code != 200 || w.Body.String() != cart.Body.String() {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	if w := f.get("/api/catalog/entities/by-name/component/default/a%2Fb"); w.Code != 200 || !strings.Contains(w.Body.String(), `"uid":"Odd-1"`) {
		t.Errorf("an escaped slash: %d %s", w.Code, w.Body)
	}
	w := f.get("/api/CATALOG/entities/by-name/Component/default/Gone/?x=1")
	same(t, "the URL in the envelope is the given one", envelope(400, "InputError", "Unknown query parameter 'x'", "GET", "/entities/by-name/Component/default/Gone/?x=1"), w.Body.String())
}

func TestUnknownRoutes(t *testing.T) {
	t.Parallel()
	f := setup(t, shop()...)
	tests := []struct{ method, path string }{
		{"GET", "/api/catalog"}, {"GET", "/api/catalog/"}, {"GET", "/api/catalog/nothing"}, {"DELETE", "/api/catalog/entities"},
		{"POST", "/api/catalog/entities"}, {"PUT", "/api/catalog/entities/by-refs"}, {"GET", "/api/catalog/entities/by-refs"},
		{"PUT", "/api/catalog/entities/by-query"}, {"DELETE", "/api/catalog/entity-facets"}, {"POST", "/api/catalog/entities/by-name/component/default/cart/ancestry"},
		{"GET", "/api/nothing"}, {"GET", "/api/callboard/nothing"}, {"GET", "/nothing"}, {"POST", "/"},
		{"GET", "/api/catalog/entities/by-name/component/default"},
		{"GET", "/api/catalog/entities/by-name/component//x"}, {"GET", "//api/catalog/entities"}, {"GET", "/api/catalog//entities"},
		{"GET", "/api/catalog/entities//"}, {"GET", "/api/./catalog/entities"}, {"GET", "/api/x/../catalog/entities"}, {"POST", "/api//callboard/status"},
	}
	for _, tt := range tests {
		if w := f.do(tt.method, tt.path, ""); w.Code != 404 || w.Body.Len() != 0 {
			t.Errorf("%s %s: %d %q", tt.method, tt.path, w.Code, w.Body)
		}
	}
}

func TestHead(t *testing.T) {
	t.Parallel()
	f := setup(t, shop()...)
	server := httptest.NewServer(f)
	defer server.Close()
	for path, status := range map[string]int{"/api/catalog/entities?limit=1": 200, "/api/catalog/entities/by-query": 200, "/api/catalog/entities/by-uid/c-1": 200, "/api/catalog/entities/by-uid/none": 404} {
		res, err := http.Head(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != status || res.Header.Get("Content-Type") != "application/json; charset=utf-8" {
			t.Errorf("HEAD %s: %d %v", path, res.StatusCode, res.Header)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestETag(t *testing.T) {
	t.Parallel()
	f := setup(t, shop()...)
	paths := []string{"/api/catalog/entities?limit=1", "/api/catalog/entity-facets?facet=kind", "/api/catalog/entities/by-name/component/default/web", "/api/catalog/entities/by-query?filter=kind=component&limit=1"}
	tags := map[string]string{}
	for _, p := range paths {
		tags[p] = f.get(p).Header().Get("ETag")
		if w := f.get(p, "If-None-Match", tags[p]); w.Code != 304 || w.Body.Len() != 0 || w.Header().Get("ETag") != tags[p] || tags[p] == "" {
			t.Errorf("%s: %d %q with %q", p, w.Code, w.Body, tags[p])
		}
	}
	if err := f.view.WaitRevision(t.Context(), f.put(component("new", "n", ""))); err != nil {
		t.Fatal(err)
	}
	for i, p := range paths {
		want := 200
		if i == 2 { // another entity changed, this one did not
			want = 304
		}
		if w := f.get(p, "If-None-Match", tags[p]); w.Code != want {
			t.Errorf("%s after a change: %d, want %d", p, w.Code, want)
		}
	}
}

func TestLargeListIsWhole(t *testing.T) {
	t.Parallel()
	var rows []storage.Entity
	for i := range 500 {
		rows = append(rows, component(fmt.Sprintf("c%03d", i), fmt.Sprintf("u%03d", i), `,"description":"`+strings.Repeat("x", 500)+`"`))
	}
	f := setup(t, rows...)
	w := f.get("/api/catalog/entities")
	same(t, "length", "500", fmt.Sprint(strings.Count(w.Body.String(), `"kind":"Component"`)))
	same(t, "JSON", w.Body.String(), w.Body.String())
	if zipped := f.get("/api/catalog/entities", "Accept-Encoding", "gzip"); zipped.Header().Get("Content-Encoding") != "gzip" || zipped.Body.Len() > w.Body.Len()/4 {
		t.Errorf("%d bytes compressed, %d not", zipped.Body.Len(), w.Body.Len())
	}
}

func TestNotStartedYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := view.New(nil, quiet)
		h := handlers.New(handlers.Deps{View: v, Metrics: prometheus.NewRegistry(), Log: quiet, Webhook: http.NotFoundHandler(), Access: access.Config{Open: true}})
		for _, path := range []string{"/entities", "/entities/by-uid/1", "/entity-facets?facet=kind"} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest("GET", "/api/catalog"+path, nil)) // 5 s of a fake clock
			same(t, path, envelope(503, "ServiceUnavailableError", "Service has not started up yet", "GET", path), w.Body.String())
		}
	})
}

// A ref may be named twice, but a short request gets no gigabytes.
func TestRepeatedRefs(t *testing.T) {
	t.Parallel()
	f := setup(t, component("giant", "g", `,"description":"`+strings.Repeat("x", 4<<20)+`"`), component("small", "s", ""))
	refs := func(giant, small int) string {
		list := strings.Repeat(`"component:default/giant",`, giant) + strings.Repeat(`"component:default/small",`, small) + `"component:default/gone"`
		return `{"entityRefs":[` + list + `],"fields":["metadata.name"]}`
	}
	tests := []struct{ giant, small, status int }{{1, 0, 200}, {15, 4000, 200}, {300, 0, 400}, {17, 1, 400}}
	for _, tt := range tests {
		w := f.do("POST", "/api/catalog/entities/by-refs", refs(tt.giant, tt.small))
		if w.Code != tt.status || tt.status == 400 && !strings.Contains(w.Body.String(), "would take more than 64 MiB, name each once") {
			t.Errorf("%d and %d times: %d %.200s", tt.giant, tt.small, w.Code, w.Body)
		}
		if n := strings.Count(w.Body.String(), `"name":"giant"`); tt.status == 200 && n != tt.giant {
			t.Errorf("%d of %d", n, tt.giant)
		}
	}
}
