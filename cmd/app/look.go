package app

import (
	"context"

	"github.com/callboard/callboard/cmd/config"
	"github.com/callboard/callboard/cmd/doctor"
	"github.com/callboard/callboard/pipeline/bus"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/storage/migrate"
	"github.com/callboard/callboard/storage/postgres"
	"github.com/callboard/callboard/storage/sqlite"
)

// The functions of this file look at what a process would open, and leave it as it is.

// LookDatabase says how the configured database stands, without migrating it.
func LookDatabase(ctx context.Context, cfg config.Database) (migrate.Status, error) {
	if cfg.Client == "pg" {
		return postgres.Look(ctx, cfg.DSN.Reveal())
	}
	return sqlite.Look(ctx, cfg.Path)
}

// LookRedis says how the configured Redis is.
func LookRedis(ctx context.Context, cfg config.Bus) (doctor.Redis, error) {
	s, err := bus.LookRedis(ctx, bus.RedisConfig{URL: cfg.RedisURL.Reveal()})
	return doctor.Redis(s), err
}

// GitHub makes the clients of the configured hosts. It asks nobody yet.
func GitHub(cfg *config.Config) (*githubapp.Clients, error) {
	return githubapp.New(hosts(cfg.GitHub), cfg.GitHubTimeout)
}
