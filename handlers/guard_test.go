package handlers_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/callboard/callboard/handlers"
	"github.com/callboard/callboard/handlers/access"
	"github.com/callboard/callboard/storage"
)

// guarded is the whole table over the same store, for the callers of cfg.
func (f *fixture) guarded(cfg access.Config) *fixture {
	deps := f.deps
	deps.Access, deps.Metrics = cfg, prometheus.NewRegistry()
	guarded := *f
	guarded.Handler = handlers.New(deps)
	return &guarded
}

const (
	missing = "AuthenticationError: Missing credentials"
	illegal = "AuthenticationError: Illegal token"
	refused = "NotAllowedError: This token's access "
)

// refusal is why access control refused a request, "" if it did not.
func (f *fixture) refusal(method, path string, header ...string) string {
	f.t.Helper()
	w := f.do(method, path, "{}", header...)
	if w.Code != http.StatusUnauthorized && w.Code != http.StatusForbidden {
		return ""
	}
	m := regexp.MustCompile(`"name":"(\w+)","message":"(.*?)"\}`).FindStringSubmatch(w.Body.String())
	if m == nil || (w.Code == http.StatusUnauthorized) != (w.Header().Get("WWW-Authenticate") == "Bearer") {
		f.t.Errorf("%s %s: %d %v %s", method, path, w.Code, w.Header(), w.Body)
		return ""
	}
	return m[1] + ": " + m[2]
}

var parameter = regexp.MustCompile(`\{[^}]*\}`)

// Each route of the table refuses the wrong caller and lets the right one in.
func TestEveryRouteIsGuarded(t *testing.T) {
	t.Parallel()
	f := setup(t, shop()...)
	table := handlers.Table(f.deps)
	if len(table) < 15 {
		t.Fatalf("only %d routes", len(table))
	}
	for _, route := range table {
		rest, api := strings.CutPrefix(route.Path, "/api/")
		plugin, _, _ := strings.Cut(rest, "/")
		if !api || route.Signed {
			if route.Name != "" || route.Open == route.Signed {
				t.Errorf("%s: is it open, signed, or for who has a permission?", route.Path)
			}
			continue
		}
		if !strings.HasPrefix(route.Name, plugin+".") || route.Open {
			t.Errorf("%s %s: permission %q is not one of %s", route.Method, route.Path, route.Name, plugin)
		}
		mayRead := route.Method == "GET" || route.Method == "POST" // a predicate is too long for a URL
		if route.Method == "GET" && !route.Reads || route.Reads && (!mayRead || route.Action != "read") {
			t.Errorf("%s %s needs %+v: does it read or change?", route.Method, route.Path, route.Permission)
		}
		f.checkRoute(route, plugin)
	}
}

func (f *fixture) checkRoute(route handlers.Scoped, plugin string) {
	f.t.Helper()
	limit := func(plugin string, l access.Restriction) map[string]access.Restriction {
		return map[string]access.Restriction{plugin: l}
	}
	g := f.guarded(access.Config{External: []access.External{
		{Subject: "all", Token: "token-all"},
		{Subject: "elsewhere", Token: "token-elsewhere", Restrictions: limit("search", access.Restriction{})},
		{Subject: "other", Token: "token-other", Restrictions: limit(plugin, access.Restriction{Permissions: []string{plugin + ".other"}})},
		{Subject: "action", Token: "token-action", Restrictions: limit(plugin, access.Restriction{Actions: []string{"other"}})},
		{Subject: "just", Token: "token-just", Restrictions: limit(plugin, access.Restriction{Permissions: []string{route.Name}})},
	}})
	readers := f.guarded(access.Config{AnonymousRead: true})
	path := parameter.ReplaceAllString(route.Path, "x")
	anonymousRead := missing
	if route.Reads {
		anonymousRead = ""
	}
	tests := []struct {
		what  string
		on    *fixture
		token string
		want  string // how the refusal begins
	}{
		{"nobody", g, "", missing},
		{"a wrong token", g, "token-none", illegal},
		{"a token for elsewhere", g, "token-elsewhere", refused + "is restricted to plugin(s) 'search'"},
		{"a token for another permission", g, "token-other", refused + "does not include " + route.Name},
		{"a token for another action", g, "token-action", refused + "does not include " + route.Name},
		{"a token for just this", g, "token-just", ""},
		{"a token for everything", g, "token-all", ""},
		{"nobody, where all may read", readers, "", anonymousRead},
		{"nobody, where all is open", f, "", ""},
		{"a wrong token, where all is open", f, "token-none", illegal},
	}
	for _, tt := range tests {
		var header []string
		if tt.token != "" {
			header = []string{"Authorization", "Bearer " + tt.token}
		}
		got := tt.on.refusal(route.Method, path, header...)
		if (tt.want == "") != (got == "") || !strings.HasPrefix(got, tt.want) {
			f.t.Errorf("%s %s for %s: %q, want %q", route.Method, route.Path, tt.what, got, tt.want)
		}
	}
	f.checkCrossOrigin(g, route, path)
}

// Pages of other sites may not use a browser that needs no credential.
func (f *fixture) checkCrossOrigin(tokens *fixture, route handlers.Scoped, path string) {
	f.t.Helper()
	want := "NotAllowedError: Cross-origin request refused"
	if route.Reads {
		want = ""
	}
	if got := f.refusal(route.Method, path, "Sec-Fetch-Site", "cross-site"); got != want {
		f.t.Errorf("%s %s from another site: %q, want %q", route.Method, route.Path, got, want)
	}
	if got := tokens.refusal(route.Method, path, "Sec-Fetch-Site", "cross-site", "Authorization", "Bearer token-all"); got != "" {
		f.t.Errorf("%s %s from another site with a token: %q", route.Method, route.Path, got)
	}
}

// Below a plugin the answer is the same for every path until somebody may call
// it (contract platform HTTP-04); a refusal says nothing of the token.
func TestUnknownPathsAreGuarded(t *testing.T) {
	t.Parallel()
	f := setup(t, shop()...)
	g := f.guarded(access.Config{External: []access.External{{Subject: "s", Token: "token-all"}}})
	for _, plugin := range []string{"catalog", "callboard"} {
		for _, tt := range []struct{ method, path string }{
			{"GET", "/api/" + plugin}, {"GET", "/api/" + plugin + "/"}, {"GET", "/api/" + plugin + "/nope"}, {"PATCH", "/api/" + plugin + "/entities"},
			{"GET", "/API/" + strings.ToUpper(plugin) + "/nope"}, {"GET", "/api/" + plugin + "//entities"}, {"OPTIONS", "/api/" + plugin + "/status"},
		} {
			if got := g.refusal(tt.method, tt.path); got != missing {
				t.Errorf("%s %s: %q", tt.method, tt.path, got)
			}
			w := g.do(tt.method, tt.path, "", "Authorization", "Bearer token-all")
			if w.Code != 404 || w.Body.Len() > 0 {
				t.Errorf("%s %s with a token: %d %s", tt.method, tt.path, w.Code, w.Body)
			}
		}
	}
	for _, open := range []string{"/", "/metrics", "/.backstage/health/v1/liveness"} {
		if w := g.get(open); w.Code != 200 {
			t.Errorf("%s: %d", open, w.Code)
		}
	}
	for _, unknown := range []string{"/nope", "/api", "/api/search/query", "/api/catalogue"} {
		if w := g.get(unknown); w.Code != 404 || w.Body.Len() > 0 {
			t.Errorf("%s: %d %s", unknown, w.Code, w.Body)
		}
	}
	w := g.get("/API/catalog/entities?filter=kind=api", "Authorization", "Bearer s3cret-token")
	same(t, "the envelope", envelope(401, "AuthenticationError", "Illegal token", "GET", "/entities?filter=kind=api"), w.Body.String())
	if w := g.do("HEAD", "/api/catalog/entities", ""); w.Code != 401 {
		t.Errorf("HEAD: %d", w.Code)
	}
	if w := g.do("POST", "/webhooks/github", "{}"); w.Code != 202 {
		t.Errorf("webhook: %d", w.Code)
	}
}

// Whose token asked for work stands in its cause.
func TestActorOfARefresh(t *testing.T) {
	t.Parallel()
	f := setup(t, shop()...)
	f.repository(storage.Repository{ID: 1, Host: "github.com", Owner: "acme", Name: "shop", State: storage.RepositoryActive})
	g := f.guarded(access.Config{External: []access.External{{Subject: "ci-bot", Token: "token-all"}}})
	if w := g.do("POST", "/api/callboard/repositories/acme/shop/refresh", "", "Authorization", "Bearer token-all"); w.Code != 202 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	w := f.get("/api/callboard/repositories/acme/shop")
	if want := `"actor":"ci-bot"`; !strings.Contains(w.Body.String(), want) {
		t.Errorf("the answer lacks %s: %s", want, fmt.Sprintf("%.900s", w.Body))
	}
}

// A page whose name was made to lead to our address asks the host that it comes
// from. Its name gives it away, where ours is known.
func TestPagesOfForeignNames(t *testing.T) {
	t.Parallel()
	f := setup(t, shop()...)
	tests := []struct {
		site, host, origin string
		refused            bool
	}{
		{"portal.acme.test", "evil.example", "http://evil.example", true},
		{"portal.acme.test", "evil.example:7007", "http://evil.example:7007", true},
		{"Portal.acme.test", "portal.acme.test", "https://portal.acme.test", false},
		{"portal.acme.test", "portal.acme.test:7007", "http://portal.acme.test:7007", false},
		{"portal.acme.test", "portal.acme.test", "http://portal.acme.test.evil.example", true},
		{"portal.acme.test", "portal.acme.test", "null", true},
		{"portal.acme.test", "portal.acme.test", "http://%zz", true},
		{"portal.acme.test", "192.0.2.1:7007", "http://192.0.2.1:7007", false},
		{"portal.acme.test", "[::1]:7007", "http://[::1]:7007", false},
		{"portal.acme.test", "localhost:7007", "http://localhost:7007", false},
		{"portal.acme.test", "192.0.2.1:7007", "http://192.0.2.2:7007", true},
		{"portal.acme.test", "evil.example", "", false}, // no browser
		{"", "portal.acme.test", "http://portal.acme.test", false},
		{"", "portal.acme.test", "http://evil.example", true},
	}
	for _, tt := range tests {
		g := f.guarded(access.Config{Open: true, Site: tt.site, External: []access.External{{Subject: "s", Token: "token-all"}}})
		url := "http://" + tt.host + "/api/catalog/refresh"
		want := ""
		if tt.refused {
			want = "NotAllowedError: Cross-origin request refused"
		}
		var header []string
		if tt.origin != "" {
			header = []string{"Origin", tt.origin}
		}
		if got := g.refusal("POST", url, header...); got != want {
			t.Errorf("%+v: %q", tt, got)
		}
		if got := g.refusal("POST", url, append(header, "Authorization", "Bearer token-all")...); got != "" {
			t.Errorf("%+v with a token: %q", tt, got)
		}
	}
}

// No cache gives an answer to somebody else, or without asking.
func TestAnswersAreNotKept(t *testing.T) {
	t.Parallel()
	f := setup(t, shop()...)
	closed := f.guarded(access.Config{})
	etag := f.get("/api/catalog/entities/by-uid/c-1").Header().Get("ETag")
	tests := []struct {
		on           *fixture
		method, path string
		header       []string
		status       int
	}{
		{f, "GET", "/api/catalog/entities", nil, 200},
		{f, "GET", "/api/catalog/entities/by-uid/c-1", nil, 200},
		{f, "GET", "/api/catalog/entities/by-uid/c-1", []string{"If-None-Match", etag}, 304},
		{f, "GET", "/api/catalog/entities/by-uid/none", nil, 404},
		{f, "POST", "/api/catalog/entities/by-refs", nil, 400},
		{f, "GET", "/api/catalog/nothing", nil, 404},
		{f, "GET", "/api/callboard/status", nil, 200},
		{closed, "GET", "/api/catalog/entities", nil, 401},
	}
	for _, tt := range tests {
		w := tt.on.do(tt.method, tt.path, "", tt.header...)
		if h := w.Header(); w.Code != tt.status || h.Get("Cache-Control") != "private, no-cache" || !strings.Contains(strings.Join(h.Values("Vary"), ","), "Authorization") {
			t.Errorf("%s %s: %d %v", tt.method, tt.path, w.Code, h)
		}
	}
	stream := f.do("HEAD", "/api/callboard/changes", "", "Accept", "text/event-stream")
	if got := stream.Header().Get("Cache-Control"); got != "no-store" {
		t.Errorf("a stream: %q", got)
	}
}
