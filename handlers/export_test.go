package handlers

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/callboard/callboard/handlers/access"
)

// Scoped is a route of the table, as the tests of who may call it see it.
type Scoped struct {
	Method, Path string
	Open, Signed bool
	access.Permission
}

// Table is the route table.
func Table(d Deps) []Scoped {
	d.Metrics = prometheus.NewRegistry() // that of the server has its metrics already
	var out []Scoped
	for _, r := range routes(d) {
		out = append(out, Scoped{r.method, r.path, r.scope.open, r.scope.signed, r.scope.Permission})
	}
	return out
}
