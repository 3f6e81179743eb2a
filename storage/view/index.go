package view

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/RoaringBitmap/roaring/v2"
)

// index holds the posting lists: for every search key, which entities have
// which value (contract catalog 4.4).
type index struct {
	fields map[string]*field // by lower-case key
	// flags holds the keys that say "this array contains that string", such as
	// metadata.tags.java. There are many, each with the one value "true", so
	// they are kept without a field of their own.
	flags map[string]idset

	mu sync.Mutex // for readers who make a text
	// searched are the fields that have a text, the oldest first.
	searched []*field

	texts recent
}

// recent are texts that one entity brought. Its own names and locations come
// several times, under different keys, and are kept once.
type recent []string

func (r *recent) begin(known ...string) { *r = append((*r)[:0], known...) }

func (r *recent) text(value []byte) string {
	for _, text := range *r {
		if text == string(value) {
			return text
		}
	}
	text := string(value)
	*r = append(*r, text)
	return text
}

// field is one search key.
type field struct {
	// exists are the entities that have the key, with a value or with null.
	exists idset
	// values are the entities by value as written, for facets; folded leads from
	// a lower-case value to the values as written that are not lower-case.
	values map[string]idset
	folded map[string][]string
	// text is what searches for parts of values go through, see text.go.
	text text
}

func newIndex() *index {
	return &index{fields: make(map[string]*field), flags: make(map[string]idset)}
}

// add puts an entity under a row.
func (ix *index) add(id uint32, r row) {
	if r.flag {
		before := ix.flags[string(r.key)]
		if set := before; set.add(id) && set != before {
			ix.flags[string(r.key)] = set
		}
		return
	}
	f := ix.fields[string(r.key)]
	if f == nil {
		f = &field{values: make(map[string]idset)}
		ix.fields[string(r.key)] = f
	}
	if r.null {
		f.exists.add(id)
	} else if f.add(id, r.value, &ix.texts) {
		f.exists.add(id)
	}
}

// remove takes an entity from under a row. An entity's rows are removed all
// together; see removeEdge for the exception.
func (ix *index) remove(id uint32, r row) {
	if r.flag {
		set := ix.flags[string(r.key)]
		if !set.remove(id) {
			return
		}
		if set.empty() {
			delete(ix.flags, string(r.key))
		} else {
			ix.flags[string(r.key)] = set
		}
		return
	}
	f := ix.fields[string(r.key)]
	if f == nil {
		return
	}
	if r.null {
		f.exists.remove(id)
	} else if f.remove(id, r.value) {
		f.exists.remove(id)
	}
	if f.exists.empty() && len(f.values) == 0 {
		delete(ix.fields, string(r.key))
	}
}

// removeEdge takes an entity from under one of several values of a key; last
// says that no other is left.
func (ix *index) removeEdge(id uint32, r row, last bool) {
	if last {
		ix.remove(id, r)
		return
	}
	if f := ix.fields[string(r.key)]; f != nil {
		f.remove(id, r.value)
	}
}

// add answers whether the entity did not have the value, in any casing. Of
// several casings within one entity the first is kept.
func (f *field) add(id uint32, value []byte, texts *recent) bool {
	lower, changed := fold(value)
	if changed && f.values[lower].contains(id) {
		return false
	}
	if len(f.folded) > 0 {
		casings := f.folded[lower]
		if !changed {
			casings = f.folded[string(value)]
		}
		for _, other := range casings {
			if other != string(value) && f.values[other].contains(id) {
				return false
			}
		}
	}
	before, known := f.values[string(value)]
	set := before
	if !set.add(id) {
		return false
	}
	if !known {
		v := texts.text(value)
		f.register(v, lower, changed)
		f.values[v] = set
	} else if set != before {
		f.values[string(value)] = set
	}
	return true
}

// register notes a value that no entity had before.
func (f *field) register(value, lower string, changed bool) {
	if !changed {
		lower = value
	}
	if f.text.made() && !f.known(lower) {
		f.text.add(lower)
	}
	if !changed {
		return
	}
	if f.folded == nil {
		f.folded = make(map[string][]string)
	}
	f.folded[lower] = append(f.folded[lower], value)
}

// known says whether any entity has the value, in any casing.
func (f *field) known(lower string) bool {
	_, plain := f.values[lower]
	return plain || len(f.folded[lower]) > 0
}

func (f *field) remove(id uint32, value []byte) bool {
	before := f.values[string(value)]
	set := before
	if !set.remove(id) {
		return false
	}
	if !set.empty() {
		if set != before {
			f.values[string(value)] = set
		}
		return true
	}
	delete(f.values, string(value))
	lower, changed := fold(value)
	if changed {
		f.unfold(lower, string(value))
	} else {
		lower = string(value)
	}
	if f.text.made() && !f.known(lower) {
		f.text.remove(lower)
	}
	return true
}

func (f *field) unfold(lower, value string) {
	kept := slices.DeleteFunc(f.folded[lower], func(v string) bool { return v == value })
	if len(kept) == 0 {
		delete(f.folded, lower)
	} else {
		f.folded[lower] = kept
	}
}

// fold returns the lower-case form if that differs from the value; making it
// costs memory, and most values are lower-case already.
func fold(value []byte) (lower string, changed bool) {
	for _, c := range value {
		if c >= utf8.RuneSelf || c >= 'A' && c <= 'Z' {
			lower = strings.ToLower(string(value))
			return lower, lower != string(value)
		}
	}
	return "", false
}

// having appends the sets of all casings of a lower-case value.
func (f *field) having(dst []idset, lower []byte) []idset {
	if set, ok := f.values[string(lower)]; ok {
		dst = append(dst, set)
	}
	if len(f.folded) > 0 {
		for _, v := range f.folded[string(lower)] {
			dst = append(dst, f.values[v])
		}
	}
	return dst
}

// field is everything that is known of a key, its flag included, nil if that is
// nothing. It must not be changed. That a key has both values and a flag is
// rare, so the two are put together when somebody asks.
func (ix *index) field(key string) *field {
	f := ix.fields[key]
	flag, flagged := ix.flags[key]
	if !flagged {
		return f
	}
	if f == nil {
		return &field{exists: flag, values: map[string]idset{"true": flag}}
	}
	both := &field{values: maps.Clone(f.values), folded: f.folded}
	both.exists = idset{more: &idlist{many: union([]idset{f.exists, flag})}}
	both.values["true"] = idset{more: &idlist{many: union([]idset{f.values["true"], flag})}}
	return both
}

// existing are the entities that have the key. The bitmap must not be changed.
func (ix *index) existing(key string) *roaring.Bitmap {
	var sets []idset
	if f := ix.fields[key]; f != nil {
		sets = append(sets, f.exists)
	}
	if set, ok := ix.flags[key]; ok {
		sets = append(sets, set)
	}
	return union(sets)
}

// equal are the entities that have one of the lower-case values under the key.
// The bitmap must not be changed.
func (ix *index) equal(key string, values []string) *roaring.Bitmap {
	var sets []idset
	f := ix.fields[key]
	for _, v := range values {
		if f != nil {
			sets = f.having(sets, []byte(v))
		}
		if set, ok := ix.flags[key]; ok && v == "true" {
			sets = append(sets, set)
		}
	}
	return union(sets)
}

// manySets is from where the ids of small sets are gathered in a plain bit list.
const manySets = 16

func union(sets []idset) *roaring.Bitmap {
	switch len(sets) {
	case 0:
		return roaring.New()
	case 1:
		return sets[0].bitmap()
	}
	all := roaring.New()
	var bits []uint64
	for _, s := range sets {
		if len(sets) < manySets || s.more != nil && s.more.many != nil {
			all.Or(s.bitmap())
			continue
		}
		s.each(func(id uint32) {
			if word := int(id / 64); word >= len(bits) {
				bits = append(bits, make([]uint64, word+1-len(bits))...)
			}
			bits[id/64] |= 1 << (id % 64)
		})
	}
	if bits != nil {
		all.Or(roaring.FromDense(bits, false))
	}
	return all
}
