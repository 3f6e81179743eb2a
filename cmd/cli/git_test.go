package cli

import (
	"strings"
	"testing"
)

func TestParseRemote(t *testing.T) {
	t.Parallel()
	tests := []struct{ remote, host, name string }{
		{"https://github.com/acme/cart.git", "github.com", "acme/cart"},
		{"https://github.com/acme/cart/", "github.com", "acme/cart"},
		{"https://user:hush@ghe.acme.test:8443/acme/cart", "ghe.acme.test:8443", "acme/cart"},
		{"git@github.com:acme/cart.git", "github.com", "acme/cart"},
		{"github.com:/acme/cart", "github.com", "acme/cart"},
		{"ssh://git@github.com:22/acme/cart.git", "github.com", "acme/cart"},
		{"git://github.com/acme/cart.git", "github.com", "acme/cart"},
	}
	for _, tt := range tests {
		got, err := parseRemote(tt.remote)
		if err != nil || got.Host != tt.host || got.String() != tt.name {
			t.Errorf("%s: %+v, %v", tt.remote, got, err)
		}
	}
	for _, remote := range []string{"", "/srv/git/cart.git", "../cart", "https://github.com/acme", "https://user:hush@github.com/a/b/c", "git@github.com:cart", "https://user:hush@%zz/a/b"} {
		if got, err := parseRemote(remote); err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %+v, %v", remote, got, err)
		}
	}
	for given, want := range map[string]repositoryName{"a/b": {"", "a", "b"}, "h/a/b": {"h", "a", "b"}, "a": {}, "a/": {}, "/b": {}, "a/b/c/d": {}} {
		got, err := parseRepository(given)
		if got != want || (err == nil) != (want.Name != "") {
			t.Errorf("--repository %q: %+v, %v", given, got, err)
		}
	}
}

// Whatever a remote is called, nothing of it but host, owner and name comes out.
func FuzzParseRemote(f *testing.F) {
	for _, seed := range []string{"https://u:p@github.com/a/b.git", "git@h:a/b", "ssh://h/a/b", "://", "a:b:c/d", "file:///a/b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, remote string) {
		got, err := parseRemote(remote)
		if err == nil && (got.Owner == "" || got.Name == "" || strings.Contains(got.Name, "/") || strings.Contains(got.Owner, "/")) {
			t.Errorf("%q gave %+v", remote, got)
		}
	})
}
