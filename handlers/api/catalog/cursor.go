package catalog

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/callboard/callboard/handlers/respond"
	"github.com/callboard/callboard/storage/view"
)

// cursor is where a walk through by-query stands (contract catalog 4.9). It
// holds the whole question, so a walk can go on at another replica, after a
// restart, by the other verb, and from a real Backstage, whose keys these are.
type cursor struct {
	OrderFields      []orderField    `json:"orderFields"`
	OrderFieldValues []*string       `json:"orderFieldValues,omitempty"`
	Filter           json.RawMessage `json:"filter,omitempty"`
	IsPrevious       *bool           `json:"isPrevious"`
	// Query is what the official client looks for: it goes on by POST if there
	// is one, and by GET otherwise.
	Query                json.RawMessage `json:"query,omitempty"`
	FullTextFilter       *textFilter     `json:"fullTextFilter,omitempty"`
	FirstSortFieldValues []*string       `json:"firstSortFieldValues,omitempty"`
	TotalItems           *int            `json:"totalItems,omitempty"`
}

// orderField is an order as it stands in cursors and in the body of POST.
type orderField struct {
	Field string `json:"field"`
	Order string `json:"order"`
}

type textFilter struct {
	Term   string   `json:"term"`
	Fields []string `json:"fields,omitempty"`
}

// String is the form that clients get: standard base64 with padding.
func (c cursor) String() string {
	var raw bytes.Buffer
	enc := json.NewEncoder(&raw)
	enc.SetEscapeHTML(false) // it would make a predicate up to six times as long
	if err := enc.Encode(c); err != nil {
		return "" // cannot be: its raw parts were read or made as JSON
	}
	return base64.StdEncoding.EncodeToString(bytes.TrimSuffix(raw.Bytes(), []byte("\n")))
}

// What a walk may carry with it. A cursor holds the predicate, and base64 makes
// it a third longer; both must fit into the body of the next request.
const (
	maxQuery  = 1 << 20
	maxCursor = 2 << 20
	// Cursors with the older form of a filter came in a URL.
	maxLegacy      = 64 << 10
	maxLegacyDepth = 32
)

// parseCursor reads a cursor, which anybody may have written.
func parseCursor(s string) (query, error) {
	if len(s) > maxCursor {
		return query{}, malformed("it is longer than %d bytes", maxCursor)
	}
	raw, err := decodeBase64(s)
	if err != nil {
		return query{}, malformed("it is not base64")
	}
	var c cursor
	if err := json.Unmarshal(raw, &c); err != nil {
		return query{}, malformed("%s", err)
	}
	if c.OrderFields == nil || c.IsPrevious == nil {
		return query{}, malformed("orderFields and isPrevious are required")
	}
	q := query{back: *c.IsPrevious, total: c.TotalItems, rawQuery: c.Query, rawFilter: c.Filter, continued: true}
	if c.TotalItems != nil && *c.TotalItems < 0 {
		return query{}, malformed("totalItems must be >= 0")
	}
	if len(c.OrderFields) > 0 {
		if q.order, err = c.OrderFields[0].parse(); err != nil {
			return query{}, malformed("%s", err)
		}
	}
	if q.after, err = parsePosition(c.OrderFieldValues, q.order); err != nil {
		return query{}, err
	}
	if q.first, err = parsePosition(c.FirstSortFieldValues, q.order); err != nil {
		return query{}, err
	}
	if q.text, err = c.FullTextFilter.parse(); err != nil {
		return query{}, malformed("%s", err)
	}
	older, newer, err := parseSavedFilters(c.Filter, c.Query)
	q.filter = both(older, newer)
	return q, err
}

func malformed(format string, args ...any) error {
	return respond.Input("Malformed cursor: "+format, args...)
}

// decodeBase64 reads the URL-safe and unpadded forms too: clients pass cursors
// through what they like.
func decodeBase64(s string) ([]byte, error) {
	return base64.RawStdEncoding.DecodeString(strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(s), "="))
}

// parse takes an order without direction for an ascending one.
func (f orderField) parse() (o view.Order, err error) {
	switch {
	case f.Field == "":
		return o, errors.New("Invalid order field, must not be empty") //nolint:staticcheck // a message of the wire format
	case f.Order != "" && f.Order != "asc" && f.Order != "desc":
		return o, errors.New("Invalid order field order, must be asc or desc") //nolint:staticcheck // a message of the wire format
	}
	return view.Order{Field: f.Field, Desc: f.Order == "desc"}, nil
}

// parsePosition reads [value, uid], or [uid] where there is no order.
func parsePosition(values []*string, by view.Order) (*view.Position, error) {
	if values == nil {
		return nil, nil // from the beginning
	}
	want := 2
	if by.Field == "" {
		want = 1
	}
	if len(values) != want || values[want-1] == nil {
		return nil, malformed("the values of a position do not fit the order")
	}
	p := &view.Position{UID: *values[want-1]}
	if want == 2 {
		p.Value = values[0]
	}
	return p, nil
}

// position is what parsePosition reads.
func position(p *view.Position, by view.Order) []*string {
	switch {
	case p == nil:
		return nil
	case by.Field == "":
		return []*string{&p.UID}
	}
	return []*string{p.Value, &p.UID}
}

// parseSavedFilters reads the filters of a cursor; both must hold.
func parseSavedFilters(legacy, predicate json.RawMessage) (older, newer view.Filter, err error) {
	if given(legacy) {
		if len(legacy) > maxLegacy {
			return nil, nil, malformed("filter is longer than %d bytes", maxLegacy)
		}
		if older, err = parseLegacy(legacy, 0); err != nil {
			return nil, nil, err
		}
	}
	if given(predicate) {
		if newer, err = view.ParsePredicate(predicate); err != nil {
			return nil, nil, malformed("%s", err)
		}
	}
	return older, newer, nil
}

// given says that a member is there and not null.
func given(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" }

// parseLegacy reads {key, values?}, {not}, {anyOf} and {allOf}, which cursors of
// earlier Backstages hold.
func parseLegacy(raw json.RawMessage, depth int) (view.Filter, error) {
	var f struct {
		Key    *string           `json:"key"`
		Values []string          `json:"values"`
		Not    json.RawMessage   `json:"not"`
		AnyOf  []json.RawMessage `json:"anyOf"`
		AllOf  []json.RawMessage `json:"allOf"`
	}
	if depth > maxLegacyDepth {
		return nil, malformed("filter is deeper than %d", maxLegacyDepth)
	}
	if err := json.Unmarshal(raw, &f); err != nil {
		return nil, malformed("filter: %s", err)
	}
	switch {
	case f.Key != nil && f.Values != nil:
		values := make([]string, 0, len(f.Values))
		for _, v := range f.Values {
			values = append(values, strings.ToLower(v))
		}
		return view.Equal{Key: strings.ToLower(*f.Key), Values: values}, nil
	case f.Key != nil:
		return view.Exists{Key: strings.ToLower(*f.Key)}, nil
	case f.Not != nil:
		not, err := parseLegacy(f.Not, depth+1)
		return view.Not{Filter: not}, err
	case f.AnyOf != nil:
		parts, err := parseLegacies(f.AnyOf, depth+1)
		return view.Any(parts), err
	case f.AllOf != nil:
		parts, err := parseLegacies(f.AllOf, depth+1)
		return view.All(parts), err
	}
	return nil, malformed("filter: one of key, not, anyOf and allOf is needed")
}

func parseLegacies(raws []json.RawMessage, depth int) (parts []view.Filter, err error) {
	for _, raw := range raws {
		part, err := parseLegacy(raw, depth)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return parts, nil
}

// maxTextFields bounds what a text filter looks through; a catalog page names
// three. A term that is longer than any value that is searched finds nothing, so
// it needs no cap.
const maxTextFields = 20

// parse makes the filter; nil without a term. Its default fields depend on the
// order, so they are left to the query.
func (t *textFilter) parse() (*textFilter, error) {
	if t == nil || strings.TrimSpace(t.Term) == "" {
		return nil, nil
	}
	if len(t.Fields) > maxTextFields {
		return nil, fmt.Errorf("Too many fields of a text filter, at most %d are supported", maxTextFields) //nolint:staticcheck // a message of the wire format
	}
	return &textFilter{Term: strings.TrimSpace(t.Term), Fields: slices.DeleteFunc(slices.Clone(t.Fields), func(f string) bool { return f == "" })}, nil
}
