package view_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/storage/view"
)

// predicateRefs lists what a predicate chooses, by ref.
func predicateRefs(t testing.TB, v *view.View, query string) []string {
	t.Helper()
	f, err := view.ParsePredicate(json.RawMessage(query))
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return chosen(v, f)
}

func chosen(v *view.View, f view.Filter) []string {
	out := []string{}
	v.Read(func(s *view.Snapshot) {
		page, _ := s.Select(f).Page(nil, 0, 0)
		for _, e := range page {
			out = append(out, e.Ref())
		}
	})
	return out
}

// The rules of contract catalog 4.6, one by one.
func TestPredicate(t *testing.T) {
	t.Parallel()
	v := loaded(t, 1,
		component("cart", "u-1", `"tags":["java","Go"],"title":null,"n":7.0,"yes":true`,
			"component:default/cart ownedBy group:default/a", "component:default/cart dependsOn resource:default/db"),
		component("pet", "u-2", `"title":"Pet Store","n":"7"`, "component:default/pet ownedBy group:default/b"),
		row("api:default/x", "u-3", `{"kind":"API","metadata":{"name":"x"},"spec":{"type":"openapi"}}`),
	)
	cart, pet, api := "component:default/cart", "component:default/pet", "api:default/x"
	tests := []struct {
		query string
		want  []string
	}{
		{`{}`, []string{api, cart, pet}},
		{`{"kind":"component"}`, []string{cart, pet}},
		{`{"KIND":"COMPONENT","metadata.name":"Pet"}`, []string{pet}},
		{`{"kind":"api","kind":"component"}`, []string{cart, pet}},
		{`{"metadata.n":7}`, []string{cart, pet}},
		{`{"metadata.n":7.0}`, []string{cart, pet}},
		{`{"metadata.yes":true}`, []string{cart}},
		{`{"metadata.yes":"TRUE"}`, []string{cart}},
		{`{"$all":[]}`, []string{api, cart, pet}},
		{`{"$any":[]}`, []string{}},
		{`{"$not":{}}`, []string{}},
		{`{"$all":[{"kind":"component"},{"$not":{"metadata.title":{"$exists":true}}}]}`, []string{}},
		{`{"$any":[{"kind":"api"},{"metadata.name":"pet"}]}`, []string{api, pet}},
		{`{"$not":{"kind":"api"}}`, []string{cart, pet}},
		{`{"metadata.title":{"$exists":true}}`, []string{cart, pet}},
		{`{"metadata.title":{"$exists":false}}`, []string{api}},
		{`{"metadata.name":{"$in":["PET","x",1]}}`, []string{api, pet}},
		{`{"metadata.name":{"$in":[]}}`, []string{}},
		{`{"metadata.title":{"$hasPrefix":"PET s"}}`, []string{pet}},
		{`{"metadata.title":{"$hasPrefix":"store"}}`, []string{}},
		{`{"metadata.title":{"$hasPrefix":""}}`, []string{pet}},
		{`{"metadata.tags":{"$contains":"go"}}`, []string{cart}},
		{`{"metadata.tags":"go"}`, []string{cart}},
		{`{"metadata.tags.go":true}`, []string{cart}},
		{`{"metadata.tags.go":{"$hasPrefix":"t"}}`, []string{cart}},
		{`{"spec.type":{"$contains":"openapi"}}`, []string{api}},
		{`{"relations":{"$contains":{"type":"ownedBy"}}}`, []string{cart, pet}},
		{`{"Relations":{"$contains":{"type":"OWNEDBY","targetRef":"Group:default/A"}}}`, []string{cart}},
		{`{"relations":{"$contains":{"type":"ownedBy","targetRef":{"$in":["group:default/a","group:default/b"]}}}}`, []string{cart, pet}},
		{`{"relations":{"$contains":{"type":"ownedBy","targetRef":{"$in":[]}}}}`, []string{}},
		{`{"relations":{"$contains":"group:default/a"}}`, []string{}},
		{`{"relations.ownedBy":"group:default/a"}`, []string{cart}},
		{`{"metadata.name":{"$in":["x"],"$exists":true}}`, []string{api, cart, pet}},
		{`{"metadata.name":{"$hasPrefix":"p","$contains":"cart"}}`, []string{cart}},
		{`{"metadata.name":{"$contains":"pet","$in":["cart"]}}`, []string{cart}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, predicateRefs(t, v, tt.query)); diff != "" {
			t.Errorf("%s: %s", tt.query, diff)
		}
	}
}

func TestPredicateError(t *testing.T) {
	t.Parallel()
	const validation = "Invalid query: Validation error: "
	nested := func(depth int) string {
		return strings.Repeat(`{"$not":`, depth-1) + "{}" + strings.Repeat("}", depth-1)
	}
	many := func(n int, piece string) string { return strings.TrimSuffix(strings.Repeat(piece+",", n), ",") }
	tests := []struct{ name, query, want string }{
		{"string", `"kind"`, "request/body/query must be object"},
		{"array", `[]`, "request/body/query must be object"},
		{"null", `null`, "request/body/query must be object"},
		{"object form of another field", `{"metadata.tags":{"$contains":{"a":"b"}}}`, `Object form of $contains is not supported for field "metadata.tags"`},
		{"unknown operator of a field", `{"kind":{"$eq":"api"}}`, validation + `"$eq" of "kind" is no operator, expected one of $exists, $in, $contains, $hasPrefix`},
		{"unknown operator", `{"$or":[]}`, validation + `"$or" is no operator here, expected $all, $any, $not or a field`},
		{"an operator beside a field", `{"kind":"api","$not":{}}`, validation + "$not must be the only key of its object"},
		{"two operators", `{"$all":[],"$any":[]}`, validation + "$all must be the only key of its object"},
		{"$all of an object", `{"$all":{}}`, validation + "$all must be array"},
		{"$any of strings", `{"$any":["kind"]}`, validation + `a condition must be object, not "\"kind\""`},
		{"$not of an array", `{"$not":[]}`, validation + `a condition must be object, not "[]"`},
		{"null as a value", `{"kind":null}`, validation + `the value of "kind" must be a string, number or boolean, not "null"`},
		{"a list as a value", `{"kind":["api"]}`, validation + `the value of "kind" must be a string, number or boolean, not "[\"api\"]"`},
		{"an empty object as a value", `{"kind":{}}`, validation + `the value of "kind" must be a string, number or boolean, or an object with one of $exists, $in, $contains, $hasPrefix`},
		{"$exists", `{"kind":{"$exists":"yes"}}`, validation + `$exists of "kind" must be boolean`},
		{"$in", `{"kind":{"$in":"api"}}`, validation + `$in of "kind" must be array`},
		{"$in of objects", `{"kind":{"$in":[{}]}}`, validation + `the value of "kind" must be a string, number or boolean, not "{}"`},
		{"$hasPrefix", `{"kind":{"$hasPrefix":1}}`, validation + `$hasPrefix of "kind" must be string`},
		{"relation without type", `{"relations":{"$contains":{"targetRef":"a:b/c"}}}`, validation + "$contains of relations must have a string as type"},
		{"relation with more", `{"relations":{"$contains":{"type":"a","target":"b"}}}`, validation + `"target" is unknown in $contains of relations, expected type and targetRef`},
		{"relation to a list", `{"relations":{"$contains":{"type":"a","targetRef":["b"]}}}`, validation + "targetRef of $contains must be a string or an object with $in"},
		{"relation with another operator", `{"relations":{"$contains":{"type":"a","targetRef":{"$in":[],"x":1}}}}`, validation + "targetRef of $contains must be a string or an object with $in"},
		{"a long key is not repeated whole", `{"$` + strings.Repeat("x", 200) + `":1}`, validation + `"$` + strings.Repeat("x", 99) + `"… is no operator here, expected $all, $any, $not or a field`},
		{"as deep as allowed", nested(32), ""},
		{"too deep", nested(33), "Invalid query: it is nested deeper than 32 levels"},
		{"far too deep", nested(100_000), "request/body/query is not JSON: json: nested deeper than 1000"},
		{"as many conditions as allowed", `{"$any":[` + many(999, `{}`) + `]}`, ""},
		{"too many conditions", `{"$any":[` + many(1000, `{}`) + `]}`, "Invalid query: it has more than 1000 conditions"},
		{"too many fields", `{` + many(1001, `"kind":"api"`) + `}`, "Invalid query: it has more than 1000 conditions"},
		{"as many values as allowed", `{"kind":{"$in":[` + many(10_000, `1`) + `]}}`, ""},
		{"too many values", `{"kind":{"$in":[` + many(10_000, `1`) + `]},"x":1}`, "Invalid query: it has more than 10000 values"},
		{"no JSON", `{`, "request/body/query is not JSON: json: unexpected end"},
	}
	for _, tt := range tests {
		got := ""
		if _, err := view.ParsePredicate(json.RawMessage(tt.query)); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: got %.300q, want %.300q", tt.name, got, tt.want)
		}
	}
}

func TestPredicateJSON(t *testing.T) {
	t.Parallel()
	tests := []struct {
		filter []string
		want   string
	}{
		{nil, ""},
		{[]string{",,"}, ""},
		{[]string{"kind=Component"}, `{"$all":[{"kind":"component"}]}`},
		{[]string{"kind=api,kind=b,metadata.title"}, `{"$all":[{"kind":{"$in":["api","b"]}},{"metadata.title":{"$exists":true}}]}`},
		{[]string{"kind=a", "$all=b"}, `{"$any":[{"$all":[{"kind":"a"}]},{"$all":[{"$any":[]}]}]}`},
	}
	for _, tt := range tests {
		f, err := view.ParseFilter(tt.filter)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, string(view.PredicateJSON(f))); diff != "" {
			t.Errorf("%q: %s", tt.filter, diff)
		}
	}
}
