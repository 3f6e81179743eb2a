package view_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

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

// predicates draws a predicate and what it means, read word by word.
func predicates(depth int) *rapid.Generator[meaning] {
	return rapid.Custom(func(t *rapid.T) meaning {
		if depth > 0 {
			switch rapid.IntRange(0, 5).Draw(t, "form") {
			case 0:
				p := predicates(depth-1).Draw(t, "not")
				return meaning{`{"$not":` + p.query + `}`, func(n naive) bool { return !p.holds(n) }}
			case 1, 2:
				parts := rapid.SliceOfN(predicates(depth-1), 0, 3).Draw(t, "parts")
				all := rapid.Bool().Draw(t, "all")
				queries := make([]string, len(parts))
				for i, p := range parts {
					queries[i] = p.query
				}
				op := map[bool]string{true: "$all", false: "$any"}[all]
				return meaning{`{"` + op + `":[` + strings.Join(queries, ",") + `]}`, func(n naive) bool {
					for _, p := range parts {
						if p.holds(n) != all {
							return !all
						}
					}
					return all
				}}
			}
		}
		return leaf(t)
	})
}

type meaning struct {
	query string
	holds func(n naive) bool
}

func leaf(t *rapid.T) meaning {
	key := rapid.SampledFrom([]string{"kind", "metadata.x", "METADATA.tags", "metadata.tags.go", "spec.rank", "spec.é", "metadata.name", "metadata.uid", "relations.dependsOn", "none"}).Draw(t, "key")
	value := rapid.SampledFrom([]string{"a", "GO", "true", "7", "", "É", "component", "component:default/b", "uid-1"}).Draw(t, "value")
	values := func(n naive) []string {
		return slices.DeleteFunc(slices.Collect(maps.Keys(n.rows[strings.ToLower(key)])), func(v string) bool { return v == nullMark })
	}
	lower := strings.ToLower(value)
	equal := func(n naive) bool { return slices.Contains(values(n), lower) }
	switch rapid.IntRange(0, 5).Draw(t, "operator") {
	case 0:
		return meaning{fmt.Sprintf(`{%q:%q}`, key, value), equal}
	case 1:
		return meaning{fmt.Sprintf(`{%q:{"$contains":%q}}`, key, value), equal}
	case 2:
		return meaning{fmt.Sprintf(`{%q:{"$in":[%q,"b"]}}`, key, value), func(n naive) bool { return equal(n) || slices.Contains(values(n), "b") }}
	case 3:
		return meaning{fmt.Sprintf(`{%q:{"$hasPrefix":%q}}`, key, value), func(n naive) bool {
			return slices.ContainsFunc(values(n), func(v string) bool { return strings.HasPrefix(v, lower) })
		}}
	case 4:
		return meaning{fmt.Sprintf(`{"relations":{"$contains":{"type":"DependsOn","targetRef":%q}}}`, value), func(n naive) bool {
			_, ok := n.rows["relations.dependson"][lower]
			return ok
		}}
	}
	want := rapid.Bool().Draw(t, "exists")
	return meaning{fmt.Sprintf(`{%q:{"$exists":%t}}`, key, want), func(n naive) bool { return len(n.rows[strings.ToLower(key)]) > 0 == want }}
}

// drawView makes a view by some batches, and the model of its entities. Between
// reads what must then be kept.
func drawView(t *testing.T, rt *rapid.T, between func(v *view.View)) (*view.View, map[string]naive) {
	v := view.New(nil, quiet())
	for step := range rapid.IntRange(1, 3).Draw(rt, "batches") {
		b := view.Batch{Revision: int64(step)}
		for i := range rapid.IntRange(0, 5).Draw(rt, "puts") {
			b.Put = append(b.Put, drawEntity(rt, step*10+i))
		}
		if rapid.Bool().Draw(rt, "removes") {
			b.Remove = []string{refOf(names.Draw(rt, "removed"))}
		}
		v.Apply(t.Context(), b)
		between(v)
	}
	model := map[string]naive{}
	for _, ref := range refs(t, v) {
		model[ref] = newNaive(rt, byRef(v, ref))
	}
	return v, model
}

// TestPredicatesMeanWhatTheySay: what is chosen by posting lists is what the
// search rows of each entity say.
func TestPredicatesMeanWhatTheySay(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		v, model := drawView(t, rt, func(v *view.View) { chosen(v, view.HasPrefix{Key: "metadata.x", Prefix: "a"}) })
		for range 5 {
			p := predicates(3).Draw(rt, "predicate")
			want := []string{}
			for _, ref := range slices.Sorted(maps.Keys(model)) {
				if p.holds(model[ref]) {
					want = append(want, ref)
				}
			}
			if diff := cmp.Diff(want, predicateRefs(t, v, p.query)); diff != "" {
				rt.Fatalf("%s: %s", p.query, diff)
			}
		}
	})
}

// TestTextFindsParts, literally, also while values come and go.
func TestTextFindsParts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		fields := rapid.SliceOfN(rapid.SampledFrom([]string{"metadata.x", "Metadata.Tags", "metadata.tags.go", "kind", "spec.rank", "none"}), 0, 3).Draw(rt, "fields")
		f := view.Text{Term: rapid.SampledFrom([]string{"", "a", "G", "go", "tr", "é", "É", "%", "_", `"quotes"`, "component", ".5"}).Draw(rt, "term"), Fields: fields}
		v, model := drawView(t, rt, func(v *view.View) { chosen(v, f) })
		want := []string{}
		for _, ref := range slices.Sorted(maps.Keys(model)) {
			if slices.ContainsFunc(fields, func(field string) bool {
				return slices.ContainsFunc(slices.Collect(maps.Keys(model[ref].rows[strings.ToLower(field)])), func(value string) bool {
					return value != nullMark && strings.Contains(value, strings.ToLower(f.Term))
				})
			}) {
				want = append(want, ref)
			}
		}
		if diff := cmp.Diff(want, chosen(v, f)); diff != "" {
			rt.Fatalf("%+v: %s", f, diff)
		}
	})
}

// TestPredicateOfAFilterChoosesTheSame, since it replaces the filter in a cursor.
func TestPredicateOfAFilterChoosesTheSame(t *testing.T) {
	t.Parallel()
	statement := rapid.SampledFrom([]string{"kind=component", "kind", "metadata.x=a", "metadata.X", "metadata.tags=go", "metadata.tags.go", "spec.rank=7", "$any=x", "$all", `a"b=c`, "metadata.x=", "relations.dependson", ""})
	rapid.Check(t, func(rt *rapid.T) {
		v, _ := drawView(t, rt, func(*view.View) {})
		params := rapid.SliceOfN(rapid.Map(rapid.SliceOfN(statement, 0, 4), func(s []string) string { return strings.Join(s, ",") }), 0, 3).Draw(rt, "filter")
		f, err := view.ParseFilter(params)
		if err != nil {
			rt.Fatal(err)
		}
		raw := view.PredicateJSON(f)
		if raw == nil {
			if f != nil {
				rt.Fatal("a filter without a predicate")
			}
			return
		}
		if diff := cmp.Diff(chosen(v, f), predicateRefs(t, v, string(raw))); diff != "" {
			rt.Fatalf("%q as %s: %s", params, raw, diff)
		}
	})
}

func FuzzParsePredicate(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"kind":"api"}`, `{"$all":[{"a":1},{"$not":{"b":true}}]}`, `{"$any":[]}`, `{"a":{"$in":["b",1e3,false]}}`,
		`{"a":{"$exists":false}}`, `{"a":{"$hasPrefix":"x"}}`, `{"relations":{"$contains":{"type":"ownedBy","targetRef":{"$in":["g"]}}}}`,
		`{"a":{"$contains":"b"}}`, `{"a":null}`, `[]`, `"x"`, `{"$not":[]}`, `{"a":{"$contains":{}}}`, `{"\ud800":"\u0000"}`, "{\"\xff\":\"\xff\"}",
		strings.Repeat(`{"$not":`, 40) + "1" + strings.Repeat("}", 40),
	} {
		f.Add(s)
	}
	v := loaded(f, 1, component("cart", "u", `"a":["b",1000,false],"x":null`, "component:default/cart ownedBy g"))
	f.Fuzz(func(t *testing.T, s string) {
		filter, err := view.ParsePredicate(json.RawMessage(s))
		if err != nil {
			if err.Error() == "" || len(err.Error()) > 2000+2*len(s) {
				t.Errorf("%q is answered by %q", s, err)
			}
			return
		}
		// An entity is chosen by a predicate or by its contrary.
		yes, no := chosen(v, filter), chosen(v, view.Not{Filter: filter})
		if len(yes)+len(no) != 1 {
			t.Errorf("%s chooses %v, its contrary %v", s, yes, no)
		}
	})
}
