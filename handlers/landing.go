package handlers

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"

	"github.com/callboard/callboard/handlers/respond"
	"github.com/callboard/callboard/storage/view"
)

// landing is the page of somebody who opens the address in a browser. The
// portal takes its place later.
func landing(v *view.View, version string) respond.Func {
	return func(w http.ResponseWriter, _ *http.Request) error {
		var (
			b        strings.Builder
			total    int
			revision int64
			kinds    []view.FacetValue
		)
		v.Read(func(s *view.Snapshot) { total, revision, kinds = s.Len(), s.Revision(), s.Select(nil).Facet("kind") })
		fmt.Fprintf(&b, `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Callboard</title></head><body>
<h1>Callboard</h1>
<p>A software catalog that Git drives. Version %s, catalog revision %d.</p>
<h2>%d entities</h2>
<ul>
`, html.EscapeString(version), revision, total)
		for _, k := range kinds {
			fmt.Fprintf(&b, "<li>%d <a href=\"/api/catalog/entities?filter=kind=%s&amp;fields=kind,metadata.name,metadata.description\">%s</a></li>\n",
				k.Count, url.QueryEscape(k.Value), html.EscapeString(k.Value))
		}
		b.WriteString(`</ul>
<h2>Ask it</h2>
<ul>
<li><a href="/api/catalog/entities?limit=20">Entities</a>, <a href="/api/catalog/entity-facets?facet=kind&amp;facet=spec.type">facets</a>: Backstage's catalog API</li>
<li><a href="/api/callboard/status">Status</a>, <a href="/api/callboard/repositories">repositories</a>, <a href="/api/callboard/deliveries">webhook deliveries</a>: what came in, and what became of it</li>
<li><a href="/.backstage/health/v1/readiness">Health</a>, <a href="/metrics">metrics</a></li>
</ul>
</body></html>
`)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write([]byte(b.String())) // the client has gone; nobody is left to tell
		return nil
	}
}
