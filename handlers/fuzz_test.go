package handlers_test

import (
	"encoding/json"
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
