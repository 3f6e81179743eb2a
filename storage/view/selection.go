package view

import (
	"slices"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"
)

// Selection is what a filter chose of a snapshot; valid as long as that is.
type Selection struct {
	s   *Snapshot
	ids *roaring.Bitmap // not to be changed
}

// Select chooses entities; a nil filter chooses all.
func (s *Snapshot) Select(f Filter) Selection {
	if f == nil {
		return Selection{s: s, ids: s.all}
	}
	return Selection{s: s, ids: f.match(s)}
}

// Len is the number of entities.
func (sel Selection) Len() int { return int(sel.ids.GetCardinality()) }

// Contains says whether an entity of the same snapshot is chosen.
func (sel Selection) Contains(e *Entity) bool { return sel.ids.Contains(e.id) }

// FacetValue is a value of a facet and how many entities have it.
type FacetValue struct {
	Value string `json:"value"`
	Count int    `json:"count"`
}

// Facet counts the values of a key, in any case, among the chosen, as written
// and sorted by byte (contract catalog 4.12). It never returns nil.
func (sel Selection) Facet(key string) []FacetValue {
	key = strings.ToLower(key)
	out := []FacetValue{}
	whole := sel.ids == sel.s.all
	count := func(set idset) int {
		if whole {
			return set.len()
		}
		return set.countIn(sel.ids)
	}
	for value, set := range sel.s.index.each(key) {
		if n := count(set); n > 0 {
			out = append(out, FacetValue{value, n})
		}
	}
	slices.SortFunc(out, func(a, b FacetValue) int { return strings.Compare(a.Value, b.Value) })
	return out
}
