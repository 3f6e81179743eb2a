package refresh

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/callboard/callboard/storage"
)

// History is for reading: it keeps the first fields that differ, and short
// values only. Longer ones are named without their value.
const (
	maxFields     = 50
	maxFieldBytes = 1 << 10
)

// diff lists the fields in which two entities differ, as JSON pointers in order.
func diff(before, after json.RawMessage) []storage.FieldChange {
	var a, b any
	if json.Unmarshal(before, &a) != nil || json.Unmarshal(after, &b) != nil {
		return nil
	}
	var out []storage.FieldChange
	walkDiff("", a, b, &out)
	return out
}

// absent marks the side of a difference that has no value.
type absent struct{}

func walkDiff(path string, a, b any, out *[]storage.FieldChange) {
	if len(*out) >= maxFields {
		return
	}
	am, aok := a.(map[string]any)
	bm, bok := b.(map[string]any)
	if aok && bok {
		keys := map[string]bool{}
		for k := range am {
			keys[k] = true
		}
		for k := range bm {
			keys[k] = true
		}
		for _, k := range slices.Sorted(maps.Keys(keys)) {
			walkDiff(path+"/"+escapePointer(k), member(am, k), member(bm, k), out)
		}
		return
	}
	av, bv := encode(a), encode(b)
	if !bytes.Equal(av, bv) {
		*out = append(*out, storage.FieldChange{Path: path, Before: short(av), After: short(bv)})
	}
}

func member(m map[string]any, k string) any {
	if v, ok := m[k]; ok {
		return v
	}
	return absent{}
}

func encode(v any) json.RawMessage {
	if _, none := v.(absent); none {
		return nil
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return raw
}

func short(raw json.RawMessage) json.RawMessage {
	if len(raw) > maxFieldBytes {
		return json.RawMessage(fmt.Sprintf(`"(%d bytes)"`, len(raw)))
	}
	return raw
}

// escapePointer is RFC 6901.
func escapePointer(k string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(k)
}

// Differences lists the fields in which two entities differ as a history does,
// for who compares before anything is stored.
func Differences(before, after json.RawMessage) []storage.FieldChange { return diff(before, after) }
