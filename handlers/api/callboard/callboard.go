// Package callboard is Callboard's own HTTP API: what came in, what became of
// it, and why the catalog is as it is. Backstage has nothing like it.
//
// It explains and asks for work (a replay, a refresh); the work is done by the
// pipeline. It does not know where it is mounted. JSON is camelCase, times are
// RFC 3339 in UTC, lists are objects with "items".
package callboard

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/callboard/callboard/handlers/respond"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/view"
)

// Replayer does a delivery again; *inbox.Inbox is one.
type Replayer interface {
	Replay(ctx context.Context, guid, actor string) error
}

// Config is what the API tells of and works with.
type Config struct {
	Replayer Replayer
	// Scanner is nil where nothing is scanned.
	Scanner Scanner
	// Undoer brings back what went, as long as Undo after that; nil where nothing goes.
	Undoer  Undoer
	Undo    time.Duration
	Version string
	// Settings tells how the repositories of an owner are read.
	Settings func(host, owner string) Settings
	// Excluded is why a repository is not searched for catalog files, "" for one that is.
	Excluded func(storage.Repository) string
	// Budgets tells of GitHub's budgets; nil where there is no GitHub.
	Budgets func(context.Context) (Budgets, error)
	// Now is the clock, time.Now in the program.
	Now func() time.Time
	// Closing ends the streams when it is closed; nil never does.
	Closing <-chan struct{}
}

// API holds the handlers.
type API struct {
	store    storage.Store
	view     *view.View
	replayer Replayer
	scanner  Scanner
	undoer   Undoer
	undo     time.Duration
	version  string
	settings func(host, owner string) Settings
	excluded func(storage.Repository) string
	budgets  func(context.Context) (Budgets, error)
	now      func() time.Time

	streaming streaming
}

// New makes the API.
func New(store storage.Store, v *view.View, cfg Config) *API {
	if cfg.Excluded == nil {
		cfg.Excluded = func(storage.Repository) string { return "" }
	}
	return &API{
		excluded: cfg.Excluded, budgets: cfg.Budgets, undoer: cfg.Undoer, undo: cfg.Undo,
		store: store, view: v, replayer: cfg.Replayer, scanner: cfg.Scanner, version: cfg.Version, settings: cfg.Settings, now: cfg.Now,
		streaming: newStreaming(cfg.Closing),
	}
}

// Items is the shape of every list.
type Items[T any] struct {
	Items []T `json:"items"`
}

func items[T any](list []T) Items[T] {
	if list == nil {
		list = []T{} // [] rather than null
	}
	return Items[T]{list}
}

// readQuery refuses parameters that are unknown or repeated, so that a
// misspelt filter does not pass for no filter.
func readQuery(r *http.Request, known ...string) (url.Values, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, respond.Input("Malformed query: %s", err)
	}
	for name, values := range q {
		if !slices.Contains(known, name) {
			return nil, respond.Input("Unknown query parameter '%s'", name)
		}
		if len(values) > 1 {
			return nil, respond.Input("Query parameter '%s' is given more than once", name)
		}
	}
	return q, nil
}

// Lists give limitDefault items unless asked, and limitMax at most.
const (
	limitDefault = 100
	limitMax     = 1000
)

func readLimit(q url.Values) (int, error) {
	s := q.Get("limit")
	if s == "" {
		return limitDefault, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > limitMax || s[0] == '+' {
		return 0, respond.Input("Query parameter 'limit' must be a number from 1 to %d", limitMax)
	}
	return n, nil
}

func readBool(q url.Values, name string) (bool, error) {
	switch q.Get(name) {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	}
	return false, respond.Input("Query parameter '%s' must be true or false", name)
}
