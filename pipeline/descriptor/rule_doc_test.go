package descriptor

import (
	"os"
	"strings"
	"testing"
)

// Rule ids are part of the API, so the documentation lists every one.
func TestEveryRuleIsDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/descriptors.md")
	if err != nil {
		t.Fatal(err)
	}
	for id := range rules {
		if !strings.Contains(string(page), "| `"+id+"` |") {
			t.Errorf("docs/descriptors.md does not list %s", id)
		}
	}
}
