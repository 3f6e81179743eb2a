package location_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/callboard/callboard/pipeline/location"
)

var hosts = []string{"github.com", "ghe.example.com:8443"}

func TestCheck(t *testing.T) {
	t.Parallel()
	tests := []struct{ typ, target, want string }{
		{"url", "https://github.com/acme/one/blob/main/catalog-info.yaml", ""},
		{"url", "https://GitHub.com/Acme/One/tree/main/a/b.yaml", ""},
		{"url", "https://ghe.example.com:8443/acme/one/edit/HEAD/**/catalog-info.{yaml,yml}", ""},
		{"url", "https://github.com/acme/one/blob/main/with%20space.yaml", ""},
		{"file", "/etc/passwd", `Registered locations must be of an allowed type ["url"]`},
		{"", "", `Registered locations must be of an allowed type ["url"]`},
		{"URL", "https://github.com/acme/one/blob/main/x", "allowed type"},
		{"url", "", "is not an absolute URL"},
		{"url", "javascript:alert(1)", "is not an absolute URL"},
		{"url", "not a url", "is not an absolute URL"},
		{"url", "//github.com/acme/one/blob/main/x.yaml", "is not an absolute URL"},
		{"url", "file:///etc/passwd", "is not an absolute URL"},
		{"url", "ftp://github.com/acme/one/blob/main/x.yaml", "is not an absolute URL"},
		{"url", " https://github.com/acme/one/blob/main/x.yaml", "is not an absolute URL"},
		{"url", "https://github.com/acme/one/blob/main/x\n.yaml", "is not an absolute URL"},
		{"url", "https://github.com/acme/one", "names no file; name one of a repository, as in https://github.com/<owner>/<repository>/blob/<branch>/catalog-info.yaml"},
		{"url", "https://github.com/acme/one/tree/main", "names no file"},
		{"url", "https://github.com/acme/one/blob/main/", "names no file"},
		{"url", "https://github.com//one/blob/main/x", "names no file"},
		{"url", "https://github.com/acme/one/blob/main/folder/", "no clean path"},
		{"url", "https://github.com/acme/one/blob/main/../../x.yaml", "no clean path"},
		{"url", "https://github.com/acme/one/blob/main/%2e%2e/%2e%2e/x.yaml", "no clean path"},
		{"url", "https://github.com/acme/one/blob/main/a//b.yaml", "no clean path"},
		{"url", "https://github.com/acme/one/blob/main/a%00.yaml", "no clean path"},
		{"url", "https://github.com/acme/one/blob/main/x%0a%1b[31m.yaml", "no clean path"},
		{"url", "https://github.com/acme/one/blob/main/x%C2%85.yaml", "no clean path"},
		{"url", "https://github.com/acme/one/blob/%ff/x.yaml", "no clean path"},
		{"url", "https://github.com/acme/one/blob/main/users.yaml#/trusted.yaml", "has a query or a fragment"},
		{"url", "https://github.com/acme/one/blob/main/users.yaml?/trusted.yaml", "has a query or a fragment"},
		{"url", "https://github.com/acme/one/blob/main/users.yaml?", "has a query or a fragment"},
		{"url", "https://github.com/acme/one%2Fblob%2fmain%2Fx/blob/main/catalog-info.yaml", "encoded slash"},
		{"url", "https://github.com/acme/one/blob/main/x%3F%23.yaml", ""},
		{"url", "https://github.com/acme/one/blob/main/+(a)*.yaml", "cannot be matched"},
		{"url", "https://github.com/../etc/blob/main/x.yaml", "names no repository"},
		{"url", "https://github.com/acme/one/blob/../x.yaml", "no clean path"},
		{"url", "https://gitlab.com/acme/one/blob/main/x.yaml", "Reading from 'https://gitlab.com/acme/one/blob/main/x.yaml' is not allowed"},
		{"url", "http://169.254.169.254/latest/meta-data/", "is not allowed"},
		{"url", "https://github.com.evil.example/acme/one/blob/main/x.yaml", "is not allowed"},
		{"url", "https://github.com@evil.example/acme/one/blob/main/x.yaml", "user name or password"},
		{"url", "https://user:secret@github.com/acme/one/blob/main/x.yaml", "user name or password"},
		{"url", "https://github.com/acme/one/blob/main/" + strings.Repeat("x", 2048), "longer than 2048"},
	}
	for _, tt := range tests {
		l, err := location.Check(tt.typ, tt.target, hosts)
		if tt.want == "" {
			if err != nil || l.Origin != "url:"+tt.target || l.Path == "" || l.Repo != "one" || l.Owner != "acme" {
				t.Errorf("%q: %+v, %v", tt.target, l, err)
			}
			continue
		}
		if bad, ok := errors.AsType[*location.InvalidError](err); !ok || !strings.Contains(bad.Message, tt.want) {
			t.Errorf("%s %.100q: %v, want %q", tt.typ, tt.target, err, tt.want)
		}
	}
}

func TestParseRepository(t *testing.T) {
	t.Parallel()
	tests := []struct{ url, want string }{
		{"https://github.com/acme/one", "github.com acme one"},
		{"https://GitHub.com/Acme/One.git/", "github.com Acme One"},
		{"https://github.com/acme/one/blob/main/x.yaml", "github.com acme one"},
		{"https://gitlab.com/a/b/c", "gitlab.com a b"},
		{"https://github.com/acme", "github.com  "},
		{"nothing", ""}, {"", ""}, {"/a/b", ""}, {"mailto:a@b", ""},
	}
	for _, tt := range tests {
		host, owner, name, err := location.ParseRepository(tt.url)
		got := host + " " + owner + " " + name
		if err != nil {
			got = ""
		}
		if got != tt.want {
			t.Errorf("%q: %q, %v; want %q", tt.url, got, err, tt.want)
		}
	}
}

func FuzzCheck(f *testing.F) {
	for _, seed := range []string{"https://github.com/acme/one/blob/main/catalog-info.yaml", "javascript:alert(1)", "https://github.com/a/b/tree/x/..", "https://github.com/%2f/%2e%2e/blob/m/x", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, target string) {
		l, err := location.Check("url", target, hosts)
		if err != nil {
			return
		}
		if _, clean := location.CleanPath(l.Path); !clean || l.Owner == "" || l.Repo == "" || l.GitRef == "" || len(target) > 2048 ||
			strings.ContainsAny(l.Owner+l.Repo, "/\x00") || strings.ContainsAny(l.Origin, "?#") || l.Owner == ".." || l.Repo == ".." {
			t.Errorf("%q was taken for %+v", target, l)
		}
	})
}
