package catalog

import (
	"net/http"

	"github.com/callboard/callboard/handlers/respond"
	"github.com/callboard/callboard/storage/view"
)

// maxRefs bounds one call; the official client asks for 1,000 at most (contract
// catalog 4.10).
const maxRefs = 5000

// maxRepeated bounds what an answer holds again and again, in bytes: a ref may
// be named twice, and a short request for one giant could ask for gigabytes.
const maxRepeated = 64 << 20

var byRefsParams = known{"filter": list, minCommit: text}

// EntitiesByRefs is POST /entities/by-refs: as many answers as refs, in their
// order, null for one that is unknown or filtered out. Refs match exactly, in
// their full lower-case form (contract catalog 4.10).
func (a *API) EntitiesByRefs(w http.ResponseWriter, r *http.Request) error {
	p, err := readParams(r, byRefsParams)
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
	switch {
	case err != nil:
		return err
	case !given:
		return respond.Input("request/body must have required property 'entityRefs'")
	case len(refs) > maxRefs:
		return respond.Input("Too many entityRefs, at most %d are supported in one call", maxRefs)
	}
	fields, err := b.fields()
	if err != nil {
		return err
	}
	_, predicate, err := b.predicate()
	if err != nil {
		return err
	}
	found := make([]*view.Entity, len(refs))
	if _, err := a.read(w, r, p, func(s *view.Snapshot) {
		chosen := s.Select(both(filter, predicate))
		for i, ref := range refs {
			if e := s.ByRef(ref); e != nil && chosen.Contains(e) {
				found[i] = e
			}
		}
	}); err != nil {
		return err
	}
	if repeats(found) {
		return respond.Input("The entities that entityRefs names more than once would take more than %d MiB, name each once", maxRepeated>>20)
	}
	return respond.Stream(w, r, `{"items":[`, `]}`, len(found), func(dst []byte, i int) []byte {
		if found[i] == nil {
			return append(dst, "null"...)
		}
		return found[i].AppendJSON(dst, fields)
	})
}

// repeats says that entities beyond their first time take more than maxRepeated.
func repeats(found []*view.Entity) bool {
	times := map[*view.Entity]int{}
	for _, e := range found {
		times[e]++
	}
	delete(times, nil)
	total := 0
	for e, n := range times {
		if n == 1 {
			continue
		}
		if total += (n - 1) * len(e.JSON()); total > maxRepeated {
			return true
		}
	}
	return false
}

// both joins filters of which each may be nil, which matches everything.
func both(a, b view.Filter) view.Filter {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return view.All{a, b}
}
