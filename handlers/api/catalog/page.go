package catalog

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/callboard/callboard/handlers/respond"
	"github.com/callboard/callboard/storage/view"
)

// selection is the filter with the text search in it. That looks at the field of
// the order where it names none (contract catalog 4.9).
func (q query) selection() view.Filter {
	if q.text == nil {
		return q.filter
	}
	t := view.Text{Term: q.text.Term}
	for _, f := range q.text.Fields {
		t.Fields = append(t.Fields, strings.ToLower(f))
	}
	switch {
	case len(t.Fields) > 0:
	case q.order.Field != "":
		t.Fields = []string{strings.ToLower(q.order.Field)}
	default:
		t.Fields = []string{"metadata.uid"}
	}
	return both(q.filter, t)
}

// answer lists a page. The count is made with a walk's first page and carried
// along; 0 items were asked for by who only wants the count.
func (a *API) answer(w http.ResponseWriter, r *http.Request, p params, q query) error {
	var (
		page        []*view.Entity
		more        bool
		first, last *view.Position
		total       int
	)
	done, err := a.read(w, r, p, func(s *view.Snapshot) {
		chosen := s.Select(q.selection())
		switch {
		case q.uncounted:
		case q.total != nil:
			total = *q.total
		default:
			total = chosen.Len()
		}
		if q.limit > 0 {
			page, more = chosen.Window(view.Window{By: q.order, After: q.after, Back: q.back, Offset: q.offset, Limit: min(q.limit, maxPage)})
		}
		if len(page) > 0 {
			first, last = new(s.Position(page[0], q.order)), new(s.Position(page[len(page)-1], q.order))
		}
	})
	if done || err != nil {
		return err
	}
	after := `],"totalItems":` + strconv.Itoa(total) + `,"pageInfo":` + q.pageInfo(first, last, more, total) + `}`
	return respond.Stream(w, r, `{"items":[`, after, len(page), func(dst []byte, i int) []byte { return page[i].AppendJSON(dst, q.fields) })
}

// pageInfo holds the cursors to the pages beside this one (contract catalog
// 4.9): forwards if there is more, and always when walking back; backwards
// unless this is the page on which the walk began.
func (q query) pageInfo(first, last *view.Position, more bool, total int) string {
	if q.limit == 0 {
		return `{}`
	}
	begin := q.first
	if begin == nil {
		begin = first
	}
	var parts []string
	if q.back || more {
		// A page back that has become empty leads to the beginning.
		parts = append(parts, `"nextCursor":"`+q.cursorTo(last, false, begin, total).String()+`"`)
	}
	if q.after != nil && first != nil && !samePosition(first, q.first) && (more || !q.back) {
		parts = append(parts, `"prevCursor":"`+q.cursorTo(first, true, begin, total).String()+`"`)
	}
	return `{` + strings.Join(parts, ",") + `}`
}

func (q query) cursorTo(p *view.Position, back bool, begin *view.Position, total int) cursor {
	c := cursor{
		OrderFields: []orderField{}, OrderFieldValues: position(p, q.order), Filter: q.rawFilter, IsPrevious: &back,
		Query: q.rawQuery, FullTextFilter: q.text, FirstSortFieldValues: position(begin, q.order), TotalItems: &total,
	}
	if q.order.Field != "" {
		c.OrderFields = []orderField{{q.order.Field, direction(q.order)}}
	}
	return c
}

func direction(o view.Order) string {
	if o.Desc {
		return "desc"
	}
	return "asc"
}

func samePosition(a, b *view.Position) bool {
	if a == nil || b == nil || a.UID != b.UID || (a.Value == nil) != (b.Value == nil) {
		return false
	}
	return a.Value == nil || *a.Value == *b.Value
}
