package githubsim_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/test/githubsim"
)

// dig follows keys into a decoded answer.
func dig(v any, keys ...string) any {
	for _, k := range keys {
		m, _ := v.(map[string]any)
		v = m[k]
	}
	return v
}

// names are the names of the objects of a list.
func names(v any, by string) []string {
	out := []string{}
	list, _ := v.([]any)
	for _, e := range list {
		out = append(out, e.(map[string]any)[by].(string))
	}
	return out
}

const listQuery = `query($first: Int!) { organization(login: "acme") {
  repositories(first: $first, orderBy: {field: NAME, direction: ASC}) {
    totalCount pageInfo { hasNextPage } nodes { name } } } }`

// TestScanFields asks for everything that a scan wants to know in one query.
func TestScanFields(t *testing.T) {
	t.Parallel()
	ck := &clock{now: time.Date(2026, 5, 1, 9, 0, 0, 0, time.UTC)}
	s := open(t, githubsim.WithClock(ck.Now), githubsim.WithRateLimit(5000), githubsim.WithTokenTTL(24*time.Hour))
	app, in := withApp(t, s, nil)
	create(t, s, "old", githubsim.RepoOptions{}, map[string]string{"catalog-info.yaml": "kind: API\n"})
	ck.add(time.Hour)
	r := create(t, s, "new", githubsim.RepoOptions{Internal: true}, map[string]string{"f": "1"})
	create(t, s, "empty", githubsim.RepoOptions{}, nil)
	const query = `query($ids: [ID!]!) {
	  repositoryOwner(login: "acme") {
	    repositories(first: 2, orderBy: {field: PUSHED_AT, direction: DESC}, ownerAffiliations: [OWNER]) {
	      totalCount pageInfo { hasNextPage endCursor } nodes { id name visibility pushedAt
	        ref(qualifiedName: "refs/heads/main") { target { oid } } } } }
	  nodes(ids: $ids) { id ... on Repository { name object(expression: "HEAD:catalog-info.yaml") { ... on Blob { text } } } }
	  rateLimit { cost limit remaining used resetAt }
	}`
	token := in.Token()
	rest := map[string]any{}
	request(t, "GET", s.APIURL()+"/repos/acme/old", token, "").decode(t, &rest)
	got := ask(t, s, token, query, map[string]any{"ids": []any{rest["node_id"], "R_nonsense"}})
	id := dig(dig(got, "data", "repositoryOwner", "repositories", "nodes").([]any)[1], "id")
	want := `{"data":{
	  "repositoryOwner":{"repositories":{"totalCount":3,"pageInfo":{"hasNextPage":true,"endCursor":"cursor_Y3Vyc29yOjI"},"nodes":[
	    {"id":"` + dig(dig(got, "data", "repositoryOwner", "repositories", "nodes").([]any)[0], "id").(string) + `","name":"empty","visibility":"PUBLIC","pushedAt":"2026-05-01T10:00:00Z","ref":null},
	    {"id":"` + id.(string) + `","name":"new","visibility":"INTERNAL","pushedAt":"2026-05-01T10:00:00Z","ref":{"target":{"oid":"` + s.Head("acme/new", "") + `"}}}]}},
	  "nodes":[{"id":"` + rest["node_id"].(string) + `","name":"old","object":{"text":"kind: API\n"}},null],
	  "rateLimit":{"cost":1,"limit":5000,"remaining":4999,"used":1,"resetAt":"2026-05-01T11:00:00Z"}},
	  "errors":[{"type":"NOT_FOUND","path":["nodes",1],"locations":[{"line":6,"column":4}],"message":"Could not resolve to a node with the global id of 'R_nonsense'"}]}`
	same(t, got, want)
	if got := names(restList(t, s, token, "/orgs/acme/repos?sort=pushed"), "name"); !cmp.Equal(got, []string{"empty", "new", "old"}) {
		t.Errorf("newest push first: %v", got)
	}
	if got := names(restList(t, s, token, "/users/acme/repos"), "name"); !cmp.Equal(got, []string{"empty", "new", "old"}) {
		t.Errorf("by name: %v", got)
	}
	// An installation of selected repositories sees public ones too in GraphQL,
	// but not where its repositories are listed.
	if err := in.RemoveRepos([]string{r.FullName()}); err != nil {
		t.Fatal(err)
	}
	if err := in.RemoveRepos([]string{"acme/empty"}); err != nil {
		t.Fatal(err)
	}
	got = ask(t, s, in.Token(), listQuery, map[string]any{"first": 10})
	if seen := names(dig(got, "data", "organization", "repositories", "nodes"), "name"); !cmp.Equal(seen, []string{"empty", "old"}) {
		t.Errorf("GraphQL shows %v", seen)
	}
	page := map[string]any{}
	request(t, "GET", s.APIURL()+"/installation/repositories", in.Token(), "").decode(t, &page)
	if seen := names(page["repositories"], "name"); !cmp.Equal(seen, []string{"old"}) || page["total_count"] != float64(1) {
		t.Errorf("the installation has %v of %v", seen, page["total_count"])
	}
	a := request(t, "GET", s.APIURL()+"/app/installations?per_page=1", jwt(t, app, ck.Now(), time.Minute), "")
	if a.Header.Get("X-RateLimit-Resource") != "core" || a.Header.Get("X-RateLimit-Used") != "1" {
		t.Errorf("headers %v", a.Header)
	}
}

func restList(t *testing.T, s *githubsim.Server, token, path string) []any {
	t.Helper()
	var out []any
	request(t, "GET", s.APIURL()+path, token, "").decode(t, &out)
	return out
}

func TestInstallationsArePaged(t *testing.T) {
	t.Parallel()
	s := open(t)
	app, _ := withApp(t, s, nil)
	for _, org := range []string{"b", "c"} {
		if _, err := s.Install(app, org, nil); err != nil {
			t.Fatal(err)
		}
	}
	token := jwt(t, app, time.Now(), time.Minute)
	a := request(t, "GET", s.APIURL()+"/app/installations?per_page=2", token, "")
	if !strings.Contains(a.Header.Get("Link"), `page=2&per_page=2>; rel="next"`) || strings.Count(a.Text, `"app_slug"`) != 2 {
		t.Errorf("first page: %s %s", a.Header.Get("Link"), a.Text)
	}
	a = request(t, "GET", s.APIURL()+"/app/installations?per_page=2&page=2", token, "")
	if strings.Contains(a.Header.Get("Link"), `rel="next"`) || strings.Count(a.Text, `"app_slug"`) != 1 {
		t.Errorf("last page: %s %s", a.Header.Get("Link"), a.Text)
	}
}

func TestListingFaults(t *testing.T) {
	t.Parallel()
	s := open(t)
	_, in := withApp(t, s, nil)
	for _, name := range []string{"a", "b", "c"} {
		create(t, s, name, githubsim.RepoOptions{}, map[string]string{"f": "1"})
	}
	token := in.Token()
	hideB := func(name string) bool { return name == "acme/b" }
	tests := []struct {
		name   string
		fault  githubsim.ListingFaults
		want   []string
		total  float64
		single int // status of acme/b by itself
	}{
		{"honest", githubsim.ListingFaults{}, []string{"a", "b", "c"}, 3, 200},
		{"one is left out", githubsim.ListingFaults{Hide: hideB}, []string{"a", "c"}, 2, 200},
		{"one is gone", githubsim.ListingFaults{Hide: hideB, Reads: true}, []string{"a", "c"}, 2, 404},
		{"an empty page", githubsim.ListingFaults{Empty: true}, []string{}, 3, 200},
		{"a count that lies", githubsim.ListingFaults{Total: func(n int) int { return n - 1 }}, []string{"a", "b", "c"}, 2, 200},
		{"all is empty", githubsim.ListingFaults{Empty: true, Total: func(int) int { return 0 }}, []string{}, 0, 200},
	}
	for _, tt := range tests { // one server, one after the other
		s.SetListingFaults(tt.fault)
		list := dig(ask(t, s, token, listQuery, map[string]any{"first": 10}), "data", "organization", "repositories")
		if got := names(dig(list, "nodes"), "name"); !cmp.Equal(got, tt.want) || dig(list, "totalCount") != tt.total || dig(list, "pageInfo", "hasNextPage") != false {
			t.Errorf("%s: GraphQL lists %v", tt.name, list)
		}
		page := map[string]any{}
		request(t, "GET", s.APIURL()+"/installation/repositories", token, "").decode(t, &page)
		if got := names(page["repositories"], "name"); !cmp.Equal(got, tt.want) || page["total_count"] != tt.total {
			t.Errorf("%s: REST lists %v of %v", tt.name, got, page["total_count"])
		}
		if got := request(t, "GET", s.APIURL()+"/repos/acme/b", token, "").Status; got != tt.single {
			t.Errorf("%s: by itself %d, want %d", tt.name, got, tt.single)
		}
		one := ask(t, s, token, `{repository(owner:"acme",name:"b"){name}}`, nil)
		if found := dig(one, "data", "repository") != nil; found != (tt.single == 200) {
			t.Errorf("%s: GraphQL by itself %v", tt.name, one)
		}
		s.ClearFaults()
	}
}

func TestUnreadableRepositories(t *testing.T) {
	t.Parallel()
	s := open(t)
	_, in := withApp(t, s, nil)
	create(t, s, "a", githubsim.RepoOptions{}, nil)
	create(t, s, "b", githubsim.RepoOptions{}, nil)
	s.SetListingFaults(githubsim.ListingFaults{Unreadable: func(name string) bool { return name == "acme/a" }})
	got := ask(t, s, in.Token(), listQuery, map[string]any{"first": 10})
	same(t, dig(got, "data", "organization", "repositories"), `{"totalCount":2,"pageInfo":{"hasNextPage":false},"nodes":[null,{"name":"b"}]}`)
	problem := got["errors"].([]any)[0]
	if diff := cmp.Diff([]any{"organization", "repositories", "nodes", float64(0)}, dig(problem, "path")); diff != "" || dig(problem, "type") != "FORBIDDEN" {
		t.Errorf("errors %v", got["errors"])
	}
}

func TestPeopleListingFaults(t *testing.T) {
	t.Parallel()
	s := open(t)
	_, in := withApp(t, s, nil)
	for _, step := range []error{
		s.AddMember("acme", "ada", "member"), s.AddMember("acme", "bo", "member"),
		s.AddTeam("acme", githubsim.TeamOptions{Name: "core"}), s.AddTeam("acme", githubsim.TeamOptions{Name: "web"}),
		s.AddTeamMember("acme", "core", "ada"), s.AddTeamMember("acme", "core", "bo"),
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
	s.SetListingFaults(githubsim.ListingFaults{
		HideMember: func(login string) bool { return login == "ada" }, HideTeam: func(slug string) bool { return slug == "web" },
	})
	same(t, ask(t, s, in.Token(), `{organization(login:"acme"){membersWithRole(first:5){nodes{login}} teams(first:5){totalCount nodes{slug members(first:5){nodes{login}}}}}}`, nil),
		`{"data":{"organization":{"membersWithRole":{"nodes":[{"login":"bo"}]},"teams":{"totalCount":1,"nodes":[{"slug":"core","members":{"nodes":[{"login":"bo"}]}}]}}}}`)
	for _, path := range []string{"/orgs/acme/members", "/orgs/acme/teams/core/members"} {
		if got := names(restList(t, s, in.Token(), path), "login"); !cmp.Equal(got, []string{"bo"}) {
			t.Errorf("%s lists %v", path, got)
		}
	}
	if got := names(restList(t, s, in.Token(), "/orgs/acme/teams"), "slug"); !cmp.Equal(got, []string{"core"}) {
		t.Errorf("teams are %v", got)
	}
}

// TestHeavyPages: what is too much at once is fine by halves.
func TestHeavyPages(t *testing.T) {
	t.Parallel()
	s := open(t)
	_, in := withApp(t, s, nil)
	create(t, s, "a", githubsim.RepoOptions{Topics: []string{"x"}}, nil)
	token := in.Token()
	post := func(first string) answer {
		return request(t, "POST", s.GraphQLURL(), token,
			`{"query":"{organization(login:\"acme\"){repositories(first:`+first+`){nodes{name repositoryTopics(first:100){nodes{topic{name}}}}}}}"}`)
	}
	for _, status := range []int{502, 504} {
		s.SetListingFaults(githubsim.ListingFaults{MaxPage: 50, TooHeavy: status})
		if a := post("51"); a.Status != status {
			t.Errorf("51 answers %d, want %d", a.Status, status)
		}
		if a := request(t, "GET", s.APIURL()+"/installation/repositories?per_page=51", token, ""); a.Status != status {
			t.Errorf("REST answers %d, want %d", a.Status, status)
		}
		if a := post("50"); a.Status != 200 || !strings.Contains(a.Text, `"name":"a"`) {
			t.Errorf("50: %d %s", a.Status, a.Text)
		}
	}
	s.SetListingFaults(githubsim.ListingFaults{MaxPage: 50, TooHeavy: 200})
	if a := post("100"); a.Status != 200 || !strings.Contains(a.Text, `"type":"RESOURCE_LIMITS_EXCEEDED"`) {
		t.Errorf("100: %d %s", a.Status, a.Text)
	}
}

func TestGraphQLPrimaryLimitIsA200(t *testing.T) {
	t.Parallel()
	s := open(t, githubsim.WithRateLimit(1))
	_, in := withApp(t, s, nil)
	token := in.Token()
	ask(t, s, token, `{viewer{login}}`, nil)
	a := request(t, "POST", s.GraphQLURL(), token, `{"query":"{viewer{login}}"}`)
	if a.Status != 200 || !strings.Contains(a.Text, `"type":"RATE_LIMITED"`) || a.Header.Get("X-RateLimit-Remaining") != "0" ||
		a.Header.Get("X-RateLimit-Resource") != "graphql" || a.Header.Get("X-RateLimit-Reset") == "" {
		t.Errorf("%d %v %s", a.Status, a.Header, a.Text)
	}
}

func TestSecondaryLimits(t *testing.T) {
	t.Parallel()
	ck := &clock{now: time.Now()}
	s := open(t, githubsim.WithClock(ck.Now))
	_, in := withApp(t, s, nil)
	create(t, s, "a", githubsim.RepoOptions{}, nil)
	token := in.Token()
	s.SetSecondaryLimits(githubsim.SecondaryLimits{RESTPoints: 6, GraphQLPoints: 1})
	get := func() answer { return request(t, "GET", s.APIURL()+"/repos/acme/a", token, "") }
	ask(t, s, token, `{viewer{login}}`, nil)
	if a := request(t, "PUT", s.APIURL()+"/repos/acme/a/topics", token, `{"names":["x"]}`); a.Status != 200 {
		t.Fatalf("write: %d %s", a.Status, a.Text)
	}
	if a := get(); a.Status != 200 { // 5 and 1
		t.Fatalf("read: %d", a.Status)
	}
	for name, a := range map[string]answer{"REST": get(), "GraphQL": request(t, "POST", s.GraphQLURL(), token, `{"query":"{viewer{login}}"}`)} {
		if a.Status != http.StatusForbidden || a.Header.Get("Retry-After") != "60" || !strings.Contains(a.Text, "secondary rate limit") {
			t.Errorf("%s: %d %v %s", name, a.Status, a.Header, a.Text)
		}
	}
	ck.add(time.Minute)
	if a := get(); a.Status != 200 {
		t.Errorf("a minute later: %d", a.Status)
	}
}

func TestConcurrentRequestsAreLimited(t *testing.T) {
	t.Parallel()
	s := open(t)
	_, in := withApp(t, s, nil)
	create(t, s, "a", githubsim.RepoOptions{}, nil)
	token := in.Token()
	s.SetSecondaryLimits(githubsim.SecondaryLimits{Concurrent: 2})
	s.Inject(githubsim.Fault{Match: "GET /repos/*/topics", Hang: true})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	var hanging sync.WaitGroup
	defer hanging.Wait()
	defer cancel()
	// Of three that would hang, one comes back at once.
	refused := make(chan *http.Response, 3)
	for range 3 {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.APIURL()+"/repos/acme/a/topics", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		hanging.Go(func() {
			if res, err := http.DefaultClient.Do(req); err == nil {
				_ = res.Body.Close()
				refused <- res
			}
		})
	}
	select {
	case res := <-refused:
		if res.StatusCode != http.StatusForbidden || res.Header.Get("Retry-After") != "60" {
			t.Errorf("the third: %d %v", res.StatusCode, res.Header)
		}
	case <-ctx.Done():
		t.Error("a third request at once was let through")
	}
	if a := request(t, "GET", s.APIURL()+"/repos/acme/a", "", ""); a.Status != 200 {
		t.Errorf("another credential: %d", a.Status)
	}
}
