package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/callboard/callboard/cmd/cli"
	"github.com/callboard/callboard/cmd/doctor"
	"github.com/callboard/callboard/test/harness"
)

// lines is a writer that others may read meanwhile.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// post sends a form as a browser does, and follows.
func postForm(t *testing.T, address string, form url.Values) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return fetched(t, req)
}

func fetched(t *testing.T, req *http.Request) string {
	t.Helper()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s %v", req.URL, res.StatusCode, body, err)
	}
	return string(body)
}

var (
	printedAddress = regexp.MustCompile(`http://127\.0\.0\.1:\d+/\w+`)
	formAction     = regexp.MustCompile(`action="([^"]+)"`)
	formManifest   = regexp.MustCompile(`name="manifest" value="([^"]+)"`)
)

// createApp goes through `callboard github create-app` as somebody at a browser would.
func createApp(t *testing.T, w *harness.World, dir, portal string) {
	t.Helper()
	var stdout, stderr lines
	done := make(chan int, 1)
	go func() {
		done <- cli.Run(t.Context(), []string{
			"github", "create-app", "--org", "acme", "--host", w.GitHub.URL(), "--url", portal,
			"--output", filepath.Join(dir, "credentials.yaml"),
		}, &stdout, &stderr)
	}()
	var address string
	w.Eventually("the address is printed", func() error {
		if address = printedAddress.FindString(stderr.String()); address == "" {
			return errors.New(stderr.String())
		}
		return nil
	})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	page := fetched(t, req)
	target, err := url.Parse(html.UnescapeString(formAction.FindStringSubmatch(page)[1]))
	if err != nil {
		t.Fatal(err)
	}
	postForm(t, target.String(), url.Values{
		"manifest": {html.UnescapeString(formManifest.FindStringSubmatch(page)[1])},
		"state":    {target.Query().Get("state")}, "confirm": {"yes"},
	})
	if code := <-done; code != 0 || !strings.Contains(stdout.String(), "- $include: ") {
		t.Fatalf("exit code %d\n%s%s", code, stdout.String(), stderr.String())
	}
	install := regexp.MustCompile(`http\S+/installations/new`).FindString(stdout.String())
	postForm(t, install, url.Values{"account": {"acme"}})
}

// examined is what `callboard doctor --json` says.
type examined struct {
	Status doctor.Status
	Checks []doctor.Result
}

func (e examined) find(check string) []doctor.Result {
	return slices.DeleteFunc(slices.Clone(e.Checks), func(r doctor.Result) bool { return !strings.HasSuffix(r.Check, check) })
}

func examine(t *testing.T, file string) examined {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := cli.Run(t.Context(), []string{"doctor", "--json", "--config", file}, &stdout, &stderr)
	var e examined
	if err := json.Unmarshal(stdout.Bytes(), &e); err != nil {
		t.Fatalf("%v\n%s%s", err, &stdout, &stderr)
	}
	if (code == 1) != (e.Status == doctor.Failed) || code > 1 {
		t.Errorf("exit code %d for %s", code, e.Status)
	}
	return e
}

// From nothing to a catalog: make the App, install it, start, push; and doctor
// says at each step what is missing.
func TestConnectFromNothing(t *testing.T) {
	t.Parallel()
	w := harness.New(t, harness.Setups[0])
	create(t, w, "acme/cart", map[string]string{"catalog-info.yaml": component("cart", "the first")})
	if err := w.GitHub.AddMember("acme", "ann", "member"); err != nil {
		t.Fatal(err)
	}
	dir, listen := t.TempDir(), harness.FreeAddress(t)
	createApp(t, w, dir, "http://"+listen)

	file := filepath.Join(dir, "app-config.yaml")
	text := fmt.Sprintf(`
backend: {listen: %q, auth: {dangerouslyDisableDefaultAuthPolicy: true}}
integrations: {github: [{host: %q, baseUrl: %q, apps: [{$include: credentials.yaml}]}]}
catalog:
  providers:
    github: {acme: {host: %[2]q, organization: acme}}
    githubOrg: {id: acme, githubUrl: %[3]q, orgs: [acme]}
callboard: {dataDir: %[4]q}
`, listen, strings.TrimPrefix(w.GitHub.URL(), "http://"), w.GitHub.URL(), filepath.Join(dir, "data"))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}

	// Callboard does not run yet.
	before := examine(t, file)
	if got := before.find("delivery"); before.Status != doctor.Failed || len(got) != 1 || !strings.Contains(got[0].Detail, "GitHub cannot reach http://"+listen) {
		t.Errorf("before the start: %+v", got)
	}

	ctx, stop := context.WithCancel(t.Context())
	var log lines
	served := make(chan int, 1)
	go func() { served <- cli.Run(ctx, []string{"serve", "--config", file}, &log, &log) }()
	t.Cleanup(func() {
		stop()
		if code := <-served; code != 0 {
			t.Errorf("serve ends with %d\n%s", code, log.String())
		}
	})
	w.URL = "http://" + listen
	w.Eventually("ready", func() error { return w.Get("/.backstage/health/v1/readiness", nil) })
	create(t, w, "acme/pay", map[string]string{"catalog-info.yaml": component("pay", "pushed")})
	w.Eventually("both are in the catalog", func() error {
		_, err := w.Entity("component", "cart")
		_, other := w.Entity("component", "pay")
		return errors.Join(err, other)
	})

	after := examine(t, file)
	for _, r := range after.Checks {
		if r.Status != doctor.OK {
			t.Errorf("%+v", r)
		}
	}
	for _, check := range []string{"configuration", "database", "clock", "permissions", "webhook", "delivery", "/acme", "githubOrg.acme"} {
		if len(after.find(check)) == 0 {
			t.Errorf("nothing is said of %s: %+v", check, after.Checks)
		}
	}
}
