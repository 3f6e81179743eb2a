// Package handlers is the HTTP face of Callboard: the one table of routes, and
// what every request passes through on its way to them.
//
// What the routes do is in its subfolders. It starts no server and reads no
// configuration.
package handlers

import (
	"context"
	"log/slog"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/callboard/callboard/handlers/access"
	"github.com/callboard/callboard/handlers/api/callboard"
	"github.com/callboard/callboard/handlers/api/catalog"
	"github.com/callboard/callboard/handlers/middleware"
	"github.com/callboard/callboard/handlers/openapi"
	"github.com/callboard/callboard/handlers/ops"
	"github.com/callboard/callboard/handlers/respond"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/view"
)

// Deps is what the handlers work with. All are needed.
type Deps struct {
	Store    storage.Store
	View     *view.View
	Replayer callboard.Replayer
	Remover  catalog.Remover
	Scanner  callboard.Scanner
	// Undoer brings back what went, as long as Undo after that.
	Undoer callboard.Undoer
	Undo   time.Duration
	// Closing is closed when the process begins to stop: streams and waits end then.
	Closing <-chan struct{}
	// Webhook takes GitHub's deliveries; it checks them and bounds them itself.
	Webhook http.Handler
	// Metrics is filled by the handlers too, and shown at /metrics.
	Metrics *prometheus.Registry
	Log     *slog.Logger
	Version string
	// Locations says what may be registered, and who reads it.
	Locations catalog.LocationConfig
	// Settings tells how the repositories of an owner are read.
	Settings func(host, owner string) callboard.Settings
	// Excluded is why a repository is not searched for catalog files; nil for none.
	Excluded func(storage.Repository) string
	// Budgets tells of GitHub's budgets; nil where there is no GitHub.
	Budgets func(context.Context) (callboard.Budgets, error)
	// Access says who may call the APIs; its zero value lets nobody in.
	Access access.Config
}

// scope says who may call a route: everybody, GitHub, or who has the permission.
type scope struct {
	open, signed bool
	access.Permission
}

var (
	public  = scope{open: true}   // health, metrics, the landing page
	webhook = scope{signed: true} // by GitHub

	// Backstage's permissions of the catalog (contract catalog 4.3). Analyzing and
	// validating store nothing, but make Callboard ask GitHub.
	entityRead      = scope{Permission: access.Permission{Name: "catalog.entity.read", Action: "read", Reads: true}}
	entityDelete    = scope{Permission: access.Permission{Name: "catalog.entity.delete", Action: "delete"}}
	entityRefresh   = scope{Permission: access.Permission{Name: "catalog.entity.refresh", Action: "update"}}
	entityValidate  = scope{Permission: access.Permission{Name: "catalog.entity.validate"}}
	locationRead    = scope{Permission: access.Permission{Name: "catalog.location.read", Action: "read", Reads: true}}
	locationCreate  = scope{Permission: access.Permission{Name: "catalog.location.create", Action: "create"}}
	locationDelete  = scope{Permission: access.Permission{Name: "catalog.location.delete", Action: "delete"}}
	locationAnalyze = scope{Permission: access.Permission{Name: "catalog.location.analyze"}}

	// Callboard's own: read explains, change asks for work.
	read   = scope{Permission: access.Permission{Name: "callboard.read", Action: "read", Reads: true}}
	change = scope{Permission: access.Permission{Name: "callboard.change", Action: "update"}}
)

type route struct {
	method  string
	path    string
	scope   scope
	handler http.Handler
}

const (
	catalogMount   = "/api/catalog"
	callboardMount = "/api/callboard"
	// maxBody bounds what an API reads, maxQuery what the routes of largeBodies
	// do (contract platform ERR-07). The reference's 100 KiB (contract catalog 4.1)
	// break policies that name many entities. bodyWait is how long a body may take.
	maxBody  = 1 << 20
	maxQuery = 5 << 20
	bodyWait = 10 * time.Second
)

// largeBodies are the reads by reference or predicate.
var largeBodies = map[string]bool{
	"/api/catalog/entities/by-refs": true, "/api/catalog/entities/by-query": true, "/api/catalog/entity-facets": true,
}

func routes(d Deps) []route {
	cat := catalog.New(d.View, d.Store, d.Closing)
	loc := catalog.NewLocations(cat, d.Locations)
	own := callboard.New(d.Store, d.View, callboard.Config{
		Replayer: d.Replayer, Scanner: d.Scanner, Undoer: d.Undoer, Undo: d.Undo, Version: d.Version, Settings: d.Settings, Excluded: d.Excluded, Budgets: d.Budgets, Now: time.Now, Closing: d.Closing,
	})
	removal := catalog.NewRemoval(cat, d.Remover)
	op := ops.New(d.Store, d.View, d.Metrics, d.Version, d.Log)
	c := respond.Adapter{Log: d.Log, Mount: catalogMount}.Handler
	o := respond.Adapter{Log: d.Log, Mount: callboardMount}.Handler
	plain := respond.Adapter{Log: d.Log}.Handler

	return []route{
		// Backstage's catalog API (contract catalog 4.3). A POST here only reads.
		{"GET", "/api/catalog/entities", entityRead, c(cat.Entities)},
		{"GET", "/api/catalog/entities/by-query", entityRead, c(cat.QueryEntities)},
		{"POST", "/api/catalog/entities/by-query", entityRead, c(cat.QueryEntitiesByPredicate)},
		{"GET", "/api/catalog/entities/by-name/{kind}/{namespace}/{name}", entityRead, c(cat.EntityByName)},
		{"GET", "/api/catalog/entities/by-name/{kind}/{namespace}/{name}/ancestry", entityRead, c(cat.EntityAncestry)},
		{"GET", "/api/catalog/entities/by-uid/{uid}", entityRead, c(cat.EntityByUID)},
		{"DELETE", "/api/catalog/entities/by-uid/{uid}", entityDelete, c(removal.DeleteEntity)},
		{"POST", "/api/catalog/refresh", entityRefresh, c(cat.RefreshEntity)},
		{"GET", "/api/catalog/entities/unprocessed/failed", entityRead, c(cat.Unprocessed("failed"))},
		{"GET", "/api/catalog/entities/unprocessed/pending", entityRead, c(cat.Unprocessed("pending"))},
		{"DELETE", "/api/catalog/entities/unprocessed/delete/{entity_id}", entityDelete, c(removal.DeleteUnprocessed)},
		{"POST", "/api/catalog/entities/by-refs", entityRead, c(cat.EntitiesByRefs)},
		{"GET", "/api/catalog/entity-facets", entityRead, c(cat.EntityFacets)},
		{"POST", "/api/catalog/entity-facets", entityRead, c(cat.EntityFacetsByPredicate)},

		{"GET", "/api/catalog/openapi.json", entityRead, c(openapi.Serve)},
		{"GET", "/api/catalog/locations", locationRead, c(loc.List)},
		{"POST", "/api/catalog/locations", locationCreate, c(loc.Create)},
		{"POST", "/api/catalog/locations/by-query", locationRead, c(loc.Query)},
		{"GET", "/api/catalog/locations/{id}", locationRead, c(loc.Get)},
		{"PUT", "/api/catalog/locations/{id}", locationCreate, c(loc.Update)},
		{"DELETE", "/api/catalog/locations/{id}", locationDelete, c(loc.Delete)},
		{"GET", "/api/catalog/locations/by-entity/{kind}/{namespace}/{name}", locationRead, c(loc.ByEntity)},
		{"POST", "/api/catalog/analyze-location", locationAnalyze, c(loc.Analyze)},
		{"POST", "/api/catalog/validate-entity", entityValidate, c(loc.Validate)},

		// Callboard's own API: what came in, what became of it, and why.
		{"GET", "/api/callboard/status", read, o(own.Status)},
		{"GET", "/api/callboard/settings", read, o(own.Settings)},
		{"GET", "/api/callboard/deliveries", read, o(own.Deliveries)},
		{"GET", "/api/callboard/deliveries/{guid}", read, o(own.Delivery)},
		{"POST", "/api/callboard/deliveries/{guid}/replay", change, o(own.Replay)},
		{"GET", "/api/callboard/repositories", read, o(own.Repositories)},
		{"GET", "/api/callboard/repositories/{owner}/{name}", read, o(own.Repository)},
		{"POST", "/api/callboard/repositories/{owner}/{name}/refresh", change, o(own.Refresh)},
		{"GET", "/api/callboard/entities/{kind}/{namespace}/{name}", read, o(own.Source)},
		{"GET", "/api/callboard/entities/{kind}/{namespace}/{name}/history", read, o(own.History)},
		{"GET", "/api/callboard/changes", read, o(own.Changes)},
		{"GET", "/api/callboard/diagnostics", read, o(own.Diagnostics)},
		{"GET", "/api/callboard/conflicts", read, o(own.Conflicts)},
		{"GET", "/api/callboard/freshness", read, o(own.Freshness)},
		{"GET", "/api/callboard/tombstones", read, o(own.Tombstones)},
		{"POST", "/api/callboard/tombstones/undo", change, o(own.Undo)},
		{"GET", "/api/callboard/budget", read, o(own.Budget)},
		{"GET", "/api/callboard/gaps", read, o(own.Gaps)},
		{"GET", "/api/callboard/scans", read, o(own.Scans)},
		{"POST", "/api/callboard/scans", change, o(own.StartScans)},
		{"GET", "/api/callboard/scans/{id}", read, o(own.Scan)},
		{"POST", "/api/callboard/scans/{id}/approve", change, o(own.ApproveScan)},
		{"POST", "/api/callboard/scans/{id}/reject", change, o(own.RejectScan)},

		// GitHub (contract catalog 5.6); the second path is the short one. All
		// methods, because the webhook handler has words for the wrong ones.
		{"", "/api/events/http/github", webhook, d.Webhook},
		{"", "/webhooks/github", webhook, d.Webhook},

		// Those who run it.
		{"GET", "/.backstage/health/v1/liveness", public, plain(op.Liveness)},
		{"GET", "/.backstage/health/v1/readiness", public, plain(op.Readiness)},
		{"GET", "/metrics", public, http.HandlerFunc(op.Metrics)},
		{"GET", "/{$}", public, plain(landing(d.View, d.Version))},
	}
}

// New puts the routes and what surrounds them together.
func New(d Deps) http.Handler {
	var (
		mux     = http.NewServeMux()
		table   = routes(d)
		ownLine []string // patterns of handlers that log for themselves
	)
	guard := guard{access.New(d.Access), d.Access.Site, d.Log}
	limit, limitLarge := middleware.LimitBody(maxBody, bodyWait), middleware.LimitBody(maxQuery, bodyWait)
	for _, r := range table {
		h := r.handler
		if plugin, ok := pluginOf(r.path); ok && !r.scope.signed {
			h = guard.protect(plugin, r.scope.Permission, h)
		}
		switch { // also before who is refused: net/http reads the body that nobody read
		case r.scope == webhook:
			ownLine = append(ownLine, pattern(r))
		case largeBodies[r.path]:
			h = limitLarge(h)
		default:
			h = limit(h)
		}
		mux.Handle(pattern(r), h)
	}
	// Whatever is not in the table, a wrong method included: 404 without a body
	// (contract catalog 4.1), for those who may call the plugin at all.
	unknown := limit(guard.unknown())
	mux.Handle(unknownPattern, unknown)
	return middleware.Chain(mux,
		fold(table),
		middleware.SecurityHeaders,
		middleware.Observe(d.Log, d.Metrics, ownLine...),
		middleware.Compress,
		middleware.Recover(d.Log),
		onlyClean(unknown),
	)
}

// unknownPattern is where all requests go that no route takes.
const unknownPattern = "/"

// onlyClean takes paths with empty or dotted segments for unknown: a mux would
// redirect them to what it thinks was meant, with a page of HTML.
func onlyClean(unknown http.Handler) middleware.Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			given := r.URL.EscapedPath()
			if len(given) > 1 {
				given = strings.TrimSuffix(given, "/") // which path.Clean takes off too
			}
			if given != path.Clean(given) || !strings.HasPrefix(given, "/") {
				r.Pattern = unknownPattern // as the mux would say
				unknown.ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

func pattern(r route) string {
	if r.method == "" {
		return r.path
	}
	return r.method + " " + r.path
}
