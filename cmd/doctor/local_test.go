package doctor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/cmd/config"
	"github.com/callboard/callboard/storage/migrate"
)

// local is a doctor of a machine on which all is well.
func local(t *testing.T) Doctor {
	t.Helper()
	return Doctor{
		Config: &config.Config{
			DataDir: t.TempDir(), WebhookSecrets: []config.Secret{"s"},
			Database: config.Database{Client: "pg", DSN: "postgres://u:hunter2@db/x"},
			Bus:      config.Bus{Kind: "redis", RedisURL: "redis://:hunter3@r"},
		},
		Database: func(context.Context) (migrate.Status, error) {
			return migrate.Status{Server: "15.4", Current: 6, Latest: 6}, nil
		},
		Redis: func(context.Context) (Redis, error) {
			return Redis{Version: "7.0.1", Saves: true, SavesKnown: true, Policy: "noeviction"}, nil
		},
	}
}

func TestLocal(t *testing.T) {
	t.Parallel()
	database := func(s migrate.Status, err error) func(*Doctor) {
		return func(d *Doctor) { d.Database = func(context.Context) (migrate.Status, error) { return s, err } }
	}
	redis := func(s Redis, err error) func(*Doctor) {
		return func(d *Doctor) { d.Redis = func(context.Context) (Redis, error) { return s, err } }
	}
	tests := []struct {
		name   string
		change func(*Doctor)
		want   string // a part of the output
	}{
		{"all", func(*Doctor) {}, "ok database: PostgreSQL 15.4 is up to date (migration 6) and takes writes\nok bus: Redis 7.0.1\nok webhook secret: 1 configured\n"},
		{"empty database", database(migrate.Status{Server: "15", Latest: 6}, nil), "ok database: PostgreSQL 15 is empty"},
		{"old database", database(migrate.Status{Server: "15", Current: 5, Latest: 6}, nil), "warning database: PostgreSQL 15 has migration 5 of 6 -> nothing"},
		{"new database", database(migrate.Status{Server: "15", Current: 7, Latest: 6}, nil), "failed database: PostgreSQL 15 has migration 7, and this version knows 6 -> run the version"},
		{"read-only database", database(migrate.Status{Server: "15"}, errors.New("no writes")), "failed database: PostgreSQL 15: no writes -> give the user"},
		{"no database", database(migrate.Status{}, errors.New("dial postgres://u:hunter2@db/x: hunter2")), "failed database: PostgreSQL cannot be asked: dial [redacted]: [redacted] -> see"},
		{"no file yet", func(d *Doctor) { d.Config.Database = config.Database{Path: "/nowhere/x.db"} }, "ok database: /nowhere/x.db is not there yet"},
		{"no Redis", redis(Redis{}, errors.New("refused hunter3")), "failed bus: Redis cannot be asked: refused [redacted] ->"},
		{"old Redis", redis(Redis{Version: "6.0.9", Old: true}, nil), "failed bus: Redis 6.0.9 lacks what streams need -> update"},
		{"Redis that forgets", redis(Redis{Version: "7", Policy: "allkeys-lru"}, nil), "warning bus: Redis 7 throws keys away"},
		{"Redis that does not save", redis(Redis{Version: "7", SavesKnown: true}, nil), "warning bus: Redis 7 keeps nothing"},
		{"Redis that does not say", redis(Redis{Version: "7"}, nil), "ok bus: Redis 7\n"},
		{"no Redis needed", func(d *Doctor) { d.Config.Bus = config.Bus{Kind: "memory"} }, "ok bus: in the process\n"},
		{"no secret", func(d *Doctor) { d.Config.WebhookSecrets = nil }, "failed webhook secret: none is configured"},
		{"new directory", func(d *Doctor) { d.Config.DataDir += "/a/b" }, "/a/b is not there yet; the first start makes it\n"},
		{"no directory", func(d *Doctor) {
			file := filepath.Join(d.Config.DataDir, "file")
			if os.WriteFile(file, nil, 0o600) == nil {
				d.Config.DataDir = filepath.Join(file, "data")
			}
		}, "/file/data cannot be written"},
		{"open file", func(d *Doctor) {
			file := filepath.Join(d.Config.DataDir, "key.pem")
			if os.WriteFile(file, nil, 0o600) == nil && os.Chmod(file, 0o604) == nil {
				d.Config.SecretFiles = []string{file}
			}
		}, "which holds secrets -> chmod 600 "},
		{"closed file", func(d *Doctor) {
			file := filepath.Join(d.Config.DataDir, "key.pem")
			if os.WriteFile(file, nil, 0o640) == nil {
				d.Config.SecretFiles = []string{file}
			}
		}, "ok credentials: only their owner"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := local(t)
			tt.change(&d)
			got := examine(t.Context(), d)
			if !strings.Contains(got, tt.want) || strings.Contains(got, "hunter") || strings.Contains(got, "FAILED IS WRONG") {
				t.Errorf("no %q in\n%s", tt.want, got)
			}
			if left, err := filepath.Glob(filepath.Join(d.Config.DataDir, ".doctor-*")); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v %v", left, err)
			}
		})
	}
}

func TestConfiguration(t *testing.T) {
	t.Parallel()
	var got []Result
	r := &Report{Result: func(r Result) { got = append(got, r) }}
	r.Configuration([]string{"a.yaml", "b.yaml"}, nil)
	r.Configuration(nil, errors.Join(errors.New("a.yaml:1: x"), errors.New("a.yaml:2: y")))
	r.Configuration(nil, errors.New("no file"))
	want := []Result{
		{"configuration", OK, "a.yaml, b.yaml", ""},
		{"configuration", Failed, "a.yaml:1: x", ""}, {"configuration", Failed, "a.yaml:2: y", ""}, {"configuration", Failed, "no file", ""},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestQuota(t *testing.T) {
	t.Parallel()
	tests := []struct {
		left, limit int
		want        Status
	}{{5000, 5000, OK}, {1000, 5000, OK}, {999, 5000, Warning}, {0, 60, Warning}, {0, 0, ""}}
	for _, tt := range tests {
		var got Status
		r := &Report{Result: func(r Result) { got = r.Status }}
		quota(r.about("x"), tt.left, tt.limit, time.Now())
		if got != tt.want {
			t.Errorf("%d of %d: %q, want %q", tt.left, tt.limit, got, tt.want)
		}
	}
}

func TestPassword(t *testing.T) {
	t.Parallel()
	tests := []struct{ dsn, want string }{
		{"postgres://u:p%40ss@db/x", "p@ss"},
		{"redis://:secret@r:6379/0", "secret"},
		{`host='db' password='it\'s' dbname='d'`, `it\'s`},
		{"", ""},
		{"redis://r", ""},
	}
	for _, tt := range tests {
		if got := password(tt.dsn); got != tt.want {
			t.Errorf("password of %s is %q, want %q", tt.dsn, got, tt.want)
		}
	}
}
