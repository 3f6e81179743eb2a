package bus

import (
	"context"
	"errors"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/callboard/callboard/test/services"
)

func TestCrowded(t *testing.T) {
	t.Parallel()
	answer := func(n int64, err error) *link {
		return &link{unread: func(context.Context) (int64, error) { return n, err }}
	}
	tests := []struct {
		name string
		link *link
		want bool
	}{
		{"no link", nil, false},
		{"memory", &link{}, false},
		{"few", answer(sweepBatch, nil), false},
		{"many", answer(sweepBatch+1, nil), true},
		{"nobody knows", answer(1<<20, errors.New("gone")), false},
	}
	for _, tt := range tests {
		if got := (&Bus{link: tt.link}).crowded(t.Context()); got != tt.want {
			t.Errorf("%s: crowded %v", tt.name, got)
		}
	}
}

func TestUnread(t *testing.T) {
	t.Parallel()
	transport, err := Redis(RedisConfig{URL: services.Redis(t)})
	if err != nil {
		t.Fatal(err)
	}
	r := transport.(*redisTransport)
	client := r.client()
	defer func() { _ = client.Close() }()
	if _, err := r.unread(t.Context(), client); err == nil {
		t.Error("a stream that is not there has a lag")
	}
	if err := r.createGroup(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := client.XAdd(t.Context(), &redis.XAddArgs{Stream: wakeTopic, Values: []string{"topic", "t"}}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := r.unread(t.Context(), client); n != 3 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}
