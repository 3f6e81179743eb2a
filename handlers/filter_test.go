package handlers_test

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// asked has an entity for each example of contract 4.4 to 4.6.
func asked(t *testing.T) *fixture {
	return setup(t,
		component("tagged", "u1", `,"title":"Title","description":"has, comma","tags":["java","Go"],"links":[{"url":"https://Acme.example/x"}]`,
			"component:default/tagged ownedBy group:default/team-a", "component:default/tagged dependsOn resource:default/db", "component:default/tagged dependsOn component:default/plain"),
		component("plain", "u2", `,"annotations":{"github.com/project-slug":"acme/shop","backstage.io/orphan":"true"},"labels":{"empty":""}`),
		row("api:default/odd", "u3", `{"apiVersion":"v1","kind":"API","metadata":{"name":"odd","namespace":"default","title":null},"spec":{"nested":{"A":[{"d":1},"c"]},"nothing":null,"flag":true,"count":7,"Lifecycle":"Production","lifecycle":"beta","long":"`+strings.Repeat("x", 201)+`"}}`),
		row("group:default/team-a", "u4", `{"kind":"Group","metadata":{"name":"team-a","namespace":"other"}}`),
	)
}

func (p page) sorted() string {
	names := strings.Fields(p.names())
	slices.Sort(names)
	return strings.Join(names, " ")
}

// Every row of the filter grammar (contract catalog 4.5), and the rows that
// filters look at (4.4).
func TestFilterExamples(t *testing.T) {
	t.Parallel()
	f := asked(t)
	const all = "odd plain tagged team-a"
	tests := []struct {
		filters []string
		want    string
	}{
		{[]string{"kind=component,spec.type=service", "kind=api"}, "odd plain tagged"},
		{[]string{"kind=component,kind=api"}, "odd plain tagged"},
		{[]string{"metadata.title"}, "odd tagged"},
		{[]string{"metadata.labels.empty="}, "plain"},
		{[]string{"metadata.title="}, ""},
		{[]string{"KIND=Component", "Spec.Count=7"}, "odd plain tagged"},
		{[]string{"metadata.description=has, comma"}, ""},
		{[]string{",,"}, all},
		{[]string{" , kind = api ,"}, "odd"},
		{[]string{"metadata.tags.java"}, "tagged"},
		{[]string{"metadata.tags.GO=TRUE"}, "tagged"},
		{[]string{"metadata.tags=java"}, "tagged"},
		{[]string{"metadata.tags=go,metadata.tags=none"}, "tagged"},
		{[]string{"metadata.links.url=https://acme.example/X"}, "tagged"},
		{[]string{"metadata.annotations.github.com/project-slug=acme/shop"}, "plain"},
		{[]string{"relations.ownedby=group:default/team-a"}, "tagged"},
		{[]string{"relations.ownedBy=team-a"}, ""},
		{[]string{"relations.dependsOn=component:default/plain"}, "tagged"},
		{[]string{"spec.count=7,spec.flag=true"}, "odd"},
		{[]string{"metadata.annotations.backstage.io/orphan=true"}, "plain"},
		{[]string{"spec.nested.a.d=1"}, "odd"},
		{[]string{"spec.nested.a=c"}, "odd"},
		{[]string{"spec.nested.a.c=true"}, "odd"},
		{[]string{"spec.nothing"}, "odd"},
		{[]string{"spec.nothing=null"}, ""},
		{[]string{"spec.long"}, "odd"},
		{[]string{"spec.long=" + strings.Repeat("x", 201)}, ""},
		{[]string{"spec.lifecycle=production"}, "odd"},
		{[]string{"spec.lifecycle=beta"}, "odd"},
		{[]string{"metadata.namespace=default"}, "odd plain tagged"},
		{[]string{"metadata.uid=U4"}, "team-a"},
		{[]string{"metadata.etag"}, ""},
		{[]string{"relations", "status"}, ""},
	}
	for _, tt := range tests {
		q := url.Values{"filter": tt.filters}.Encode()
		if got := f.query("GET", q).sorted(); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.filters, got, tt.want)
		}
		// The predicate that stands for it in a cursor chooses the same.
		first := f.query("GET", q+"&limit=1")
		names := strings.Fields(first.names())
		if c := first.PageInfo.NextCursor; c != "" {
			names = append(names, strings.Fields(f.next("POST", c, 100).names())...)
		}
		slices.Sort(names)
		if got := strings.Join(names, " "); got != tt.want {
			t.Errorf("%q, continued: %q, want %q", tt.filters, got, tt.want)
		}
	}
}

// Every row of the predicates (contract catalog 4.6), by each way that takes one.
func TestPredicateExamples(t *testing.T) {
	t.Parallel()
	f := asked(t)
	const all = "odd plain tagged team-a"
	tests := []struct{ query, want string }{
		{`{}`, all},
		{`{"kind":"component","spec.type":"SERVICE"}`, "plain tagged"},
		{`{"KIND":"Api"}`, "odd"},
		{`{"spec.count":7,"spec.flag":true}`, "odd"},
		{`{"$all":[]}`, all},
		{`{"$any":[]}`, ""},
		{`{"$all":[{"kind":"component"},{"$not":{"metadata.tags":"java"}}]}`, "plain"},
		{`{"$any":[{"kind":"api"},{"kind":"group"}]}`, "odd team-a"},
		{`{"metadata.title":{"$exists":true}}`, "odd tagged"},
		{`{"metadata.title":{"$exists":false}}`, "plain team-a"},
		{`{"kind":{"$in":["API","group"]}}`, "odd team-a"},
		{`{"kind":{"$in":[]}}`, ""},
		{`{"metadata.title":{"$hasPrefix":"tIt"}}`, "tagged"},
		{`{"metadata.tags":{"$contains":"GO"}}`, "tagged"},
		{`{"kind":{"$contains":"api"}}`, "odd"},
		{`{"relations":{"$contains":{"type":"ownedBy"}}}`, "tagged"},
		{`{"relations":{"$contains":{"type":"OWNEDBY","targetRef":"group:default/TEAM-A"}}}`, "tagged"},
		{`{"relations":{"$contains":{"type":"dependsOn","targetRef":{"$in":["resource:default/db","x:y/z"]}}}}`, "tagged"},
		{`{"relations":{"$contains":{"type":"dependsOn","targetRef":"group:default/team-a"}}}`, ""},
		{`{"kind":{"$exists":true,"$in":["api"]}}`, all},
	}
	for _, tt := range tests {
		if got := f.query("POST", `{"query":`+tt.query+`}`).sorted(); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.query, got, tt.want)
		}
		w := f.do("POST", "/api/catalog/entities/by-refs", `{"entityRefs":["api:default/odd","component:default/plain","component:default/tagged","group:default/team-a"],"query":`+tt.query+`}`)
		var refs page
		if err := json.Unmarshal(w.Body.Bytes(), &refs); err != nil || strings.Join(strings.Fields(refs.names()), " ") != tt.want {
			t.Errorf("%s by refs: %q, want %q: %s", tt.query, refs.names(), tt.want, w.Body)
		}
		w = f.do("POST", "/api/catalog/entity-facets", `{"facets":["metadata.name"],"query":`+tt.query+`}`)
		if got := strings.Count(w.Body.String(), `"count":1`); w.Code != 200 || got != len(strings.Fields(tt.want)) {
			t.Errorf("%s by facets: %s, want %q", tt.query, w.Body, tt.want)
		}
	}
	for query, want := range map[string]string{
		`{"metadata.tags":{"$contains":{"a":"b"}}}`:                      `Object form of $contains is not supported for field "metadata.tags"`,
		`{"relations":{"$contains":{"targetRef":"a:b/c"}}}`:              "Invalid query: Validation error: ",
		`{"relations":{"$contains":{"type":"ownedBy","other":"a:b/c"}}}`: "Invalid query: Validation error: ",
		`{"kind":{"$like":"a"}}`:                                         "Invalid query: Validation error: ",
		`{"$all":[],"kind":"api"}`:                                       "Invalid query: Validation error: ",
		`{"$not":[]}`:                                                    "Invalid query: Validation error: ",
	} {
		w := f.do("POST", "/api/catalog/entities/by-query", `{"query":`+query+`}`)
		var got struct {
			Error struct{ Name, Message string }
		}
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 400 || got.Error.Name != "InputError" || !strings.HasPrefix(got.Error.Message, want) {
			t.Errorf("%s: %d %s, want %s", query, w.Code, w.Body, want)
		}
	}
}
