package catalog

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/callboard/callboard/handlers/respond"
	"github.com/callboard/callboard/storage/view"
)

// locationPage is how many locations a page has when nothing is said.
const locationPage = 1000

// locationCursor is where a walk through the locations stands.
type locationCursor struct {
	Limit   int             `json:"limit"`
	AfterID string          `json:"afterId"`
	Query   json.RawMessage `json:"query,omitempty"`
}

// Query is POST /locations/by-query: by id, page by page. A cursor fixes limit
// and query (contract catalog 4.14).
func (a *Locations) Query(w http.ResponseWriter, r *http.Request) error {
	if _, err := readParams(r, nil); err != nil {
		return err
	}
	b, err := readOptionalBody(r)
	if err != nil {
		return err
	}
	c, matches, err := readLocationQuery(b)
	if err != nil {
		return err
	}
	all, err := a.registry.List(r.Context())
	if err != nil {
		return err
	}
	found := []Location{}
	for _, l := range all {
		if shown := newLocation(l); matches(shown) {
			found = append(found, shown)
		}
	}
	first, _ := slices.BinarySearchFunc(found, c.AfterID, func(l Location, id string) int {
		if l.ID <= id {
			return -1
		}
		return 1
	})
	page := found[first:]
	var out struct {
		Items      []Location `json:"items"`
		TotalItems int        `json:"totalItems"`
		PageInfo   struct {
			NextCursor string `json:"nextCursor,omitempty"`
		} `json:"pageInfo"`
	}
	if len(page) > c.Limit {
		page = page[:c.Limit]
		c.AfterID = page[c.Limit-1].ID
		out.PageInfo.NextCursor = c.String()
	}
	out.Items, out.TotalItems = page, len(found)
	return respond.JSON(w, r, http.StatusOK, out)
}

// String is the form that clients get.
func (c locationCursor) String() string {
	raw, _ := json.Marshal(c) // its one raw part was read as JSON
	return base64.StdEncoding.EncodeToString(raw)
}

// readLocationQuery reads the body of a query.
func readLocationQuery(b body) (c locationCursor, matches func(Location) bool, err error) {
	if c.Limit, err = b.int("limit", locationPage); err == nil && c.Limit < 1 {
		err = respond.Input("request/body/limit must be >= 1")
	}
	if err != nil {
		return c, nil, err
	}
	if _, err := b.object("query"); err != nil {
		return c, nil, err
	}
	c.Query = b["query"]
	text, given, err := b.string("cursor")
	if err != nil {
		return c, nil, err
	}
	if given {
		if c, err = parseLocationCursor(text); err != nil {
			return c, nil, err
		}
	}
	if c.Query == nil {
		return c, func(Location) bool { return true }, nil
	}
	matches, err = parseLocationQuery(c.Query)
	return c, matches, err
}

func parseLocationCursor(text string) (c locationCursor, err error) {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || json.Unmarshal(raw, &c) != nil || c.Limit < 1 || c.AfterID == "" {
		return c, respond.Input("Malformed cursor, could not be parsed")
	}
	return c, nil
}

// parseLocationQuery reads a predicate over locations. It has the grammar of
// those over entities, of which view says whether it is kept, and meanings of
// its own: $contains never matches, and neither does an empty $all (contract
// catalog 4.14).
func parseLocationQuery(raw json.RawMessage) (func(Location) bool, error) {
	if _, err := view.ParsePredicate(raw); err != nil {
		return nil, respond.Input("%s", err)
	}
	return locationPredicate(raw)
}

func locationPredicate(raw json.RawMessage) (func(Location) bool, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, respond.Input("Invalid query: Validation error: a condition must be object")
	}
	var all []func(Location) bool
	for key, value := range members {
		var m func(Location) bool
		var err error
		switch key {
		case "$all", "$any":
			m, err = locationGroup(value, key == "$all")
		case "$not":
			if m, err = locationPredicate(value); err == nil {
				inner := m
				m = func(l Location) bool { return !inner(l) }
			}
		default:
			m, err = locationField(key, value)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return func(l Location) bool {
		return !slices.ContainsFunc(all, func(m func(Location) bool) bool { return !m(l) })
	}, nil
}

// locationGroup is $all or $any; without members neither matches.
func locationGroup(raw json.RawMessage, every bool) (func(Location) bool, error) {
	var items []json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil {
		return nil, respond.Input("Invalid query: Validation error: $all and $any must be array")
	}
	parts := make([]func(Location) bool, len(items))
	for i, item := range items {
		var err error
		if parts[i], err = locationPredicate(item); err != nil {
			return nil, err
		}
	}
	return func(l Location) bool {
		if every {
			return len(parts) > 0 && !slices.ContainsFunc(parts, func(m func(Location) bool) bool { return !m(l) })
		}
		return slices.ContainsFunc(parts, func(m func(Location) bool) bool { return m(l) })
	}, nil
}

var locationFields = map[string]func(Location) string{
	"id":        func(l Location) string { return l.ID },
	"type":      func(l Location) string { return l.Type },
	"target":    func(l Location) string { return l.Target },
	"entityRef": func(l Location) string { return l.EntityRef },
}

// locationField compares one field, in any case. Of several operators the first
// counts (contract catalog 4.6).
func locationField(name string, raw json.RawMessage) (func(Location) bool, error) {
	field, ok := locationFields[name]
	if !ok {
		return nil, respond.Input("Invalid query: unknown field %.100q, expected one of id, type, target, entityRef", name)
	}
	var ops struct {
		Exists    *bool             `json:"$exists"`
		In        []json.RawMessage `json:"$in"`
		Contains  json.RawMessage   `json:"$contains"`
		HasPrefix *string           `json:"$hasPrefix"`
	}
	if raw[0] != '{' {
		ops.In = []json.RawMessage{raw}
	} else if err := json.Unmarshal(raw, &ops); err != nil {
		return nil, respond.Input("Invalid query: Validation error: the operators of %s have wrong values", name)
	}
	switch {
	case ops.Exists != nil:
		return func(Location) bool { return *ops.Exists }, nil
	case ops.In != nil:
		values := map[string]bool{}
		for _, v := range ops.In {
			values[strings.ToLower(scalar(v))] = true
		}
		return func(l Location) bool { return values[strings.ToLower(field(l))] }, nil
	case ops.Contains == nil && ops.HasPrefix != nil:
		prefix := strings.ToLower(*ops.HasPrefix)
		return func(l Location) bool { return strings.HasPrefix(strings.ToLower(field(l)), prefix) }, nil
	}
	return func(Location) bool { return false }, nil
}

// scalar is a JSON string, number or boolean as text.
func scalar(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}
