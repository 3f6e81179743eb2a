package callboard

import (
	"encoding/base64"
	"encoding/json"
	"net/url"

	"github.com/callboard/callboard/handlers/respond"
)

// Page is a list that goes on behind NextCursor, if there is one.
type Page[T any] struct {
	Items      []T    `json:"items"`
	NextCursor string `json:"nextCursor,omitempty"`
}

// cursor is where a page ended, and of which query: it makes no sense in another.
type cursor[K any] struct {
	Query string `json:"q"`
	After K      `json:"a"`
}

// maxCursor bounds what is decoded; ours hold a path at most.
const maxCursor = 16 << 10

// filterOf is the query without what says where in the list to stand.
func filterOf(q url.Values) string {
	rest := url.Values{}
	for name, values := range q {
		if name != "cursor" && name != "limit" && values[0] != "" {
			rest[name] = values
		}
	}
	return rest.Encode()
}

func writeCursor[K any](q url.Values, after K) string {
	raw, err := json.Marshal(cursor[K]{filterOf(q), after})
	if err != nil {
		panic(err) // keys are strings and numbers
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// readCursor gives the zero key without a cursor.
func readCursor[K any](q url.Values) (after K, err error) {
	given := q.Get("cursor")
	if given == "" {
		return after, nil
	}
	var c cursor[K]
	raw, err := base64.RawURLEncoding.DecodeString(given)
	if err != nil || len(raw) > maxCursor || json.Unmarshal(raw, &c) != nil {
		return after, respond.Input("Malformed cursor, begin again without one")
	}
	if c.Query != filterOf(q) {
		return after, respond.Input("The cursor belongs to another query, begin again without one")
	}
	return c.After, nil
}
