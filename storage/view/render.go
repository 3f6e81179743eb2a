package view

import (
	"crypto/sha1" //nolint:gosec // the etag of contract catalog 1.5 is a SHA-1, not a signature
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/fnv"
	"time"
	"unique"

	"github.com/callboard/callboard/storage/view/jsondoc"
)

// Entity is an entity as served at one revision. It never changes and stays
// valid after the Read in which it was found.
type Entity struct {
	ref, uid string
	json     []byte
	revision int64
	// commits repeat for all entities of a repository, so they are interned.
	commit  unique.Handle[string]
	changed int64 // Unix microseconds
	// digest names the content: the canonical form and the uid.
	digest uint64
	id     uint32

	// json[:rest] + "}" holds what the store gave, with uid and etag added;
	// relations and, from status on if that is not 0, the status come behind.
	rest, status uint32
	// ownEtag says that the author wrote the etag.
	ownEtag  bool
	declared []declared
}

// Ref is the full lower-case ref.
func (e *Entity) Ref() string { return e.ref }

// UID is metadata.uid.
func (e *Entity) UID() string { return e.uid }

// JSON is the served entity (contract catalog 1). It must not be changed.
func (e *Entity) JSON() []byte { return e.json }

// Revision is the catalog revision of the entity's own last change.
func (e *Entity) Revision() int64 { return e.revision }

// Commit is the commit that this version was read from.
func (e *Entity) Commit() string { return e.commit.Value() }

// LastChanged is when the catalog came to show this version.
func (e *Entity) LastChanged() time.Time { return time.UnixMicro(e.changed).UTC() }

// Digest names the content: equal digests mean an equal entity.
func (e *Entity) Digest() uint64 { return e.digest }

var errNoMetadata = errors.New("no object with metadata")

// source is the document that e was made from, uid and etag added.
func (e *Entity) source(dst []byte) []byte {
	if e.rest == 0 {
		return append(dst, e.json...)
	}
	return append(append(dst, e.json[:e.rest]...), '}')
}

// renderer makes served JSON. It holds buffers and is used by one goroutine.
type renderer struct {
	doc, status jsondoc.Doc
	src         []byte
	out         []byte
	canonical   []byte
}

// render returns e with its JSON made new: uid and etag in metadata, then
// apiVersion, kind, spec, the relations that go out from n, and status if there
// are errors (contract catalog 1.2, 1.5, 2.2). statusJSON is only looked at for
// an entity that has not been rendered yet.
func (r *renderer) render(e *Entity, n *node, statusJSON []byte) (*Entity, error) {
	fresh := e.rest == 0
	r.src = e.source(r.src[:0])
	if err := r.doc.Parse(r.src); err != nil {
		return nil, err
	}
	meta := r.doc.Member(0, "metadata")
	if meta < 0 || r.doc.Node(meta).Kind != jsondoc.Object {
		return nil, errNoMetadata
	}
	made := *e
	if fresh {
		etag := r.doc.Member(meta, "etag")
		made.ownEtag = etag >= 0 && len(r.doc.Text(etag)) > 0
	} else if statusJSON = nil; e.status != 0 {
		statusJSON = e.json[e.status : len(e.json)-1]
	}
	sum, err := r.sum(meta, made.ownEtag, n, statusJSON)
	if err != nil {
		return nil, err
	}
	made.digest = binary.BigEndian.Uint64(sum[:8]) ^ hashString(e.uid)

	out := append(r.out[:0], `{"metadata":`...)
	out = r.appendMetadata(out, meta, &made, sum)
	for _, key := range [...]string{"apiVersion", "kind", "spec"} {
		if m := r.doc.Member(0, key); m >= 0 {
			out = append(append(append(out, `,"`...), key...), `":`...)
			out = append(out, r.doc.Raw(m)...)
		}
	}
	made.rest, made.status = uint32(len(out)), 0
	out = appendRelations(append(out, `,"relations":`...), n, `{"type":`, `,"targetRef":`, false)
	if len(statusJSON) > 0 {
		// The offset is that of the value, so that it can be cut out again.
		out = append(out, `,"status":`...)
		made.status = uint32(len(out))
		out = append(out, statusJSON...)
	}
	out = append(out, '}')
	made.json = append(make([]byte, 0, len(out)), out...)
	r.out = out
	return &made, nil
}

// sum is the SHA-1 of the canonical form: keys sorted, without uid and without
// an etag of ours.
func (r *renderer) sum(meta int, ownEtag bool, n *node, statusJSON []byte) (sum [sha1.Size]byte, err error) {
	omit := func(child int) bool {
		key := r.doc.Key(child)
		return string(key) == "uid" || string(key) == "etag" && !ownEtag
	}
	c := append(r.canonical[:0], '{')
	for _, key := range [...]string{"apiVersion", "kind"} {
		if m := r.doc.Member(0, key); m >= 0 {
			c = r.doc.AppendCanonical(append(append(append(c, '"'), key...), `":`...), m, nil)
			c = append(c, ',')
		}
	}
	c = r.doc.AppendCanonical(append(c, `"metadata":`...), meta, omit)
	c = appendRelations(append(c, `,"relations":`...), n, `{"targetRef":`, `,"type":`, true)
	if m := r.doc.Member(0, "spec"); m >= 0 {
		c = r.doc.AppendCanonical(append(c, `,"spec":`...), m, nil)
	}
	if len(statusJSON) > 0 {
		if err := r.status.Parse(statusJSON); err != nil {
			return sum, err
		}
		c = r.status.AppendCanonical(append(c, `,"status":`...), 0, nil)
	}
	c = append(c, '}')
	r.canonical = c
	return sha1.Sum(c), nil //nolint:gosec // see the import
}

// appendMetadata copies the author's members in their order, then uid and etag.
func (r *renderer) appendMetadata(out []byte, meta int, e *Entity, sum [sha1.Size]byte) []byte {
	out = append(out, '{')
	r.doc.Children(meta, func(c int) bool {
		key := r.doc.Key(c)
		if string(key) == "uid" || string(key) == "etag" && !e.ownEtag {
			return true
		}
		out = append(append(out, r.doc.RawKey(c)...), ':')
		out = append(append(out, r.doc.Raw(c)...), ',')
		return true
	})
	out = jsondoc.AppendString(append(out, `"uid":`...), e.uid)
	if !e.ownEtag {
		out = append(out, `,"etag":"`...)
		out = hex.AppendEncode(out, sum[:])
		out = append(out, '"')
	}
	return append(out, '}')
}

// appendRelations writes the edges between the given pieces of JSON, type and
// target, or target and type when swapped.
func appendRelations(out []byte, n *node, first, second string, swapped bool) []byte {
	out = append(out, '[')
	for i, e := range n.edges {
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

func hashString(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s))
	return h.Sum64()
}
