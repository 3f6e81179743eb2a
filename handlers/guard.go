package handlers

import (
	"log/slog"
	"net/http"
	"strings"

	"github.com/callboard/callboard/handlers/access"
	"github.com/callboard/callboard/handlers/respond"
)

// guard puts access control before the routes of the plugins.
type guard struct {
	*access.Guard
	log *slog.Logger
}

// pluginOf is the plugin that a path of the table belongs to: /api/<plugin>/….
func pluginOf(path string) (string, bool) {
	rest, ok := strings.CutPrefix(path, "/api/")
	plugin, _, _ := strings.Cut(rest, "/")
	return plugin, ok
}

// protect lets those through who may. What changes something is closed to pages
// of other sites that could make a browser inside the company's network ask for
// it. A token shows that the page did not rely on where the browser stands, so
// only requests without one are looked at.
func (g guard) protect(plugin string, need access.Permission, h http.Handler) http.Handler {
	adapter := respond.Adapter{Log: g.log, Mount: "/api/" + plugin}
	if !need.Reads {
		crossOrigin := http.NewCrossOriginProtection()
		crossOrigin.SetDenyHandler(adapter.Handler(func(http.ResponseWriter, *http.Request) error {
			return respond.NotAllowed("Cross-origin request refused")
		}))
		known, anonymous := h, crossOrigin.Handler(h)
		h = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if access.Actor(r.Context()) == access.Anonymous {
				anonymous.ServeHTTP(w, r)
			} else {
				known.ServeHTTP(w, r)
			}
		})
	}
	return g.Protect(plugin, need, adapter.Fail, h)
}

// unknown answers what no route takes. Below a plugin only those who may call it
// are told that there is nothing; the others get the same answer everywhere
// (contract platform HTTP-04).
func (g guard) unknown() http.Handler {
	nothing := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	mounts := map[string]http.Handler{}
	for _, mount := range []string{catalogMount, callboardMount} {
		plugin, _ := pluginOf(mount)
		adapter := respond.Adapter{Log: g.log, Mount: mount}
		mounts[plugin] = g.Protect(plugin, access.Permission{Reads: true}, adapter.Fail, nothing)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		plugin, _ := pluginOf(strings.ToLower(r.URL.Path))
		if h, ok := mounts[plugin]; ok {
			h.ServeHTTP(w, r)
			return
		}
		nothing.ServeHTTP(w, r)
	})
}
