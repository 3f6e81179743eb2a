package app

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/callboard/callboard/cmd/config"
)

// What is open is told, unless it is so on one's own machine and on purpose.
func TestSayAccess(t *testing.T) {
	t.Parallel()
	const everybody, pages = "everybody who reaches this address may read the catalog and change it", "pages of other sites"
	tests := []struct {
		name, listen string
		auth         config.Auth
		want         []string
	}{
		{"a demo", "127.0.0.1:7007", config.Auth{Open: true, Site: "127.0.0.1"}, nil},
		{"a laptop", "localhost:7007", config.Auth{Open: true, Site: "localhost"}, nil},
		{"IPv6", "[::1]:7007", config.Auth{Open: true, Site: "::1"}, nil},
		{"no site", "127.0.0.1:7007", config.Auth{Open: true}, []string{everybody, pages}},
		{"behind a proxy", "127.0.0.1:7007", config.Auth{Open: true, Site: "portal.acme.test"}, []string{everybody}},
		{"all addresses", ":7007", config.Auth{Open: true, Site: "localhost"}, []string{everybody}},
		{"closed", "127.0.0.1:7007", config.Auth{Site: "127.0.0.1"}, []string{"nobody may call the API"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			sayAccess(t.Context(), slog.New(slog.NewTextHandler(&log, nil)), tt.listen, tt.auth)
			if n := strings.Count(log.String(), "\n"); n != len(tt.want) {
				t.Errorf("%d lines, want %d:\n%s", n, len(tt.want), log.String())
			}
			for _, want := range tt.want {
				if !strings.Contains(log.String(), want) {
					t.Errorf("it lacks %q:\n%s", want, log.String())
				}
			}
		})
	}
}
