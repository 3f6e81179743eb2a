package catalog

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/callboard/callboard/handlers/access"
	"github.com/callboard/callboard/handlers/respond"
	"github.com/callboard/callboard/pipeline/location"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
	"github.com/callboard/callboard/storage/view"
)

// LocationConfig says what the endpoints about locations work with.
type LocationConfig struct {
	// Hosts are those of integrations.github; a target lies on one of them.
	Hosts []string
	// Conflict is what a registration does that there is already.
	Conflict location.OnConflict
	// Readonly is catalog.readonly.
	Readonly bool
	// Inspector reads repositories.
	Inspector Inspector
}

// Locations is the part of the API about locations (contract catalog 4.14 to
// 4.16). It answers from the store, not from the view: whoever registers one
// finds it at once, on every replica.
type Locations struct {
	LocationConfig
	api      *API
	registry location.Registry
	// turns holds a value for each inspection that asks GitHub, queue for each
	// that waits for a turn.
	turns, queue chan struct{}
}

// NewLocations makes it over an API.
func NewLocations(api *API, cfg LocationConfig) *Locations {
	return &Locations{
		LocationConfig: cfg, api: api, registry: location.Registry{Store: api.store},
		turns: make(chan struct{}, inspections), queue: make(chan struct{}, maxQueue),
	}
}

// Location is a registered location.
type Location struct {
	ID     string `json:"id"`
	Type   string `json:"type"`
	Target string `json:"target"`
	// EntityRef is its generated Location entity.
	EntityRef string `json:"entityRef"`
}

func newLocation(l storage.Location) Location {
	return Location{ID: l.ID, Type: l.Type, Target: l.Target, EntityRef: "location:" + entity.DefaultNamespace + "/" + l.Name}
}

// errReadonly has the words of contract catalog 4.1.
var errReadonly = respond.NotAllowed("This operation not allowed in readonly mode")

// List is GET /locations.
func (a *Locations) List(w http.ResponseWriter, r *http.Request) error {
	if _, err := readParams(r, nil); err != nil {
		return err
	}
	all, err := a.registry.List(r.Context())
	if err != nil {
		return err
	}
	type item struct {
		Data Location `json:"data"`
	}
	out := make([]item, len(all))
	for i, l := range all {
		out[i] = item{newLocation(l)}
	}
	return respond.JSON(w, r, http.StatusOK, out)
}

// Get is GET /locations/{id}.
func (a *Locations) Get(w http.ResponseWriter, r *http.Request) error {
	if _, err := readParams(r, nil); err != nil {
		return err
	}
	l, err := a.registry.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		return a.shown(r, l, err)
	}
	return respond.JSON(w, r, http.StatusOK, newLocation(l))
}

// created is the answer of a registration.
type created struct {
	Location Location          `json:"location"`
	Entities []json.RawMessage `json:"entities"`
	Exists   *bool             `json:"exists,omitempty"`
}

// Create is POST /locations. Nothing is stored that could never be read
// (contract catalog 6, row 28).
func (a *Locations) Create(w http.ResponseWriter, r *http.Request) error {
	p, err := readParams(r, map[string]kind{"dryRun": text, "onConflict": text})
	if err != nil {
		return err
	}
	conflict := a.Conflict
	if p.has("onConflict") {
		conflict = location.OnConflict(p.text("onConflict"))
		if conflict != location.Refresh && conflict != location.Reject {
			return respond.Input("request/query/onConflict must be equal to one of the allowed values: refresh, reject")
		}
	}
	dry := slices.Contains(truthy, strings.ToLower(p.text("dryRun")))
	given, err := readLocation(r)
	if err != nil {
		return err
	}
	if a.Readonly && !dry {
		return errReadonly
	}
	l, err := location.Check(given.Type, given.Target, a.Hosts)
	if err != nil {
		return a.shown(r, given, err)
	}
	if dry {
		return a.dryRun(w, r, l)
	}
	out, err := a.registry.Create(r.Context(), l, conflict, access.Actor(r.Context()))
	if err != nil {
		return a.shown(r, l, err)
	}
	return respond.JSON(w, r, http.StatusCreated, created{Location: newLocation(out), Entities: []json.RawMessage{}})
}

// truthy are the spellings that Backstage takes for a yes.
var truthy = []string{"true", "1", "yes", "y", "on"}

// Update is PUT /locations/{id}.
func (a *Locations) Update(w http.ResponseWriter, r *http.Request) error {
	if _, err := readParams(r, nil); err != nil {
		return err
	}
	given, err := readLocation(r)
	if err != nil {
		return err
	}
	if a.Readonly {
		return errReadonly
	}
	l, err := location.Check(given.Type, given.Target, a.Hosts)
	if err != nil {
		return a.shown(r, given, err)
	}
	l, err = a.registry.Update(r.Context(), r.PathValue("id"), l, access.Actor(r.Context()))
	if err != nil {
		return a.shown(r, given, err)
	}
	return respond.JSON(w, r, http.StatusOK, newLocation(l))
}

// Delete is DELETE /locations/{id}.
func (a *Locations) Delete(w http.ResponseWriter, r *http.Request) error {
	if _, err := readParams(r, nil); err != nil {
		return err
	}
	if a.Readonly {
		return errReadonly
	}
	if err := a.registry.Delete(r.Context(), r.PathValue("id"), access.Actor(r.Context())); err != nil {
		return a.shown(r, storage.Location{}, err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// ByEntity is GET /locations/by-entity/{kind}/{namespace}/{name}: the location
// that an entity came in by.
func (a *Locations) ByEntity(w http.ResponseWriter, r *http.Request) error {
	if _, err := readParams(r, nil); err != nil {
		return err
	}
	if err := a.api.started(r.Context()); err != nil {
		return err
	}
	ref := entity.Ref{Kind: r.PathValue("kind"), Namespace: r.PathValue("namespace"), Name: r.PathValue("name")}.String()
	origin, found := "", false
	a.api.view.Read(func(s *view.Snapshot) {
		if e := s.ByRef(ref); e != nil {
			origin, found = originOf(e)
		}
	})
	if !found {
		return respond.NotFound("found no entity for ref %s", ref)
	}
	typ, target, _ := strings.Cut(origin, ":")
	all, err := a.registry.List(r.Context())
	if err != nil {
		return err
	}
	for _, l := range all {
		if l.Type == typ && l.Target == target {
			return respond.JSON(w, r, http.StatusOK, newLocation(l))
		}
	}
	return respond.NotFound("Found no location with type %s and target %s", typ, target)
}

func originOf(e *view.Entity) (origin string, ok bool) {
	var doc struct {
		Metadata struct {
			Annotations map[string]string `json:"annotations"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(e.AppendJSON(nil, nil), &doc); err != nil {
		return "", false
	}
	return doc.Metadata.Annotations[entity.AnnotationOriginLocation], true
}

// readLocation reads the body of a registration, which is strict about its keys
// (contract catalog 4.1). presence is accepted and dropped.
func readLocation(r *http.Request) (l storage.Location, err error) {
	b, err := readBody(r)
	if err != nil {
		return l, err
	}
	for _, field := range []struct {
		name string
		to   *string
	}{{"target", &l.Target}, {"type", &l.Type}} {
		value, given, err := b.string(field.name)
		switch {
		case err != nil:
			return l, err
		case !given:
			return l, respond.Input("request/body must have required property '%s'", field.name)
		}
		*field.to = value
	}
	if presence, given, err := b.string("presence"); err != nil || given && presence != "required" && presence != "optional" {
		return l, respond.Input(`Malformed request: Validation error: Invalid input at "presence"`)
	}
	var unknown []string
	for name := range b {
		if name != "type" && name != "target" && name != "presence" {
			unknown = append(unknown, "'"+name+"'")
		}
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		return l, respond.Input("Malformed request: Validation error: Unrecognized key(s) in object: %s", strings.Join(unknown, ", "))
	}
	return l, nil
}

// shown is an error as the client is told of it.
func (a *Locations) shown(r *http.Request, l storage.Location, err error) error {
	switch {
	case errors.Is(err, location.ErrExists):
		return respond.Conflict("Location %s:%s already exists", l.Type, l.Target)
	case errors.Is(err, storage.ErrNotFound):
		return respond.NotFound("Found no location with ID %s", r.PathValue("id"))
	}
	return asInput(err)
}
