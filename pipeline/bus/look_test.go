package bus_test

import (
	"testing"

	"github.com/callboard/callboard/pipeline/bus"
	"github.com/callboard/callboard/test/services"
)

func TestLookRedis(t *testing.T) {
	t.Parallel()
	s, err := bus.LookRedis(t.Context(), bus.RedisConfig{URL: services.Redis(t)})
	if err != nil || s.Version == "" || s.Old || !s.SavesKnown || s.Policy != "noeviction" {
		t.Errorf("%+v, %v", s, err)
	}
	for _, url := range []string{"redis://127.0.0.1:1", "http://127.0.0.1"} {
		if _, err := bus.LookRedis(t.Context(), bus.RedisConfig{URL: url}); err == nil {
			t.Errorf("%s answers", url)
		}
	}
}
