package catalog

import (
	"net/http"
	"strings"

	"github.com/callboard/callboard/handlers/respond"
	"github.com/callboard/callboard/storage/view"
)

// EntityFacets is GET /entity-facets: how many entities have which value
// (contract catalog 4.12).
func (a *API) EntityFacets(w http.ResponseWriter, r *http.Request) error {
	p, err := readParams(r, map[string]kind{"facet": list, "filter": list})
	if err != nil {
		return err
	}
	if !p.has("facet") {
		return respond.Input("request/query must have required property 'facet'")
	}
	filter, err := p.filter()
	if err != nil {
		return err
	}
	facets := make(map[string][]view.FacetValue)
	done, err := a.read(w, r, func(s *view.Snapshot) {
		chosen := s.Select(filter)
		counted := make(map[string][]view.FacetValue) // by lower-case name, as keys are
		for _, name := range p.values["facet"] {
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
	return respond.JSON(w, http.StatusOK, map[string]any{"facets": facets})
}
