package handlers_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// Whatever is asked, the answer is JSON and no failure of ours.
func checkAnswer(t *testing.T, what string, w *httptest.ResponseRecorder) {
	t.Helper()
	if w.Code >= 500 && w.Code != 501 || !json.Valid(w.Body.Bytes()) {
		t.Errorf("%q: %d %s", what, w.Code, w.Body)
	}
}

func FuzzEntitiesQuery(f *testing.F) {
	for _, s := range []string{
		"filter=kind=component&fields=metadata.name&limit=2", "after=eyJsaW1pdCI6Miwib2Zmc2V0IjoyfQ%3D%3D", "order=desc:metadata.tags&offset=1",
		"filter[]=a&filter=b,=c", "%zz", "a=b=c;d", "fields=" + strings.Repeat("a.", 200_000), "fields=,", "limit=%2B1", "limit=9223372036854775807&offset=9223372036854775807", "after=eyJsaW1pdCI6OTIyMzM3MjAzNjg1NDc3NTgwNywib2Zmc2V0Ijo5MjIzMzcyMDM2ODU0Nzc1ODA3fQ==",
	} {
		f.Add(s)
	}
	h := setup(f, shop()...)
	f.Fuzz(func(t *testing.T, query string) {
		r := httptest.NewRequest("GET", "/api/catalog/entities", nil)
		r.URL.RawQuery = query
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		checkAnswer(t, query, w)
		if next, _, ok := strings.Cut(strings.TrimPrefix(w.Header().Get("Link"), "<"), ">"); ok {
			if _, err := url.ParseRequestURI(next); err != nil {
				t.Errorf("%q leads to %q: %v", query, next, err)
			}
		}
	})
}

func FuzzByRefsBody(f *testing.F) {
	for _, s := range []string{`{"entityRefs":["component:default/cart"],"fields":["kind"]}`, `{"entityRefs":[1]}`, `{"entityRefs":[],"query":"x"}`, `[]`, `{`, `{"entityRefs":["a"],"fields":["a..b",""]}`} {
		f.Add(s)
	}
	h := setup(f, shop()...)
	f.Fuzz(func(t *testing.T, body string) {
		r := httptest.NewRequest("POST", "/api/catalog/entities/by-refs", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		checkAnswer(t, body, w)
	})
}

func FuzzByQuery(f *testing.F) {
	for _, s := range []string{
		"filter=kind=component&orderField=metadata.name,desc&limit=2", "cursor=eyJvcmRlckZpZWxkcyI6W10sImlzUHJldmlvdXMiOnRydWV9", "limit=9223372036854775807&offset=9223372036854775807",
		"fullTextFilterTerm=a&fullTextFilterFields=metadata.name,,kind&totalItems=exclude", "orderField=,&filter[9]=a",
		`{"query":{"$any":[{"kind":"api"},{"$not":{"metadata.tags":{"$contains":"go"}}}]},"orderBy":[{"field":"metadata.tags","order":"desc"}],"limit":1}`,
		`{"cursor":"eyJvcmRlckZpZWxkcyI6W10sImlzUHJldmlvdXMiOnRydWV9","limit":1}`, `{"fullTextFilter":{"term":"A","fields":["metadata.name"]},"offset":1,"totalItems":"exclude"}`,
		`{"limit":2147483647,"offset":2147483647}`, `{"facets":["kind","KIND","metadata.tags.go"],"query":{"relations":{"$contains":{"type":"ownedBy"}}}}`,
	} {
		f.Add(s)
	}
	h := setup(f, shop()...)
	f.Fuzz(func(t *testing.T, question string) {
		r := httptest.NewRequest("GET", "/api/catalog/entities/by-query", nil)
		r.URL.RawQuery = question
		asked := []*http.Request{r}
		for _, path := range []string{"/api/catalog/entities/by-query", "/api/catalog/entity-facets"} {
			r := httptest.NewRequest("POST", path, strings.NewReader(question))
			r.Header.Set("Content-Type", "application/json")
			asked = append(asked, r)
		}
		for _, r := range asked {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			checkAnswer(t, question, w)
			var p page
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
				continue // an error's envelope has other members
			}
			for _, c := range []string{p.PageInfo.NextCursor, p.PageInfo.PrevCursor} {
				if c == "" {
					continue
				}
				r := httptest.NewRequest("GET", "/api/catalog/entities/by-query?limit=2&cursor="+url.QueryEscape(c), nil)
				w := httptest.NewRecorder()
				if h.ServeHTTP(w, r); w.Code != 200 {
					t.Errorf("%q leads to %s: %d %s", question, c, w.Code, w.Body)
				}
			}
		}
	})
}
