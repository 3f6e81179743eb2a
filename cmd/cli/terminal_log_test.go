package cli

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A person sees one line for what happened, and none for what others tell.
func TestTerminalLog(t *testing.T) {
	t.Parallel()
	delivery := []any{"delivery_id", "guid", "event", "push", "duration_ms", 2}
	tests := []struct {
		name    string
		level   slog.Level // of the logger
		at      slog.Level
		message string
		attrs   []any
		want    string
	}{
		{"received", slog.LevelInfo, slog.LevelInfo, "delivery", append(delivery, "state", "received", "repository", "acme/cart"), ""},
		{
			"ignored", slog.LevelInfo, slog.LevelInfo, "delivery",
			append(delivery, "state", "ignored", "repository", "acme/cart", "duplicate", false, "reason", "nothing of it is read"),
			"12:00:00 · acme/cart                         push ignored: nothing of it is read  2 ms\n",
		},
		{
			"again", slog.LevelInfo, slog.LevelInfo, "delivery", append(delivery, "state", "applied", "repository", "acme/cart", "duplicate", true),
			"12:00:00 · acme/cart                         push received before  2 ms\n",
		},
		{"a caller's mistake", slog.LevelInfo, slog.LevelInfo, "request", []any{"path", "/x", "status", 404}, ""},
		{"asked for more", slog.LevelDebug, slog.LevelInfo, "request", []any{"path", "/x", "status", 404}, "12:00:00 request  path=/x  status=404\n"},
		{"our mistake", slog.LevelInfo, slog.LevelWarn, "request", []any{"path", "/x", "status", 500}, "12:00:00 warn request  path=/x  status=500\n"},
		{"a page of a scan", slog.LevelInfo, slog.LevelInfo, "run", []any{"topic", "account.scan.v1", "repository", "acme"}, ""},
		{
			"a refresh", slog.LevelInfo, slog.LevelInfo, "run",
			[]any{"repository", "acme/cart", "commit", "0123456789", "summary", "1 changed", "duration_ms", 7},
			"12:00:00 ✓ acme/cart                0123456  1 changed  7 ms\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			h := &terminalHandler{mu: &sync.Mutex{}, w: &out, level: tt.level}
			r := slog.NewRecord(time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC), tt.at, tt.message, 0)
			r.Add(tt.attrs...)
			if err := h.Handle(context.Background(), r); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, out.String()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
