package handlers

import (
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/callboard/callboard/handlers/access"
	"github.com/callboard/callboard/handlers/respond"
)

// guard puts access control before the routes of the plugins.
type guard struct {
	*access.Guard
	site string
	log  *slog.Logger
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
		refuse := adapter.Handler(func(http.ResponseWriter, *http.Request) error {
			return respond.NotAllowed("Cross-origin request refused")
		})
		crossOrigin := http.NewCrossOriginProtection()
		crossOrigin.SetDenyHandler(refuse)
		known, anonymous := h, crossOrigin.Handler(h)
		h = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case access.Actor(r.Context()) != access.Anonymous:
				known.ServeHTTP(w, r)
			case !g.ownName(r.Header.Get("Origin")):
				refuse.ServeHTTP(w, r)
			default:
				anonymous.ServeHTTP(w, r)
			}
		})
	}
	return private(g.Protect(plugin, need, adapter.Fail, h))
}

// ownName says whether a page of this origin may be one of ours. Whoever lets a
// name of theirs lead to our address serves pages whose origin is the host that
// they ask (DNS rebinding), so the name counts too: that of the portal, if it is
// known, or one that no name server decides. Programs send no origin.
func (g guard) ownName(origin string) bool {
	if origin == "" || g.site == "" {
		return true
	}
	u, err := url.Parse(origin)
	if err != nil {
		return false
	}
	host := u.Hostname()
	_, notIP := netip.ParseAddr(host)
	return notIP == nil || host == "localhost" || strings.EqualFold(host, g.site)
}

// private keeps shared caches from holding answers, which depend on who asks,
// and browsers from showing one that they did not ask about again: with a date
// and without this they may guess that it is fresh (RFC 9111, 4.2.2). An ETag
// makes asking cheap.
func private(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "private, no-cache")
		w.Header().Add("Vary", "Authorization")
		h.ServeHTTP(w, r)
	})
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
		mounts[plugin] = private(g.Protect(plugin, access.Permission{Reads: true}, adapter.Fail, nothing))
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
