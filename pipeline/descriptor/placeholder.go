package descriptor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/callboard/callboard/storage/entity"
)

// placeholders walks over an entity and replaces {$text: …}, {$json: …} and
// {$yaml: …} (contract catalog 3.6). With read and exists nil it only collects
// what is needed.
type placeholders struct {
	src    Source
	read   func(url string) ([]byte, error)
	exists func(url string) error
	limits Limits
	inputs []string
}

// placeholderError is a failed placeholder and its place.
type placeholderError struct {
	rule, message string
	path          []string
}

// replace answers the value with every placeholder in it replaced.
func (p *placeholders) replace(v any, path []string) (any, *placeholderError) {
	under := func(key string) []string { return append(slices.Clip(path), key) }
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			var bad *placeholderError
			if out[i], bad = p.replace(item, under(strconv.Itoa(i))); bad != nil {
				return nil, bad
			}
		}
		return out, nil
	case *object:
		if slices.ContainsFunc(v.keys, func(k string) bool { return strings.HasPrefix(k, "$") }) {
			if len(v.keys) != 1 {
				return v, nil
			}
			return p.resolve(v.keys[0], v.values[v.keys[0]], v, path)
		}
		out := newObject(len(v.keys))
		for _, k := range v.keys {
			item, bad := p.replace(v.values[k], under(k))
			if bad != nil {
				return nil, bad
			}
			out.set(k, item)
		}
		return out, nil
	default:
		return v, nil
	}
}

// resolve replaces one placeholder; key has its dollar sign. Names that nobody
// knows ($ref of a JSON schema, say) stay as they are.
func (p *placeholders) resolve(key string, param any, whole *object, path []string) (any, *placeholderError) {
	if key != "$text" && key != "$json" && key != "$yaml" {
		return whole, nil
	}
	fail := func(rule, format string, args ...any) (any, *placeholderError) {
		if p.collects() {
			return nil, nil
		}
		return nil, &placeholderError{rule, "Placeholder " + key + " " + fmt.Sprintf(format, args...), path}
	}
	value, ok := param.(string)
	if !ok {
		return fail("placeholder-value", "expected a string value parameter, in the form of an absolute URL or a relative path")
	}
	resolved, err := ResolveURL(value, p.src.URL, p.src.Hosts)
	if err == nil {
		err = sameRepository(resolved, p.src.URL)
	}
	if err != nil {
		name := "Error"
		if errors.Is(err, errInvalidURL) {
			name = "TypeError"
		}
		return fail("placeholder-url", "could not form a URL out of %s and %s, %s: %s", p.src.URL, value, name, err)
	}
	if !slices.Contains(p.inputs, resolved) {
		p.inputs = append(p.inputs, resolved)
	}
	var body []byte
	switch {
	case p.collects():
		return nil, nil
	case p.exists != nil:
		err = p.exists(resolved)
	default:
		body, err = p.read(resolved)
	}
	switch {
	case err != nil:
		return fail("placeholder-read", "could not read location %s, %s", value, wordsOf(err))
	case p.exists != nil:
		return sealed{}, nil
	}
	return p.content(key, value, body, fail)
}

func (p *placeholders) collects() bool { return p.read == nil && p.exists == nil }

// content is what the body of a file stands for under a key.
func (p *placeholders) content(key, value string, body []byte, fail func(rule, format string, args ...any) (any, *placeholderError)) (any, *placeholderError) {
	content := validText(body)
	switch key {
	case "$json":
		v, err := parseJSON(content)
		if err != nil {
			return fail("placeholder-content", "failed to parse JSON data at %s, SyntaxError: %s", value, err)
		}
		return v, nil
	case "$yaml":
		docs, diags := readStream(body, p.limits)
		switch {
		case len(diags) > 0:
			return fail("placeholder-content", "failed to parse YAML data at %s, Error: %s", value, diags[0].Message)
		case len(docs) != 1:
			return fail("placeholder-content", "expected to find exactly one document of data at %s, found %d", value, len(docs))
		case docs[0].fault != nil:
			return fail("placeholder-content", "found an error in the data at %s, YAMLParseError: %s", value, docs[0].fault.message)
		}
		return docs[0].value, nil
	default:
		return content, nil
	}
}

// wordsOf prints an error as JavaScript does in a template literal.
func wordsOf(err error) string {
	if e, ok := errors.AsType[*entity.Error](err); ok {
		return e.Error()
	}
	return "Error: " + err.Error()
}

// parseJSON reads strict JSON and keeps the order of keys.
func parseJSON(s string) (any, error) {
	dec := json.NewDecoder(bytes.NewReader([]byte(s)))
	v, err := jsonValue(dec, 0)
	if err == nil {
		if _, err = dec.Token(); errors.Is(err, io.EOF) {
			return v, nil
		}
		err = errors.New("Unexpected non-whitespace character after JSON") //nolint:staticcheck // as V8 words it
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("Unexpected end of JSON input") //nolint:staticcheck // as V8 words it
	}
	return nil, err
}

func jsonValue(dec *json.Decoder, depth int) (any, error) {
	if depth > defaultDepth {
		return nil, fmt.Errorf("nested deeper than %d levels", defaultDepth)
	}
	token, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('['):
		list := []any{}
		for dec.More() {
			v, err := jsonValue(dec, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err = dec.Token()
		return list, err
	case json.Delim('{'):
		o := newObject(0)
		for dec.More() {
			key, err := dec.Token()
			if err != nil {
				return nil, err
			}
			v, err := jsonValue(dec, depth+1)
			if err != nil {
				return nil, err
			}
			o.set(key.(string), v)
		}
		_, err = dec.Token()
		return o, err
	}
	return token, nil
}
