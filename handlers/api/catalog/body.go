package catalog

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"

	"github.com/callboard/callboard/handlers/respond"
)

// body is a JSON object whose members are looked at one by one, so that a wrong
// one can be named as the reference names it (contract catalog 4.1).
type body map[string]json.RawMessage

func readBody(r *http.Request) (body, error) {
	given := r.Header.Get("Content-Type")
	if given == "" {
		return nil, respond.Input("media type not specified")
	}
	if media, _, err := mime.ParseMediaType(given); err != nil || media != "application/json" {
		return nil, respond.Input("unsupported media type %s", given)
	}
	raw, err := io.ReadAll(r.Body) // bounded by the route's body cap
	if err != nil {
		return nil, fmt.Errorf("read body: %w", err)
	}
	var any json.RawMessage
	if err := json.Unmarshal(raw, &any); err != nil {
		return nil, respond.Input("%s", err)
	}
	var b body
	if err := json.Unmarshal(raw, &b); err != nil || b == nil {
		return nil, respond.Input("request/body must be object")
	}
	return b, nil
}

// strings reads a member that is a list of strings; given is false without it.
func (b body) strings(name string) (out []string, given bool, err error) {
	raw, given := b[name]
	if !given {
		return nil, false, nil
	}
	var items []json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil || items == nil {
		return nil, true, respond.Input("request/body/%s must be array", name)
	}
	out = make([]string, len(items))
	for i, item := range items {
		var s *string
		if err := json.Unmarshal(item, &s); err != nil || s == nil {
			return nil, true, respond.Input("request/body/%s/%d must be string", name, i)
		}
		out[i] = *s
	}
	return out, true, nil
}
