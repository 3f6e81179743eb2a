package bus

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// RedisStatus is what a Redis says of itself.
type RedisStatus struct {
	Version string
	// Old says that it lacks what the stream needs: Redis 6.2 or newer.
	Old bool
	// Saves says that it keeps its data over a restart; known only where the
	// server tells.
	Saves, SavesKnown bool
	// Policy is maxmemory-policy. Any but noeviction may throw away the stream.
	Policy string
}

// LookRedis asks a Redis how it is.
func LookRedis(ctx context.Context, cfg RedisConfig) (RedisStatus, error) {
	t, err := Redis(cfg)
	if err != nil {
		return RedisStatus{}, err
	}
	client := t.(*redisTransport).client()
	defer client.Close()
	if err := client.Ping(ctx).Err(); err != nil {
		return RedisStatus{}, fmt.Errorf("ping: %w", err)
	}
	raw, err := client.Info(ctx).Result()
	if err != nil {
		return RedisStatus{}, fmt.Errorf("ask for the version: %w", err)
	}
	info := map[string]string{}
	for line := range strings.Lines(raw) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[key] = value
		}
	}
	s := RedisStatus{Version: info["redis_version"], Policy: info["maxmemory_policy"]}
	s.Old = older(s.Version, 6, 2)
	// CONFIG is forbidden at many providers, and then nothing is said.
	if save, err := client.ConfigGet(ctx, "save").Result(); err == nil {
		s.SavesKnown, s.Saves = true, info["aof_enabled"] == "1" || save["save"] != ""
	}
	return s, nil
}

// older compares the first two numbers of a version; what is no version is not old.
func older(version string, major, minor int) bool {
	first, rest, _ := strings.Cut(version, ".")
	second, _, _ := strings.Cut(rest, ".")
	a, errA := strconv.Atoi(first)
	b, errB := strconv.Atoi(second)
	return errA == nil && errB == nil && (a < major || a == major && b < minor)
}
