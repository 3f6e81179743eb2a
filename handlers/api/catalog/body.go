package catalog

import (
	"encoding/json"
	"errors"
	"io"
	"math"
	"mime"
	"net/http"
	"os"
	"slices"

	"github.com/callboard/callboard/handlers/respond"
	"github.com/callboard/callboard/storage/view"
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
	raw, err := io.ReadAll(r.Body) // bounded by the route in size and time
	if err != nil {
		return nil, unread(err)
	}
	var b body
	err = json.Unmarshal(raw, &b)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok { // it comes before all other errors
		return nil, respond.Input("%s", syntax)
	}
	if err != nil || b == nil {
		return nil, respond.Input("request/body must be object")
	}
	return b, nil
}

// unread is why a body could not be read. Whatever it was, it was the client's
// doing: too much, too late, badly framed, or cut off.
func unread(err error) error {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return err // respond has the words
	case errors.Is(err, os.ErrDeadlineExceeded):
		return respond.Timeout("the body did not arrive in time")
	}
	return respond.Input("request aborted")
}

// readOptionalBody is readBody for endpoints that can do without (contract catalog 4.3).
func readOptionalBody(r *http.Request) (body, error) {
	if r.ContentLength == 0 && r.Header.Get("Content-Type") == "" {
		return body{}, nil
	}
	return readBody(r)
}

// object looks whether a member is there, which must then be an object.
func (b body) object(name string) (given bool, err error) {
	raw, given := b[name]
	if given && raw[0] != '{' { // a RawMessage begins with its value
		return true, respond.Input("request/body/%s must be object", name)
	}
	return given, nil
}

// string reads a member that is a string.
func (b body) string(name string) (s string, given bool, err error) {
	raw, given := b[name]
	if given && (raw[0] != '"' || json.Unmarshal(raw, &s) != nil) {
		return "", true, respond.Input("request/body/%s must be string", name)
	}
	return s, given, nil
}

// int reads a member that counts something.
func (b body) int(name string, otherwise int) (int, error) {
	raw, given := b[name]
	if !given {
		return otherwise, nil
	}
	n := json.Number(raw)
	switch i, err := n.Int64(); {
	case err != nil || i > math.MaxInt32:
		return 0, respond.Input("request/body/%s must be integer", name)
	case i < 0:
		return 0, respond.Input("request/body/%s must be >= 0", name)
	default:
		return int(i), nil
	}
}

// strings reads a member that is a list of strings; given is false without it.
func (b body) strings(name string) (out []string, given bool, err error) {
	raw, given := b[name]
	if !given {
		return nil, false, nil
	}
	var items []*string // at once, and one by one only to find which is wrong
	if err := json.Unmarshal(raw, &items); err != nil || items == nil {
		return nil, true, notStrings(name, raw)
	}
	out = make([]string, len(items))
	for i, s := range items {
		if s == nil {
			return nil, true, respond.Input("request/body/%s/%d must be string", name, i)
		}
		out[i] = *s
	}
	return out, true, nil
}

func notStrings(name string, raw json.RawMessage) error {
	var items []json.RawMessage
	_ = json.Unmarshal(raw, &items) // what is no list has no items
	i := slices.IndexFunc(items, func(item json.RawMessage) bool { return item[0] != '"' })
	if i < 0 {
		return respond.Input("request/body/%s must be array", name)
	}
	return respond.Input("request/body/%s/%d must be string", name, i)
}

// fields reads a choice of fields.
func (b body) fields() (view.Fields, error) {
	names, _, err := b.strings("fields")
	if err != nil {
		return nil, err
	}
	return parseFields(names)
}

// predicate reads query (contract catalog 4.6); nil without one.
func (b body) predicate() (json.RawMessage, view.Filter, error) {
	given, err := b.object("query")
	if !given || err != nil {
		return nil, nil, err
	}
	f, err := view.ParsePredicate(b["query"])
	if err != nil {
		return nil, nil, respond.Input("%s", err)
	}
	return b["query"], f, nil
}
