package descriptor

import (
	"encoding/json"
	"fmt"

	"github.com/callboard/callboard/storage/entity"
)

// Orphan marks an entity, in the JSON that is served, as one that nothing
// declares (contract catalog 3.5 and 3.10).
func Orphan(served json.RawMessage) (json.RawMessage, error) {
	v, err := parseJSON(string(served))
	if err != nil {
		return nil, fmt.Errorf("read a stored entity: %w", err)
	}
	root, _ := v.(*object)
	meta := root.child("metadata")
	if meta == nil {
		return nil, fmt.Errorf("a stored entity has no metadata")
	}
	annotations := meta.child("annotations")
	if annotations == nil {
		annotations = newObject(1)
		meta.set("annotations", annotations)
	}
	annotations.set(entity.AnnotationOrphan, "true")
	return appendJSON(nil, root), nil
}
