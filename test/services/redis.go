package services

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Redis gives one test a numbered database of its own, empty, and answers its
// URL. Other tests have theirs on the same server.
func Redis(t testing.TB) string {
	t.Helper()
	base, err := sharedRedis()
	if err != nil {
		t.Fatalf("Redis for tests: %v\nInstall it (Debian: apt-get install redis-server), set $%s, or use `make test`.", err, EnvRedis)
	}
	opts, err := redis.ParseURL(base)
	if err != nil {
		t.Fatalf("read $%s: %v", EnvRedis, err)
	}
	opts.DB = 0
	registry := redis.NewClient(opts)
	defer func() { _ = registry.Close() }()
	number, err := claimDatabase(t.Context(), registry)
	if err != nil {
		t.Fatal(err)
	}
	own := *opts
	own.DB = number
	if err := flush(t.Context(), &own); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.Background() // the test's own is over by now
		registry := redis.NewClient(opts)
		defer func() { _ = registry.Close() }()
		err := errors.Join(flush(ctx, &own), registry.Del(ctx, claimKey(number)).Err())
		if err != nil {
			t.Errorf("give back Redis database %d: %v", number, err)
		}
	})
	return redisURL(&own)
}

func redisURL(o *redis.Options) string {
	auth := ""
	if o.Password != "" {
		auth = o.Username + ":" + o.Password + "@"
	}
	return fmt.Sprintf("redis://%s%s/%d", auth, o.Addr, o.DB)
}

// RedisServer gives one test a server of its own that it may Kill and Restart.
// Every write is on disk before it is answered.
func RedisServer(t testing.TB) *Server {
	t.Helper()
	s, err := startRedis(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

var sharedRedis = sync.OnceValues(func() (string, error) {
	if url := os.Getenv(EnvRedis); url != "" {
		return url, nil
	}
	s, err := StartRedis(context.Background())
	if err != nil {
		return "", err
	}
	return s.URL, nil // it ends with the process
})

// StartRedis starts a private server in a folder of its own.
func StartRedis(ctx context.Context) (*Server, error) {
	return startRedis(ctx, "")
}

// startRedis uses dir and leaves it, or makes one that goes with the server.
func startRedis(ctx context.Context, dir string) (*Server, error) {
	bin, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, fmt.Errorf("redis-server: %w", ErrMissing)
	}
	sync, remove := "always", false
	if dir == "" {
		sync, remove = "everysec", true
		if dir, err = os.MkdirTemp("", "callboard-redis-"); err != nil {
			return nil, fmt.Errorf("make a folder for Redis: %w", err)
		}
	}
	return attempt(ctx, func(port int) (*Server, error) {
		s := &Server{URL: fmt.Sprintf("redis://127.0.0.1:%d/0", port)}
		s.start = func() (*process, error) {
			if err := os.MkdirAll(dir, 0o700); err != nil { // gone after a failed attempt
				return nil, fmt.Errorf("make a folder for Redis: %w", err)
			}
			return launch(dir, nil, "TERM", remove, bin, "--port", strconv.Itoa(port), "--bind", "127.0.0.1",
				"--dir", dir, "--save", "", "--appendonly", "yes", "--appendfsync", sync, "--databases", "1024")
		}
		s.ready = func(ctx context.Context) error {
			// The client would report each refused connection: ask it when somebody listens.
			addr := fmt.Sprintf("127.0.0.1:%d", port)
			conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
			if err != nil {
				return err
			}
			_ = conn.Close()
			client := redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1})
			defer func() { _ = client.Close() }()
			return client.Ping(ctx).Err()
		}
		return s, nil
	})
}

func flush(ctx context.Context, opts *redis.Options) error {
	client := redis.NewClient(opts)
	defer func() { _ = client.Close() }()
	if err := client.FlushDB(ctx).Err(); err != nil {
		return fmt.Errorf("empty Redis database %d: %w", opts.DB, err)
	}
	return nil
}

func claimKey(number int) string { return "callboard:test:database:" + strconv.Itoa(number) }

// claimDatabase takes a number that no test of any process holds. Claims lie in
// database 0 and end by themselves when a process died with them.
func claimDatabase(ctx context.Context, registry *redis.Client) (int, error) {
	config, err := registry.ConfigGet(ctx, "databases").Result()
	if err != nil {
		return 0, fmt.Errorf("ask Redis for its databases: %w", err)
	}
	count, err := strconv.Atoi(config["databases"])
	if err != nil {
		return 0, fmt.Errorf("ask Redis for its databases: %w", err)
	}
	for number := 1; number < count; number++ {
		claimed, err := registry.SetNX(ctx, claimKey(number), os.Getpid(), time.Hour).Result()
		if err != nil {
			return 0, fmt.Errorf("claim a Redis database: %w", err)
		}
		if claimed {
			return number, nil
		}
	}
	return 0, fmt.Errorf("all %d Redis databases are in use: start the server with more --databases", count)
}
