package location_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/pipeline/location"
	"github.com/callboard/callboard/storage"
)

func TestFile(t *testing.T) {
	t.Parallel()
	tests := []struct{ target, path, fault string }{
		{"/srv/catalog/all.yaml", "srv/catalog/all.yaml", ""},
		{"/srv/**/catalog-info.{yaml,yml}", "srv/**/catalog-info.{yaml,yml}", ""},
		{"/srv/[id]/a b.yaml", "srv/[id]/a b.yaml", ""},
		{"all.yaml", "", "no absolute path"},
		{"", "", "no absolute path"},
		{"/", "", "names no file"},
		{"/srv/../etc/passwd", "", "names no file"},
		{"/srv//x", "", "names no file"},
		{"/srv/@(a|b)*.yaml", "", "cannot be matched"},
		{"/" + strings.Repeat("x", 2048), "", "longer than 2048"},
	}
	for _, tt := range tests {
		got, err := location.File(tt.target)
		if tt.fault != "" {
			if err == nil || !strings.Contains(err.Error(), tt.fault) {
				t.Errorf("%.50s: %v, want %q", tt.target, err, tt.fault)
			}
			continue
		}
		want := storage.Location{Type: "file", Target: tt.target, Owner: "local", Repo: "~files", Path: tt.path, Origin: "file:" + tt.target}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", tt.target, err, diff)
		}
	}
}
