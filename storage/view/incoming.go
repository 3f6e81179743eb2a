package view

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
	"github.com/callboard/callboard/storage/view/jsondoc"
)

// incoming is a row of the store, made ready without looking at the catalog, so
// that it is done before the catalog is locked.
type incoming struct {
	storage.Entity
	// served is Entity.json, etagAt and status are the entity's too.
	served []byte
	etagAt uint32
	status []byte
	// doc is what served holds.
	doc jsondoc.Doc
}

// arrivals are those that were put and may be used again.
var arrivals = sync.Pool{New: func() any { return new(incoming) }}

// entity is the row as entity of n, not rendered yet.
func (in *incoming) entity(n *node) *Entity {
	return &Entity{
		ref: n.ref, uid: in.UID, json: in.served, etagAt: in.etagAt, status: in.status, id: n.id,
		revision: in.Revision, commit: in.Commit, changed: in.LastChanged.UnixMicro(),
	}
}

// preparer makes incoming. It holds buffers and is used by one goroutine.
type preparer struct {
	doc jsondoc.Doc
	out []byte
	// commit is that of the entity before: those of a repository come together,
	// and share it.
	commit string
}

var errNoMetadata = errors.New("no object with metadata")

func (p *preparer) prepare(e storage.Entity) (*incoming, error) {
	if err := p.doc.Parse(e.JSON); err != nil {
		return nil, fmt.Errorf("entity %s: %w", e.Ref, err)
	}
	meta := p.doc.Member(0, "metadata")
	if meta < 0 || p.doc.Node(meta).Kind != jsondoc.Object {
		return nil, fmt.Errorf("entity %s: %w", e.Ref, errNoMetadata)
	}
	in := arrivals.Get().(*incoming)
	in.Entity = e
	in.JSON = nil // it is large, and served is made from it
	if in.Commit != p.commit {
		p.commit = strings.Clone(in.Commit)
	}
	in.Commit = p.commit
	var err error
	if in.status, err = statusJSON(e.Errors); err != nil {
		return nil, fmt.Errorf("entity %s: %w", e.Ref, err)
	}
	in.served, in.etagAt = p.serve(meta, e.UID)
	if err := in.doc.Parse(in.served); err != nil {
		return nil, fmt.Errorf("entity %s: %w", e.Ref, err)
	}
	return in, nil
}

// serve gives a document its served form: uid and etag in metadata, then
// apiVersion, kind and spec (contract catalog 1.2, 1.5). It says where the etag
// goes, 0 if the author wrote one.
func (p *preparer) serve(meta int, uid string) (json []byte, etagAt uint32) {
	etag := p.doc.Member(meta, "etag")
	ownEtag := etag >= 0 && len(p.doc.Text(etag)) > 0
	out := append(p.out[:0], `{"metadata":{`...)
	p.doc.Children(meta, func(c int) bool {
		if !ours(p.doc.Key(c), ownEtag) {
			out = append(append(out, p.doc.RawKey(c)...), ':')
			out = append(append(out, p.doc.Raw(c)...), ',')
		}
		return true
	})
	out = jsondoc.AppendString(append(out, `"uid":`...), uid)
	if !ownEtag {
		out = append(out, `,"etag":"`...)
		etagAt = uint32(len(out))
		out = append(out, '"')
	}
	out = append(out, '}')
	for _, key := range [...]string{"apiVersion", "kind", "spec"} {
		if m := p.doc.Member(0, key); m >= 0 {
			out = append(append(append(out, `,"`...), key...), `":`...)
			out = append(out, p.doc.Raw(m)...)
		}
	}
	p.out = append(out, '}')
	return slices.Clone(p.out), etagAt
}

// ours says whether a member of metadata is not the author's to set.
func ours(key []byte, ownEtag bool) bool {
	return string(key) == "uid" || string(key) == "etag" && !ownEtag
}

// statusJSON is the status member of an entity whose file is broken
// (contract catalog 1.9), nil without errors.
func statusJSON(items []entity.StatusItem) ([]byte, error) {
	if len(items) == 0 {
		return nil, nil
	}
	return json.Marshal(struct {
		Items []entity.StatusItem `json:"items"`
	}{items})
}
