package refresh

import (
	"fmt"
	"strings"

	"github.com/callboard/callboard/storage"
)

// generatedPrefix begins the refs of generated Locations.
const generatedPrefix = "location:default/generated-"

// named is how many entities a summary names before it only counts.
const named = 3

// summary says in words what an apply did: "1 updated: component:default/cart".
// Generated Locations are plumbing and not counted among what people wrote.
func summary(changes []storage.Change, p Plan) string {
	var parts []string
	for _, what := range []storage.ChangeKind{storage.ChangeCreated, storage.ChangeUpdated, storage.ChangeDeleted} {
		var refs []string
		for _, c := range changes {
			if c.What == what && !strings.HasPrefix(c.Ref, generatedPrefix) {
				refs = append(refs, c.Ref)
			}
		}
		switch n := len(refs); {
		case n > named:
			parts = append(parts, fmt.Sprintf("%d %s: %s and %d more", n, what, strings.Join(refs[:named-1], ", "), n-named+1))
		case n > 0:
			parts = append(parts, fmt.Sprintf("%d %s: %s", n, what, strings.Join(refs, ", ")))
		}
	}
	if n := broken(p); n > 0 {
		parts = append(parts, fmt.Sprintf("%d broken file(s): %s", n, firstBroken(p)))
	}
	return strings.Join(parts, "; ")
}

func broken(p Plan) (n int) {
	for _, f := range p.changed {
		if f.Status == storage.FileBroken {
			n++
		}
	}
	return n
}

// firstBroken is the place of the first error, as an editor understands it.
func firstBroken(p Plan) string {
	for _, f := range p.changed {
		if f.Status != storage.FileBroken {
			continue
		}
		for _, d := range f.Diagnostics {
			if d.Severity == "error" {
				return fmt.Sprintf("%s:%d:%d %s", f.Path, d.Line, d.Column, d.Rule)
			}
		}
	}
	return ""
}
