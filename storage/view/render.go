package view

import (
	"crypto/sha1" //nolint:gosec // the etag of contract catalog 1.5 is a SHA-1, not a signature
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"time"

	"github.com/callboard/callboard/storage/view/jsondoc"
)

// Entity is an entity as served at one revision. It never changes and stays
// valid after the Read in which it was found.
type Entity struct {
	ref, uid string
	// json is the served form without what neighbours decide: the etag, whose
	// digits belong at etagAt, and the relations, which come behind as the status
	// does. A group of thousands is then not written anew for each that joins it.
	json []byte
	// etagAt is 0 when the author wrote the etag.
	etagAt uint32
	etag   [sha1.Size]byte
	// edges are the relations, shared with the graph and never changed in place.
	edges []edge
	// status is the rendered member, nil without errors.
	status   []byte
	declared []declared

	revision int64
	commit   string
	changed  int64 // Unix microseconds
	// digest names the content: the canonical form and the uid.
	digest uint64
	id     uint32
	// rendered entities have edges, etag and digest.
	rendered bool
}

// Ref is the full lower-case ref.
func (e *Entity) Ref() string { return e.ref }

// UID is metadata.uid.
func (e *Entity) UID() string { return e.uid }

// JSON is the served entity (contract catalog 1), made for the caller.
func (e *Entity) JSON() []byte {
	return e.appendWhole(make([]byte, 0, len(e.json)+2*sha1.Size+len(e.status)+len(e.edges)*relationSize+32))
}

// relationSize is about what a relation takes.
const relationSize = 90

// Revision is the catalog revision of the entity's own last change.
func (e *Entity) Revision() int64 { return e.revision }

// Commit is the commit that this version was read from.
func (e *Entity) Commit() string { return e.commit }

// LastChanged is when the catalog came to show this version.
func (e *Entity) LastChanged() time.Time { return time.UnixMicro(e.changed).UTC() }

// Digest names the content: equal digests mean an equal entity.
func (e *Entity) Digest() uint64 { return e.digest }

// appendOwn appends the entity without relations and status, still open.
func (e *Entity) appendOwn(dst []byte) []byte {
	if e.etagAt > 0 {
		dst = append(dst, e.json[:e.etagAt]...)
		dst = hex.AppendEncode(dst, e.etag[:])
	}
	return append(dst, e.json[e.etagAt:len(e.json)-1]...)
}

func (e *Entity) appendWhole(dst []byte) []byte {
	dst = append(e.appendOwn(dst), `,"relations":`...)
	dst = appendRelations(dst, e.edges, `{"type":`, `,"targetRef":`, false)
	if len(e.status) > 0 {
		dst = append(append(dst, `,"status":`...), e.status...)
	}
	return append(dst, '}')
}

// renderer makes served JSON. It holds buffers and is used by one goroutine.
type renderer struct {
	doc, status jsondoc.Doc
	canonical   []byte
}

// render returns e with the relations that go out from n and an etag to them
// (contract catalog 1.5, 2.2). One that is new is filled in, since nobody has
// seen it.
func (r *renderer) render(e *Entity, n *node) (*Entity, error) {
	if err := r.doc.Parse(e.json); err != nil {
		return nil, err
	}
	etag, err := r.sum(e, n)
	if err != nil {
		return nil, err
	}
	made := e
	if e.rendered {
		made = new(*e)
	}
	made.edges, made.etag, made.rendered = n.share(), etag, true
	made.digest = binary.BigEndian.Uint64(etag[:8]) ^ hashString(e.uid)
	return made, nil
}

// manyEdges is from where the etag names the relations by their number and a
// sum, not by their canonical form: that of a group of 20,000 takes some
// milliseconds, each time that one comes or goes. Such an etag too changes only
// with the content, is 40 digits, and is the same in every process.
const manyEdges = 1000

// sum is the SHA-1 of the canonical form: keys sorted, without uid and without
// an etag of ours.
func (r *renderer) sum(e *Entity, n *node) (sum [sha1.Size]byte, err error) {
	ownEtag := e.etagAt == 0
	omit := func(child int) bool { return ours(r.doc.Key(child), ownEtag) }
	c := append(r.canonical[:0], '{')
	for _, key := range [...]string{"apiVersion", "kind"} {
		if m := r.doc.Member(0, key); m >= 0 {
			c = r.doc.AppendCanonical(append(append(append(c, '"'), key...), `":`...), m, nil)
			c = append(c, ',')
		}
	}
	c = r.doc.AppendCanonical(append(c, `"metadata":`...), r.doc.Member(0, "metadata"), omit)
	c = append(c, `,"relations":`...)
	if len(n.edges) > manyEdges {
		c = strconv.AppendInt(c, int64(len(n.edges)), 10)
		c = strconv.AppendUint(append(c, ' '), n.sum, 16)
	} else {
		c = appendRelations(c, n.edges, `{"targetRef":`, `,"type":`, true)
	}
	if m := r.doc.Member(0, "spec"); m >= 0 {
		c = r.doc.AppendCanonical(append(c, `,"spec":`...), m, nil)
	}
	if len(e.status) > 0 {
		if err := r.status.Parse(e.status); err != nil {
			return sum, err
		}
		c = r.status.AppendCanonical(append(c, `,"status":`...), 0, nil)
	}
	c = append(c, '}')
	r.canonical = c
	return sha1.Sum(c), nil //nolint:gosec // see the import
}

// appendRelations writes the edges between the given pieces of JSON, type and
// target, or target and type when swapped.
func appendRelations(out []byte, edges []edge, first, second string, swapped bool) []byte {
	out = append(out, '[')
	for i := range edges {
		e := &edges[i] // not all of it: the graph counts on
		if i > 0 {
			out = append(out, ',')
		}
		a, b := e.typ.name, e.target.ref
		if swapped {
			a, b = b, a
		}
		out = jsondoc.AppendString(append(out, first...), a)
		out = jsondoc.AppendString(append(out, second...), b)
		out = append(out, '}')
	}
	return append(out, ']')
}

// hashString is FNV-1a.
func hashString(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}
