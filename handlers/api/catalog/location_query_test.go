package catalog

import (
	"encoding/json"
	"testing"
)

func FuzzLocationQuery(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"type":"url"}`, `{"$all":[]}`, `{"$any":[{"id":{"$in":["a",1,null]}}]}`, `{"$not":{"target":{"$hasPrefix":"x"}}}`,
		`{"id":{"$exists":true,"$in":[]}}`, `{"type":{"$contains":{"a":1}}}`, `{"$all":{}}`, `{"a":1}`, `[]`, `{"type":null}`, `{"type":{}}`, `{"type":"a","type":1}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		matches, err := parseLocationQuery(json.RawMessage(query))
		if err != nil {
			return
		}
		l := Location{ID: "1", Type: "url", Target: "x", EntityRef: "location:default/y"}
		inverse, err := parseLocationQuery(json.RawMessage(`{"$not":` + query + `}`))
		if err == nil && matches(l) == inverse(l) { // one that is too deep has no inverse
			t.Errorf("%s and its inverse agree", query)
		}
	})
}

func FuzzLocationCursor(f *testing.F) {
	for _, seed := range []string{
		"", "x", locationCursor{Limit: 2, AfterID: "a", Query: json.RawMessage(`{"type":"url"}`)}.String(),
		locationCursor{Limit: -1, AfterID: "a"}.String(), "bnVsbA==", "eyJsaW1pdCI6MSwiYWZ0ZXJJZCI6MX0=",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseLocationCursor(text)
		if err != nil {
			return
		}
		again, err := parseLocationCursor(c.String())
		if err != nil || c.Limit < 1 || again.Limit != c.Limit || again.AfterID != c.AfterID || (again.Query == nil) != (c.Query == nil) {
			t.Errorf("%q is %+v and then %+v, %v", text, c, again, err)
		}
	})
}
