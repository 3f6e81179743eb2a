package view

import (
	"fmt"
	"runtime"
	"strings"
	"sync"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/callboard/callboard/storage/view/jsondoc"
)

// Snapshot is the catalog at one revision. It is only valid inside View.Read;
// the entities that it hands out stay valid.
type Snapshot struct {
	graph *graph
	index *index
	// entities by id; 0 is nobody. free are ids to be used again.
	entities []*Entity
	free     []uint32
	all      *roaring.Bitmap
	// refs and uids are the orders that are always kept.
	refs, uids *sorted
	orders     orders
	revision   int64
	digest     uint64

	render renderer
	doc    jsondoc.Doc
	rows   rows
	// dirty are the nodes whose entities must be rendered anew in this batch, as
	// far as they still say so.
	dirty []*node
}

func newSnapshot() *Snapshot {
	s := &Snapshot{
		index:    newIndex(),
		entities: make([]*Entity, 1),
		all:      roaring.New(),
		refs:     newSorted(),
		uids:     newSorted(),
		orders:   orders{made: make(map[string]*madeOrder)},
	}
	s.graph = newGraph(s.edgeChanged)
	return s
}

// Revision is the catalog revision that the snapshot shows.
func (s *Snapshot) Revision() int64 { return s.revision }

// Digest names the content of the whole catalog, whichever process and
// database it comes from: equal digests mean that every read answers the same.
func (s *Snapshot) Digest() uint64 { return s.digest }

// Len is the number of entities.
func (s *Snapshot) Len() int { return int(s.all.GetCardinality()) }

// ByRef finds an entity by its full lower-case ref, nil if there is none.
func (s *Snapshot) ByRef(ref string) *Entity {
	if n := s.graph.nodes[ref]; n != nil {
		return s.entities[n.id]
	}
	return nil
}

// ByUID finds an entity by its uid in any case, nil if there is none.
func (s *Snapshot) ByUID(uid string) *Entity {
	ids := s.index.equal("metadata.uid", []string{strings.ToLower(uid)})
	if ids.IsEmpty() {
		return nil
	}
	return s.entities[ids.Minimum()]
}

// put takes an entity in, or replaces it, and does away with in. Its relations and etag are left to
// flush, when all relations of the batch are known.
func (s *Snapshot) put(in *incoming) {
	n := s.graph.node(in.Ref)
	made := in.entity(n)
	var before []declared
	if n.id == 0 {
		s.enter(n, made)
	} else {
		old := s.entities[n.id]
		before = old.declared
		s.digest ^= old.fingerprint()
		s.eachOrder(func(o *sorted) { o.touch(n.id, old.uid) })
		s.unindex(old)
		if old.uid != made.uid {
			s.uids.set(n.id, new(made.uid))
		}
		s.entities[n.id] = made
	}
	s.rows.walk(&in.doc, made.uid, func(r row) { s.add(made.id, r) })
	made.declared = s.graph.declare(before, in.Relations)
	s.soil(n)
	arrivals.Put(in)
}

// enter gives an entity an id, and the relations that wait for it.
func (s *Snapshot) enter(n *node, e *Entity) {
	if last := len(s.free) - 1; last >= 0 {
		n.id, s.free = s.free[last], s.free[:last]
		s.entities[n.id] = e
	} else {
		n.id = uint32(len(s.entities))
		s.entities = append(s.entities, e)
	}
	e.id = n.id
	s.all.Add(n.id)
	s.eachOrder(func(o *sorted) { o.touch(n.id, "") })
	s.refs.set(n.id, &n.ref)
	s.uids.set(n.id, new(e.uid))
	for _, out := range n.edges {
		s.add(n.id, out.row())
	}
}

// add puts an entity under a row.
func (s *Snapshot) add(id uint32, r row) {
	s.index.add(id, r)
	if o := s.orders.kept(r.key); o != nil && !r.null {
		o.add(id, r.value)
	}
}

// remove takes an entity out; unknown refs are ignored.
func (s *Snapshot) remove(ref string) {
	n := s.graph.nodes[ref]
	if n == nil || n.id == 0 {
		return
	}
	e, id := s.entities[n.id], n.id
	s.eachOrder(func(o *sorted) { o.touch(id, e.uid) })
	s.unindex(e)
	for i, out := range n.edges {
		// Equal keys lie together only if their types are spelt alike, so ask.
		rest := node{edges: n.edges[i+1:]}
		s.index.removeEdge(id, out.row(), !rest.hasKey(out.typ))
	}
	s.digest ^= e.fingerprint()
	s.all.Remove(id)
	s.eachOrder(func(o *sorted) { o.set(id, nil) })
	s.entities[id] = nil
	s.free = append(s.free, id)
	n.id = 0
	n.dirty = false
	s.graph.declare(e.declared, nil)
	s.graph.prune(n)
}

// unindex removes the rows of an entity's own document.
func (s *Snapshot) unindex(e *Entity) {
	if err := s.doc.Parse(e.json); err != nil {
		return // cannot be: it was parsed when it came in
	}
	s.rows.walk(&s.doc, e.uid, func(r row) {
		s.index.remove(e.id, r)
		if o := s.orders.kept(r.key); o != nil && !r.null {
			o.remove(e.id, r.value)
		}
	})
}

// edgeChanged keeps the relation rows: a node that is an entity is findable by
// the edges that go out from it.
func (s *Snapshot) edgeChanged(n *node, e edge, added bool) {
	if n.id == 0 {
		return
	}
	s.soil(n)
	o := s.orders.kept(e.typ.key)
	if o != nil {
		o.touch(n.id, s.uid(n.id))
	}
	if added {
		s.add(n.id, e.row())
		return
	}
	s.index.removeEdge(n.id, e.row(), !n.hasKey(e.typ))
	if o != nil {
		o.set(n.id, n.least(e.typ))
	}
}

// soil notes that the node's entity must be rendered anew.
func (s *Snapshot) soil(n *node) {
	if !n.dirty {
		n.dirty = true
		s.dirty = append(s.dirty, n)
	}
}

// flush renders what the batch touched: the entities that changed, and those
// whose relations changed because a neighbour did.
func (s *Snapshot) flush() (errs []error) {
	nodes := s.dirty[:0]
	for _, n := range s.dirty {
		if n.dirty { // a node that came twice is clean the second time
			n.dirty = false
			nodes = append(nodes, n)
			s.digest ^= s.entities[n.id].fingerprint()
		}
	}
	made := s.renderAll(nodes, &errs)
	for i, n := range nodes {
		if made[i] != nil {
			s.entities[n.id] = made[i]
		}
		s.digest ^= s.entities[n.id].fingerprint()
	}
	s.dirty = nil // it may have been large
	s.eachOrder(func(o *sorted) { o.settle(s.uid) })
	return errs
}

// manyNodes is from where rendering is worth a second goroutine: at the start.
const manyNodes = 2000

func (s *Snapshot) renderAll(nodes []*node, errs *[]error) []*Entity {
	made := make([]*Entity, len(nodes))
	one := func(r *renderer, i int) error {
		n := nodes[i]
		e, err := r.render(s.entities[n.id], n)
		if err != nil {
			return fmt.Errorf("entity %s: %w", n.ref, err)
		}
		made[i] = e
		return nil
	}
	if len(nodes) < manyNodes {
		for i := range nodes {
			if err := one(&s.render, i); err != nil {
				*errs = append(*errs, err)
			}
		}
		return made
	}
	var group sync.WaitGroup
	var mu sync.Mutex
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		group.Go(func() {
			var r renderer
			for i := w; i < len(nodes); i += workers {
				if err := one(&r, i); err != nil {
					mu.Lock()
					*errs = append(*errs, err)
					mu.Unlock()
				}
			}
		})
	}
	group.Wait()
	return made
}

// fingerprint is the entity's part of the catalog's digest. An entity that was
// not rendered yet has none.
func (e *Entity) fingerprint() uint64 {
	if !e.rendered {
		return 0
	}
	return e.digest ^ hashString(e.ref)
}
