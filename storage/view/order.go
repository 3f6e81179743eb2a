package view

import (
	"cmp"
	"iter"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/RoaringBitmap/roaring/v2"
)

// Order sorts by a search key, in any case.
type Order struct {
	Field string
	Desc  bool
}

// ByUID is the order of lists that ask for none and are not paged (contract catalog 4.8).
var ByUID = []Order{{Field: "metadata.uid"}}

// maxOrders is how many orders are kept. Clients may order by what they like,
// and with a hundred thousand entities an order is some 3 MB.
const maxOrders = 16

// orders are those that somebody asked for. Readers, who may be several, call
// get; the writer, who is alone, calls the others.
type orders struct {
	mu   sync.Mutex
	made map[string]*madeOrder // by lower-case field
	used []string              // the one not asked for longest is first
}

// madeOrder is an order that is made once, by the first who asks. Others wait for it
// only if they want the same.
type madeOrder struct {
	once  sync.Once
	order *sorted
}

// get finds an order, or makes and keeps it.
func (o *orders) get(field string, sort func() *sorted) *sorted {
	k := o.find(field)
	k.once.Do(func() { k.order = sort() })
	return k.order
}

// find makes room for an order that is not there, in place of the one that was
// not asked for longest.
func (o *orders) find(field string) *madeOrder {
	o.mu.Lock()
	defer o.mu.Unlock()
	k := o.made[field]
	switch {
	case k != nil:
		i := slices.Index(o.used, field)
		o.used = slices.Delete(o.used, i, i+1)
	case len(o.used) == maxOrders:
		delete(o.made, o.used[0])
		o.used = slices.Delete(o.used, 0, 1)
	}
	if k == nil {
		k = &madeOrder{}
		o.made[field] = k
	}
	o.used = append(o.used, field)
	return k
}

// kept is an order that the writer must keep, nil if there is none. Nobody is
// making one meanwhile: readers are not there when the writer is.
func (o *orders) kept(field []byte) *sorted {
	if k := o.made[string(field)]; k != nil {
		return k.order
	}
	return nil
}

// sorted is one order of entities, kept from batch to batch: finding a place
// takes some comparisons, and moving an entity some more and a copy of ids.
type sorted struct {
	// keys are by id: the least value, in lower case, nil without any.
	keys []*string
	// ids are those with a key, by key and uid.
	ids []uint32
	// moving are those that this batch may move, with their places in ids.
	moving map[uint32]place
}

// place is where an entity stands in an order.
type place struct {
	key *string
	uid string
}

func (p place) compare(other place) int {
	return cmp.Or(compareKeys(p.key, other.key), strings.Compare(p.uid, other.uid))
}

// compareKeys puts nil last.
func compareKeys(a, b *string) int {
	switch {
	case a == b:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	}
	return strings.Compare(*a, *b)
}

func newSorted() *sorted { return &sorted{moving: make(map[uint32]place)} }

func (o *sorted) key(id uint32) *string {
	if int(id) < len(o.keys) {
		return o.keys[id]
	}
	return nil
}

// touch must be called before an entity's key or uid changes.
func (o *sorted) touch(id uint32, uid string) {
	if _, again := o.moving[id]; !again {
		o.moving[id] = place{o.key(id), uid}
	}
}

func (o *sorted) set(id uint32, key *string) {
	if n := int(id) + 1; n > len(o.keys) {
		o.keys = append(o.keys, make([]*string, n-len(o.keys))...)
	}
	o.keys[id] = key
}

// add and remove follow the rows of a touched entity. All rows of a document are
// removed before those of the next are added, so the key is the least of these.
func (o *sorted) add(id uint32, value string) {
	lower := fold(value)
	if key := o.key(id); key == nil || lower < *key {
		o.set(id, &lower)
	}
}

func (o *sorted) remove(id uint32, value string) {
	if key := o.key(id); key != nil && *key == fold(value) {
		o.set(id, nil)
	}
}

// settle moves what was touched to where it belongs now.
func (o *sorted) settle(uid func(id uint32) string) {
	if len(o.moving) == 0 {
		return
	}
	type arrival struct {
		place
		id uint32
	}
	var gone []int
	var come []arrival
	for id, was := range o.moving {
		now := place{o.key(id), uid(id)}
		if was.compare(now) == 0 {
			continue
		}
		if was.key != nil {
			gone = append(gone, o.search(was, uid))
		}
		if now.key != nil {
			come = append(come, arrival{now, id})
		}
	}
	o.moving = make(map[uint32]place) // and not clear, it may have been large
	slices.Sort(gone)
	o.ids = cutOut(o.ids, gone)
	slices.SortFunc(come, func(a, b arrival) int { return a.compare(b.place) })
	at, ids := make([]int, len(come)), make([]uint32, len(come))
	for i, a := range come {
		at[i], ids[i] = o.search(a.place, uid), a.id
	}
	o.ids = putIn(o.ids, at, ids)
}

// search finds the first that does not stand before a place.
func (o *sorted) search(p place, uid func(id uint32) string) int {
	i, _ := slices.BinarySearchFunc(o.ids, p, func(id uint32, p place) int {
		if was, moves := o.moving[id]; moves {
			return was.compare(p)
		}
		return place{o.key(id), uid(id)}.compare(p)
	})
	return i
}

// cutOut removes what stands at these ascending indexes, moving each id once.
func cutOut(ids []uint32, at []int) []uint32 {
	for k, i := range at {
		end := len(ids)
		if k+1 < len(at) {
			end = at[k+1]
		}
		copy(ids[i-k:], ids[i+1:end])
	}
	return ids[:len(ids)-len(at)]
}

// putIn inserts ids before what stands at these ascending indexes, moving each once.
func putIn(ids []uint32, at []int, come []uint32) []uint32 {
	end := len(ids)
	ids = append(ids, come...)
	for k, id := range slices.Backward(come) {
		copy(ids[at[k]+k+1:], ids[at[k]:end])
		ids[at[k]+k] = id
		end = at[k]
	}
	return ids
}

// order is the order by a field. An order by a key that nobody has is empty.
func (s *Snapshot) order(field string) *sorted {
	field = strings.ToLower(field)
	if field == "" || field == ByUID[0].Field {
		return s.uids // uids are in lower case, as search values
	}
	if !s.index.has(field) {
		return newSorted()
	}
	return s.orders.get(field, func() *sorted { return s.sortBy(s.index.each(field)) })
}

// prefixed are the entities whose value under a key begins with the prefix: they
// stand together in the key's order. An order has one value of each entity, so
// it does not know for keys of which somebody has several. The bitmap must not
// be changed.
func (s *Snapshot) prefixed(key, prefix string) (ids *roaring.Bitmap, ok bool) {
	f := s.index.fields[key]
	if _, flagged := s.index.flags[key]; flagged || f == nil {
		return nil, false
	}
	o := s.order(key)
	if f.values.pairs != len(o.ids) {
		return nil, false
	}
	from := sort.Search(len(o.ids), func(i int) bool { return *o.key(o.ids[i]) >= prefix })
	n := sort.Search(len(o.ids)-from, func(i int) bool { return !strings.HasPrefix(*o.key(o.ids[from+i]), prefix) })
	bits := make([]uint64, len(s.entities)/64+1)
	for _, id := range o.ids[from : from+n] {
		bits[id/64] |= 1 << (id % 64)
	}
	return roaring.FromDense(bits, false), true
}

// sortBy sorts the values and not the entities: these are dealt out to their
// values in the order of uids.
func (s *Snapshot) sortBy(values iter.Seq2[string, idset]) *sorted {
	type valued struct {
		key *string
		set idset
	}
	var postings []valued
	for value, set := range values {
		postings = append(postings, valued{new(fold(value)), set})
	}
	slices.SortFunc(postings, func(a, b valued) int { return strings.Compare(*a.key, *b.key) })
	o := newSorted()
	o.keys = make([]*string, len(s.entities))
	bucket, ends := make([]uint32, len(s.entities)), make([]uint32, len(postings)+1)
	n := uint32(0) // distinct values so far
	for i, p := range postings {
		if i > 0 && *p.key == *postings[i-1].key {
			p.key, postings[i].key = postings[i-1].key, postings[i-1].key
		} else {
			n++
		}
		p.set.each(func(id uint32) {
			if o.keys[id] == nil {
				o.keys[id], bucket[id] = p.key, n
				ends[n]++
			}
		})
	}
	for i := uint32(1); i <= n; i++ {
		ends[i] += ends[i-1]
	}
	o.ids = make([]uint32, ends[n])
	for _, id := range slices.Backward(s.uids.ids) {
		if b := bucket[id]; b > 0 {
			ends[b]--
			o.ids[ends[b]] = id
		}
	}
	return o
}

// uid is an entity's, "" for an id that is free.
func (s *Snapshot) uid(id uint32) string {
	if e := s.entities[id]; e != nil {
		return e.uid
	}
	return ""
}

// eachOrder calls fn with every order that is kept.
func (s *Snapshot) eachOrder(fn func(o *sorted)) {
	fn(s.refs)
	fn(s.uids)
	for _, k := range s.orders.made {
		fn(k.order)
	}
}
