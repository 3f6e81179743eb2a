package view

import (
	"iter"
	"slices"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"
)

// Position is where an entity stands in an order: its least value under the
// order's field, in lower case, and its uid. Value is nil when it has none.
type Position struct {
	Value *string
	UID   string
}

// Window is a piece of an ordered list, by position, so that pages neither lose
// nor repeat entities while others come and go (contract catalog 4.9).
//
// The order is the least value of each entity under By.Field, in any case, and
// then the uid, both in By's direction. Entities without a value come last in
// either direction (contract catalog 6, row 23). Without a field it is the uid.
type Window struct {
	By Order
	// After is where the page begins, exclusively; nil is the beginning.
	After *Position
	// Back asks for the page just before After, still in forward order; without
	// After for the last one.
	Back bool
	// Offset is how many are left out first, Limit how many there are at most.
	Offset, Limit int
}

// Position is where the entity, of this snapshot, stands in an order.
func (s *Snapshot) Position(e *Entity, by Order) Position {
	if by.Field == "" {
		return Position{UID: e.uid}
	}
	return Position{Value: s.order(by.Field).key(e.id), UID: e.uid}
}

// Window lists a piece of the chosen in order. More says whether there are
// others beyond it, in the direction of walking.
func (sel Selection) Window(w Window) (page []*Entity, more bool) {
	w.Offset, w.Limit = max(w.Offset, 0), max(w.Limit, 0)
	n := sel.Len()
	if w.Offset >= n {
		return []*Entity{}, false
	}
	// One more than wanted tells whether there are more.
	k := w.Offset + min(w.Limit, n) + 1
	line := line{s: sel.s, first: sel.s.order(w.By.Field), desc: w.By.Desc, keyless: w.By.Field == ""}
	ids, ok := line.walk(sel.ids, w, k, 4*n+1024)
	if !ok {
		ids = line.pick(sel.ids, w, k)
	}
	ids = ids[min(w.Offset, len(ids)):]
	if more = len(ids) > w.Limit; more {
		ids = ids[:w.Limit]
	}
	page = make([]*Entity, len(ids))
	for i, id := range ids {
		page[i] = sel.s.entities[id]
	}
	if w.Back {
		slices.Reverse(page)
	}
	return page, more
}

// line is all entities in one order: those with a key, and behind them all by
// uid, of which those with a key do not count.
type line struct {
	s     *Snapshot
	first *sorted
	desc  bool
	// keyless is the order by uid alone.
	keyless bool
}

func (l line) len() int {
	if l.keyless || len(l.first.ids) == len(l.s.uids.ids) {
		return len(l.first.ids)
	}
	return len(l.first.ids) + len(l.s.uids.ids)
}

// at is the i-th; ok is false where nobody stands.
func (l line) at(i int) (id uint32, ok bool) {
	if n := len(l.first.ids); i < n {
		if l.desc {
			i = n - 1 - i
		}
		return l.first.ids[i], true
	} else if i -= n; l.desc {
		i = len(l.s.uids.ids) - 1 - i
	}
	id = l.s.uids.ids[i]
	return id, l.first.key(id) == nil
}

// seek is how many stand before a position, and how many before or at it.
func (l line) seek(p Position) (before, through int) {
	if p.Value == nil && !l.keyless {
		before, through = l.among(l.s.uids, place{key: &p.UID, uid: p.UID})
		return before + len(l.first.ids), through + len(l.first.ids)
	}
	if l.keyless {
		p.Value = &p.UID
	}
	return l.among(l.first, place{key: p.Value, uid: p.UID})
}

func (l line) among(o *sorted, p place) (before, through int) {
	before = o.search(p, l.s.uid)
	through = before
	if n := len(o.ids); before < n && (place{o.key(o.ids[before]), l.s.uid(o.ids[before])}).compare(p) == 0 {
		through++
	}
	if l.desc {
		before, through = len(o.ids)-through, len(o.ids)-before
	}
	return before, through
}

// walk collects the first k of the chosen from where the window begins, in the
// direction of walking. It gives up, and answers false, when the chosen are so
// few, or so far away, that it takes too many steps.
func (l line) walk(chosen *roaring.Bitmap, w Window, k, steps int) (ids []uint32, ok bool) {
	from, to, step := 0, l.len(), 1
	if w.After != nil {
		before, through := l.seek(*w.After)
		if w.Back {
			to = min(before, to)
		} else {
			from = min(through, to)
		}
	}
	if w.Back {
		from, to, step = to-1, from-1, -1
	}
	if n := int(chosen.GetCardinality()); n < len(l.s.entities)/16 && 4*n*n < k*len(l.s.entities) {
		return nil, false
	}
	for i := from; i != to && len(ids) < k; i += step {
		if steps--; steps < 0 {
			return nil, false
		}
		if id, ok := l.at(i); ok && chosen.Contains(id) {
			ids = append(ids, id)
		}
	}
	return ids, true
}

// pick does what walk does by looking at each of the chosen.
func (l line) pick(chosen *roaring.Bitmap, w Window, k int) []uint32 {
	r := ranking{s: l.s, by: []direction{{l.first, l.desc}}, uidDesc: l.desc, back: w.Back}
	ids := each(chosen)
	if w.After != nil {
		ids = l.beyond(ids, r.by[0], w)
	}
	return r.least(ids, k)
}

// beyond are those of ids that a window may hold.
func (l line) beyond(ids iter.Seq[uint32], d direction, w Window) iter.Seq[uint32] {
	key := w.After.Value
	if l.keyless {
		key = &w.After.UID
	}
	return func(yield func(uint32) bool) {
		for id := range ids {
			c := d.compare(d.key(id), key)
			if c == 0 {
				c = turned(strings.Compare(l.s.uid(id), w.After.UID), l.desc)
			}
			if c != 0 && c < 0 == w.Back && !yield(id) {
				return
			}
		}
	}
}
