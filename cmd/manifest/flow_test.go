package manifest

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/test/githubsim"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"))
}

// running is a flow that waits, and what became of it.
type running struct {
	t       *testing.T
	flow    *Flow
	address string
	stop    context.CancelFunc
	saved   []githubapp.CreatedApp
	refused []error
	done    chan outcome
}

func start(t *testing.T, change func(*Flow)) *running {
	t.Helper()
	m, err := New("Callboard acme", "https://portal.example", Needed(true))
	if err != nil {
		t.Fatal(err)
	}
	r := &running{t: t, done: make(chan outcome, 1)}
	r.flow = &Flow{
		Host: githubapp.Host{Host: "github.example"}, Org: "acme", Manifest: m,
		Save:    func(app githubapp.CreatedApp) error { r.saved = append(r.saved, app); return nil },
		Refused: func(err error) { r.refused = append(r.refused, err) },
		Convert: func(context.Context, githubapp.Host, string) (githubapp.CreatedApp, error) {
			return githubapp.CreatedApp{ID: 7, Name: "<b>", HTMLURL: "https://github.example/apps/callboard-acme"}, nil
		},
	}
	if change != nil {
		change(r.flow)
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	r.stop = stop
	ready := make(chan string, 1)
	go func() {
		app, err := r.flow.Run(ctx, l, func(address string) { ready <- address })
		r.done <- outcome{app, err}
	}()
	r.address = <-ready
	t.Cleanup(stop)
	return r
}

// at is an address of the local server.
func (r *running) at(path string) string {
	u, err := url.Parse(r.address)
	if err != nil {
		r.t.Fatal(err)
	}
	return "http://" + u.Host + path
}

func (r *running) get(address, host string) (int, http.Header, string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, address, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	if host != "" {
		req.Host = host
	}
	req.Close = true
	return send(r.t, req)
}

func send(t *testing.T, req *http.Request) (int, http.Header, string) {
	t.Helper()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(body)
}

var (
	action = regexp.MustCompile(`action="([^"]+)"`)
	hidden = regexp.MustCompile(`name="manifest" value="([^"]+)"`)
)

func unescape(s string) string { return strings.NewReplacer("&#34;", `"`, "&amp;", "&").Replace(s) }

// The whole way, with a GitHub that makes the App: as a browser would go it.
func TestFlow(t *testing.T) {
	t.Parallel()
	sim, err := githubsim.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	if _, err := sim.CreateRepo("acme", "cart", githubsim.RepoOptions{}, nil); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "credentials.yaml")
	reserved, err := Reserve(file, false)
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, func(f *Flow) {
		f.Host = githubapp.Host{Host: strings.TrimPrefix(sim.URL(), "http://"), BaseURL: sim.URL()}
		f.Convert = githubapp.ConvertManifest
		f.Save = func(app githubapp.CreatedApp) error {
			content, err := Credentials(app)
			if err != nil {
				return err
			}
			return reserved.Write(content)
		}
	})
	status, header, body := r.get(r.address, "")
	if status != http.StatusOK || !strings.Contains(body, "members: read") {
		t.Fatalf("%d %s", status, body)
	}
	if csp := header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "form-action 'self' "+sim.URL()) {
		t.Errorf("Content-Security-Policy %q", csp)
	}
	target, text := action.FindStringSubmatch(body), hidden.FindStringSubmatch(body)
	if target == nil || text == nil {
		t.Fatalf("no form in %s", body)
	}
	to, err := url.Parse(unescape(target[1]))
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"manifest": {unescape(text[1])}, "state": {to.Query().Get("state")}, "confirm": {"yes"}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to.String(), strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	status, _, body = send(t, req) // the client follows GitHub back
	if status != http.StatusOK || !strings.Contains(body, "Callboard acme is made") || !strings.Contains(body, "/installations/new") {
		t.Fatalf("%d %s", status, body)
	}
	out := <-r.done
	if out.err != nil || out.app.Slug != "callboard-acme" {
		t.Fatalf("%+v", out)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("credentials: %v, %v", info, err)
	}
}

func TestCallbackIsChecked(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	good := "/callback?code=c0de&state=" + r.flow.state
	tests := []struct {
		name, path, host string
		want             int
	}{
		{"no state", "/callback?code=c0de", "", 403},
		{"wrong state", "/callback?code=c0de&state=x", "", 403},
		{"no code", "/callback?state=" + r.flow.state, "", 400},
		{"code that is a path", "/callback?code=..%2f..%2fuser&state=" + r.flow.state, "", 400},
		{"dots", "/callback?code=..&state=" + r.flow.state, "", 400},
		{"long code", "/callback?code=" + strings.Repeat("a", 256) + "&state=" + r.flow.state, "", 400},
		{"name of a stranger", good, "attacker.example", 403},
		{"page by a name of a stranger", "/" + r.flow.start, "attacker.example", 403},
		{"another port", good, "127.0.0.1:1", 403},
		{"root", "/", "", 404},
		{"guess", "/AAAAAAAAAAAAAAAAAAAAAAAAAA", "", 404},
	}
	for _, tt := range tests {
		status, _, body := r.get(r.at(tt.path), tt.host)
		if status != tt.want || strings.Contains(body, r.flow.state) {
			t.Errorf("%s: %d %s, want %d", tt.name, status, body, tt.want)
		}
	}
	if len(r.saved) > 0 {
		t.Fatalf("saved %v", r.saved)
	}
	status, header, body := r.get(r.at(good), "")
	if status != http.StatusOK || strings.Contains(body, "<b>") || header.Get("Cache-Control") != "no-store" || header.Get("Referrer-Policy") != "origin" {
		t.Errorf("%d %v %s", status, header, body)
	}
	if out := <-r.done; out.err != nil || out.app.ID != 7 {
		t.Errorf("%+v", out)
	}
}

// A second answer that comes while the first is worked on finds it done.
func TestSecondCallback(t *testing.T) {
	t.Parallel()
	converting, goOn := make(chan struct{}), make(chan struct{})
	flow := &Flow{
		start: "start", state: "state", hosts: []string{"127.0.0.1:1"}, done: make(chan outcome, 1),
		Save: func(githubapp.CreatedApp) error { return nil },
		Convert: func(context.Context, githubapp.Host, string) (githubapp.CreatedApp, error) {
			close(converting) // a second time it would panic
			<-goOn
			return githubapp.CreatedApp{}, nil
		},
	}
	handler, statuses := flow.handler(), make(chan int, 2)
	ask := func() {
		w := &recorder{header: http.Header{}}
		handler.ServeHTTP(w, &http.Request{
			Method: http.MethodGet, Host: "127.0.0.1:1", URL: &url.URL{Path: "/callback", RawQuery: "code=c0de&state=state"},
		})
		statuses <- w.status
	}
	go ask()
	<-converting
	go ask()
	close(goOn)
	if got := <-statuses + <-statuses; got != http.StatusOK+http.StatusConflict {
		t.Errorf("the statuses add up to %d", got)
	}
}

// A code that GitHub refuses, or a GitHub that is slow, can be tried again.
func TestRefusedCode(t *testing.T) {
	t.Parallel()
	tries := 0
	r := start(t, func(f *Flow) {
		convert := f.Convert
		f.Convert = func(ctx context.Context, h githubapp.Host, code string) (githubapp.CreatedApp, error) {
			if tries++; tries == 1 {
				return githubapp.CreatedApp{}, errors.New("<i>no</i>")
			}
			return convert(ctx, h, code)
		}
	})
	path := r.at("/callback?code=c0de&state=" + r.flow.state)
	if status, _, body := r.get(path, ""); status != http.StatusBadGateway || strings.Contains(body, "<i>") || len(r.refused) != 1 {
		t.Errorf("%d %s, told %v", status, body, r.refused)
	}
	if status, _, body := r.get(path, ""); status != http.StatusOK {
		t.Errorf("%d %s", status, body)
	}
	if out := <-r.done; out.err != nil {
		t.Error(out.err)
	}
}

// Ctrl-C ends the wait, but not an exchange under way: the credentials come once.
func TestStop(t *testing.T) {
	t.Parallel()
	t.Run("while waiting", func(t *testing.T) {
		t.Parallel()
		r := start(t, nil)
		r.stop()
		if out := <-r.done; !errors.Is(out.err, context.Canceled) {
			t.Errorf("%+v", out)
		}
	})
	t.Run("while exchanging", func(t *testing.T) {
		t.Parallel()
		var r *running
		r = start(t, func(f *Flow) {
			convert := f.Convert
			f.Convert = func(ctx context.Context, h githubapp.Host, code string) (githubapp.CreatedApp, error) {
				r.stop()
				select { // the exchange is not told to stop
				case <-ctx.Done():
					return githubapp.CreatedApp{}, ctx.Err()
				case <-time.After(50 * time.Millisecond):
				}
				return convert(ctx, h, code)
			}
		})
		r.get(r.at("/callback?code=c0de&state="+r.flow.state), "")
		if out := <-r.done; out.err != nil || len(r.saved) != 1 {
			t.Errorf("%+v, saved %d", out, len(r.saved))
		}
	})
}

func TestSaveFails(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	r := start(t, func(f *Flow) { f.Save = func(githubapp.CreatedApp) error { return full } })
	if status, _, _ := r.get(r.at("/callback?code=c0de&state="+r.flow.state), ""); status != http.StatusInternalServerError {
		t.Errorf("status %d", status)
	}
	if out := <-r.done; !errors.Is(out.err, full) {
		t.Errorf("%+v", out)
	}
}

func FuzzCallback(f *testing.F) {
	for _, q := range []string{"", "code=a", "code=a&state=b", "state=%zz", "code=..%2f&state=", "code=a;state=b"} {
		f.Add(q, "127.0.0.1:1")
	}
	f.Add("code=a", "attacker.example")
	f.Fuzz(func(t *testing.T, query, host string) {
		flow := &Flow{
			Refused: func(error) {},
			start:   "start", state: "state", hosts: []string{"127.0.0.1:1"}, done: make(chan outcome, 1),
			Convert: func(_ context.Context, _ githubapp.Host, code string) (githubapp.CreatedApp, error) {
				if !codes.MatchString(code) || strings.ContainsAny(code, "/?#%") {
					t.Errorf("code %q", code)
				}
				return githubapp.CreatedApp{}, nil
			},
			Save: func(githubapp.CreatedApp) error {
				// What cannot be read of a query is left out of it.
				if values, _ := url.ParseQuery(query); values.Get("state") != "state" || host != "127.0.0.1:1" {
					t.Errorf("saved for query %q of host %q", query, host)
				}
				return nil
			},
		}
		w := &recorder{header: http.Header{}}
		flow.handler().ServeHTTP(w, &http.Request{
			Method: http.MethodGet, Host: host, URL: &url.URL{Path: "/callback", RawQuery: query},
		})
		if w.status == 0 {
			t.Error("no answer")
		}
	})
}

type recorder struct {
	header http.Header
	status int
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) Write(p []byte) (int, error) { return len(p), nil }
func (r *recorder) WriteHeader(status int)      { r.status = status }
