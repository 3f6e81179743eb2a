// Package openapi holds the OpenAPI document of what Callboard serves under
// /api/catalog and /api/callboard, and serves it.
//
// The document is written by hand, in openapi.json. Tests hold it against the
// route table (handlers) and against what clients and server say to each other
// (test/clients).
package openapi

import (
	_ "embed"
	"fmt"
	"hash/fnv"
	"net/http"

	"github.com/callboard/callboard/handlers/respond"
)

//go:embed openapi.json
var document []byte

// etag is weak as all are: compression changes the bytes and not the meaning.
var etag = func() string {
	sum := fnv.New64a()
	_, _ = sum.Write(document) // never fails
	return fmt.Sprintf(`W/"%016x"`, sum.Sum64())
}()

// Serve is GET openapi.json (contract catalog 4).
func Serve(w http.ResponseWriter, r *http.Request) error {
	for name := range r.URL.Query() {
		return respond.Input("Unknown query parameter '%s'", name)
	}
	w.Header().Set("ETag", etag)
	if respond.Unchanged(r, etag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	return respond.Bytes(w, http.StatusOK, document)
}
