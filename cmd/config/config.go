package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/callboard/callboard/pipeline/discovery"
)

// Secret is a string that never shows: it prints, logs and marshals redacted.
type Secret string

// String implements fmt.Stringer.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "[redacted]"
}

// GoString implements fmt.GoStringer, for %#v.
func (s Secret) GoString() string { return s.String() }

// MarshalText keeps the secret out of JSON, YAML and slog.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Reveal gives the secret to the one who needs it.
func (s Secret) Reveal() string { return string(s) }

// Config is all of it, decoded.
type Config struct {
	Listen   string // host:port, from backend.listen
	Database Database
	Bus      Bus
	GitHub   []GitHub
	// WebhookSecrets are all that a delivery may be signed with.
	WebhookSecrets []Secret
	// SecretFiles hold secrets of integrations.github.
	SecretFiles []string
	Auth        Auth
	Catalog     Catalog
	Locations   []Location
	// Providers say which repositories are discovered; Undirected how, without any.
	Providers  []discovery.Provider
	Undirected discovery.Provider
	Orgs       []OrgProvider
	Scan       Scan
	// BudgetReserve is the share of a rate limit that is kept for pushes.
	BudgetReserve float64
	// DataDir holds SQLite's files.
	DataDir      string
	Workers      int
	Retention    time.Duration
	MaxFiles     int
	MaxFileBytes int
	// GitHubTimeout bounds one request to GitHub.
	GitHubTimeout time.Duration
}

// Database says where rows are kept.
type Database struct {
	Client string // "better-sqlite3" or "pg"
	Path   string // of SQLite's file
	DSN    Secret // of PostgreSQL
}

// Bus says what carries wake-ups.
type Bus struct {
	Kind     string // "memory" or "redis"
	RedisURL Secret
}

// GitHub is an entry of integrations.github.
type GitHub struct {
	Host       string
	BaseURL    string
	APIBaseURL string
	Token      Secret
	Apps       []App
}

// App is an entry of integrations.github[].apps.
type App struct {
	ID         int64
	PrivateKey Secret
}

// Load reads files in order, later ones over earlier ones. Without files it
// gives the defaults. The error joins every fault there is.
func Load(files []string, env func(string) (string, bool)) (*Config, error) {
	root := &node{file: "(defaults)", line: 1, fields: map[string]*node{}}
	for _, f := range files {
		n, err := loadFile(f, env)
		if err != nil {
			return nil, err
		}
		root = merge(root, n)
	}
	var errs []error
	c := decode(reader{errs: &errs, node: root})
	return c, errors.Join(errs...)
}

// Environment is the process's.
func Environment(name string) (string, bool) { return os.LookupEnv(name) }

func decode(r reader) *Config {
	own := r.at("callboard")
	own.only("dataDir", "bus", "redis", "workers", "retention", "catalog", "githubTimeout", "auth", "scan", "budget")
	c := &Config{
		Listen:    listen(r.at("backend.listen")),
		DataDir:   own.at("dataDir").str("callboard-data"),
		Workers:   int(own.at("workers").int(16)),
		Retention: own.at("retention").duration(30 * 24 * time.Hour),

		GitHubTimeout: own.at("githubTimeout").duration(20 * time.Second),
	}
	c.Scan = scan(own.at("scan"))
	own.at("budget").only("reserve")
	c.BudgetReserve = own.at("budget.reserve").share(0.2)
	catalog := own.at("catalog")
	catalog.only("maxFiles", "maxFileBytes", "owner")
	c.MaxFiles, c.MaxFileBytes = int(catalog.at("maxFiles").int(10_000)), int(catalog.at("maxFileBytes").int(5<<20))
	for _, key := range []string{"workers", "catalog.maxFiles", "catalog.maxFileBytes"} {
		if own.at(key).int(1) < 1 {
			own.fault(own.at(key).node, "callboard.%s must be at least 1", key)
		}
	}
	c.Database = database(r.at("backend.database"), c.DataDir)
	c.Bus.Kind = own.at("bus").oneOf("memory", "memory", "redis")
	own.at("redis").only("url")
	c.Bus.RedisURL = Secret(own.at("redis.url").str(""))
	if c.Bus.Kind == "redis" && c.Bus.RedisURL == "" {
		own.fault(own.at("bus").node, "callboard.bus is redis: set callboard.redis.url, for example redis://localhost:6379/0%s", own.at("redis.url").because())
	}
	if _, err := url.Parse(c.Bus.RedisURL.Reveal()); err != nil {
		// The error quotes the URL, and the URL holds a password.
		own.fault(own.at("redis.url").node, "callboard.redis.url is not a URL such as redis://:password@localhost:6379/0")
	}
	if c.Bus.Kind == "memory" && c.Database.Client == "pg" && c.Bus.RedisURL != "" {
		own.fault(own.at("redis.url").node, "callboard.redis.url is set but callboard.bus is memory: set callboard.bus: redis")
	}
	c.auth(r.at("backend"), own.at("auth"))
	c.integrations(r)
	c.catalog(r, catalog)
	return c
}

// listen reads backend.listen: ":7007", "host:port" or {host, port}.
func listen(r reader) string {
	if r.node != nil && r.node.fields != nil {
		return net.JoinHostPort(r.at("host").str(""), port(r.at("port")))
	}
	s := r.str(":7007")
	if !strings.Contains(s, ":") {
		s = ":" + s
	}
	if _, _, err := net.SplitHostPort(s); err != nil {
		r.fault(r.node, "%s must be host:port, not %q", r.path, s)
	}
	return s
}

func port(r reader) string {
	n := r.int(7007)
	if n < 0 || n > 65535 {
		r.fault(r.node, "%s must be from 0 to 65535, not %d", r.path, n)
	}
	return strconv.FormatInt(n, 10)
}

// database reads Backstage's shape: client, and connection as a string or a mapping.
func database(r reader, dataDir string) Database {
	d := Database{Client: r.at("client").oneOf("better-sqlite3", "better-sqlite3", "pg")}
	conn := r.at("connection")
	if d.Client == "pg" {
		d.DSN = Secret(postgresDSN(conn))
		if d.DSN == "" {
			r.fault(r.at("client").node, "backend.database.client is pg: set backend.database.connection (a URL, or host, port, user, password, database)")
		}
		return d
	}
	d.Path = filepath.Join(dataDir, "callboard.db")
	switch {
	case conn.node == nil:
	case conn.node.fields != nil:
		if dir := conn.at("directory").str(""); dir != "" {
			d.Path = filepath.Join(dir, "callboard.db")
		} else if file := conn.at("filename").str(""); file != "" {
			d.Path = file
		}
	case conn.str("") == ":memory:":
		// Backstage's development default. What is accepted must be kept, so it is a file here too.
	default:
		d.Path = conn.str("")
	}
	return d
}

func postgresDSN(r reader) string {
	if r.node == nil {
		return ""
	}
	if r.node.fields == nil {
		return r.str("")
	}
	if s := r.at("connectionString").str(""); s != "" {
		return s
	}
	if r.at("ssl").present() {
		r.fault(r.at("ssl").node, "%s is not read: give the connection as a URL with sslmode and sslrootcert", r.at("ssl").path)
	}
	var parts []string
	for _, k := range [][2]string{{"host", "host"}, {"port", "port"}, {"user", "user"}, {"password", "password"}, {"database", "dbname"}} {
		if v := r.at(k[0]).str(""); v != "" {
			parts = append(parts, fmt.Sprintf("%s='%s'", k[1], strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(v)))
		}
	}
	return strings.Join(parts, " ")
}

// secretFile remembers the file that a secret stands in.
func (c *Config) secretFile(secret reader) {
	if n := secret.node; n != nil && n.origin != "" && !slices.Contains(c.SecretFiles, n.origin) {
		c.SecretFiles = append(c.SecretFiles, n.origin)
	}
}

func (c *Config) integrations(r reader) {
	seen := map[Secret]bool{}
	secret := func(r reader) {
		c.secretFile(r)
		if s := Secret(r.str("")); s != "" && !seen[s] {
			seen[s] = true
			c.WebhookSecrets = append(c.WebhookSecrets, s)
		}
	}
	for _, entry := range r.at("integrations.github").list() {
		g := GitHub{
			Host: entry.at("host").str("github.com"), BaseURL: entry.at("baseUrl").str(""),
			APIBaseURL: entry.at("apiBaseUrl").str(""), Token: Secret(entry.at("token").str("")),
		}
		c.secretFile(entry.at("token"))
		for _, a := range entry.at("apps").list() {
			c.secretFile(a.at("privateKey"))
			app := App{ID: a.at("appId").int(0), PrivateKey: Secret(a.at("privateKey").str(""))}
			if app.ID == 0 || app.PrivateKey == "" {
				a.fault(a.node, "%s needs appId and privateKey (for a file: privateKey: {$file: key.pem})%s%s", a.path,
					a.at("appId").because(), a.at("privateKey").because())
			}
			if hook := a.at("webhookSecret"); hook.unset != "" {
				a.fault(a.node, "%s is empty%s", hook.path, hook.because())
			}
			secret(a.at("webhookSecret"))
			g.Apps = append(g.Apps, app)
		}
		c.GitHub = append(c.GitHub, g)
	}
	if len(c.GitHub) == 0 {
		c.GitHub = []GitHub{{Host: "github.com"}}
	}
	c.secretFile(r.at("events.modules.github.webhookSecret"))
	for _, s := range r.at("events.modules.github.webhookSecret").strings() {
		if s != "" && !seen[Secret(s)] {
			seen[Secret(s)] = true
			c.WebhookSecrets = append(c.WebhookSecrets, Secret(s))
		}
	}
}
