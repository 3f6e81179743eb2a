package githubsim_test

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/test/githubsim"
)

func TestConditionalRequests(t *testing.T) {
	t.Parallel()
	s := open(t, githubsim.WithRateLimit(100))
	_, in := withApp(t, s, nil)
	create(t, s, "a", githubsim.RepoOptions{}, map[string]string{"f": "1"})
	token := in.Token()
	paths := []string{
		"/repos/acme/a", "/repos/acme/a/commits/main", "/repos/acme/a/git/trees/main?recursive=1",
		"/repos/acme/a/contents/f", "/orgs/acme/repos", "/installation/repositories",
	}
	for _, p := range paths {
		first := request(t, "GET", s.APIURL()+p, token, "")
		etag := first.Header.Get("ETag")
		if first.Status != 200 || etag == "" {
			t.Errorf("%s: %d, ETag %q", p, first.Status, etag)
		}
		again := request(t, "GET", s.APIURL()+p, token, "", "If-None-Match", etag)
		if again.Status != http.StatusNotModified || again.Text != "" {
			t.Errorf("%s: %d %q", p, again.Status, again.Text)
		}
		if a, b := first.Header.Get("X-RateLimit-Remaining"), again.Header.Get("X-RateLimit-Remaining"); a != b {
			t.Errorf("%s: a 304 cost quota: %s, then %s", p, a, b)
		}
		if other := request(t, "GET", s.APIURL()+p, in.Token(), "", "If-None-Match", etag); other.Status != 200 {
			t.Errorf("%s: another token's validator gave %d", p, other.Status)
		}
	}
	sha := request(t, "GET", s.APIURL()+"/repos/acme/a/commits/main", token, "", "Accept", "application/vnd.github.sha")
	if sha.Text != s.Head("acme/a", "main") {
		t.Errorf("sha is %q", sha.Text)
	}
	commit(t, s, "acme/a", "main", "x", map[string]*string{"f": new("2")})
	moved := request(t, "GET", s.APIURL()+"/repos/acme/a/commits/main", token, "",
		"Accept", "application/vnd.github.sha", "If-None-Match", sha.Header.Get("ETag"))
	if moved.Status != 200 || moved.Text != s.Head("acme/a", "main") {
		t.Errorf("after a push: %d %s", moved.Status, moved.Text)
	}
	counts := s.Requests()["GET /repos/{owner}/{repo}/commits/{ref...}"]
	if want := (githubsim.RequestCount{Total: 5, NotModified: 1}); counts != want {
		t.Errorf("counted %+v, want %+v", counts, want)
	}
}

func TestPagination(t *testing.T) {
	t.Parallel()
	s := open(t)
	app, in := withApp(t, s, nil)
	for i := range 7 {
		create(t, s, "r"+itoa(int64(i)), githubsim.RepoOptions{Private: i%2 == 0}, nil, githubsim.Quiet())
	}
	a := request(t, "GET", s.APIURL()+"/orgs/acme/repos?per_page=3&page=2", in.Token(), "")
	base := s.APIURL() + "/orgs/acme/repos?page="
	want := `<` + base + `1&per_page=3>; rel="prev", <` + base + `3&per_page=3>; rel="next", <` +
		base + `3&per_page=3>; rel="last", <` + base + `1&per_page=3>; rel="first"`
	if diff := cmp.Diff(want, a.Header.Get("Link")); diff != "" {
		t.Error(diff)
	}
	c := client(t, s, app, in)
	var names []string
	repos, resp, err := c.Apps.ListRepos(t.Context(), nil)
	if err != nil || resp.NextPage != 0 || repos.GetTotalCount() != 7 {
		t.Errorf("%v, next %d, %v", repos.GetTotalCount(), resp.NextPage, err)
	}
	for _, r := range repos.Repositories {
		names = append(names, r.GetName())
	}
	if len(names) != 7 || !slices.IsSorted(names) {
		t.Errorf("names %v", names)
	}
	var public []map[string]any
	request(t, "GET", s.APIURL()+"/orgs/acme/repos", "", "").decode(t, &public)
	if len(public) != 3 {
		t.Errorf("anonymous sees %d", len(public))
	}
}

func TestTreeTruncation(t *testing.T) {
	t.Parallel()
	s := open(t, githubsim.WithTreeLimit(3))
	_, in := withApp(t, s, nil)
	create(t, s, "a", githubsim.RepoOptions{}, map[string]string{"a/1": "1", "a/2": "2", "b/1": "1", "b/2": "2"})
	var tree struct {
		Truncated bool
		Tree      []struct{ Path, SHA, Type string }
	}
	request(t, "GET", s.APIURL()+"/repos/acme/a/git/trees/main?recursive=1", in.Token(), "").decode(t, &tree)
	if !tree.Truncated || len(tree.Tree) != 3 {
		t.Errorf("%+v", tree)
	}
	// The way out: level by level.
	tree.Truncated = true
	request(t, "GET", s.APIURL()+"/repos/acme/a/git/trees/main", in.Token(), "").decode(t, &tree)
	if tree.Truncated || len(tree.Tree) != 2 || tree.Tree[1].Path != "b" {
		t.Fatalf("%+v", tree)
	}
	sub := tree.Tree[1].SHA
	request(t, "GET", s.APIURL()+"/repos/acme/a/git/trees/"+sub+"?recursive=1", in.Token(), "").decode(t, &tree)
	if tree.Truncated || len(tree.Tree) != 2 || tree.Tree[0].Path != "1" {
		t.Errorf("%+v", tree)
	}
}

func TestStatusOfWhatIsNotThere(t *testing.T) {
	t.Parallel()
	s := open(t)
	_, in := withApp(t, s, nil)
	create(t, s, "a", githubsim.RepoOptions{}, map[string]string{"f": "1"})
	create(t, s, "empty", githubsim.RepoOptions{}, nil)
	if _, err := s.CreateRepo("other", "closed", githubsim.RepoOptions{Private: true}, nil); err != nil {
		t.Fatal(err)
	}
	token := in.Token()
	tests := []struct {
		path, token string
		want        int
		message     string
	}{
		{"/repos/acme/none", token, 404, "Not Found"},
		{"/repos/other/closed", token, 404, "Not Found"},
		{"/repos/acme/a", "wrong", 401, "Bad credentials"},
		{"/repos/acme/a/branches/none", token, 404, "Branch not found"},
		{"/repos/acme/a/commits/none", token, 422, "No commit found for SHA: none"},
		{"/repos/acme/a/contents/none", token, 404, "Not Found"},
		{"/repos/acme/a/git/ref/heads/none", token, 404, "Not Found"},
		{"/repos/acme/a/git/blobs/0123456789012345678901234567890123456789", token, 404, "Not Found"},
		{"/repos/acme/empty/git/trees/main", token, 409, "Git Repository is empty."},
		{"/repos/acme/empty/commits", token, 409, "Git Repository is empty."},
		{"/app", token, 401, "A JSON web token could not be decoded"},
		{"/nothing/here", token, 404, "Not Found"},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			t.Parallel()
			a := request(t, "GET", s.APIURL()+tt.path, tt.token, "")
			var body map[string]string
			a.decode(t, &body)
			if a.Status != tt.want || body["message"] != tt.message || body["documentation_url"] == "" {
				t.Errorf("%d %s, want %d %q", a.Status, a.Text, tt.want, tt.message)
			}
		})
	}
}

func TestRenamedRepositoryRedirects(t *testing.T) {
	t.Parallel()
	s := open(t)
	app, in := withApp(t, s, nil)
	repo := create(t, s, "old", githubsim.RepoOptions{}, map[string]string{"f": "1"})
	if err := s.RenameRepo("acme/old", "new"); err != nil {
		t.Fatal(err)
	}
	a := request(t, "GET", s.APIURL()+"/repos/acme/old/contents/f?ref=main", in.Token(), "")
	want := s.APIURL() + "/repositories/" + itoa(repo.ID()) + "/contents/f?ref=main"
	if a.Status != http.StatusMovedPermanently || a.Header.Get("Location") != want {
		t.Errorf("%d to %s, want %s", a.Status, a.Header.Get("Location"), want)
	}
	if b := request(t, "GET", want, in.Token(), ""); b.Status != 200 || !strings.Contains(b.Text, `"path":"f"`) {
		t.Errorf("%d %s", b.Status, b.Text)
	}
	r, _, err := client(t, s, app, in).Repositories.Get(t.Context(), "acme", "old")
	if err != nil || r.GetFullName() != "acme/new" {
		t.Errorf("client followed to %s, %v", r.GetFullName(), err)
	}
	create(t, s, "old", githubsim.RepoOptions{}, nil)
	if a := request(t, "GET", s.APIURL()+"/repos/acme/old", in.Token(), ""); a.Status != 200 {
		t.Errorf("a new repository of the old name: %d", a.Status)
	}
}

func TestTarball(t *testing.T) {
	t.Parallel()
	s := open(t)
	_, in := withApp(t, s, nil)
	create(t, s, "a", githubsim.RepoOptions{Private: true, Modes: map[string]string{"run.sh": "100755", "link": "120000"}},
		map[string]string{"docs/x.md": "# x", "run.sh": "#!/bin/sh\n", "link": "docs/x.md"})
	a := request(t, "GET", s.APIURL()+"/repos/acme/a/tarball/main", in.Token(), "")
	if a.Status != http.StatusFound {
		t.Fatalf("%d %s", a.Status, a.Text)
	}
	if b := request(t, "GET", strings.Split(a.Header.Get("Location"), "?")[0], "", ""); b.Status != 404 {
		t.Errorf("without its token the archive gave %d", b.Status)
	}
	b := request(t, "GET", a.Header.Get("Location"), "", "")
	gz, err := gzip.NewReader(strings.NewReader(b.Text))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for tr := tar.NewReader(gz); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		_, name, _ := strings.Cut(h.Name, "/")
		if h.Typeflag == tar.TypeReg || h.Typeflag == tar.TypeSymlink {
			body, err := io.ReadAll(tr)
			if err != nil {
				t.Fatal(err)
			}
			got[name] = h.FileInfo().Mode().String() + " " + h.Linkname + string(body)
		}
	}
	want := map[string]string{"docs/x.md": "-rw-rw-r-- # x", "run.sh": "-rwxrwxr-x #!/bin/sh\n", "link": "Lrw-rw-r-- docs/x.md"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestCompareAndCommits(t *testing.T) {
	t.Parallel()
	s := open(t)
	app, in := withApp(t, s, nil)
	create(t, s, "a", githubsim.RepoOptions{}, map[string]string{"f": "1"})
	if err := s.CreateBranch("acme/a", "side/one", "main"); err != nil {
		t.Fatal(err)
	}
	commit(t, s, "acme/a", "side/one", "s", map[string]*string{"g": new("1"), "f": nil})
	commit(t, s, "acme/a", "main", "m", map[string]*string{"h": new("1")})
	c := client(t, s, app, in)
	cmpn, _, err := c.Repositories.CompareCommits(t.Context(), "acme", "a", "main", "side/one", nil)
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, f := range cmpn.Files {
		files = append(files, f.GetStatus()+" "+f.GetFilename())
	}
	if cmpn.GetStatus() != "diverged" || cmpn.GetAheadBy() != 1 || cmpn.GetBehindBy() != 1 ||
		!cmp.Equal(files, []string{"removed f", "added g"}) {
		t.Errorf("%s %d %d %v", cmpn.GetStatus(), cmpn.GetAheadBy(), cmpn.GetBehindBy(), files)
	}
	b, _, err := c.Repositories.GetBranch(t.Context(), "acme", "a", "side/one", 0)
	if err != nil || b.GetCommit().GetSHA() != s.Head("acme/a", "side/one") {
		t.Errorf("branch %v, %v", b, err)
	}
	log, _, err := c.Repositories.ListCommits(t.Context(), "acme", "a", nil)
	if err != nil || len(log) != 2 || log[0].GetCommit().GetMessage() != "m" {
		t.Errorf("log %v, %v", log, err)
	}
}

func TestWritesOverREST(t *testing.T) {
	t.Parallel()
	s, rc := open(t), listen(t)
	withApp(t, s, rc)
	s.AddToken("pat", "repo")
	steps := []struct {
		method, path, body string
		want               int
		event              string
	}{
		{"POST", "/orgs/acme/repos", `{"name":"made","auto_init":true}`, 201, "repository.created create push"},
		{"POST", "/orgs/acme/repos", `{"name":"made"}`, 422, ""},
		{"PUT", "/repos/acme/made/contents/a.txt", `{"message":"add","content":"aGk="}`, 201, "push"},
		{"PUT", "/repos/acme/made/contents/a.txt", `{"message":"again","content":"aGk="}`, 409, ""},
		{"PUT", "/repos/acme/made/topics", `{"names":["go"]}`, 200, "repository.edited"},
		{"PATCH", "/repos/acme/made", `{"archived":true}`, 200, "repository.archived"},
		{"PATCH", "/repos/acme/made", `{"archived":false,"name":"named"}`, 200, "repository.unarchived repository.renamed"},
		{"POST", "/repos/acme/named/transfer", `{"new_owner":"other"}`, 202, ""},
		{"DELETE", "/repos/other/named", "", 204, ""},
	}
	for _, st := range steps {
		a := request(t, st.method, s.APIURL()+st.path, "pat", st.body)
		if a.Status != st.want {
			t.Fatalf("%s %s: %d %s", st.method, st.path, a.Status, a.Text)
		}
		if got := strings.Join(events(rc.take(t, s)), " "); got != st.event {
			t.Errorf("%s %s sent %q, want %q", st.method, st.path, got, st.event)
		}
	}
	if a := request(t, "POST", s.APIURL()+"/orgs/acme/repos", "", `{"name":"x"}`); a.Status != 401 {
		t.Errorf("anonymous creation: %d", a.Status)
	}
}

func TestPrimaryRateLimit(t *testing.T) {
	t.Parallel()
	ck := &clock{now: time.Now()}
	s := open(t, githubsim.WithRateLimit(3), githubsim.WithClock(ck.Now), githubsim.WithTokenTTL(5*time.Hour))
	_, in := withApp(t, s, nil)
	create(t, s, "a", githubsim.RepoOptions{}, nil)
	token := in.Token()
	for _, want := range []string{"2", "1", "0"} {
		if a := request(t, "GET", s.APIURL()+"/repos/acme/a", token, ""); a.Status != 200 || a.Header.Get("X-RateLimit-Remaining") != want {
			t.Errorf("%d, remaining %s", a.Status, a.Header.Get("X-RateLimit-Remaining"))
		}
	}
	a := request(t, "GET", s.APIURL()+"/repos/acme/a", token, "")
	if a.Status != 403 || a.Header.Get("X-RateLimit-Remaining") != "0" || a.Header.Get("X-RateLimit-Reset") == "" || !strings.Contains(a.Text, "API rate limit exceeded") {
		t.Errorf("%d %v %s", a.Status, a.Header, a.Text)
	}
	// GraphQL has a budget of its own, and asking for the state is free.
	if got := ask(t, s, token, `{viewer{login}}`, nil); got["data"] == nil {
		t.Errorf("graphql: %v", got)
	}
	if a := request(t, "GET", s.APIURL()+"/rate_limit", token, ""); a.Status != 200 || !strings.Contains(a.Text, `"remaining":0`) {
		t.Errorf("rate_limit: %d %s", a.Status, a.Text)
	}
	ck.add(time.Hour + time.Second)
	if a := request(t, "GET", s.APIURL()+"/repos/acme/a", token, ""); a.Status != 200 {
		t.Errorf("after the reset: %d", a.Status)
	}
}

func TestInjectedFaults(t *testing.T) {
	t.Parallel()
	s := open(t)
	_, in := withApp(t, s, nil)
	create(t, s, "a", githubsim.RepoOptions{}, map[string]string{"f": strings.Repeat("x", 5000)})
	token := in.Token()
	const tree = "GET /repos/*/git/trees/*"
	url := s.APIURL() + "/repos/acme/a/git/trees/main"
	get := func() answer { return request(t, "GET", url, token, "") }

	s.Inject(githubsim.Fault{Match: tree, Status: 500, Times: 1, Skip: 1})
	for i, want := range []int{200, 500, 200} {
		if a := get(); a.Status != want {
			t.Errorf("request %d: %d, want %d", i, a.Status, want)
		}
	}
	remove := s.Inject(githubsim.SecondaryLimit(tree, 429, 30*time.Second))
	if a := get(); a.Status != 429 || a.Header.Get("Retry-After") != "30" || !strings.Contains(a.Text, "secondary rate limit") {
		t.Errorf("secondary: %d %v", a.Status, a.Header)
	}
	remove()
	reset := time.Now().Add(time.Minute)
	remove = s.Inject(githubsim.PrimaryLimit("GET /repos/{owner}/{repo}/git/trees/{sha...}", reset))
	if a := get(); a.Status != 403 || a.Header.Get("X-RateLimit-Reset") != itoa(reset.Unix()) {
		t.Errorf("primary: %d %v", a.Status, a.Header)
	}
	remove()
	if a := request(t, "GET", s.APIURL()+"/repos/acme/a", token, ""); a.Status != 200 {
		t.Errorf("another route: %d", a.Status)
	}
	remove = s.Inject(githubsim.Fault{Match: "GET /repos/*/contents/*", CutAfter: 100})
	if a, err := try(t, "GET", s.APIURL()+"/repos/acme/a/contents/f", token, ""); err == nil {
		t.Errorf("a cut answer looked whole: %d %s", a.Status, a.Text)
	}
	remove()
	s.Inject(githubsim.GraphQLError("RATE_LIMITED", "API rate limit exceeded"))
	if got := ask(t, s, token, `{viewer{login}}`, nil); got["errors"].([]any)[0].(map[string]any)["type"] != "RATE_LIMITED" {
		t.Errorf("graphql: %v", got)
	}
	s.ClearFaults()
	s.Inject(githubsim.Fault{Hang: true, Match: tree})
	req, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if res, err := (&http.Client{Timeout: 50 * time.Millisecond}).Do(req); err == nil {
		_ = res.Body.Close()
		t.Error("a hanging request was answered")
	}
	s.ClearFaults()
	s.ResetRequests()
	s.SetLatency(30 * time.Millisecond)
	start := time.Now()
	get()
	if took := time.Since(start); took < 30*time.Millisecond {
		t.Errorf("with latency it took %v", took)
	}
	if got := s.Requests()["GET /repos/{owner}/{repo}/git/trees/{sha...}"]; got.Total != 1 {
		t.Errorf("counted %+v", got)
	}
}

func TestAdminAPI(t *testing.T) {
	t.Parallel()
	s, rc := open(t), listen(t)
	_, in := withApp(t, s, rc)
	steps := []struct{ method, path, body, contains, event string }{
		{"GET", "", "", "The simulator's admin API", ""},
		{"POST", "/repos", `{"owner":"acme","name":"a","files":{"catalog-info.yaml":"kind: API\n"}}`, `"clone_url"`, "repository.created create push"},
		{"POST", "/repos/acme/a/commit", `{"files":{"catalog-info.yaml":null,"b":"2"}}`, `"sha"`, "push"},
		{"PATCH", "/repos/acme/a", `{"name":"b"}`, `"ok":true`, "repository.renamed"},
		{"PUT", "/orgs/acme/members/ada", ``, `"ok":true`, "organization.member_added"},
		{"POST", "/orgs/acme/teams", `{"Name":"Core"}`, `"ok":true`, "team.created"},
		{"PUT", "/orgs/acme/teams/core/members/ada", ``, `"ok":true`, "membership.added"},
		{"DELETE", "/orgs/acme/teams/core", ``, `"ok":true`, "team.deleted"},
		{"POST", "/faults", `{"match":"GET /repos/*","status":503,"times":1}`, `"id":1`, ""},
		{"GET", "/faults", ``, `"status":503`, ""},
		{"GET", "/deliveries", ``, `"event":"push"`, ""},
		{"DELETE", "/repos/acme/none", ``, `Not Found`, ""},
		{"DELETE", "/repos/acme/b", ``, `"ok":true`, "repository.deleted"},
	}
	for _, st := range steps {
		a := request(t, st.method, s.URL()+"/_sim"+st.path, "", st.body)
		if !strings.Contains(a.Text, st.contains) {
			t.Errorf("%s %s: %d %s", st.method, st.path, a.Status, a.Text)
		}
		if got := strings.Join(events(rc.take(t, s)), " "); got != st.event {
			t.Errorf("%s %s sent %q, want %q", st.method, st.path, got, st.event)
		}
	}
	if a := request(t, "GET", s.APIURL()+"/repos/acme/a", in.Token(), ""); a.Status != 503 {
		t.Errorf("the fault did not hit: %d", a.Status)
	}
	if a := request(t, "GET", s.URL()+"/_sim/requests", "", ""); !strings.Contains(a.Text, `"GET /repos/{owner}/{repo}":{"total":1,"notModified":0,"failed":1}`) {
		t.Errorf("requests: %s", a.Text)
	}
}
