package view

import (
	"slices"
	"strings"
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

// Position is where the entity stands in an order.
func (s *Snapshot) Position(e *Entity, by Order) Position {
	p := Position{UID: e.uid}
	if f := s.index.field(strings.ToLower(by.Field)); f != nil {
		for value, set := range f.values {
			if lower := strings.ToLower(value); set.contains(e.id) && (p.Value == nil || lower < *p.Value) {
				p.Value = &lower
			}
		}
	}
	return p
}

// Window lists a piece of the chosen in order. More says whether there are
// others beyond it, in the direction of walking.
func (sel Selection) Window(w Window) (page []*Entity, more bool) {
	type placed struct {
		e *Entity
		p Position
	}
	var all []placed
	it := sel.ids.Iterator()
	for it.HasNext() {
		e := sel.s.entities[it.Next()]
		all = append(all, placed{e, sel.s.Position(e, w.By)})
	}
	slices.SortFunc(all, func(a, b placed) int { return comparePositions(a.p, b.p, w.By.Desc) })
	if w.Back {
		slices.Reverse(all)
	}
	for _, a := range all {
		if w.After != nil {
			c := comparePositions(a.p, *w.After, w.By.Desc)
			if c == 0 || c < 0 != w.Back {
				continue
			}
		}
		if w.Offset > 0 {
			w.Offset--
			continue
		}
		if len(page) >= w.Limit {
			more = true
			break
		}
		page = append(page, a.e)
	}
	if w.Back {
		slices.Reverse(page)
	}
	return page, more
}

func comparePositions(a, b Position, desc bool) int {
	switch {
	case a.Value == nil && b.Value != nil:
		return 1
	case a.Value != nil && b.Value == nil:
		return -1
	}
	c := 0
	if a.Value != nil {
		c = strings.Compare(*a.Value, *b.Value)
	}
	if c == 0 {
		c = strings.Compare(a.UID, b.UID)
	}
	if desc {
		return -c
	}
	return c
}
