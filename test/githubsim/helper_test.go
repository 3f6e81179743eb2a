package githubsim_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/callboard/callboard/test/githubsim"
)

// open starts a simulator that ends with the test.
func open(t testing.TB, opts ...githubsim.Option) *githubsim.Server {
	t.Helper()
	s, err := githubsim.Open(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// received is one webhook as it arrived.
type received struct {
	Header http.Header
	Raw    []byte
	Body   map[string]any
}

func (r received) event() string {
	action, _ := r.Body["action"].(string)
	return strings.TrimSuffix(r.Header.Get("X-GitHub-Event")+"."+action, ".")
}

// receiver keeps the webhooks it gets and answers with status.
type receiver struct {
	URL string

	mu     sync.Mutex
	status int
	got    []received
}

func listen(t testing.TB) *receiver {
	t.Helper()
	rc := &receiver{status: http.StatusAccepted}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		var body map[string]any
		_ = json.Unmarshal(raw, &body)
		rc.mu.Lock()
		defer rc.mu.Unlock()
		rc.got = append(rc.got, received{r.Header.Clone(), raw, body})
		w.WriteHeader(rc.status)
	}))
	t.Cleanup(srv.Close)
	rc.URL = srv.URL
	return rc
}

func (rc *receiver) answer(status int) {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	rc.status = status
}

// take waits for the deliveries and hands out what came since the last take.
func (rc *receiver) take(t testing.TB, s *githubsim.Server) []received {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := s.WaitDeliveries(ctx); err != nil {
		t.Fatal(err)
	}
	rc.mu.Lock()
	defer rc.mu.Unlock()
	out := rc.got
	rc.got = nil
	return out
}

func events(got []received) []string {
	var out []string
	for _, g := range got {
		out = append(out, g.event())
	}
	return out
}

const secret = "it is a secret"

// withApp adds an App that is installed on all of acme and reports to rc.
func withApp(t testing.TB, s *githubsim.Server, rc *receiver) (*githubsim.App, *githubsim.Installation) {
	t.Helper()
	o := githubsim.AppOptions{WebhookSecret: secret}
	if rc != nil {
		o.WebhookURL = rc.URL
	}
	app, err := s.AddApp("callboard", o)
	if err != nil {
		t.Fatal(err)
	}
	in, err := s.Install(app, "acme", nil, githubsim.Quiet())
	if err != nil {
		t.Fatal(err)
	}
	return app, in
}

func create(t testing.TB, s *githubsim.Server, name string, o githubsim.RepoOptions, files map[string]string, opts ...githubsim.EditOption) *githubsim.Repo {
	t.Helper()
	r, err := s.CreateRepo("acme", name, o, files, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func commit(t testing.TB, s *githubsim.Server, repo, branch, message string, changes map[string]*string, opts ...githubsim.EditOption) string {
	t.Helper()
	sha, err := s.Commit(repo, branch, message, changes, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return sha
}

// jwt signs an App's token.
func jwt(t testing.TB, app *githubsim.App, issued time.Time, life time.Duration) string {
	t.Helper()
	claims := fmt.Sprintf(`{"iss":"%d","iat":%d,"exp":%d}`, app.ID(), issued.Unix(), issued.Add(life).Unix())
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." +
		base64.RawURLEncoding.EncodeToString([]byte(claims))
	sum := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPKCS1v15(rand.Reader, app.Key(), crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(sig)
}

// answer is an HTTP answer, read.
type answer struct {
	Status int
	Header http.Header
	Text   string
}

func (a answer) decode(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.Text), v); err != nil {
		t.Fatalf("decode %q: %v", a.Text, err)
	}
}

// request asks without following redirects. Headers come in pairs.
func request(t testing.TB, method, url, token, body string, headers ...string) answer {
	t.Helper()
	a, err := try(t, method, url, token, body, headers...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func try(t testing.TB, method, url, token, body string, headers ...string) (answer, error) {
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(b)}, err
}

// git runs the ordinary client, free of the machine's configuration.
func git(t testing.TB, dir string, args ...string) string {
	t.Helper()
	out, err := tryGit(t, dir, args...)
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(out)
}

func tryGit(t testing.TB, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@acme.example",
		"GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@acme.example")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func write(t testing.TB, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
