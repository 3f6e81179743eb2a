package view

import (
	"cmp"
	"slices"
	"strings"

	"github.com/callboard/callboard/storage/entity"
)

// graph holds the relations. An edge is declared by one or several entities
// (both sides may declare it) and is served by its source entity as long as
// one declares it, whether or not its target exists (contract catalog 2.2).
type graph struct {
	nodes map[string]*node // by ref
	types map[string]*relationType
	// changed is called when a node gains or loses an edge, after the fact.
	changed func(n *node, e edge, added bool)
}

// node is a ref that exists or that a relation names.
type node struct {
	ref string
	id  uint32 // of the entity, 0 while there is none
	// edges go out from here, sorted by type and target ref. Entities that were
	// rendered with them share them: then they are copied before they change.
	edges  []edge
	shared bool
	// dirty entities are rendered anew at the end of the batch.
	dirty bool
	// sum names the set of edges, whatever their order.
	sum uint64
	// uses counts the edges that lead here.
	uses int
}

type relationType struct {
	name string
	// key is the search key of such relations.
	key []byte
}

type edge struct {
	typ    *relationType
	target *node
	count  int32 // how many entities declare it
}

// declared is an edge as the entity that declares it remembers it.
type declared struct {
	source, target *node
	typ            *relationType
}

func newGraph(changed func(*node, edge, bool)) *graph {
	return &graph{nodes: make(map[string]*node), types: make(map[string]*relationType), changed: changed}
}

// node finds or makes the node of a ref.
func (g *graph) node(ref string) *node {
	n := g.nodes[ref]
	if n == nil {
		n = &node{ref: strings.Clone(ref)}
		g.nodes[n.ref] = n
	}
	return n
}

// prune forgets a node that nothing refers to.
func (g *graph) prune(n *node) {
	if n.id == 0 && n.uses == 0 && len(n.edges) == 0 {
		delete(g.nodes, n.ref)
	}
}

func (g *graph) relationType(name string) *relationType {
	t := g.types[name]
	if t == nil {
		name = strings.Clone(name)
		t = &relationType{name: name, key: []byte("relations." + strings.ToLower(name))}
		g.types[name] = t
	}
	return t
}

// declare replaces what an entity declares and returns it for the next time.
// New edges come before old ones go, so that an edge that stays is no change.
func (g *graph) declare(old []declared, relations []entity.Relation) []declared {
	var now []declared
	if len(relations) > 0 {
		now = make([]declared, 0, len(relations))
	}
	for _, r := range relations {
		d := declared{source: g.node(r.Source), target: g.node(r.Target), typ: g.relationType(r.Type)}
		now = append(now, d)
		g.add(d)
	}
	for _, d := range old {
		g.remove(d)
	}
	return now
}

func (d declared) compare(e edge) int {
	return cmp.Or(strings.Compare(e.typ.name, d.typ.name), strings.Compare(e.target.ref, d.target.ref))
}

func (n *node) find(d declared) (int, bool) {
	return slices.BinarySearchFunc(n.edges, d, func(e edge, d declared) int { return d.compare(e) })
}

func (g *graph) add(d declared) {
	i, found := d.source.find(d)
	if found {
		d.source.edges[i].count++
		return
	}
	e := edge{typ: d.typ, target: d.target, count: 1}
	d.source.unshare()
	d.source.edges = slices.Insert(d.source.edges, i, e)
	d.source.sum += e.hash()
	d.target.uses++
	g.changed(d.source, e, true)
}

func (g *graph) remove(d declared) {
	i, found := d.source.find(d)
	if !found {
		return
	}
	e := &d.source.edges[i]
	if e.count--; e.count > 0 {
		return
	}
	gone := *e
	d.source.unshare()
	d.source.sum -= gone.hash()
	d.source.edges = slices.Delete(d.source.edges, i, i+1)
	d.target.uses--
	g.changed(d.source, gone, false)
	g.prune(d.target)
	g.prune(d.source)
}

// share gives away the edges, which must not be changed from then on.
func (n *node) share() []edge {
	n.shared = len(n.edges) > 0
	return n.edges
}

func (n *node) unshare() {
	if n.shared {
		n.edges = append(make([]edge, 0, len(n.edges)+1), n.edges...)
		n.shared = false
	}
}

// hash is the edge's part of its node's sum.
func (e edge) hash() uint64 { return hashString(e.typ.name)*31 ^ hashString(e.target.ref) }

// hasKey says whether the node has an edge under the search key of t.
func (n *node) hasKey(t *relationType) bool {
	return slices.ContainsFunc(n.edges, func(e edge) bool { return string(e.typ.key) == string(t.key) })
}

// least is the least target under the search key of t, nil without one.
func (n *node) least(t *relationType) (least *string) {
	for _, e := range n.edges {
		if string(e.typ.key) == string(t.key) && (least == nil || e.target.ref < *least) {
			least = &e.target.ref
		}
	}
	return least
}

func (e edge) row() row { return row{key: e.typ.key, value: e.target.ref} }
