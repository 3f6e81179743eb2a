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

// listing is a parsed GET /entities.
type listing struct {
	filter view.Filter
	fields view.Fields
	orders []view.Order
	// paged is a listing with offset, limit or after.
	paged         bool
	offset, limit int
	given         params
}

var entitiesParams = known{
	"filter": list, "fields": list, "order": list, "offset": integer, "limit": integer, "after": text, minCommit: text,
}

// Entities is GET /entities (contract catalog 4.8).
//
// Entities without the field of an order come last, in pages and without. The
// reference leaves them out of unpaged lists, repeats those with several values
// and looks at the first order only (contract catalog 6, row 23).
func (a *API) Entities(w http.ResponseWriter, r *http.Request) error {
	l, err := readListing(r)
	if err != nil {
		return err
	}
	var (
		page []*view.Entity
		more bool
	)
	done, err := a.read(w, r, l.given, func(s *view.Snapshot) {
		page, more = s.Select(l.filter).Page(l.orders, l.offset, l.limit)
	})
	if done || err != nil {
		return err
	}
	if more {
		w.Header().Set("Link", l.next())
	}
	return respond.List(w, r, len(page), func(dst []byte, i int) []byte { return page[i].AppendJSON(dst, l.fields) })
}

func readListing(r *http.Request) (listing, error) {
	p, err := readParams(r, entitiesParams)
	if err != nil {
		return listing{}, err
	}
	l := listing{given: p, offset: p.int("offset", 0), limit: p.int("limit", 0)}
	if l.filter, err = p.filter(); err != nil {
		return l, err
	}
	if l.fields, err = p.fields(); err != nil {
		return l, err
	}
	if l.orders, err = parseOrders(p.all("order")); err != nil {
		return l, err
	}
	l.paged = p.has("offset") || p.has("limit") || p.has("after")
	limited := p.has("limit")
	if p.has("after") {
		c, err := parseAfter(p.text("after"))
		if err != nil {
			return l, err
		}
		if c.Limit != nil {
			l.limit, limited = *c.Limit, true
		}
		if c.Offset != nil {
			l.offset = *c.Offset
		}
	}
	if limited && l.limit == 0 {
		return l, respond.Input("Invalid limit, must be greater than zero")
	}
	if !l.paged && len(l.orders) == 0 {
		l.orders = view.ByUID
	}
	return l, nil
}

func parseOrders(params []string) ([]view.Order, error) {
	var orders []view.Order
	for _, p := range params {
		direction, field, ok := strings.Cut(p, ":")
		if !ok || field == "" || direction != "asc" && direction != "desc" {
			return nil, respond.Input(`Invalid order parameter "%s", expected "<asc or desc>:<field name>"`, p)
		}
		orders = append(orders, view.Order{Field: field, Desc: direction == "desc"})
	}
	return orders, nil
}

// after is the cursor of GET /entities.
type after struct {
	Limit  *int `json:"limit,omitempty"`
	Offset *int `json:"offset,omitempty"`
}

func parseAfter(s string) (c after, err error) {
	malformed := respond.Input("Malformed after cursor, could not be parsed")
	raw, err := decodeBase64(s)
	if err != nil || json.Unmarshal(raw, &c) != nil {
		return after{}, malformed
	}
	if c.Limit != nil && *c.Limit < 0 || c.Offset != nil && *c.Offset < 0 {
		return after{}, malformed
	}
	return c, nil
}

// next is the Link to the page behind this one, relative to the mount.
func (l listing) next() string {
	offset := l.offset + l.limit
	raw, err := json.Marshal(after{Limit: &l.limit, Offset: &offset})
	if err != nil { // two numbers: it cannot be
		return ""
	}
	rest := slices.DeleteFunc(slices.Clone(l.given), func(p param) bool { return p.name == "offset" })
	rest = rest.with("after", base64.StdEncoding.EncodeToString(raw))
	return "</entities?" + rest.join() + `>; rel="next"`
}
