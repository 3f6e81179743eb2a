package catalog

import (
	"net/http"

	"github.com/callboard/callboard/handlers/respond"
	"github.com/callboard/callboard/storage/view"
)

// EntitiesByRefs is POST /entities/by-refs: as many answers as refs, in their
// order, null for one that is unknown or filtered out. Refs match exactly, in
// their full lower-case form (contract catalog 4.10).
func (a *API) EntitiesByRefs(w http.ResponseWriter, r *http.Request) error {
	p, err := readParams(r, map[string]kind{"filter": list})
	if err != nil {
		return err
	}
	filter, err := p.filter()
	if err != nil {
		return err
	}
	b, err := readBody(r)
	if err != nil {
		return err
	}
	refs, given, err := b.strings("entityRefs")
	if err != nil {
		return err
	}
	if !given {
		return respond.Input("request/body must have required property 'entityRefs'")
	}
	names, _, err := b.strings("fields")
	if err != nil {
		return err
	}
	fields, err := parseFields(names)
	if err != nil {
		return err
	}
	if given, err := b.object("query"); err != nil {
		return err
	} else if given {
		// To ignore it would answer with more than was asked for.
		return respond.NotImplemented("Predicates in 'query' are not supported yet, use the filter parameter")
	}
	found := make([]*view.Entity, len(refs))
	if _, err := a.read(w, r, func(s *view.Snapshot) {
		chosen := s.Select(filter)
		for i, ref := range refs {
			if e := s.ByRef(ref); e != nil && chosen.Contains(e) {
				found[i] = e
			}
		}
	}); err != nil {
		return err
	}
	return respond.Stream(w, r, `{"items":[`, `]}`, len(found), func(dst []byte, i int) []byte {
		if found[i] == nil {
			return append(dst, "null"...)
		}
		return found[i].AppendJSON(dst, fields)
	})
}
