package manifest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"github.com/callboard/callboard/pipeline/githubapp"
)

func TestNew(t *testing.T) {
	t.Parallel()
	m, err := New(Name("acme"), "https://portal.example/board/", Needed(false))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"name":"Callboard acme","url":"https://portal.example/board",` +
		`"hook_attributes":{"url":"https://portal.example/board/api/events/http/github","active":true},"redirect_url":"",` +
		`"description":"Keeps Callboard's catalog equal to Git.","public":false,` +
		`"default_permissions":{"contents":"read","metadata":"read"},"default_events":["push","repository","create","delete","meta"]}`
	if diff := cmp.Diff(want, string(raw)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for _, address := range []string{"", "portal.example", "ftp://portal.example", "https://", "https://u:p@portal.example", "https://a/?b", "https://a/#b", ":"} {
		if _, err := New("x", address, Needs{}); err == nil {
			t.Errorf("%q is taken for an address", address)
		}
	}
	for _, name := range []string{"", strings.Repeat("é", 35)} {
		if _, err := New(name, "https://a", Needs{}); err == nil {
			t.Errorf("%q is taken for a name", name)
		}
	}
	if got := Name(strings.Repeat("é", 40)); got != "Callboard "+strings.Repeat("é", 24) {
		t.Errorf("name %q", got)
	}
}

func TestMissing(t *testing.T) {
	t.Parallel()
	needs := Needed(true)
	events := func(n Needs) (out []string) {
		for _, e := range n.Events {
			out = append(out, e.Name)
		}
		return out
	}
	all := events(needs)
	tests := []struct {
		name        string
		permissions map[string]string
		events      []string
		want        string
	}{
		{"all", map[string]string{"contents": "read", "metadata": "read", "members": "read"}, all, ""},
		{"more", map[string]string{"contents": "write", "metadata": "read", "members": "admin", "x": "write"}, append([]string{"x"}, all...), ""},
		{"permission", map[string]string{"contents": "read", "metadata": "read"}, all, "members"},
		{"unknown level", map[string]string{"contents": "look", "metadata": "read", "members": "read"}, all, "contents"},
		{"event", map[string]string{"contents": "read", "metadata": "read", "members": "read"}, all[1:], "push"},
		{"nothing", nil, nil, "contents metadata members " + strings.Join(all, " ")},
	}
	for _, tt := range tests {
		missing := needs.Missing(tt.permissions, tt.events)
		var got []string
		for _, p := range missing.Permissions {
			got = append(got, p.Name)
		}
		if diff := cmp.Diff(tt.want, strings.Join(append(got, events(missing)...), " ")); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tt.name, diff)
		}
	}
	if len(Needed(false).Permissions) == len(needs.Permissions) || len(Needed(false).Events) == len(all) {
		t.Error("people cost nothing")
	}
}

func created(t *testing.T) githubapp.CreatedApp {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	return githubapp.CreatedApp{
		ID: 7, Name: "Callboard\nacme", ClientID: "Iv1.a", ClientSecret: `"c#`, WebhookSecret: "w: [",
		PrivateKey: pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}),
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	app := created(t)
	raw, err := Credentials(app)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		AppID         int64  `yaml:"appId"`
		ClientID      string `yaml:"clientId"`
		ClientSecret  string `yaml:"clientSecret"`
		WebhookSecret string `yaml:"webhookSecret"`
		PrivateKey    string `yaml:"privateKey"`
	}
	if err := yaml.Unmarshal(raw, &got); err != nil {
		t.Fatalf("%v\n%s", err, raw)
	}
	if got.AppID != 7 || got.ClientID != "Iv1.a" || got.ClientSecret != `"c#` || got.WebhookSecret != "w: [" || got.PrivateKey != string(app.PrivateKey) {
		t.Errorf("%+v\n%s", got, raw)
	}
	for _, bad := range []githubapp.CreatedApp{{}, {ID: 7}, {ID: 7, PrivateKey: []byte("x")}, {PrivateKey: app.PrivateKey}} {
		if raw, err := Credentials(bad); err == nil {
			t.Errorf("%s", raw)
		}
	}
}

func TestFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	read := func(path string) string {
		t.Helper()
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	write := func(path string, force bool) error {
		t.Helper()
		f, err := Reserve(path, force)
		if err != nil {
			return err
		}
		return f.Write([]byte("secret"))
	}
	if err := os.WriteFile(at("precious"), []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(at("precious"), at("link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(at("nowhere"), at("dangling")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"precious", "link", "dangling"} {
		if err := write(at(name), false); err == nil || !strings.Contains(err.Error(), "--force") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{".", "missing/file"} {
		if err := write(at(name), true); err == nil {
			t.Errorf("%s: written", name)
		}
	}
	if err := write(at("new"), false); err != nil || read(at("new")) != "secret" {
		t.Errorf("new: %v", err)
	}
	// A link is replaced, and what it led to stays.
	if err := write(at("link"), true); err != nil || read(at("link")) != "secret" || read(at("precious")) != "precious" {
		t.Errorf("link: %v, precious is %q", err, read(at("precious")))
	}
	if info, err := os.Lstat(at("link")); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	// Whoever took the name meanwhile keeps it, and nothing that GitHub sent is lost.
	f, err := Reserve(at("raced"), false)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(at("raced"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.Write([]byte("secret")); err == nil || !strings.Contains(err.Error(), f.temp.Name()) || read(at("raced")) != "mine" || read(f.temp.Name()) != "secret" {
		t.Errorf("raced: %v", err)
	}
	if err := os.Remove(f.temp.Name()); err != nil {
		t.Fatal(err)
	}
	gone, err := Reserve(at("forgotten"), false)
	if err != nil {
		t.Fatal(err)
	}
	gone.Forget()
	left, err := filepath.Glob(at(".github-app-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}
