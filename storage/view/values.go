package view

import (
	"hash/maphash"
	"iter"
	"strings"
)

// seed makes hashes differ from process to process, so that nobody can choose
// values that collide.
var seed = maphash.MakeSeed()

// values are the values of one search key, as written, with the entities that
// have them. Most values (a name, a URL) belong to one entity, and there are
// some ten of these for each: a map of strings, and a second one from lower
// case, would take most of the view's memory. Here a value is a posting in one
// long list, found by a hash of its lower-case form; its casings, and the rare
// other values with that hash, hang together.
type values struct {
	first map[uint32]uint32 // by hash, the number of a posting
	// pages hold the postings, so that a long list grows without being copied.
	// Number 0 is nobody.
	pages [][]posting
	free  uint32 // the first of those to be used again, by next
	// pairs is how many entities the values have, added up.
	pairs int
}

// posting is a value. As long as one entity has it, the text is a part of that
// entity's document; one that is shared has a text of its own, so that it does
// not keep a document that is gone.
type posting struct {
	text string
	set  idset
	next uint32
}

// pageBits is how many bits of a number say where in its page a posting is.
const pageBits = 10

func newValues() values {
	return values{first: make(map[uint32]uint32), pages: [][]posting{make([]posting, 1)}}
}

func (v *values) at(i uint32) *posting { return &v.pages[i>>pageBits][i&(1<<pageBits-1)] }

// append adds a posting and says its number.
func (v *values) append(p posting) (i uint32) {
	n := len(v.pages) - 1
	if len(v.pages[n]) == 1<<pageBits {
		v.pages = append(v.pages, make([]posting, 0, 1<<pageBits))
		n++
	}
	v.pages[n] = append(v.pages[n], p)
	return uint32(n<<pageBits + len(v.pages[n]) - 1)
}

func hashLower(lower string) uint32 { return uint32(maphash.String(seed, lower)) }

// fold is a text in lower case. It makes none for a text that is, as most are.
func fold(text string) string { return strings.ToLower(text) }

// all yields each value as written and its entities.
func (v *values) all() iter.Seq2[string, idset] {
	return func(yield func(string, idset) bool) {
		for _, page := range v.pages {
			for i := range page {
				if p := &page[i]; !p.set.empty() && !yield(p.text, p.set) {
					return
				}
			}
		}
	}
}

// having appends the sets of all casings of a lower-case value.
func (v *values) having(dst []idset, lower string) []idset {
	for i := v.first[hashLower(lower)]; i != 0; i = v.at(i).next {
		if p := v.at(i); p.text == lower || fold(p.text) == lower {
			dst = append(dst, p.set)
		}
	}
	return dst
}

// known says whether any entity has the value, in any casing.
func (v *values) known(lower string) bool {
	for i := v.first[hashLower(lower)]; i != 0; i = v.at(i).next {
		if fold(v.at(i).text) == lower {
			return true
		}
	}
	return false
}

// add answers whether the entity did not have the value, in any casing. Of
// several casings within one entity the first is kept.
func (v *values) add(id uint32, text string, hash uint32) bool {
	var found *posting
	first := v.first[hash]
	for i := first; i != 0; i = v.at(i).next {
		p := v.at(i)
		if p.text == text {
			found = p
		} else if p.set.contains(id) && fold(p.text) == fold(text) {
			return false
		}
	}
	if found == nil {
		v.insert(hash, posting{text: text, set: idset{one: id}, next: first})
		v.pairs++
		return true
	}
	alone := found.set.more == nil
	if !found.set.add(id) {
		return false
	}
	if alone {
		found.text = strings.Clone(found.text)
	}
	v.pairs++
	return true
}

func (v *values) insert(hash uint32, p posting) {
	i := v.free
	if i == 0 {
		i = v.append(p)
	} else {
		v.free = v.at(i).next
		*v.at(i) = p
	}
	v.first[hash] = i
}

// remove answers whether the entity had the value.
func (v *values) remove(id uint32, text string, hash uint32) bool {
	before := uint32(0)
	for i := v.first[hash]; i != 0; before, i = i, v.at(i).next {
		p := v.at(i)
		if p.text != text {
			continue
		}
		if !p.set.remove(id) {
			return false
		}
		v.pairs--
		if p.set.empty() {
			v.drop(hash, before, i)
		}
		return true
	}
	return false
}

// drop frees posting i, which comes behind before, or first of all.
func (v *values) drop(hash, before, i uint32) {
	next := v.at(i).next
	switch {
	case before != 0:
		v.at(before).next = next
	case next != 0:
		v.first[hash] = next
	default:
		delete(v.first, hash)
	}
	*v.at(i) = posting{next: v.free}
	v.free = i
}
