package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/pipeline/discovery"
	"github.com/callboard/callboard/pipeline/rule"
)

func load(t *testing.T, env map[string]string, texts ...string) (*Config, error) {
	t.Helper()
	dir := t.TempDir()
	var files []string
	for i, text := range texts {
		path := filepath.Join(dir, fmt.Sprintf("%d.yaml", i))
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, path)
	}
	if err := os.WriteFile(filepath.Join(dir, "key.pem"), []byte("KEY\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(files, func(name string) (string, bool) { v, ok := env[name]; return v, ok })
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	got, err := load(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		Listen: ":7007", Database: Database{Client: "better-sqlite3", Path: "callboard-data/callboard.db"},
		Bus: Bus{Kind: "memory"}, GitHub: []GitHub{{Host: "github.com"}}, DataDir: "callboard-data",
		Workers: 16, Retention: 720 * time.Hour, MaxFiles: 10_000, MaxFileBytes: 5 << 20, GitHubTimeout: 20 * time.Second,
		Catalog:    Catalog{Rules: rule.Default(), Owner: "warn", LocationConflict: "reject"},
		Undirected: DefaultDiscovery(), Scan: DefaultScan(), BudgetReserve: 0.2,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	base := `
backend:
  listen: {host: 127.0.0.1, port: 7000}
  database:
    client: pg
    connection: {host: db, port: 5433, user: u, password: "it's", database: d}
integrations:
  github:
    - host: ghe.acme.test
      apps:
        - appId: ${APP}
          privateKey: {$file: key.pem}
          webhookSecret: {$env: SECRET}
events: {modules: {github: {webhookSecret: [one, two]}}}
catalog:
  locations: [{target: "https://ghe.acme.test/a/b/blob/main/c.yaml"}]
  providers: {github: {acme: {organization: acme, host: ghe.acme.test, catalogPath: "/**/x.yaml"}}}
unknown: {to: us}
callboard: {bus: redis, redis: {url: 'redis://${REDIS:-localhost}:6379'}, workers: 3}
`
	over := "callboard: {workers: 5, retention: 24h}\ncatalog: {locations: []}\n"
	got, err := load(t, map[string]string{"APP": "7", "SECRET": "s"}, base, over)
	if err != nil {
		t.Fatal(err)
	}
	got.SecretFiles = nil // TestIncludedCredentials looks at them
	want := &Config{
		Listen:         "127.0.0.1:7000",
		Database:       Database{Client: "pg", DSN: `host='db' port='5433' user='u' password='it\'s' dbname='d'`},
		Bus:            Bus{Kind: "redis", RedisURL: "redis://localhost:6379"},
		GitHub:         []GitHub{{Host: "ghe.acme.test", Apps: []App{{ID: 7, PrivateKey: "KEY"}}}},
		WebhookSecrets: []Secret{"s", "one", "two"},
		Providers: []discovery.Provider{{
			ID: "acme", Host: "ghe.acme.test", Organization: "acme", CatalogPath: "**/x.yaml", PageSize: 100, Schedule: defaultScan,
			Filter: discovery.Filter{AllowForks: true},
		}},
		Undirected: DefaultDiscovery(), Scan: DefaultScan(), BudgetReserve: 0.2,
		Catalog: Catalog{Rules: rule.Default(), Owner: "warn", LocationConflict: "reject"},
		DataDir: "callboard-data", Workers: 5, Retention: 24 * time.Hour, MaxFiles: 10_000, MaxFileBytes: 5 << 20, GitHubTimeout: 20 * time.Second,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// All faults are told at once, each with file, line and key.
func TestFaults(t *testing.T) {
	t.Parallel()
	_, err := load(t, nil, `
backend:
  database: {client: mysql}
integrations:
  github:
    - apps: [{appId: x}]
callboard:
  bus: kafka
  workers: 0
  retention: soon
  colour: blue
  redis: {url: "redis://:hunter2@127.0.0.1:bad/0"}
`)
	if err == nil {
		t.Fatal("no error")
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the password shows: %v", err)
	}
	for _, want := range []string{
		"0.yaml:12: callboard.redis.url is not a URL",
		"0.yaml:3: backend.database.client must be one of better-sqlite3, pg",
		"0.yaml:6: integrations.github[0].apps[0].appId must be a whole number",
		"0.yaml:6: integrations.github[0].apps[0] needs appId and privateKey",
		"0.yaml:8: callboard.bus must be one of memory, redis",
		"0.yaml:9: callboard.workers must be at least 1",
		"0.yaml:10: callboard.retention must be a duration",
		"0.yaml:11: callboard.colour is not a key of Callboard's",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in:\n%v", want, err)
		}
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"syntax": "a: [", "list": "- a", "twice": "a: 1\na: 2", "file": "a: {$file: nope.pem}",
	} {
		if _, err := load(t, nil, text); err == nil || !strings.Contains(err.Error(), "0.yaml") {
			t.Errorf("%s: error is %v, want one that names the file", name, err)
		}
	}
}

// What is absent for want of a variable says which.
func TestUnsetVariablesAreNamed(t *testing.T) {
	t.Parallel()
	_, err := load(t, nil, "integrations:\n  github:\n    - apps: [{appId: '${APP}', privateKey: {$env: KEY}, webhookSecret: '${HOOK}'}]\n")
	for _, want := range []string{"APP is not set", "KEY is not set", "HOOK is not set"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in %v", want, err)
		}
	}
}

func TestInclude(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"app-config.yaml": "integrations: {github: [{apps: [{$include: cred.yaml}]}]}\ncallboard: {dataDir: {$include: 'more.yaml#a.dir'}}\n",
		"cred.yaml":       "appId: 7\nprivateKey: K\nwebhookSecret: S\n",
		"more.yaml":       "a: {dir: there}\n",
		"loop.yaml":       "a: {$include: loop.yaml}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := Load([]string{filepath.Join(dir, "app-config.yaml")}, Environment)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.GitHub[0].Apps) != 1 || c.GitHub[0].Apps[0] != (App{ID: 7, PrivateKey: "K"}) || c.DataDir != "there" {
		t.Errorf("%+v", c)
	}
	if _, err := Load([]string{filepath.Join(dir, "loop.yaml")}, Environment); err == nil || !strings.Contains(err.Error(), "nested too deeply") {
		t.Errorf("a file that includes itself: %v", err)
	}
}

func TestListen(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"7000": ":7000", "':7000'": ":7000", "localhost:7": "localhost:7", "{host: '::1', port: 7}": "[::1]:7", "{port: 7}": ":7",
	} {
		c, err := load(t, nil, "backend: {listen: "+in+"}")
		if err != nil || c.Listen != want {
			t.Errorf("%s gives %q, %v; want %q", in, c.Listen, err, want)
		}
	}
	for _, in := range []string{"{port: 99999}", "'a:b:c'"} {
		if _, err := load(t, nil, "backend: {listen: "+in+"}"); err == nil || !strings.Contains(err.Error(), "0.yaml:1") {
			t.Errorf("%s: %v", in, err)
		}
	}
}

// A variable that is not set makes the value absent, as in Backstage.
func TestSubstitution(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"${SET}": "value", "x${SET}y": "xvaluey", "${UNSET}": "callboard-data", "${UNSET:-other}": "other",
		"$${SET}": "${SET}", "plain": "plain",
	}
	for in, want := range tests {
		c, err := load(t, map[string]string{"SET": "value"}, "callboard: {dataDir: '"+in+"'}")
		if err != nil || c.DataDir != want {
			t.Errorf("%s gives %q, %v; want %q", in, c.DataDir, err, want)
		}
	}
}

// The samples that we ship are read without a fault.
func TestSamples(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"app-config.yaml", "app-config.production.yaml"} {
		raw, err := os.ReadFile(filepath.Join("../../deploy", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "github-app.pem"), []byte("KEY"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"GITHUB_APP_ID": "1", "GITHUB_WEBHOOK_SECRET": "s", "CALLBOARD_TOKEN": "ci-token-1234"}
	for _, name := range []string{"app-config.yaml", "app-config.production.yaml"} {
		c, err := Load([]string{filepath.Join(dir, name)}, func(n string) (string, bool) { v, ok := env[n]; return v, ok })
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(c.WebhookSecrets) != 1 || len(c.GitHub[0].Apps) != 1 {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

func TestSecretsDoNotShow(t *testing.T) {
	t.Parallel()
	c := Config{WebhookSecrets: []Secret{"hush"}, Database: Database{DSN: "hush"}}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if s := fmt.Sprintf(format, c); strings.Contains(s, "hush") {
			t.Errorf("%s shows it: %s", format, s)
		}
	}
}
