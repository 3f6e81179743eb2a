package graphql_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/test/githubsim/graphql"
)

// echo answers every field with itself, and some with more.
type echo struct{}

func (echo) Type() string { return "Echo" }

func (echo) Field(name string, args graphql.Args) (any, error) {
	switch name {
	case "self":
		return echo{}, nil
	case "list":
		return []any{echo{}, nil, echo{}}, nil
	case "args":
		return map[string]any(args), nil
	case "bad":
		return nil, errors.New("no luck")
	case "none":
		return nil, nil
	case "unknown":
		return nil, graphql.ErrNoField
	}
	return name, nil
}

var schema = graphql.Schema{Query: echo{}, Interfaces: map[string][]string{"Echo": {"Sound"}}}

func TestExecute(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, query string
		vars        map[string]any
		want        string
	}{
		{"plain", `{a b}`, nil, `{"data":{"a":"a","b":"b"}}`},
		{"alias and nesting", `{x: self { y: a }}`, nil, `{"data":{"x":{"y":"a"}}}`},
		{"list with a hole", `{list{a}}`, nil, `{"data":{"list":[{"a":"a"},null,{"a":"a"}]}}`},
		{"values", `{args(i: -2, f: 1.5, s: "q\"\u00e9\/", b: true, n: null, e: ASC, l: [1 2], o: {k: [{x: 1}]})}`, nil,
			`{"data":{"args":{"i":-2,"f":1.5,"s":"q\"é/","b":true,"n":null,"e":"ASC","l":[1,2],"o":{"k":[{"x":1}]}}}}`},
		{"block string", "{args(s: \"\"\"a\n\"b\" \"\"\")}", nil, `{"data":{"args":{"s":"a\n\"b\" "}}}`},
		{"position after a block string", "{args(s: \"\"\"a\n\"\"\") bad}", nil,
			`{"data":{"args":{"s":"a\n"},"bad":null},"errors":[{"path":["bad"],"locations":[{"line":2,"column":6}],"message":"no luck"}]}`},
		{"variables", `query Q($a: [Int!]! = [7], $b: String) { args(a: $a, o: {b: $b}) }`, map[string]any{"b": "x"},
			`{"data":{"args":{"a":[7],"o":{"b":"x"}}}}`},
		{"fragments merge", `{self{a} ...F ... on Sound {c} ... on Other {d} ... {e}} fragment F on Echo {self{b}}`, nil,
			`{"data":{"self":{"a":"a","b":"b"},"c":"c","e":"e"}}`},
		{"fragment in a circle", `{...F} fragment F on Echo {a ...F}`, nil, `{"data":{"a":"a"}}`},
		{"skip and include", `query($y: Boolean!){a @skip(if: $y) b @include(if: $y) c @include(if: false)}`, map[string]any{"y": true}, `{"data":{"b":"b"}}`},
		{"typename, comments, commas", "# hi\n{__typename, # there\n a,}", nil, `{"data":{"__typename":"Echo","a":"a"}}`},
		{"error of a field", `{a bad none}`, nil,
			`{"data":{"a":"a","bad":null,"none":null},"errors":[{"path":["bad"],"locations":[{"line":1,"column":4}],"message":"no luck"}]}`},
		{"object without selection", `{self}`, nil,
			`{"errors":[{"path":["self"],"locations":[{"line":1,"column":2}],"message":"Field must have selections (field 'self' returns Echo but has no selections)"}]}`},
		{"undefined fragment", `{...F}`, nil, `{"errors":[{"message":"Fragment F was used, but not defined"}]}`},
		{"mutation without one", `mutation {a}`, nil, `{"errors":[{"message":"schema has no mutation"}]}`},
		{"empty", ``, nil, `{"errors":[{"message":"syntax error at [1, 1]: no operation"}]}`},
		{"empty selection", `{}`, nil, `{"errors":[{"message":"syntax error at [1, 3]: empty selection"}]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got, want any
			out := schema.Execute(graphql.Request{Query: tt.query, Variables: tt.vars})
			if err := json.Unmarshal(out, &got); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if err := json.Unmarshal([]byte(tt.want), &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDeepNestingIsRefused(t *testing.T) {
	t.Parallel()
	for _, query := range []string{
		strings.Repeat("{self", 100_000),
		"{args(a:" + strings.Repeat("[", 100_000),
		"{...F} fragment F on Echo {self{...F}}",
	} {
		if out := string(schema.Execute(graphql.Request{Query: query})); !strings.HasPrefix(out, `{"errors"`) {
			t.Errorf("answered %.80s", out)
		}
	}
}

func FuzzExecute(f *testing.F) {
	for _, seed := range []string{
		`{a}`, `query Q($a: [Int!]! = [1], $b: S){x:args(a:$a,o:{k:"v"}) @include(if:true){...F ... on Sound{a}}} fragment F on Echo{list{self{a}}}`,
		`{args(s:"\u00e9\"")}`, `{args(s:"""block""")}`, `mutation{a}`, `{`, `"`, `{a(b:-)}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		if out := schema.Execute(graphql.Request{Query: query}); !json.Valid(out) {
			t.Errorf("not JSON: %s", out)
		}
	})
}
