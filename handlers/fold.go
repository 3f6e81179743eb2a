package handlers

import (
	"net/http"
	"net/url"
	"strings"
)

// fold makes paths what the route table has: API paths match in any case and
// with a trailing slash (contract catalog 4.1). Only words of the table are made
// lower-case, parameters keep the case in which they will be quoted in errors.
func fold(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given := r.URL.EscapedPath()
		if folded := foldPath(given); folded != given {
			plain, err := url.PathUnescape(folded)
			if err != nil {
				http.NotFound(w, r) // net/http parsed it, so it cannot be
				return
			}
			// RequestURI stays as it came: the error envelope shows it.
			copied, u := *r, *r.URL
			u.Path, u.RawPath = plain, folded
			copied.URL, r = &u, &copied
		}
		next.ServeHTTP(w, r)
	})
}

// Segments of a path, counted from the first: /api/<plugin>/<resource>/<how>.
// Only the catalog has its words folded beyond the plugin: the contract asks
// for no more, and owner or GUID would be there in other APIs.
const (
	pluginWords  = 2
	catalogWords = 4
)

func foldPath(path string) string {
	if len(path) > 1 {
		path = strings.TrimSuffix(path, "/")
	}
	if len(path) < len("/api/") || !strings.EqualFold(path[:len("/api/")], "/api/") {
		return path
	}
	segments := strings.Split(path[1:], "/")
	words := pluginWords
	if len(segments) > 1 && strings.EqualFold(segments[1], "catalog") {
		words = catalogWords
	}
	for i := range min(words, len(segments)) {
		segments[i] = strings.ToLower(segments[i])
	}
	return "/" + strings.Join(segments, "/")
}
