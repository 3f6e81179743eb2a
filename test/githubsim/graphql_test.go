package githubsim_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/test/githubsim"
)

// ask posts a GraphQL request and compares the whole answer with want.
func ask(t *testing.T, s *githubsim.Server, token, query string, vars map[string]any) map[string]any {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": vars})
	if err != nil {
		t.Fatal(err)
	}
	a := request(t, "POST", s.GraphQLURL(), token, string(body))
	if a.Status != 200 {
		t.Fatalf("status %d: %s", a.Status, a.Text)
	}
	var out map[string]any
	a.decode(t, &out)
	return out
}

func same(t *testing.T, got any, want string) {
	t.Helper()
	var w any
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(w, got); diff != "" {
		t.Error(diff)
	}
}

func TestGraphQLSnapshot(t *testing.T) {
	t.Parallel()
	s := open(t)
	_, in := withApp(t, s, nil)
	create(t, s, "shop", githubsim.RepoOptions{Topics: []string{"go", "web"}},
		map[string]string{"catalog-info.yaml": "kind: API\n", "docs/index.md": "# x\n"})
	s.AddUser(githubsim.User{Login: "ada", Name: "Ada", Email: "ada@acme.example"})
	sha := commit(t, s, "acme/shop", "main", "Add $text", map[string]*string{"big.txt": new(strings.Repeat("é", 300_000)), "bin": new("a\x00b")},
		githubsim.Author("Ada", "ada@acme.example"))
	got := ask(t, s, in.Token(), `
	  query Snapshot($owner: String!, $name: String!, $top: Int = 10, $no: Boolean!) {
	    rateLimit { cost limit }
	    r: repository(owner: $owner, name: $name) {
	      ...meta
	      repositoryTopics(first: $top) { nodes { topic { name } } }
	      defaultBranchRef { name prefix target { oid ... on Commit { author { name user { login } } tree { __typename } } } }
	      file: object(expression: "HEAD:catalog-info.yaml") { __typename oid ... on Blob { text byteSize isBinary isTruncated } }
	      dir: object(expression: "main:docs") { ... on Tree { entries { name type path mode object { ... on Blob { text } } } } }
	      none: object(expression: "main:absent") { oid }
	      big: object(expression: "main:big.txt") { ... on Blob { byteSize isTruncated } }
	      bin: object(expression: "main:bin") { ... on Blob { text isBinary } }
	      hidden: name @include(if: $no)
	    }
	  }
	  fragment meta on Repository { nameWithOwner isArchived isEmpty visibility owner { __typename login } }`,
		map[string]any{"owner": "acme", "name": "shop", "no": false})
	same(t, got, `{"data":{
	  "rateLimit":{"cost":1,"limit":1000000},
	  "r":{"nameWithOwner":"acme/shop","isArchived":false,"isEmpty":false,"visibility":"PUBLIC",
	    "owner":{"__typename":"Organization","login":"acme"},
	    "repositoryTopics":{"nodes":[{"topic":{"name":"go"}},{"topic":{"name":"web"}}]},
	    "defaultBranchRef":{"name":"main","prefix":"refs/heads/","target":{"oid":"`+sha+`","author":{"name":"Ada","user":{"login":"ada"}},"tree":{"__typename":"Tree"}}},
	    "file":{"__typename":"Blob","oid":"a894e34f70ffaf5e3e534fc592171bae1907bf79","text":"kind: API\n","byteSize":10,"isBinary":false,"isTruncated":false},
	    "dir":{"entries":[{"name":"index.md","type":"blob","path":"docs/index.md","mode":33188,"object":{"text":"# x\n"}}]},
	    "none":null,
	    "big":{"byteSize":600000,"isTruncated":true},
	    "bin":{"text":null,"isBinary":true}
	  }}}`)
}

func TestGraphQLPagesThroughAnOrganization(t *testing.T) {
	t.Parallel()
	s := open(t)
	_, in := withApp(t, s, nil)
	for _, name := range []string{"c", "a", "d", "b", "e"} {
		create(t, s, name, githubsim.RepoOptions{Private: name == "d"}, map[string]string{"f": name}, githubsim.Quiet())
	}
	const query = `query($after: String) {
	  repositoryOwner(login: "ACME") { __typename login
	    repositories(first: 2, after: $after, orderBy: {field: NAME, direction: ASC}) {
	      totalCount pageInfo { hasNextPage endCursor }
	      nodes { name visibility defaultBranchRef { target { oid } } } } } }`
	var names []string
	var after any
	for range 3 {
		got := ask(t, s, in.Token(), query, map[string]any{"after": after})
		owner := got["data"].(map[string]any)["repositoryOwner"].(map[string]any)
		page := owner["repositories"].(map[string]any)
		for _, n := range page["nodes"].([]any) {
			names = append(names, n.(map[string]any)["name"].(string))
		}
		info := page["pageInfo"].(map[string]any)
		after = info["endCursor"]
		if more := info["hasNextPage"].(bool); more != (len(names) < 5) || page["totalCount"] != float64(5) {
			t.Errorf("after %d: %v", len(names), page)
		}
	}
	if diff := cmp.Diff([]string{"a", "b", "c", "d", "e"}, names); diff != "" {
		t.Error(diff)
	}
}

func TestGraphQLErrors(t *testing.T) {
	t.Parallel()
	s := open(t)
	_, in := withApp(t, s, nil)
	create(t, s, "a", githubsim.RepoOptions{}, nil)
	tests := []struct{ name, query, want string }{
		{
			"one of two is missing", `{a: repository(owner:"acme",name:"a"){name isEmpty defaultBranchRef{name}} b: repository(owner:"acme",name:"b"){name}}`,
			`{"data":{"a":{"name":"a","isEmpty":true,"defaultBranchRef":null},"b":null},
			  "errors":[{"type":"NOT_FOUND","path":["b"],"locations":[{"line":1,"column":76}],"message":"Could not resolve to a Repository with the name 'acme/b'."}]}`,
		},
		{"unknown owner is null", `{repositoryOwner(login:"nobody"){login}}`, `{"data":{"repositoryOwner":null}}`},
		{
			"unknown field", `{viewer{nonsense}}`,
			`{"errors":[{"path":["viewer","nonsense"],"locations":[{"line":1,"column":9}],"message":"Field 'nonsense' doesn't exist on type 'User'",
			  "extensions":{"code":"undefinedField","fieldName":"nonsense","typeName":"User"}}]}`,
		},
		{
			"no page size", `{organization(login:"acme"){repositories{totalCount}}}`,
			`{"data":{"organization":{"repositories":null}},"errors":[{"type":"MISSING_PAGINATION_BOUNDARIES","path":["organization","repositories"],
			  "locations":[{"line":1,"column":29}],"message":"You must provide a ` + "`first` or `last` value to properly paginate the `Repository`" + ` connection."}]}`,
		},
		{"syntax", `{viewer{login}`, `{"errors":[{"message":"syntax error at [1, 15]: expected a name, found \"\""}]}`},
		{"missing variable", `query($n:String!){repository(owner:"acme",name:$n){name}}`,
			`{"errors":[{"message":"Variable $n of type was provided invalid value","extensions":{"value":null}}]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			same(t, ask(t, s, in.Token(), tt.query, nil), tt.want)
		})
	}
	if a := request(t, "POST", s.GraphQLURL(), "", `{"query":"{viewer{login}}"}`); a.Status != 401 {
		t.Errorf("without a token: %d", a.Status)
	}
}
