package app

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/callboard/callboard/cmd/config"
	"github.com/callboard/callboard/handlers/api/callboard"
	"github.com/callboard/callboard/pipeline/bus"
	"github.com/callboard/callboard/pipeline/descriptor"
	"github.com/callboard/callboard/pipeline/discovery"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/pipeline/refresh"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/postgres"
	"github.com/callboard/callboard/storage/sqlite"
)

// openStore opens the database that is configured, and brings its schema up to date.
func openStore(ctx context.Context, cfg config.Database, log *slog.Logger) (storage.Store, error) {
	if cfg.Client == "pg" {
		return postgres.Open(ctx, cfg.DSN.Reveal(), postgres.WithLogger(log))
	}
	if err := os.MkdirAll(filepath.Dir(cfg.Path), 0o750); err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	return sqlite.Open(ctx, cfg.Path, sqlite.WithLogger(log))
}

func transportFor(cfg config.Bus) (bus.Transport, error) {
	if cfg.Kind == "redis" {
		return bus.Redis(bus.RedisConfig{URL: cfg.RedisURL.Reveal()})
	}
	return bus.Memory(), nil
}

func hosts(entries []config.GitHub) []githubapp.Host {
	var out []githubapp.Host
	for _, e := range entries {
		h := githubapp.Host{Host: e.Host, BaseURL: e.BaseURL, APIBaseURL: e.APIBaseURL, Token: e.Token.Reveal()}
		for _, a := range e.Apps {
			h.Apps = append(h.Apps, githubapp.App{ID: a.ID, PrivateKey: []byte(a.PrivateKey.Reveal())})
		}
		out = append(out, h)
	}
	return out
}

// refreshConfig is how repositories are read.
func refreshConfig(cfg *config.Config) refresh.Config {
	return refresh.Config{
		Policy:        policy(cfg),
		KeepAbandoned: cfg.Catalog.KeepOrphans,
		Rules:         cfg.Catalog.Rules,
		Owner:         refresh.OwnerPolicy(cfg.Catalog.Owner),
		Limits:        descriptor.Limits{FileBytes: cfg.MaxFileBytes},
		MaxFiles:      cfg.MaxFiles,
		Undo:          cfg.Scan.Undo,
	}
}

// policy is which repositories are discovered.
func policy(cfg *config.Config) discovery.Policy {
	return discovery.Policy{Providers: cfg.Providers, Undirected: cfg.Undirected}
}

// settings tells of a refresh's configuration what decides how a file is read.
func settings(cfg refresh.Config) func(host, owner string) callboard.Settings {
	return func(host, owner string) callboard.Settings {
		paths := discovery.Paths(cfg.Policy.Covering(discovery.Account{Host: host, Owner: owner}))
		return callboard.Settings{Pattern: discovery.Glob(paths), Rules: cfg.Rules, OwnerPolicy: string(cfg.Owner)}
	}
}

// deliveryHost is the host of deliveries that do not name theirs: Enterprise
// Servers do, GitHub.com does not.
func deliveryHost(hosts []string) string {
	if slices.Contains(hosts, githubapp.DefaultHost) {
		return githubapp.DefaultHost
	}
	return hosts[0]
}

// source lets a refresh see GitHub through the interface that it declares.
type source struct{ *githubapp.Clients }

// Open implements refresh.GitHub.
func (s source) Open(ctx context.Context, n githubapp.Name, paths []string) (refresh.Tree, error) {
	snapshot, err := s.Clients.Open(ctx, n, paths)
	if err != nil {
		return nil, err
	}
	return snapshot, nil
}

// sayOrphans tells of the one strategy of Backstage's that is not followed.
func sayOrphans(ctx context.Context, log *slog.Logger, cfg config.Catalog) {
	if cfg.OrphansStay {
		log.WarnContext(ctx, "catalog.orphanStrategy: keep is not supported: what no file declares any more goes; callboard undo brings it back as long as callboard.scan.undo says")
	}
}
