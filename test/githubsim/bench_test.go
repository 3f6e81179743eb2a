package githubsim_test

import (
	"net/http"
	"testing"

	"github.com/callboard/callboard/test/githubsim"
)

// BenchmarkCreateRepo is what setting up a big organisation costs a repository.
func BenchmarkCreateRepo(b *testing.B) {
	s := open(b)
	files := map[string]string{"catalog-info.yaml": "kind: Component\n", "README.md": "# x\n", "src/main.go": "package main\n"}
	n := int64(0)
	for b.Loop() {
		n++
		create(b, s, "r"+itoa(n), githubsim.RepoOptions{}, files, githubsim.Quiet())
	}
}

// BenchmarkCommit includes the push webhook, without its delivery.
func BenchmarkCommit(b *testing.B) {
	s := open(b)
	app, _ := withApp(b, s, nil)
	app.SetWebhook("http://127.0.0.1:1/", secret)
	s.PauseDeliveries()
	create(b, s, "r", githubsim.RepoOptions{}, map[string]string{"f": "x"}, githubsim.Quiet())
	n := int64(0)
	for b.Loop() {
		n++
		commit(b, s, "acme/r", "main", "m", map[string]*string{"f": new(itoa(n))})
	}
}

func benchmarkGet(b *testing.B, path string, headers ...string) {
	s := open(b)
	_, in := withApp(b, s, nil)
	create(b, s, "r", githubsim.RepoOptions{}, map[string]string{"catalog-info.yaml": "kind: API\n", "a/b": "1", "a/c": "2"}, githubsim.Quiet())
	token := in.Token()
	etag := request(b, "GET", s.APIURL()+path, token, "", headers...).Header.Get("ETag")
	if len(headers) > 0 {
		headers = append(headers, "If-None-Match", etag)
	}
	b.ResetTimer()
	for b.Loop() {
		if a := request(b, "GET", s.APIURL()+path, token, "", headers...); a.Status != 200 && a.Status != http.StatusNotModified {
			b.Fatal(a)
		}
	}
}

func BenchmarkGetHead304(b *testing.B) {
	benchmarkGet(b, "/repos/acme/r/commits/main", "Accept", "application/vnd.github.sha")
}

func BenchmarkGetTree(b *testing.B) { benchmarkGet(b, "/repos/acme/r/git/trees/main?recursive=1") }

func BenchmarkGetRepo(b *testing.B) { benchmarkGet(b, "/repos/acme/r") }

// BenchmarkGraphQLPage is one page of a scan: 100 repositories with the text of
// their descriptors.
func BenchmarkGraphQLPage(b *testing.B) {
	s := open(b)
	_, in := withApp(b, s, nil)
	for i := range 100 {
		create(b, s, "r"+itoa(int64(i)), githubsim.RepoOptions{}, map[string]string{"catalog-info.yaml": "kind: API\n"}, githubsim.Quiet())
	}
	token := in.Token()
	const body = `{"query":"{repositoryOwner(login:\"acme\"){repositories(first:100){pageInfo{hasNextPage endCursor} nodes{databaseId nameWithOwner url isArchived isFork visibility pushedAt repositoryTopics(first:100){nodes{topic{name}}} defaultBranchRef{name target{oid ... on Commit{tree{oid}}}} object(expression:\"HEAD:catalog-info.yaml\"){oid ... on Blob{text}}}}}}"}`
	for b.Loop() {
		if a := request(b, "POST", s.GraphQLURL(), token, body); a.Status != 200 {
			b.Fatal(a)
		}
	}
}

// BenchmarkListPage is one page of a scan of a big organisation.
func BenchmarkListPage(b *testing.B) {
	s := open(b)
	_, in := withApp(b, s, nil)
	for n := range int64(2000) {
		create(b, s, "r"+itoa(n), githubsim.RepoOptions{}, map[string]string{"catalog-info.yaml": "kind: API\n"}, githubsim.Quiet())
	}
	const body = `{"query":"{repositoryOwner(login:\"acme\"){repositories(first:100,orderBy:{field:CREATED_AT,direction:ASC}){totalCount nodes{databaseId nameWithOwner isArchived pushedAt repositoryTopics(first:20){nodes{topic{name}}} defaultBranchRef{name target{oid}} object(expression:\"HEAD:catalog-info.yaml\"){... on Blob{oid byteSize text}}}}}}"}`
	token := in.Token()
	b.ReportAllocs()
	for b.Loop() {
		if a := request(b, "POST", s.GraphQLURL(), token, body); a.Status != http.StatusOK {
			b.Fatal(a.Text)
		}
	}
}
