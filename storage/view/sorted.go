package view

import (
	"cmp"
	"slices"
	"strings"
	"sync"
)

// maxSingle is how many new keys are put into a sorted list one by one; after
// more, the list is made again when somebody asks for it.
const maxSingle = 256

// sortedKeys is a sorted list of distinct (key, id) pairs that is made when it
// is first needed and kept up to date from then on. Readers, who may be several,
// call get; the writer, who is alone, calls the others.
type sortedKeys struct {
	mu    sync.Mutex
	keys  []sortedKey
	built bool
	// edits counts changes since the last reader, so that a large batch does
	// not move a large list once for each of its keys.
	edits int
}

// sortedKey is a ref or uid with its entity's id, or a value with 0.
type sortedKey struct {
	key string
	id  uint32
}

func (k sortedKey) compare(other sortedKey) int {
	return cmp.Or(strings.Compare(k.key, other.key), cmp.Compare(k.id, other.id))
}

// get returns the keys in order; all is called to collect them.
func (s *sortedKeys) get(all func(yield func(sortedKey))) []sortedKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.built {
		s.keys = s.keys[:0]
		all(func(k sortedKey) { s.keys = append(s.keys, k) })
		slices.SortFunc(s.keys, sortedKey.compare)
		s.keys = slices.Compact(s.keys)
		s.built = true
	}
	s.edits = 0
	return s.keys
}

func (s *sortedKeys) insert(key string, id uint32) {
	k := sortedKey{key, id}
	if i, found := s.edit(k); s.built && !found {
		s.keys = slices.Insert(s.keys, i, k)
	}
}

func (s *sortedKeys) remove(key string, id uint32) {
	if i, found := s.edit(sortedKey{key, id}); s.built && found {
		s.keys = slices.Delete(s.keys, i, i+1)
	}
}

func (s *sortedKeys) edit(k sortedKey) (int, bool) {
	if !s.built {
		return 0, false
	}
	if s.edits++; s.edits > maxSingle {
		s.built, s.keys = false, nil
		return 0, false
	}
	return slices.BinarySearchFunc(s.keys, k, sortedKey.compare)
}
