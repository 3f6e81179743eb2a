package githubapp_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/pipeline/fault"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/test/githubsim"
)

func (f fixture) account(login string) githubapp.Account {
	return githubapp.Account{Host: f.host, Login: login}
}

// org makes an organisation with n repositories of two files each.
func (f fixture) org(t *testing.T, login string, n int) (names []string) {
	t.Helper()
	for i := range n {
		name := fmt.Sprintf("r%02d", i)
		f.repo(t, login+"/"+name, map[string]string{"catalog-info.yaml": "kind: " + name, "README.md": "x"})
		names = append(names, name)
	}
	return names
}

// all reads every page and gives the names in order.
func all(t *testing.T, c *githubapp.Clients, a githubapp.Account, q githubapp.PageQuery) (names []string, pages []githubapp.Page) {
	t.Helper()
	for {
		p, err := c.Repositories(t.Context(), a, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range p.Repositories {
			names = append(names, r.Name)
		}
		if pages = append(pages, p); p.Next == "" {
			return names, pages
		}
		q.Cursor = p.Next
	}
}

func TestRepositoriesInOneRequestAPage(t *testing.T) {
	f := simulator(t)
	want := f.org(t, "acme", 7)
	f.repo(t, "acme/empty", nil)
	f.install(t, "acme")
	c := f.clients(t)
	names, pages := all(t, c, f.account("acme"), githubapp.PageQuery{Size: 3, Path: "/catalog-info.yaml"})
	if diff := cmp.Diff(append(want, "empty"), names); diff != "" {
		t.Error(diff)
	}
	if n := f.Requests()["POST /graphql"].Total; n != 3 || len(pages) != 3 {
		t.Errorf("%d requests for %d pages, want 3: %v", n, len(pages), f.Requests())
	}
	first, last := pages[0].Repositories[0], pages[2].Repositories[1]
	if first.Head != f.Head("acme/r00", "main") || first.Text == nil || *first.Text != "kind: r00" ||
		first.DefaultBranch != "main" || first.Visibility != "public" || first.PushedAt.IsZero() || len(first.Topics) != 1 {
		t.Errorf("the first is %+v", first)
	}
	if last.Head != "" || last.BlobSHA != "" || last.HeadUnknown {
		t.Errorf("the empty one is %+v", last)
	}
	if pages[0].Total != 8 || pages[0].Requests != 1 {
		t.Errorf("the first page is of %d, for %d requests", pages[0].Total, pages[0].Requests)
	}
}

// A large or binary file does not travel; another branch may be asked for.
func TestRepositoriesWithFiles(t *testing.T) {
	f := simulator(t)
	f.repo(t, "acme/one", map[string]string{"big": strings.Repeat("x", 40_000), "bin": "\xff\xfe\x00", "d/a": "a"})
	if err := f.CreateBranch("acme/one", "next", "main"); err != nil {
		t.Fatal(err)
	}
	head, err := f.Commit("acme/one", "next", "b", map[string]*string{"b": new("b")})
	if err != nil {
		t.Fatal(err)
	}
	f.install(t, "acme")
	c := f.clients(t)
	for path, size := range map[string]int64{"big": 40_000, "bin": 3, "d": 0, "b": 0} {
		p, err := c.Repositories(t.Context(), f.account("acme"), githubapp.PageQuery{Size: 10, Path: path})
		if err != nil {
			t.Fatal(err)
		}
		if r := p.Repositories[0]; r.Size != size || (r.BlobSHA != "") != (size > 0) || r.Text != nil {
			t.Errorf("%s is %+v", path, r)
		}
	}
	p, err := c.Repositories(t.Context(), f.account("acme"), githubapp.PageQuery{Size: 10, Path: "b", Branch: "next"})
	if err != nil {
		t.Fatal(err)
	}
	if r := p.Repositories[0]; r.Head != head || r.Text == nil || *r.Text != "b" {
		t.Errorf("on another branch it is %+v", r)
	}
	if p, err = c.Repositories(t.Context(), f.account("acme"), githubapp.PageQuery{Branch: "none"}); err != nil || p.Repositories[0].Head != "" {
		t.Errorf("without the branch: %+v, %v", p, err)
	}
}

// GraphQL shows what is public, selected or not; the list must not.
func TestSelectedRepositories(t *testing.T) {
	f := simulator(t)
	f.org(t, "acme", 5)
	in, err := f.Install(f.app, "acme", []string{"acme/r01", "acme/r03", "acme/r04"})
	if err != nil {
		t.Fatal(err)
	}
	a := f.account("acme")
	a.InstallationID, a.Selected = in.ID(), true
	names, pages := all(t, f.clients(t), a, githubapp.PageQuery{Size: 2, Path: "catalog-info.yaml"})
	if diff := cmp.Diff([]string{"r01", "r03", "r04"}, names); diff != "" {
		t.Error(diff)
	}
	if r := pages[1].Repositories[0]; pages[1].Total != 3 || pages[1].Requests != 2 || r.Text == nil || r.Head == "" {
		t.Errorf("the second page is %+v", pages[1])
	}
}

// A cursor survives a restart and another page size: at worst some come twice.
func TestCursorsAreKept(t *testing.T) {
	f := simulator(t)
	want := f.org(t, "acme", 9)
	var full []string
	for _, name := range want {
		full = append(full, "acme/"+name)
	}
	in, err := f.Install(f.app, "acme", full)
	if err != nil {
		t.Fatal(err)
	}
	for _, selected := range []bool{false, true} {
		a := f.account("acme")
		a.InstallationID, a.Selected = in.ID(), selected
		seen := map[string]bool{}
		q := githubapp.PageQuery{}
		for i := 0; ; i++ {
			q.Size = []int{4, 3, 1, 2}[i%4]
			p, err := f.clients(t).Repositories(t.Context(), a, q)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range p.Repositories {
				seen[r.Name] = true
			}
			if q.Cursor = p.Next; q.Cursor == "" {
				break
			}
		}
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(seen))); diff != "" {
			t.Errorf("selected %v: %s", selected, diff)
		}
	}
	for _, cursor := range []string{"x", "g", "s:-1", "r:one", "q:1"} {
		_, err := f.clients(t).Repositories(t.Context(), f.account("acme"), githubapp.PageQuery{Cursor: cursor})
		if err == nil {
			t.Errorf("cursor %q is no error", cursor)
		}
	}
}

func TestHeavyPages(t *testing.T) {
	tests := []struct {
		name  string
		fault githubsim.Fault
	}{
		{"502", githubsim.Fault{Match: "*graphql*", Status: http.StatusBadGateway}},
		{"504", githubsim.Fault{Match: "*graphql*", Status: http.StatusGatewayTimeout}},
		{"limits", githubsim.GraphQLError("RESOURCE_LIMITS_EXCEEDED", "too much")},
		{"ten seconds", githubsim.GraphQLError("", "Something went wrong while executing your query. This may be the result of a timeout")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := simulator(t)
			want := f.org(t, "acme", 3)
			f.install(t, "acme")
			c := f.clients(t)
			defer f.Inject(tt.fault)()
			_, err := c.Repositories(t.Context(), f.account("acme"), githubapp.PageQuery{Size: 50})
			if !errors.Is(err, githubapp.ErrTooHeavy) {
				t.Errorf("error is %v, want ErrTooHeavy", err)
			}
			// Not even one: REST knows them, but not their heads.
			names, pages := all(t, c, f.account("acme"), githubapp.PageQuery{Size: 1})
			if diff := cmp.Diff(want, names); diff != "" {
				t.Error(diff)
			}
			if p := pages[0]; !p.Repositories[0].HeadUnknown || p.Repositories[0].PushedAt.IsZero() || p.Total != 3 {
				t.Errorf("the page is %+v", p)
			}
		})
	}
}

// Everything that is not a whole page is an error, or says so.
func TestBrokenLists(t *testing.T) {
	graphql := func(data, errs string) githubsim.Fault {
		return githubsim.Fault{Match: "*graphql*", Status: http.StatusOK, Body: `{"data":` + data + `,"errors":[` + errs + `]}`}
	}
	page := func(total int, next, nodes string) string {
		return fmt.Sprintf(`{"repositoryOwner":{"repositories":{"totalCount":%d,"pageInfo":{"hasNextPage":%v,"endCursor":%q},"nodes":[%s]}}}`,
			total, next != "", next, nodes)
	}
	const one = `{"databaseId":1,"name":"one","owner":{"login":"acme"},"isEmpty":true}`
	tests := []struct {
		name  string
		fault githubsim.Fault
	}{
		{"everything 404", githubsim.Fault{Match: "*", Status: http.StatusNotFound}},
		{"everything 500", githubsim.Fault{Match: "*", Status: http.StatusInternalServerError}},
		{"no data", graphql(`null`, ``)},
		{"no account", graphql(`{"repositoryOwner":null}`, ``)},
		{"no list", graphql(`{"repositoryOwner":{"repositories":null}}`, ``)},
		{"more without any", graphql(page(9, "next", ``), ``)},
		{"the same page again", graphql(page(9, "here", one), ``)},
		{"more than there are", graphql(page(0, "", one), ``)},
		{"an error about all", graphql(page(1, "", one), `{"message":"no","path":["repositoryOwner"]}`)},
		{"an error about nothing", graphql(page(1, "", one), `{"message":"no"}`)},
		{"half an answer", githubsim.Fault{Match: "*graphql*", Status: http.StatusOK, Body: `{"data":{"repositoryOwner":`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := simulator(t)
			f.org(t, "acme", 1)
			f.install(t, "acme")
			c := f.clients(t)
			if _, err := c.Repositories(t.Context(), f.account("acme"), githubapp.PageQuery{Size: 10}); err != nil {
				t.Fatal(err)
			}
			defer f.Inject(tt.fault)()
			p, err := c.Repositories(t.Context(), f.account("acme"), githubapp.PageQuery{Size: 10, Cursor: "g:here"})
			if err == nil {
				t.Errorf("the page is %+v", p)
			}
		})
	}
	t.Run("a repository that is not shown", func(t *testing.T) {
		f := simulator(t)
		f.org(t, "acme", 1)
		f.install(t, "acme")
		defer f.Inject(graphql(page(4, "", one+`,null,{"databaseId":2,"name":"two","owner":{"login":"acme"}},{}`),
			`{"message":"blocked","path":["repositoryOwner","repositories","nodes",1]},{"message":"no","path":["repositoryOwner","repositories","nodes",2,"file"]}`))()
		p, err := f.clients(t).Repositories(t.Context(), f.account("acme"), githubapp.PageQuery{Size: 10})
		if err != nil || p.Unreadable != 2 || len(p.Repositories) != 2 || p.Repositories[0].HeadUnknown || !p.Repositories[1].HeadUnknown {
			t.Errorf("the page is %+v, %v", p, err)
		}
	})
}

func TestHiddenAndEmptyLists(t *testing.T) {
	f := simulator(t)
	f.org(t, "acme", 4)
	f.install(t, "acme")
	c := f.clients(t)
	f.SetListingFaults(githubsim.ListingFaults{Empty: true})
	p, err := c.Repositories(t.Context(), f.account("acme"), githubapp.PageQuery{Size: 10})
	if err != nil || p.Total != 4 || len(p.Repositories) != 0 {
		t.Errorf("an empty page is %+v, %v: its total must tell", p, err)
	}
	f.SetListingFaults(githubsim.ListingFaults{MaxPage: 2})
	if _, err := c.Repositories(t.Context(), f.account("acme"), githubapp.PageQuery{Size: 3}); !errors.Is(err, githubapp.ErrTooHeavy) {
		t.Errorf("error is %v", err)
	}
	if names, _ := all(t, c, f.account("acme"), githubapp.PageQuery{Size: 2}); len(names) != 4 {
		t.Errorf("listed %v", names)
	}
}

// With a plain token the same lists are read, of organizations and users.
func TestRepositoriesWithToken(t *testing.T) {
	f := simulator(t)
	f.AddToken("secret", "repo")
	f.AddUser(githubsim.User{Login: "ann"})
	want := f.org(t, "acme", 3)
	f.org(t, "ann", 2)
	c, err := githubapp.New([]githubapp.Host{{Host: f.host, BaseURL: f.URL(), Token: "secret"}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	names, _ := all(t, c, f.account("acme"), githubapp.PageQuery{Size: 2})
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("oldest first: %s", diff)
	}
	defer f.Inject(githubsim.Fault{Match: "*graphql*", Status: http.StatusBadGateway})()
	for login, n := range map[string]int{"acme": 3, "ann": 2} {
		if names, pages := all(t, c, f.account(login), githubapp.PageQuery{Size: 1}); len(names) != n || pages[0].Total != -1 {
			t.Errorf("%s has %v of %d", login, names, pages[0].Total)
		}
	}
	_, err = c.Repositories(t.Context(), f.account("nobody"), githubapp.PageQuery{Size: 1})
	if _, unavailable := fault.Of(err); !unavailable {
		t.Errorf("an unknown account: %v", err)
	}
}
