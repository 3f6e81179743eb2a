package catalog

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/callboard/callboard/handlers/respond"
	"github.com/callboard/callboard/storage/view"
)

const (
	// defaultPage is the size of a page that asks for none (contract catalog 4.9).
	defaultPage = 200
	// maxPage is the largest page (contract catalog 6, row 24). Who asks for more
	// gets this many and the cursor to go on with, as for any page; the official
	// client streams in pages of 500.
	maxPage = 10_000
)

// query is a parsed by-query request, whichever verb it came by.
type query struct {
	filter view.Filter
	text   *textFilter
	order  view.Order
	fields view.Fields
	limit  int
	// offset is that of a walk's first request.
	offset int
	// uncounted is totalItems=exclude.
	uncounted bool

	// What a cursor knows: continued says that there is one, after is where the
	// walk stands, first is where it began.
	continued    bool
	after, first *view.Position
	back         bool
	total        *int
	// rawQuery and rawFilter are the filter as cursors carry it.
	rawQuery, rawFilter json.RawMessage
}

var byQueryParams = known{
	"filter": list, "fields": list, "orderField": list, "limit": integer, "offset": integer, "cursor": text,
	"totalItems": text, "fullTextFilterTerm": text, "fullTextFilterFields": list, minCommit: text,
}

// QueryEntities is GET /entities/by-query (contract catalog 4.9).
//
// Entities without the field of the order come last and are counted, where the
// reference leaves them out (contract catalog 6, row 23).
func (a *API) QueryEntities(w http.ResponseWriter, r *http.Request) error {
	p, err := readParams(r, byQueryParams)
	if err != nil {
		return err
	}
	q, err := readQuery(p)
	if err != nil {
		return err
	}
	if !q.continued {
		q.rawQuery = view.PredicateJSON(q.filter)
	}
	return a.answer(w, r, p, q)
}

func readQuery(p params) (q query, err error) {
	if err := checkTotalItems("query", p.text("totalItems")); err != nil {
		return q, err
	}
	if p.has("cursor") {
		q, err = parseCursor(p.text("cursor"))
	} else {
		q, err = readFirstQuery(p)
	}
	if err != nil {
		return q, err
	}
	q.limit = p.int("limit", defaultPage)
	q.fields, err = p.fields()
	return q, err
}

func readFirstQuery(p params) (q query, err error) {
	q = query{offset: p.int("offset", 0), uncounted: p.text("totalItems") == "exclude"}
	if q.filter, err = p.filter(); err != nil {
		return q, err
	}
	for i, given := range p.all("orderField") {
		field, order, directed := strings.Cut(given, ",")
		order, _, _ = strings.Cut(order, ",")
		if directed && order == "" {
			order = "?" // which the reference refuses too
		}
		o, err := orderField{field, order}.parse()
		if err != nil {
			return q, respond.Input("%s", err)
		}
		if i == 0 { // the others are read and not used, as in the reference
			q.order = o
		}
	}
	fields := strings.Split(strings.Join(p.all("fullTextFilterFields"), ","), ",")
	if q.text, err = (&textFilter{Term: p.text("fullTextFilterTerm"), Fields: fields}).parse(); err != nil {
		return q, respond.Input("%s", err)
	}
	return q, nil
}

// QueryEntitiesByPredicate is POST /entities/by-query (contract catalog 4.9).
func (a *API) QueryEntitiesByPredicate(w http.ResponseWriter, r *http.Request) error {
	p, err := readParams(r, waitParams)
	if err != nil {
		return err
	}
	b, err := readOptionalBody(r)
	if err != nil {
		return err
	}
	q, err := b.query()
	if err != nil {
		return err
	}
	return a.answer(w, r, p, q)
}

func (b body) query() (q query, err error) {
	totalItems, _, err := b.string("totalItems")
	if err != nil {
		return q, err
	}
	if err := checkTotalItems("body", totalItems); err != nil {
		return q, err
	}
	saved, continued, err := b.string("cursor")
	switch {
	case err != nil:
		return q, err
	case continued && saved == "":
		return q, respond.Input("Cursor cannot be empty")
	case continued:
		q, err = parseCursor(saved)
	default:
		q, err = b.firstQuery()
		q.uncounted = totalItems == "exclude"
	}
	if err != nil {
		return q, err
	}
	if q.limit, err = b.int("limit", defaultPage); err != nil {
		return q, err
	}
	q.fields, err = b.fields()
	return q, err
}

func (b body) firstQuery() (q query, err error) {
	if q.offset, err = b.int("offset", 0); err != nil {
		return q, err
	}
	if q.rawQuery, q.filter, err = b.predicate(); err != nil {
		return q, err
	}
	if len(q.rawQuery) > maxQuery {
		return q, respond.Input("Invalid query: longer than %d bytes, which no cursor can carry", maxQuery)
	}
	if q.order, err = b.order(); err != nil {
		return q, err
	}
	given, err := b.object("fullTextFilter")
	if !given || err != nil {
		return q, err
	}
	var t textFilter
	if err := json.Unmarshal(b["fullTextFilter"], &t); err != nil {
		return q, respond.Input("request/body/fullTextFilter must have a string as term and strings as fields")
	}
	if q.text, err = t.parse(); err != nil {
		return q, respond.Input("%s", err)
	}
	return q, nil
}

// order reads orderBy, of which the first counts.
func (b body) order() (first view.Order, err error) {
	raw, given := b["orderBy"]
	if !given {
		return first, nil
	}
	var all []json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil || all == nil {
		return first, respond.Input("request/body/orderBy must be array")
	}
	for i, raw := range all {
		var f orderField
		if err := json.Unmarshal(raw, &f); err != nil || raw[0] != '{' {
			return first, respond.Input("request/body/orderBy/%d must be object with the strings field and order", i)
		}
		if f.Field == "" {
			return first, respond.Input("request/body/orderBy/%d must have required property 'field'", i)
		}
		o, err := f.parse()
		if err != nil {
			return first, respond.Input("request/body/orderBy/%d/order must be equal to one of the allowed values: asc, desc", i)
		}
		if i == 0 {
			first = o
		}
	}
	return first, nil
}

func checkTotalItems(where, given string) error {
	if given != "" && given != "include" && given != "exclude" {
		return respond.Input("request/%s/totalItems must be equal to one of the allowed values: include, exclude", where)
	}
	return nil
}
