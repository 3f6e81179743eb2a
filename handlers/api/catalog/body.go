package catalog

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"

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
	raw, err := io.ReadAll(r.Body) // bounded by the route in size and time
	if err != nil {
		return nil, unread(err)
	}
	var value json.RawMessage
	if err := json.Unmarshal(raw, &value); err != nil {
		return nil, respond.Input("%s", err)
	}
	var b body
	if err := json.Unmarshal(raw, &b); err != nil || b == nil {
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

// object looks whether a member is there, which must then be an object.
func (b body) object(name string) (given bool, err error) {
	raw, given := b[name]
	if given && raw[0] != '{' { // a RawMessage begins with its value
		return true, respond.Input("request/body/%s must be object", name)
	}
	return given, nil
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
