package view

import (
	"iter"
	"slices"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"
)

// Page lists the chosen from offset on, at most limit of them, and says
// whether there are more; limit 0 means all.
//
// Without orders it sorts by ref. With orders it sorts by these, one after the
// other, then by uid. Every entity appears once: one with several values of a
// key stands where its least value does, and one without the key comes last in
// either direction (contract catalog 6, row 23).
func (sel Selection) Page(by []Order, offset, limit int) (page []*Entity, more bool) {
	n := sel.Len()
	rest := max(0, n-offset)
	if limit > 0 {
		rest = min(rest, limit)
	}
	more = rest > 0 && offset+rest < n
	p := &pager{s: sel.s, chosen: sel.ids, skip: offset, page: make([]*Entity, 0, rest), want: rest}
	if rest > 0 {
		p.fill(sel.s.ranking(by), n)
	}
	return p.page, more
}

type pager struct {
	s          *Snapshot
	chosen     *roaring.Bitmap
	skip, want int
	page       []*Entity
}

// take adds the next entity; false means that the page is full.
func (p *pager) take(id uint32) bool {
	if p.skip > 0 {
		p.skip--
		return true
	}
	p.page = append(p.page, p.s.entities[id])
	return len(p.page) < p.want
}

// fill lists the first of the n chosen. A small choice is sorted; a large one is
// picked out of all in their order, which needs only as many steps as the page.
func (p *pager) fill(r ranking, n int) {
	first := r.by[0]
	switch {
	case n < 64 || n < len(p.s.entities)/16:
		p.takeAll(r.least(each(p.chosen), p.skip+p.want))
	case len(r.by) == 1 && !first.desc:
		_ = p.takeAll(first.ids) && p.takeAll(first.keyless(p.s))
	default:
		for run := range first.runs(p.s) {
			if len(r.by) > 1 {
				run = r.least(p.among(run), p.skip+p.want-len(p.page))
			}
			if !p.takeAll(run) {
				return
			}
		}
	}
}

// takeAll adds the chosen of ids; false means that the page is full.
func (p *pager) takeAll(ids []uint32) bool {
	for _, id := range ids {
		if p.chosen.Contains(id) && !p.take(id) {
			return false
		}
	}
	return true
}

func (p *pager) among(ids []uint32) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for _, id := range ids {
			if p.chosen.Contains(id) && !yield(id) {
				return
			}
		}
	}
}

func each(ids *roaring.Bitmap) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		var buf [256]uint32
		it := ids.ManyIterator()
		for n := it.NextMany(buf[:]); n > 0; n = it.NextMany(buf[:]) {
			for _, id := range buf[:n] {
				if !yield(id) {
					return
				}
			}
		}
	}
}

// ranking compares entities by several orders, then by uid.
type ranking struct {
	s       *Snapshot
	by      []direction
	uidDesc bool
	// back turns the whole around.
	back bool
}

type direction struct {
	*sorted
	desc bool
}

func (s *Snapshot) ranking(by []Order) ranking {
	r := ranking{s: s}
	for _, b := range by {
		r.by = append(r.by, direction{s.order(b.Field), b.Desc})
	}
	if len(by) == 0 {
		r.by = []direction{{sorted: s.refs}}
	}
	return r
}

func (r ranking) compare(a, b uint32) int {
	for _, d := range r.by {
		if c := d.compare(d.key(a), d.key(b)); c != 0 {
			return turned(c, r.back)
		}
	}
	return turned(strings.Compare(r.s.uid(a), r.s.uid(b)), r.uidDesc != r.back)
}

// compare puts entities without a key last in either direction.
func (d direction) compare(a, b *string) int {
	return turned(compareKeys(a, b), d.desc && a != nil && b != nil)
}

func turned(c int, turn bool) int {
	if turn {
		return -c
	}
	return c
}

// runs yields the ids with one key after the other, each run by uid, and at last
// those without. The runs must not be changed.
func (d direction) runs(s *Snapshot) iter.Seq[[]uint32] {
	return func(yield func([]uint32) bool) {
		for rest := d.ids; len(rest) > 0; {
			var run []uint32
			if d.desc {
				run = rest[d.search(place{key: d.key(rest[len(rest)-1])}, s.uid):]
				rest = rest[:len(rest)-len(run)]
			} else {
				run = rest[:d.run(rest)]
				rest = rest[len(run):]
			}
			if !yield(run) {
				return
			}
		}
		if none := d.keyless(s); len(none) > 0 {
			yield(none)
		}
	}
}

// run is how many ids have the key of the first.
func (d direction) run(ids []uint32) int {
	key := d.key(ids[0])
	n := 1
	for n < len(ids) && compareKeys(key, d.key(ids[n])) == 0 {
		n++
	}
	return n
}

// keyless are the ids without a key, by uid.
func (d direction) keyless(s *Snapshot) (ids []uint32) {
	if len(d.ids) == len(s.uids.ids) {
		return nil
	}
	for _, id := range s.uids.ids {
		if d.key(id) == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// least are the first k of some ids, in order.
func (r ranking) least(ids iter.Seq[uint32], k int) []uint32 {
	if k == 0 {
		return nil
	}
	var (
		best  []uint32
		bound uint32 // the k-th of those seen, once there are as many
		full  bool
	)
	for id := range ids {
		if full && r.compare(id, bound) > 0 {
			continue
		}
		if best = append(best, id); len(best) >= 2*k && len(best) >= 64 {
			slices.SortFunc(best, r.compare)
			best, bound, full = best[:k], best[k-1], true
		}
	}
	slices.SortFunc(best, r.compare)
	return best[:min(k, len(best))]
}
