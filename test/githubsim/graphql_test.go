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
	sha := commit(t, s, "acme/shop", "main", "Add $text", map[string]*string{"big.txt": githubsim.Content(strings.Repeat("é", 300_000)), "bin": githubsim.Content("a\x00b")},
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
