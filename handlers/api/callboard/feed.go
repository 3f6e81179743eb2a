package callboard

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/callboard/callboard/handlers/respond"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
)

// Feed is a piece of the ordered feed of all changes.
type Feed struct {
	Items []Change `json:"items"`
	// Next is what since is to be for the piece that follows. With a filter it
	// goes on also where no item was chosen.
	Next int64 `json:"next"`
	// Revision is the newest: there is more while Next is less.
	Revision int64 `json:"revision"`
}

const (
	// feedBatch is how many changes are read at once, feedScan how many one
	// request looks through.
	feedBatch = 200
	feedScan  = 10_000
	// feedValues bounds how many values a filter has.
	feedValues = 100
)

// feedFilter chooses changes by what their refs say. An empty set chooses all.
type feedFilter struct{ kinds, namespaces, refs map[string]bool }

func (f feedFilter) chooses(ref string) bool {
	kind, rest, _ := strings.Cut(ref, ":")
	namespace, _, _ := strings.Cut(rest, "/")
	in := func(set map[string]bool, s string) bool { return len(set) == 0 || set[s] }
	return in(f.kinds, kind) && in(f.namespaces, namespace) && in(f.refs, ref)
}

// readFeedFilter reads lists with commas.
func readFeedFilter(q url.Values) (f feedFilter, err error) {
	read := func(name string, full func(string) (string, error)) map[string]bool {
		given := q.Get(name)
		if given == "" || err != nil {
			return nil
		}
		set := map[string]bool{}
		for v := range strings.SplitSeq(given, ",") {
			if len(set) == feedValues {
				err = respond.Input("Query parameter '%s' may have %d values", name, feedValues)
				return nil
			}
			var one string
			if one, err = full(strings.TrimSpace(v)); err != nil {
				err = respond.Input("Query parameter '%s': %s", name, err)
				return nil
			}
			set[one] = true
		}
		return set
	}
	lower := func(s string) (string, error) { return strings.ToLower(s), nil }
	f.kinds, f.namespaces = read("kind", lower), read("namespace", lower)
	f.refs = read("ref", func(s string) (string, error) {
		ref, err := entity.ParseRef(s, "", "")
		return ref.String(), err
	})
	return f, err
}

// Changes is GET changes?since=&limit=&kind=&namespace=&ref=: what happened
// after a revision, in order. It ends where the catalog API stands, so that
// whoever reads of a change can read the entity. Asked for text/event-stream it
// goes on as long as the client listens.
func (a *API) Changes(w http.ResponseWriter, r *http.Request) error {
	q, err := readQuery(r, "since", "limit", "kind", "namespace", "ref")
	if err != nil {
		return err
	}
	filter, err := readFeedFilter(q)
	if err != nil {
		return err
	}
	w.Header().Add("Vary", "Accept")
	if strings.Contains(r.Header.Get("Accept"), eventStream) {
		return a.stream(w, r, q, filter)
	}
	since, err := readRevision("Query parameter 'since'", q.Get("since"))
	if err != nil {
		return err
	}
	limit, err := readLimit(q)
	if err != nil {
		return err
	}
	out, err := a.feed(r.Context(), filter, since, limit)
	if err != nil {
		return err
	}
	return respond.JSON(w, r, http.StatusOK, out)
}

// readRevision reads a revision, 0 without one.
func readRevision(what, given string) (int64, error) {
	if given == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(given, 10, 64)
	if err != nil || n < 0 || given[0] == '+' {
		return 0, respond.Input("%s must be a revision, a number from 0", what)
	}
	return n, nil
}

func (a *API) feed(ctx context.Context, f feedFilter, since int64, limit int) (Feed, error) {
	out := Feed{Items: []Change{}, Next: since, Revision: a.view.Revision()}
	if since > out.Revision {
		stored, err := a.store.Revision(ctx)
		if err == nil && since > stored {
			err = respond.Input("Revision %d is not known, the newest is %d: the catalog was begun anew. Read it whole and go on from there", since, stored)
		}
		return out, err // this replica is behind another: nothing new here yet
	}
	for scanned := 0; scanned < feedScan && out.Next < out.Revision; scanned += feedBatch {
		changes, err := a.store.Changes(ctx, out.Next, feedBatch)
		if err != nil {
			return out, err
		}
		if !take(changes, out.Revision, func(c storage.Change) bool {
			if f.chooses(c.Ref) {
				out.Items = append(out.Items, newChange(c))
			}
			out.Next = c.Revision
			return len(out.Items) < limit
		}) {
			break
		}
	}
	return out, nil
}

// take hands on changes up to a revision while fn wants more, and says whether
// there may be others behind them.
func take(changes []storage.Change, until int64, fn func(storage.Change) bool) bool {
	for _, c := range changes {
		if c.Revision > until || !fn(c) {
			return false
		}
	}
	return len(changes) > 0
}
