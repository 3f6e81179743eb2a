package manifest

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// docs/github.md lists what an App needs, for those who make one by hand.
func TestDocsListTheNeeds(t *testing.T) {
	t.Parallel()
	docs, err := os.ReadFile("../../docs/github.md")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	row := func(what string, n Need, always []Need) {
		when := "with `githubOrg`"
		if slices.Contains(always, n) {
			when = "always"
		}
		want = append(want, "| "+what+" | "+n.For+" | "+when+" |")
	}
	always := Needed(false)
	for _, p := range Needed(true).Permissions {
		row(p.Name+": "+p.Level, p, always.Permissions)
	}
	for _, e := range Needed(true).Events {
		row(e.Name, e, always.Events)
	}
	var got []string
	for line := range strings.Lines(string(docs)) {
		if line = strings.TrimSpace(line); strings.HasSuffix(line, "| always |") || strings.HasSuffix(line, "| with `githubOrg` |") {
			got = append(got, line)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/github.md (-want +got)\n%s", diff)
	}
}
