package view

import (
	"slices"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"
)

// Order sorts by a search key, in any case.
type Order struct {
	Field string
	Desc  bool
}

// ByUID is the order of lists that ask for none and are not paged (contract catalog 4.8).
var ByUID = []Order{{Field: "metadata.uid"}}

// Page lists the chosen from offset on, at most limit of them, and says
// whether there are more; limit 0 means all.
//
// Without orders it sorts by ref. With orders it sorts by these, one after the
// other, then by uid. Every entity appears once: one with several values of a
// key stands where its least value does, and one without the key comes last in
// either direction (contract catalog 6, row 23).
func (sel Selection) Page(by []Order, offset, limit int) (page []*Entity, more bool) {
	p := &pager{s: sel.s, skip: offset, limit: limit}
	size := max(0, sel.Len()-offset)
	if limit > 0 {
		size = min(size, limit)
	}
	p.page = make([]*Entity, 0, size)
	if len(by) == 0 {
		p.walkAll(sel.ids, p.s.byRef, (*Entity).Ref)
	} else {
		p.walk(sel.ids, by)
	}
	return p.page, p.more
}

type pager struct {
	s           *Snapshot
	skip, limit int
	page        []*Entity
	more        bool
}

// take adds the next entity; false means that the page is full.
func (p *pager) take(id uint32) bool {
	if p.skip > 0 {
		p.skip--
		return true
	}
	if p.limit > 0 && len(p.page) == p.limit {
		p.more = true
		return false
	}
	p.page = append(p.page, p.s.entities[id])
	return true
}

// walkAll takes ids in an order in which every entity has its own place; false
// means that the page is full. A small choice is sorted; a large one is picked
// out of all in their order, which needs only as many steps as the page.
func (p *pager) walkAll(ids *roaring.Bitmap, order func() []sortedKey, key func(*Entity) string) bool {
	n := int(ids.GetCardinality())
	if n >= 64 && n >= len(p.s.entities)/16 {
		for _, k := range order() {
			if ids.Contains(k.id) && !p.take(k.id) {
				return false
			}
		}
		return true
	}
	sorted := make([]sortedKey, 0, n)
	it := ids.Iterator()
	for it.HasNext() {
		id := it.Next()
		sorted = append(sorted, sortedKey{key(p.s.entities[id]), id})
	}
	slices.SortFunc(sorted, sortedKey.compare)
	for _, k := range sorted {
		if !p.take(k.id) {
			return false
		}
	}
	return true
}

// byRef and byUID are the orders that every entity has a place in.
func (s *Snapshot) byRef() []sortedKey {
	return s.refs.get(func(yield func(sortedKey)) { s.each(func(e *Entity) { yield(sortedKey{e.ref, e.id}) }) })
}

func (s *Snapshot) byUID() []sortedKey {
	return s.uids.get(func(yield func(sortedKey)) { s.each(func(e *Entity) { yield(sortedKey{e.uid, e.id}) }) })
}

func (s *Snapshot) each(fn func(e *Entity)) {
	for _, e := range s.entities {
		if e != nil {
			fn(e)
		}
	}
}

// walk takes ids in order; false means that the page is full.
func (p *pager) walk(ids *roaring.Bitmap, by []Order) bool {
	if len(by) == 0 || strings.EqualFold(by[0].Field, ByUID[0].Field) && !by[0].Desc {
		return p.walkAll(ids, p.s.byUID, (*Entity).UID) // ends every order
	}
	f := p.s.index.field(strings.ToLower(by[0].Field))
	if f == nil {
		return p.walk(ids, by[1:])
	}
	// seen are those that came already, or come later, under a value.
	seen := roaring.New()
	full := false
	p.values(f, ids, by[0].Desc, func(found []uint32) bool {
		seen.AddMany(found)
		if len(found) == 1 {
			full = !p.take(found[0])
		} else {
			full = !p.group(roaring.BitmapOf(found...), by[1:])
		}
		return !full
	})
	return !full && p.group(roaring.AndNot(ids, seen), by[1:])
}

// values yields those of ids that have each value of f, in order of values, each once.
func (p *pager) values(f *field, ids *roaring.Bitmap, desc bool, yield func([]uint32) bool) {
	values := f.sorted()
	if desc && f.extra > 0 {
		p.descending(f, values, ids, yield)
		return
	}
	seen := roaring.New()
	for i := range values {
		value := values[i]
		if desc {
			value = values[len(values)-1-i]
		}
		found := f.foundIn(value.key, ids)
		if f.extra > 0 {
			found = unseen(found, seen)
		}
		if len(found) > 0 && !yield(found) {
			return
		}
	}
}

// descending needs to know each entity's least value before it starts.
func (p *pager) descending(f *field, values []sortedKey, ids *roaring.Bitmap, yield func([]uint32) bool) {
	seen := roaring.New()
	var groups [][]uint32
	for _, value := range values {
		if found := unseen(f.foundIn(value.key, ids), seen); len(found) > 0 {
			groups = append(groups, found)
		}
	}
	for _, found := range slices.Backward(groups) {
		if !yield(found) {
			return
		}
	}
}

// foundIn are those of ids that have a lower-case value, in any casing.
func (f *field) foundIn(lower string, ids *roaring.Bitmap) []uint32 {
	var sets [4]idset
	var found []uint32
	for _, set := range f.having(sets[:0], lower) {
		found = set.appendIn(found, ids)
	}
	return found
}

// unseen keeps those that were not seen, and marks them seen.
func unseen(found []uint32, seen *roaring.Bitmap) []uint32 {
	return slices.DeleteFunc(found, func(id uint32) bool { return !seen.CheckedAdd(id) })
}

func (p *pager) group(ids *roaring.Bitmap, by []Order) bool {
	return ids.IsEmpty() || p.walk(ids, by)
}
