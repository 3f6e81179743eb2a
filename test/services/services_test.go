package services_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"github.com/callboard/callboard/test/services"
)

func TestPostgres(t *testing.T) {
	t.Parallel()
	a, b := services.Postgres(t), services.Postgres(t)
	for _, dsn := range []string{a, b} { // the second would fail in one database
		conn, err := pgx.Connect(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close(t.Context()) }()
		if _, err := conn.Exec(t.Context(), `CREATE TABLE x (y TEXT)`); err != nil {
			t.Error(err)
		}
	}
}

func client(t *testing.T, url string) *redis.Client {
	t.Helper()
	opts, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	opts.DialerRetries, opts.MaxRetries = 1, -1
	c := redis.NewClient(opts)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestRedis(t *testing.T) {
	t.Parallel()
	a, b := client(t, services.Redis(t)), client(t, services.Redis(t))
	if err := a.Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if n := b.Exists(t.Context(), "k").Val(); n != 0 {
		t.Error("two tests share a database")
	}
}

func TestRedisServerSurvivesAKill(t *testing.T) {
	t.Parallel()
	s := services.RedisServer(t)
	c := client(t, s.URL)
	if err := c.Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := c.Ping(t.Context()).Err(); err == nil {
		t.Error("a killed server answers")
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := c.Get(t.Context(), "k").Val(); got != "v" {
		t.Errorf("after the restart k is %q, want v", got)
	}
}

// A process that starts servers and is killed must leave nothing behind.
func TestServersEndWithTheirProcess(t *testing.T) {
	t.Parallel()
	if os.Getenv("CALLBOARD_SERVICES_CHILD") != "" {
		s, err := services.StartRedis(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		os.Stdout.WriteString(s.URL + "\n")
		select {} // until we are killed
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "-test.run=^TestServersEndWithTheirProcess$")
	cmd.Env = append(os.Environ(), "CALLBOARD_SERVICES_CHILD=1", "TMPDIR="+t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 100)
	n, err := out.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	c := client(t, strings.TrimSpace(string(line[:n])))
	if err := c.Ping(t.Context()).Err(); err != nil {
		t.Errorf("before the kill: %v", err)
	}
	// A blocked read ends when the server does; nothing to poll for.
	sub := c.Subscribe(t.Context(), "never")
	defer func() { _ = sub.Close() }()
	if _, err := sub.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	if _, err := sub.Receive(t.Context()); err == nil {
		t.Error("the server outlived its process")
	}
}
