package view

import (
	"hash/maphash"
	"iter"
	"sync"

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

	lower []byte // the writer's, for hashes

	mu sync.Mutex // for readers who make a text
	// searched are the fields that have a text, the oldest first.
	searched []*field
}

// field is one search key.
type field struct {
	// exists are the entities that have the key, with a value or with null.
	exists idset
	values values
	// text is what searches for parts of values go through, see text.go.
	text text
}

func newIndex() *index {
	return &index{fields: make(map[string]*field), flags: make(map[string]idset)}
}

// hash is what a value is found by, in any case.
func (ix *index) hash(value string) uint32 {
	ix.lower = appendLower(ix.lower[:0], value)
	return uint32(maphash.Bytes(seed, ix.lower))
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
		f = &field{values: newValues()}
		ix.fields[string(r.key)] = f
	}
	if r.null {
		f.exists.add(id)
	} else if f.add(id, r.value, ix.hash(r.value)) {
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
	} else if f.remove(id, r.value, ix.hash(r.value)) {
		f.exists.remove(id)
	}
	if f.exists.empty() && f.values.pairs == 0 {
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
		f.remove(id, r.value, ix.hash(r.value))
	}
}

// add answers whether the entity did not have the value, in any casing.
func (f *field) add(id uint32, value string, hash uint32) bool {
	if f.text.made() {
		if lower := fold(value); !f.values.known(lower) {
			f.text.add(lower)
		}
	}
	return f.values.add(id, value, hash)
}

// remove answers whether the entity had the value.
func (f *field) remove(id uint32, value string, hash uint32) bool {
	if !f.values.remove(id, value, hash) {
		return false
	}
	if f.text.made() {
		if lower := fold(value); !f.values.known(lower) {
			f.text.remove(lower)
		}
	}
	return true
}

// each yields every value of a key, as written, with its entities. That a key
// has both values and a flag is rare, so the two are put together here.
func (ix *index) each(key string) iter.Seq2[string, idset] {
	return func(yield func(string, idset) bool) {
		flag, flagged := ix.flags[key]
		if f := ix.fields[key]; f != nil {
			for value, set := range f.values.all() {
				if flagged && value == "true" {
					set = idset{more: &idlist{many: union([]idset{set, flag})}}
					flagged = false
				}
				if !yield(value, set) {
					return
				}
			}
		}
		if flagged {
			yield("true", flag)
		}
	}
}

// has says whether anybody has the key.
func (ix *index) has(key string) bool {
	_, flagged := ix.flags[key]
	return flagged || ix.fields[key] != nil
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
			sets = f.values.having(sets, v)
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
