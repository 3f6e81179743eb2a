package view

import (
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
)

// maxFew is how many ids are kept as a plain list before a bitmap is made.
const maxFew = 16

// idset is a set of entity ids, which start at 1; the zero value is empty.
// Most search values (a URL, a uid) belong to one or a few entities, and a
// roaring bitmap of one number costs 200 bytes, so small sets are kept plain.
type idset struct {
	one  uint32 // the only id, when more is nil
	more *idlist
}

type idlist struct {
	few  []uint32 // sorted; unused once many is set
	many *roaring.Bitmap
}

// add answers whether the id is new.
func (s *idset) add(id uint32) bool {
	if s.more == nil {
		if s.one == 0 {
			s.one = id
			return true
		}
		if s.one == id {
			return false
		}
		few := []uint32{min(s.one, id), max(s.one, id)}
		s.one, s.more = 0, &idlist{few: few}
		return true
	}
	if s.more.many != nil {
		return s.more.many.CheckedAdd(id)
	}
	i, found := slices.BinarySearch(s.more.few, id)
	if found {
		return false
	}
	s.more.few = slices.Insert(s.more.few, i, id)
	if len(s.more.few) > maxFew {
		s.more.many = roaring.BitmapOf(s.more.few...)
		s.more.few = nil
	}
	return true
}

// remove answers whether the id was there.
func (s *idset) remove(id uint32) bool {
	if s.more == nil {
		if s.one != id || id == 0 {
			return false
		}
		s.one = 0
		return true
	}
	if s.more.many != nil {
		if !s.more.many.CheckedRemove(id) {
			return false
		}
		if s.more.many.GetCardinality() == 0 {
			s.more = nil
		}
		return true
	}
	i, found := slices.BinarySearch(s.more.few, id)
	if !found {
		return false
	}
	s.more.few = slices.Delete(s.more.few, i, i+1)
	if len(s.more.few) == 1 {
		s.one, s.more = s.more.few[0], nil
	}
	return true
}

func (s idset) empty() bool { return s.one == 0 && s.more == nil }

func (s idset) contains(id uint32) bool {
	switch {
	case s.more == nil:
		return s.one == id && id != 0
	case s.more.many != nil:
		return s.more.many.Contains(id)
	}
	_, found := slices.BinarySearch(s.more.few, id)
	return found
}

func (s idset) len() int {
	switch {
	case s.more == nil && s.one == 0:
		return 0
	case s.more == nil:
		return 1
	case s.more.many != nil:
		return int(s.more.many.GetCardinality())
	}
	return len(s.more.few)
}

// bitmap is the set as a bitmap that must not be changed.
func (s idset) bitmap() *roaring.Bitmap {
	switch {
	case s.more == nil && s.one == 0:
		return roaring.New()
	case s.more == nil:
		return roaring.BitmapOf(s.one)
	case s.more.many != nil:
		return s.more.many
	}
	return roaring.BitmapOf(s.more.few...)
}

// each calls fn with every id.
func (s idset) each(fn func(id uint32)) {
	switch {
	case s.more == nil:
		if s.one != 0 {
			fn(s.one)
		}
	case s.more.many != nil:
		it := s.more.many.Iterator()
		for it.HasNext() {
			fn(it.Next())
		}
	default:
		for _, id := range s.more.few {
			fn(id)
		}
	}
}

// appendIn appends those of the set that are in ids, ascending.
func (s idset) appendIn(dst []uint32, ids *roaring.Bitmap) []uint32 {
	switch {
	case s.more == nil:
		if s.one != 0 && ids.Contains(s.one) {
			dst = append(dst, s.one)
		}
		return dst
	case s.more.many != nil:
		it := roaring.And(s.more.many, ids).Iterator()
		for it.HasNext() {
			dst = append(dst, it.Next())
		}
		return dst
	}
	for _, id := range s.more.few {
		if ids.Contains(id) {
			dst = append(dst, id)
		}
	}
	return dst
}

// countIn is how many of the set are in ids.
func (s idset) countIn(ids *roaring.Bitmap) int {
	if s.more != nil && s.more.many != nil {
		return int(s.more.many.AndCardinality(ids))
	}
	var buf [maxFew]uint32
	return len(s.appendIn(buf[:0], ids))
}
