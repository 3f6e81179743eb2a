package catalog

import (
	"net/http"
	"strings"

	"github.com/callboard/callboard/handlers/respond"
	"github.com/callboard/callboard/storage/view"
)

// maxFacets bounds what one call counts.
const maxFacets = 50

var facetParams = known{"facet": list, "filter": list, minCommit: text}

// EntityFacets is GET /entity-facets: how many entities have which value
// (contract catalog 4.12).
func (a *API) EntityFacets(w http.ResponseWriter, r *http.Request) error {
	p, err := readParams(r, facetParams)
	if err != nil {
		return err
	}
	names := p.all("facet")
	if len(names) == 0 {
		return respond.Input("request/query must have required property 'facet'")
	}
	filter, err := p.filter()
	if err != nil {
		return err
	}
	return a.facets(w, r, p, names, filter)
}

// EntityFacetsByPredicate is POST /entity-facets (contract catalog 4.3).
func (a *API) EntityFacetsByPredicate(w http.ResponseWriter, r *http.Request) error {
	p, err := readParams(r, waitParams)
	if err != nil {
		return err
	}
	b, err := readBody(r)
	if err != nil {
		return err
	}
	names, _, err := b.strings("facets")
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return respond.Input("Missing or empty facets parameter")
	}
	_, filter, err := b.predicate()
	if err != nil {
		return err
	}
	return a.facets(w, r, p, names, filter)
}

func (a *API) facets(w http.ResponseWriter, r *http.Request, p params, names []string, filter view.Filter) error {
	if len(names) > maxFacets {
		return respond.Input("Too many facets, at most %d are supported in one call", maxFacets)
	}
	facets := make(map[string][]view.FacetValue, len(names))
	done, err := a.read(w, r, p, func(s *view.Snapshot) {
		chosen := s.Select(filter)
		counted := make(map[string][]view.FacetValue, len(names)) // by lower-case name, as keys are
		for _, name := range names {
			key := strings.ToLower(name)
			if _, ok := counted[key]; !ok {
				counted[key] = chosen.Facet(key)
			}
			facets[name] = counted[key]
		}
	})
	if done || err != nil {
		return err
	}
	return respond.JSON(w, r, http.StatusOK, map[string]any{"facets": facets})
}
