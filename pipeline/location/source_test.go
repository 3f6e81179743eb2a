package location_test

import (
	"testing"

	"github.com/callboard/callboard/pipeline/location"
)

func TestSource(t *testing.T) {
	t.Parallel()
	want := location.Source{RepositoryID: -12, Path: "a:b/c d.yaml"}
	if got, ok := location.ParseSource(want.String()); !ok || got != want {
		t.Errorf("%q is read as %+v, %t", want, got, ok)
	}
	for _, other := range []string{"", "config", "api:12:x", "entity:", "entity:12", "entity:x:y", "entity:99999999999999999999:y"} {
		if got, ok := location.ParseSource(other); ok {
			t.Errorf("%q is read as %+v", other, got)
		}
	}
}
