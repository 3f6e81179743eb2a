package handlers

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/callboard/callboard/handlers/middleware"
)

// fold makes paths what the route table has: they match in any case and with a
// trailing slash (contract catalog 4.1). Only words of the table are made
// lower-case, parameters keep the case in which they will be quoted in errors.
func fold(table []route) middleware.Middleware {
	known := make(words)
	for _, r := range table {
		known.add(strings.Split(r.path[1:], "/"))
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			given := r.URL.EscapedPath()
			if folded := known.fold(given); folded != given {
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
}

// words are the lower-case segments that may stand at one place of a path, with
// those that may follow. All parameters are one word, anyParam.
type words map[string]words

const anyParam = "{}"

func (ws words) add(segments []string) {
	if len(segments) == 0 {
		return
	}
	word := segments[0]
	if strings.HasPrefix(word, "{") {
		word = anyParam
	}
	if ws[word] == nil {
		ws[word] = make(words)
	}
	ws[word].add(segments[1:])
}

// fold goes as far along the path as the table knows it.
func (ws words) fold(path string) string {
	if len(path) > 1 {
		path = strings.TrimSuffix(path, "/")
	}
	segments := strings.Split(path, "/")
	for i := 1; i < len(segments) && ws != nil; i++ {
		word := strings.ToLower(segments[i])
		if next, ok := ws[word]; ok && word != anyParam {
			segments[i], ws = word, next
		} else {
			ws = ws[anyParam]
		}
	}
	return strings.Join(segments, "/")
}
