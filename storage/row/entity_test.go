package row_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
	"github.com/callboard/callboard/storage/row"
)

// relationsOnly is a row that has nothing but relations.
type relationsOnly struct{ text any }

func (r relationsOnly) Scan(dest ...any) error {
	return dest[15].(interface{ Scan(src any) error }).Scan(r.text)
}

func TestRelationsAreRead(t *testing.T) {
	t.Parallel()
	// A reader that is fast for what is usual must not differ in what is not.
	part := rapid.SampledFrom([]string{"", "component:default/a", "ownedBy", `quo"te`, `back\slash`, "new\nline", "é", "a, b", "[x]"})
	rapid.Check(t, func(t *rapid.T) {
		var edges [][3]string
		want := map[entity.Relation]bool{}
		for range rapid.IntRange(0, 5).Draw(t, "n") {
			e := [3]string{part.Draw(t, "source"), part.Draw(t, "type"), part.Draw(t, "target")}
			edges = append(edges, e)
			want[entity.Relation{Source: e[0], Type: e[1], Target: e[2]}] = true
		}
		text, err := json.Marshal(edges)
		if err != nil {
			t.Fatal(err)
		}
		var got storage.Entity
		if got, err = row.ScanEntity(relationsOnly{string(text)}); err != nil {
			t.Fatal(err)
		}
		found := map[entity.Relation]bool{}
		for i, r := range got.Relations {
			found[r] = true
			if i > 0 && got.Relations[i-1].Source > r.Source {
				t.Fatalf("not sorted: %v", got.Relations)
			}
		}
		if diff := cmp.Diff(want, found); diff != "" || len(got.Relations) != len(edges) {
			t.Fatalf("%s (-want +got):\n%s", text, diff)
		}
	})
	for _, src := range []any{7, "not JSON", `[["a","b\`} {
		if _, err := row.ScanEntity(relationsOnly{src}); err == nil {
			t.Errorf("%v was taken for relations", src)
		}
	}
}
