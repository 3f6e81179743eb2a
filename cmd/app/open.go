package app

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/callboard/callboard/cmd/config"
	"github.com/callboard/callboard/handlers/api/callboard"
	"github.com/callboard/callboard/pipeline/bus"
	"github.com/callboard/callboard/pipeline/descriptor"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/pipeline/match"
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

// refreshConfig takes the catalog pattern of an organisation from its provider.
func refreshConfig(cfg *config.Config) (refresh.Config, error) {
	patterns := map[string]string{}
	for _, p := range cfg.Providers {
		if _, err := match.Compile(p.CatalogPath); err != nil {
			return refresh.Config{}, fmt.Errorf("catalog.providers.github.%s.catalogPath: %w", p.ID, err)
		}
		patterns[strings.ToLower(p.Host+"/"+p.Organization)] = p.CatalogPath
	}
	return refresh.Config{
		Pattern: func(host, owner string) string {
			if p, ok := patterns[strings.ToLower(host+"/"+owner)]; ok {
				return p
			}
			return refresh.DefaultPattern
		},
		Rules:    cfg.Catalog.Rules,
		Owner:    refresh.OwnerPolicy(cfg.Catalog.Owner),
		Limits:   descriptor.Limits{FileBytes: cfg.MaxFileBytes},
		MaxFiles: cfg.MaxFiles,
	}, nil
}

// settings tells of a refresh's configuration what decides how a file is read.
func settings(cfg refresh.Config) func(host, owner string) callboard.Settings {
	return func(host, owner string) callboard.Settings {
		return callboard.Settings{Pattern: cfg.Pattern(host, owner), Rules: cfg.Rules, OwnerPolicy: string(cfg.Owner)}
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
