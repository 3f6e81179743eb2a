package githubapp

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// canned answers every request with the same.
type canned struct {
	status int
	header http.Header
	body   string
}

// RoundTrip implements http.RoundTripper.
func (c canned) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: c.status, Header: c.header.Clone(), Body: io.NopCloser(strings.NewReader(c.body)), Request: req}, nil
}

// answering makes clients with a token that get the same answer to everything.
func answering(tb testing.TB, c canned) *Clients {
	tb.Helper()
	clients, err := New([]Host{{Host: "github.com", Token: "secret"}}, 0)
	if err != nil {
		tb.Fatal(err)
	}
	clients.base = c
	return clients
}

// Whatever GitHub answers, a page says no more than it can know.
func FuzzPage(f *testing.F) {
	const page = `{"data":{"repositoryOwner":{"repositories":{"totalCount":2,"pageInfo":{"hasNextPage":true,"endCursor":"a"},"nodes":[` +
		`{"databaseId":1,"name":"one","owner":{"login":"acme"},"pushedAt":"2026-11-01T12:00:00Z","defaultBranchRef":{"name":"main","target":{"oid":"c"}},` +
		`"file":{"oid":"b","byteSize":1,"text":"x","isBinary":false,"isTruncated":false}},null]}}}`
	f.Add(200, page+`}`)
	f.Add(200, page+`,"errors":[{"message":"no","path":["repositoryOwner","repositories","nodes",1]}]}`)
	f.Add(200, page+`,"errors":[{"type":"RATE_LIMITED","message":"no"}]}`)
	f.Add(200, `{"data":null,"errors":[{"type":"RESOURCE_LIMITS_EXCEEDED","message":"no"}]}`)
	f.Add(502, `<html>`)
	f.Add(200, `[{"id":1,"node_id":"n","name":"one","owner":{"login":"acme"},"pushed_at":null}]`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			status = http.StatusOK
		}
		c := answering(t, canned{status: status, body: body})
		for _, cursor := range []string{"", "r:0"} {
			p, err := c.Repositories(t.Context(), Account{Host: "github.com", Login: "acme"}, PageQuery{Size: 100, Path: "p", Cursor: cursor})
			if err != nil {
				continue
			}
			if p.Next == cursor && cursor != "" || p.Requests == 0 || p.Unreadable < 0 {
				t.Errorf("the page is %+v", p)
			}
			for _, r := range p.Repositories {
				if r.ID == 0 || r.Name == "" || r.Owner == "" || r.HeadUnknown && r.Head != "" || r.Text != nil && len(*r.Text) > maxTravel {
					t.Errorf("a repository is %+v", r)
				}
			}
		}
		if people, err := c.People(t.Context(), "github.com", "acme", 0, PeopleQuery{}); err == nil && people.Requests < 2 {
			t.Errorf("the people are %+v", people)
		}
	})
}

// Whatever the headers say, nobody is kept away for longer than a day.
func FuzzLimits(f *testing.F) {
	f.Add(403, "60", "5000", "0", "1793534400", "core", "")
	f.Add(429, "Wed, 21 Oct 2026 07:28:00 GMT", "", "", "", "", "")
	f.Add(200, "", "5000", "4999", "1793534400", "graphql", "")
	f.Add(403, "-1", "x", "y", "z", "\x00", "You have exceeded a secondary rate limit")
	f.Fuzz(func(t *testing.T, status int, after, limit, remaining, reset, resource, body string) {
		h := http.Header{
			"Retry-After": {after}, "X-Ratelimit-Limit": {limit}, "X-Ratelimit-Remaining": {remaining},
			"X-Ratelimit-Reset": {reset}, "X-Ratelimit-Resource": {resource},
		}
		g := &governor{now: func() time.Time { return noon }, slots: slots{max: 1}, ledger: ledger{share: 0.2}}
		res := &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}
		wait, limited := g.settle(res, rankPush, coreResource, noon)
		if wait > 25*time.Hour || limited && wait <= 0 {
			t.Errorf("limited %v, for %s", limited, wait)
		}
		if again, ok := g.ledger.admit(noon.Add(25*time.Hour), rankScan, coreResource, 1); !ok {
			t.Errorf("a day later it waits until %s", again)
		}
	})
}

// What the governor adds to a request.
func BenchmarkRoundTrip(b *testing.B) {
	answer := canned{status: http.StatusOK, header: header(15_000_000, 14_000_000, time.Now().Add(time.Hour)), body: `{}`}
	for name, tr := range map[string]http.RoundTripper{
		"bare": answer,
		"governed": &governor{
			base: answer, now: time.Now, patience: time.Second, slots: slots{max: 50, share: 0.2}, ledger: ledger{share: 0.2},
		},
	} {
		b.Run(name, func(b *testing.B) {
			req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "https://api.github.com/repos/a/b", nil)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				res, err := tr.RoundTrip(req)
				if err != nil {
					b.Fatal(err)
				}
				_ = res.Body.Close()
			}
		})
	}
}

// A page of a hundred repositories with their descriptors.
func BenchmarkPage(b *testing.B) {
	node := `{"databaseId":1,"name":"one","owner":{"login":"acme"},"url":"https://github.com/acme/one","visibility":"PUBLIC",` +
		`"pushedAt":"2026-11-01T12:00:00Z","defaultBranchRef":{"name":"main","target":{"oid":"c"}},"repositoryTopics":{"nodes":[{"topic":{"name":"go"}}]},` +
		`"file":{"oid":"b","byteSize":1000,"text":"` + strings.Repeat("x", 1000) + `","isBinary":false,"isTruncated":false}}`
	c := answering(b, canned{status: http.StatusOK, body: `{"data":{"repositoryOwner":{"repositories":{"totalCount":5000,` +
		`"pageInfo":{"hasNextPage":true,"endCursor":"a"},"nodes":[` + strings.TrimSuffix(strings.Repeat(node+",", 100), ",") + `]}}}}`})
	b.ReportAllocs()
	for b.Loop() {
		p, err := c.Repositories(b.Context(), Account{Host: "github.com", Login: "acme"}, PageQuery{Size: 100, Path: "catalog-info.yaml"})
		if err != nil || len(p.Repositories) != 100 {
			b.Fatal(err)
		}
	}
}
