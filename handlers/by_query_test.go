package handlers_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/storage"
)

// page is an answer of by-query.
type page struct {
	Items []struct {
		Metadata struct{ Name string }
	}
	TotalItems int
	PageInfo   struct{ NextCursor, PrevCursor string }
}

func (p page) names() string {
	var names []string
	for _, e := range p.Items {
		names = append(names, e.Metadata.Name)
	}
	return strings.Join(names, " ")
}

// query asks by GET with parameters, or by POST with a body.
func (f *fixture) query(method, question string) (p page) {
	f.t.Helper()
	const path = "/api/catalog/entities/by-query"
	target, body := path+"?"+question, ""
	if method == "POST" {
		target, body = path, question
	}
	w := f.do(method, target, body)
	if w.Code != 200 {
		f.t.Fatalf("%s %.300s: %d %s", method, question, w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		f.t.Fatal(err)
	}
	return p
}

// next goes on from a cursor by a verb.
func (f *fixture) next(method, cursor string, limit int) page {
	f.t.Helper()
	if method == "POST" {
		return f.query(method, fmt.Sprintf(`{"cursor":%q,"limit":%d}`, cursor, limit))
	}
	return f.query(method, fmt.Sprintf("cursor=%s&limit=%d", url.QueryEscape(cursor), limit))
}

// seven are entities of which two lack a title, and two share one but for case.
func seven() []storage.Entity {
	var rows []storage.Entity
	for i, title := range []string{"Beta", "alpha", "", "gamma", "ALPHA", "", "delta"} {
		more := fmt.Sprintf(`,"tags":["t%d","t%d"]`, i%3, (i+1)%3)
		if title != "" {
			more += fmt.Sprintf(`,"title":%q`, title)
		}
		rows = append(rows, component(fmt.Sprintf("e%d", i), fmt.Sprintf("u%d", 9-i), more))
	}
	return append(rows, row("api:default/other", "u0", `{"kind":"API","metadata":{"name":"other","namespace":"default"}}`))
}

// Forward and back through seven entities, two at a time, with and without an
// order, by both verbs and by both in turn (contract catalog 7).
func TestWalk(t *testing.T) {
	t.Parallel()
	f := setup(t, seven()...)
	tests := []struct{ name, field, order, want string }{
		{"by uid", "", "", "e6 e5 e4 e3 e2 e1 e0"},
		{"by name", "metadata.name", "", "e0 e1 e2 e3 e4 e5 e6"},
		{"by name, backwards", "metadata.name", "desc", "e6 e5 e4 e3 e2 e1 e0"},
		{"without the field last", "metadata.title", "asc", "e4 e1 e0 e6 e3 e5 e2"},
		{"without the field last, backwards too", "metadata.title", "desc", "e3 e6 e0 e1 e4 e2 e5"},
		{"several values", "metadata.tags", "asc", "e6 e5 e3 e2 e0 e4 e1"},
		{"nobody has the field", "spec.nothing", "asc", "e6 e5 e4 e3 e2 e1 e0"},
	}
	for _, tt := range tests {
		for _, verbs := range [][2]string{{"GET", "GET"}, {"POST", "POST"}, {"GET", "POST"}, {"POST", "GET"}} {
			t.Run(tt.name+" "+verbs[0]+verbs[1], func(t *testing.T) {
				t.Parallel()
				question := "filter=kind=component&limit=2"
				if tt.field != "" {
					question += "&orderField=" + strings.TrimSuffix(tt.field+","+tt.order, ",")
				}
				if verbs[0] == "POST" {
					question = `{"query":{"kind":"component"},"limit":2}`
					if tt.field != "" {
						question = fmt.Sprintf(`{"query":{"kind":"component"},"limit":2,"orderBy":[{"field":%q,"order":%q},{"field":"kind","order":"asc"}]}`, tt.field, max(tt.order, "asc"))
					}
				}
				pages := []page{f.query(verbs[0], question)}
				for at := pages[0]; at.PageInfo.NextCursor != ""; {
					at = f.next(verbs[len(pages)%2], at.PageInfo.NextCursor, 2)
					pages = append(pages, at)
				}
				var names []string
				for i, p := range pages {
					names = append(names, p.names())
					if p.TotalItems != 7 || (p.PageInfo.PrevCursor == "") != (i == 0) {
						t.Errorf("page %d: %d items in all, back to %q", i, p.TotalItems, p.PageInfo.PrevCursor)
					}
				}
				if got := strings.Join(names, " "); got != tt.want || len(pages) != 4 {
					t.Errorf("%d pages: %s, want %s", len(pages), got, tt.want)
				}
				at := pages[3]
				for i := 2; i >= 0; i-- {
					at = f.next(verbs[i%2], at.PageInfo.PrevCursor, 2)
					if at.names() != pages[i].names() || at.PageInfo.NextCursor == "" || (at.PageInfo.PrevCursor == "") != (i == 0) || at.TotalItems != 7 {
						t.Errorf("back on page %d: %+v, want %s", i, at, pages[i].names())
					}
				}
				if again := f.next(verbs[1], at.PageInfo.NextCursor, 2); again.names() != pages[1].names() {
					t.Errorf("forward again: %s, want %s", again.names(), pages[1].names())
				}
			})
		}
	}
}

// A walk shows everything that is there throughout, once, whatever else comes
// and goes, its own position included.
func TestWalkAmongChanges(t *testing.T) {
	t.Parallel()
	f := setup(t, seven()...)
	first := f.query("GET", "filter=kind=component&orderField=metadata.name&limit=3")
	f.change([]storage.Entity{component("e0a", "n1", ""), component("e3a", "n2", "")}, "component:default/e2", "component:default/e4")
	second := f.next("GET", first.PageInfo.NextCursor, 3)
	if got := second.names(); got != "e3 e3a e5" || second.TotalItems != 7 {
		t.Errorf("page 2 is %s of %d", got, second.TotalItems)
	}
	if back := f.next("GET", second.PageInfo.PrevCursor, 9); back.names() != "e0 e0a e1" || back.PageInfo.PrevCursor != "" {
		t.Errorf("back: %+v", back)
	}
	f.change(nil, "component:default/e0", "component:default/e0a", "component:default/e1")
	back := f.next("POST", second.PageInfo.PrevCursor, 9)
	if back.names() != "" || back.PageInfo.PrevCursor != "" {
		t.Errorf("back to a page that has gone: %+v", back)
	}
	if again := f.next("GET", back.PageInfo.NextCursor, 2); again.names() != "e3 e3a" || again.PageInfo.PrevCursor != "" {
		t.Errorf("forward from there: %+v", again)
	}
}

// The keys, their types and the base64 are what the official client decodes.
func TestCursorContent(t *testing.T) {
	t.Parallel()
	f := setup(t, seven()...)
	tests := []struct{ name, method, question, want string }{
		{"nothing asked", "GET", "limit=1", `{"orderFields":[],"orderFieldValues":["u0"],"isPrevious":false,"firstSortFieldValues":["u0"],"totalItems":8}`},
		{"filter, order without direction, offset", "GET", "filter=kind=component&orderField=metadata.title&limit=2&offset=1",
			`{"orderFields":[{"field":"metadata.title","order":"asc"}],"orderFieldValues":["beta","u9"],"isPrevious":false,"query":{"$all":[{"kind":"component"}]},"firstSortFieldValues":["alpha","u8"],"totalItems":7}`},
		{"no value", "GET", "filter=metadata.name=e2&filter=metadata.name=e5&orderField=metadata.title,desc&limit=1&totalItems=exclude",
			`{"orderFields":[{"field":"metadata.title","order":"desc"}],"orderFieldValues":[null,"u7"],"isPrevious":false,"query":{"$any":[{"$all":[{"metadata.name":"e2"}]},{"$all":[{"metadata.name":"e5"}]}]},"firstSortFieldValues":[null,"u7"],"totalItems":0}`},
		{"predicate as given", "POST", `{"query":{ "kind": {"$in":["COMPONENT","<&>"]} },"fullTextFilter":{"term":" E","fields":["metadata.Name"]},"limit":1}`,
			`{"orderFields":[],"orderFieldValues":["u3"],"isPrevious":false,"query":{"kind":{"$in":["COMPONENT","<&>"]}},"fullTextFilter":{"term":"E","fields":["metadata.Name"]},"firstSortFieldValues":["u3"],"totalItems":7}`},
	}
	for _, tt := range tests {
		p := f.query(tt.method, tt.question)
		raw, err := base64.StdEncoding.DecodeString(p.PageInfo.NextCursor)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if diff := cmp.Diff(tt.want, string(raw)); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}

// What a request may ask, by either verb (contract catalog 4.9).
func TestByQuery(t *testing.T) {
	t.Parallel()
	f := setup(t, seven()...)
	tests := []struct {
		method, question, want string
		total                  int
	}{
		{"GET", "", "other e6 e5 e4 e3 e2 e1 e0", 8},
		{"POST", "", "other e6 e5 e4 e3 e2 e1 e0", 8},
		{"POST", "{}", "other e6 e5 e4 e3 e2 e1 e0", 8},
		{"GET", "limit=0", "", 8},
		{"POST", `{"limit":0,"query":{"kind":"api"}}`, "", 1},
		{"GET", "limit=1&totalItems=exclude", "other", 0},
		{"POST", `{"limit":1,"totalItems":"exclude"}`, "other", 0},
		{"GET", "offset=6", "e1 e0", 8},
		{"POST", `{"offset":99}`, "", 8},
		{"GET", "limit=3&offset=1&orderField=metadata.name,desc&orderField=metadata.uid,asc", "e6 e5 e4", 8},
		{"GET", "filter[]=metadata.name=e1&filter[7]=metadata.name=e2", "e2 e1", 2},
		{"GET", "fullTextFilterTerm=%20ALPHA&fullTextFilterFields=metadata.name,metadata.Title", "e4 e1", 2},
		{"GET", "fullTextFilterTerm=lph&fullTextFilterFields=metadata.name&fullTextFilterFields[]=metadata.title&filter=metadata.name=e1", "e1", 1},
		{"GET", "fullTextFilterTerm=U7", "e2", 1},
		{"GET", "fullTextFilterTerm=lta&orderField=metadata.title", "e6", 1},
		{"GET", "fullTextFilterTerm=%25", "", 0},
		{"GET", "fullTextFilterTerm=_&orderField=metadata.name", "", 0},
		{"GET", "fullTextFilterTerm=%20&limit=1", "other", 8},
		{"POST", `{"fullTextFilter":{"term":"et","fields":["metadata.title"]}}`, "e0", 1},
		{"POST", `{"fullTextFilter":{"term":"u9"}}`, "e0", 1},
		{"POST", `{"fullTextFilter":{},"limit":1}`, "other", 8},
		{"POST", `{"query":{"$all":[{"kind":"component"},{"$not":{"metadata.tags":"t1"}}]},"orderBy":[{"field":"metadata.name","order":"asc"}],"limit":50,"fields":["kind","metadata.name"]}`, "e2 e5", 2},
		{"POST", `{"query":{"metadata.title":{"$exists":false}},"orderBy":[{"field":"metadata.name"}],"unknown":1}`, "e2 e5 other", 3},
		{"POST", `{"orderBy":[],"limit":1}`, "other", 8},
	}
	for _, tt := range tests {
		p := f.query(tt.method, tt.question)
		if p.names() != tt.want || p.TotalItems != tt.total {
			t.Errorf("%s %s: %q of %d, want %q of %d", tt.method, tt.question, p.names(), p.TotalItems, tt.want, tt.total)
		}
	}
	w := f.get("/api/catalog/entities/by-query?filter=kind=component&orderField=metadata.name,desc&limit=5&offset=5&fields=metadata.name")
	same(t, "as in 4.9", `{"items":[{"metadata":{"name":"e1"}},{"metadata":{"name":"e0"}}],"totalItems":7,"pageInfo":{}}`, w.Body.String())
}

// With a cursor everything but limit and fields is ignored, wrong or not.
func TestCursorRules(t *testing.T) {
	t.Parallel()
	f := setup(t, seven()...)
	next := f.query("GET", "filter=kind=component&orderField=metadata.name&limit=2").PageInfo.NextCursor
	esc := url.QueryEscape(next)
	for _, more := range []string{"filter==x", "orderField=a,up", "offset=9", "fullTextFilterTerm=zzz", "totalItems=exclude"} {
		if p := f.query("GET", "cursor="+esc+"&limit=1&"+more); p.names() != "e2" || p.TotalItems != 7 {
			t.Errorf("%s: %+v", more, p)
		}
	}
	for _, more := range []string{`"query":{"$bad":1}`, `"orderBy":5`, `"offset":-1`, `"fullTextFilter":7`, `"totalItems":"exclude"`} {
		if p := f.query("POST", fmt.Sprintf(`{"cursor":%q,"limit":1,%s}`, next, more)); p.names() != "e2" {
			t.Errorf("%s: %+v", more, p)
		}
	}
	if p := f.query("GET", "cursor="+esc); p.names() != "e2 e3 e4 e5 e6" || p.PageInfo.NextCursor != "" {
		t.Errorf("default limit: %+v", p)
	}
	w := f.get("/api/catalog/entities/by-query?limit=1&fields=kind&cursor=" + esc)
	if !strings.HasPrefix(w.Body.String(), `{"items":[{"kind":"Component"}],"totalItems":7,`) {
		t.Errorf("fields: %s", w.Body)
	}
	raw, err := base64.StdEncoding.DecodeString(next)
	if err != nil {
		t.Fatal(err)
	}
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if p := f.next("GET", enc.EncodeToString(raw), 1); p.names() != "e2" {
			t.Errorf("%+v", p)
		}
	}
}

// Cursors that others wrote (contract catalog 4.9).
func TestForeignCursors(t *testing.T) {
	t.Parallel()
	f := setup(t, seven()...)
	tests := []struct{ name, cursor, want string }{
		{"of a Backstage", `{"orderFields":[{"field":"metadata.title","order":"asc"}],"orderFieldValues":["beta","u9"],"filter":{"allOf":[{"key":"kind","values":["Component"]}]},"query":{"kind":"component"},"isPrevious":false,"firstSortFieldValues":["alpha","u5"],"totalItems":5}`, "e6 e3 e5 e2"},
		{"of an earlier Backstage", `{"orderFields":[],"orderFieldValues":["u5"],"filter":{"anyOf":[{"allOf":[{"key":"Kind","values":["Component"]},{"not":{"key":"metadata.title"}}]},{"key":"metadata.name","values":["E0"]}]},"isPrevious":false}`, "e2 e0"},
		{"of one that forgot the direction", `{"orderFields":[{"field":"metadata.name"}],"orderFieldValues":["e5","u4"],"isPrevious":false}`, "e6 other"},
		{"an entity that never was", `{"orderFields":[{"field":"metadata.name","order":"asc"}],"orderFieldValues":["e55","zzz"],"isPrevious":false}`, "e6 other"},
		{"from the beginning", `{"orderFields":[],"isPrevious":false,"filter":{"key":"kind","values":["api"]}}`, "other"},
		{"from the end", `{"orderFields":[],"isPrevious":true,"filter":{"allOf":[]},"query":null}`, "other e6 e5 e4 e3 e2 e1 e0"},
		{"nothing matches", `{"orderFields":[],"isPrevious":false,"filter":{"anyOf":[]}}`, ""},
		{"text", `{"orderFields":[],"isPrevious":false,"fullTextFilter":{"term":"alpha","fields":["metadata.title"]}}`, "e4 e1"},
	}
	for _, tt := range tests {
		for _, method := range []string{"GET", "POST"} {
			if p := f.next(method, cursor(tt.cursor), 100); p.names() != tt.want {
				t.Errorf("%s by %s: %q, want %q", tt.name, method, p.names(), tt.want)
			}
		}
	}
}

func TestByQueryErrors(t *testing.T) {
	t.Parallel()
	f := setup(t, seven()...)
	deep := strings.Repeat(`{"not":`, 33) + `{"key":"a"}` + strings.Repeat(`}`, 33)
	malformed := func(c, message string) [2]string { return [2]string{cursor(c), "Malformed cursor: " + message} }
	const position = "the values of a position do not fit the order"
	cursors := [][2]string{
		{"!", "Malformed cursor: it is not base64"},
		malformed(` `, "unexpected end of JSON input"),
		malformed(`{"orderFields":[],"isPrevious":false} x`, "invalid character 'x' after top-level value"),
		malformed(`[]`, "json: cannot unmarshal array into Go value of type catalog.cursor"),
		malformed(`{"limit":2,"offset":2}`, "orderFields and isPrevious are required"),
		malformed(`null`, "orderFields and isPrevious are required"),
		malformed(`{"orderFields":[]}`, "orderFields and isPrevious are required"),
		malformed(`{"orderFields":[{"order":"asc"}],"isPrevious":false}`, "Invalid order field, must not be empty"),
		malformed(`{"orderFields":[{"field":"a","order":"up"}],"isPrevious":false}`, "Invalid order field order, must be asc or desc"),
		malformed(`{"orderFields":[],"isPrevious":false,"orderFieldValues":["a","b"]}`, position),
		malformed(`{"orderFields":[],"isPrevious":false,"orderFieldValues":[null]}`, position),
		malformed(`{"orderFields":[],"isPrevious":false,"orderFieldValues":[]}`, position),
		malformed(`{"orderFields":[{"field":"a"}],"isPrevious":false,"orderFieldValues":["b"]}`, position),
		malformed(`{"orderFields":[{"field":"a"}],"isPrevious":false,"firstSortFieldValues":["b"]}`, position),
		malformed(`{"orderFields":[],"isPrevious":false,"totalItems":-1}`, "totalItems must be >= 0"),
		malformed(`{"orderFields":[],"isPrevious":false,"filter":{"keys":"a"}}`, "filter: one of key, not, anyOf and allOf is needed"),
		malformed(`{"orderFields":[],"isPrevious":false,"filter":`+deep+`}`, "filter is deeper than 32"),
	}
	for _, c := range cursors {
		u := "/entities/by-query?cursor=" + url.QueryEscape(c[0])
		same(t, c[1], envelope(400, "InputError", c[1], "GET", u), f.get("/api/catalog"+u).Body.String())
		w := f.do("POST", "/api/catalog/entities/by-query", fmt.Sprintf(`{"cursor":%q}`, c[0]))
		same(t, c[1], envelope(400, "InputError", c[1], "POST", "/entities/by-query"), w.Body.String())
	}
	for _, wrong := range []string{`"isPrevious":1`, `"orderFields":{}`, `"totalItems":"x"`, `"totalItems":1.5`, `"orderFieldValues":[1]`, `"fullTextFilter":[]`, `"fullTextFilter":{"term":1}`, `"filter":[]`, `"filter":{"key":"a","values":"b"}`, `"query":[]`, `"query":{"a":{"$op":1}}`} {
		c := `{"orderFields":[],"isPrevious":false,` + wrong + `}`
		if w := f.do("POST", "/api/catalog/entities/by-query", fmt.Sprintf(`{"cursor":%q}`, cursor(c))); w.Code != 400 || !strings.Contains(w.Body.String(), `"message":"Malformed cursor: `) {
			t.Errorf("%s: %d %s", wrong, w.Code, w.Body)
		}
	}
	bodies := [][2]string{
		{`{"cursor":""}`, "Cursor cannot be empty"},
		{`{"cursor":5}`, "request/body/cursor must be string"},
		{`{"cursor":"` + strings.Repeat("a", 2<<20+4) + `"}`, "Malformed cursor: it is longer than 2097152 bytes"},
		{`{"limit":-1}`, "request/body/limit must be >= 0"},
		{`{"limit":1.5}`, "request/body/limit must be integer"},
		{`{"limit":"1"}`, "request/body/limit must be integer"},
		{`{"limit":null}`, "request/body/limit must be integer"},
		{`{"limit":99999999999}`, "request/body/limit must be integer"},
		{`{"offset":-1}`, "request/body/offset must be >= 0"},
		{`{"query":"x"}`, "request/body/query must be object"},
		{`{"query":[]}`, "request/body/query must be object"},
		{`{"query":{"kind":"` + strings.Repeat("x", 1<<20) + `"}}`, "Invalid query: longer than 1048576 bytes, which no cursor can carry"},
		{`{"totalItems":"some"}`, "request/body/totalItems must be equal to one of the allowed values: include, exclude"},
		{`{"totalItems":true}`, "request/body/totalItems must be string"},
		{`{"orderBy":"kind"}`, "request/body/orderBy must be array"},
		{`{"orderBy":["kind"]}`, "request/body/orderBy/0 must be object with the strings field and order"},
		{`{"orderBy":[{"field":"a"},{"order":"asc"}]}`, "request/body/orderBy/1 must have required property 'field'"},
		{`{"orderBy":[{"field":"a","order":"up"}]}`, "request/body/orderBy/0/order must be equal to one of the allowed values: asc, desc"},
		{`{"fullTextFilter":"x"}`, "request/body/fullTextFilter must be object"},
		{`{"fullTextFilter":{"term":1}}`, "request/body/fullTextFilter must have a string as term and strings as fields"},
		{`{"fullTextFilter":{"term":"a","fields":[` + strings.Repeat(`"a",`, 20) + `"a"]}}`, "Too many fields of a text filter, at most 20 are supported"},
		{`{"fields":["a[0]"]}`, `Invalid field "a[0]", array type fields are not supported`},
		{`{"fields":[1]}`, "request/body/fields/0 must be string"},
		{`[]`, "request/body must be object"},
	}
	for _, b := range bodies {
		w := f.do("POST", "/api/catalog/entities/by-query", b[0])
		same(t, b[1], envelope(400, "InputError", b[1], "POST", "/entities/by-query"), w.Body.String())
	}
	questions := [][2]string{
		{"bogus=1", "Unknown query parameter 'bogus'"},
		{"cursor=", "Empty value found for query parameter 'cursor'"},
		{"cursor=a&cursor=b", "request/query/cursor must be string"},
		{"totalItems=some", "request/query/totalItems must be equal to one of the allowed values: include, exclude"},
		{"limit=-1", "request/query/limit must be >= 0"},
		{"limit=x", "request/query/limit must be integer"},
		{"orderField=a,up", "Invalid order field order, must be asc or desc"},
		{"orderField=a,", "Invalid order field order, must be asc or desc"},
		{"orderField=,asc", "Invalid order field, must not be empty"},
		{"filter[x]=kind", "Unknown query parameter 'filter[x]'"},
		{"filter[0=kind", "Unknown query parameter 'filter[0'"},
		{"filter==x", "Invalid filter, '=x' is not a valid statement (expected a string on the form a=b or a= or a)"},
	}
	for _, q := range questions {
		u := "/entities/by-query?" + q[0]
		same(t, q[1], envelope(400, "InputError", q[1], "GET", u), f.get("/api/catalog"+u).Body.String())
	}
	w := f.do("POST", "/api/catalog/entities/by-query", `{}`, "Content-Type", "text/plain")
	same(t, "content type", envelope(400, "InputError", "unsupported media type text/plain", "POST", "/entities/by-query"), w.Body.String())
}

func TestPageCap(t *testing.T) {
	t.Parallel()
	var rows []storage.Entity
	for i := range 10_001 {
		rows = append(rows, row(fmt.Sprintf("x:default/%d", i), fmt.Sprintf("u%05d", i), `{"kind":"X","metadata":{"name":"x"}}`))
	}
	f := setup(t, rows...)
	first := f.query("GET", "limit=100000&fields=metadata.name")
	last := f.next("POST", first.PageInfo.NextCursor, 100_000)
	if len(first.Items) != 10_000 || len(last.Items) != 1 || last.PageInfo.NextCursor != "" {
		t.Errorf("pages of %d and %d", len(first.Items), len(last.Items))
	}
}

// change puts entities in and takes others out, and waits until that is seen.
func (f *fixture) change(put []storage.Entity, gone ...string) {
	f.t.Helper()
	if err := f.view.WaitRevision(f.t.Context(), f.put(put...)); err != nil {
		f.t.Fatal(err)
	}
	if len(gone) == 0 {
		return
	}
	if err := f.view.WaitRevision(f.t.Context(), f.bury(slices.Clone(gone)...)); err != nil {
		f.t.Fatal(err)
	}
}
