package descriptor

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A value is what a document holds, in the types of JSON: nil, bool, float64
// (JavaScript has no other number), string, []any, *object. The order of keys
// is kept because templates and diffs show it.

// object is a mapping that remembers the order of its keys.
type object struct {
	keys   []string
	values map[string]any
}

func newObject(size int) *object {
	return &object{keys: make([]string, 0, size), values: make(map[string]any, size)}
}

// get answers nil for an absent object too, so look-ups can be chained.
func (o *object) get(key string) (any, bool) {
	if o == nil {
		return nil, false
	}
	v, ok := o.values[key]
	return v, ok
}

// set adds a key at the end or replaces its value in place.
func (o *object) set(key string, v any) {
	if _, ok := o.values[key]; !ok {
		o.keys = append(o.keys, key)
	}
	o.values[key] = v
}

// drop removes a key.
func (o *object) drop(key string) {
	if _, ok := o.values[key]; !ok {
		return
	}
	delete(o.values, key)
	for i, k := range o.keys {
		if k == key {
			o.keys = append(o.keys[:i:i], o.keys[i+1:]...)
			return
		}
	}
}

// child gives the object under a key, nil when there is none.
func (o *object) child(key string) *object {
	v, _ := o.get(key)
	c, _ := v.(*object)
	return c
}

// text gives the string under a key.
func (o *object) text(key string) (string, bool) {
	v, _ := o.get(key)
	s, ok := v.(string)
	return s, ok
}

// opaque is what YAML makes of some explicit tags (!!set, !!binary,
// !!timestamp): JavaScript holds an object of a class there, and JSON shows
// something else.
type opaque struct{ json string }

// sealed is what a placeholder would bring where that is not to be seen: it is
// good wherever it stands.
type sealed struct{}

func isSealed(v any) bool { _, is := v.(sealed); return is }

// clone copies a value deeply, so that processing never touches the document as written.
func clone(v any) any {
	switch v := v.(type) {
	case *object:
		c := newObject(len(v.keys))
		for _, k := range v.keys {
			c.set(k, clone(v.values[k]))
		}
		return c
	case []any:
		c := make([]any, len(v))
		for i, item := range v {
			c[i] = clone(item)
		}
		return c
	default:
		return v
	}
}

// truthy is JavaScript's idea of it.
func truthy(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case float64:
		return v != 0 && !math.IsNaN(v)
	case string:
		return v != ""
	default:
		return true
	}
}

// appendJSON writes a value as JSON.stringify does, keys in their order.
func appendJSON(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil, sealed:
		return append(b, "null"...)
	case bool:
		return strconv.AppendBool(b, v)
	case float64:
		return appendNumber(b, v)
	case string:
		return appendString(b, v)
	case opaque:
		return append(b, v.json...)
	case []any:
		b = append(b, '[')
		for i, item := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, item)
		}
		return append(b, ']')
	case *object:
		b = append(b, '{')
		for i, k := range v.keys {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendString(b, k), ':')
			b = appendJSON(b, v.values[k])
		}
		return append(b, '}')
	}
	panic("descriptor: not a value")
}

// appendNumber writes a number as JavaScript prints it; NaN and the infinities are null.
func appendNumber(b []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(b, "null"...)
	}
	return append(b, numberText(f)...)
}

// numberText is String(f) of JavaScript.
func numberText(f float64) string {
	switch abs := math.Abs(f); {
	case f == 0:
		return "0"
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case abs >= 1e21 || abs < 1e-6:
		s := strconv.FormatFloat(f, 'e', -1, 64)
		// Go pads the exponent to two digits, JavaScript does not.
		if i := strings.IndexByte(s, 'e'); i >= 0 && len(s) == i+4 && s[i+2] == '0' {
			s = s[:i+2] + s[i+3:]
		}
		return s
	default:
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
}

const hexDigits = "0123456789abcdef"

func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		case '\b':
			b = append(b, `\b`...)
		case '\f':
			b = append(b, `\f`...)
		default:
			b = append(b, `\u00`...)
			b = append(b, hexDigits[c>>4], hexDigits[c&15])
		}
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

// utf16Len is the length of a string in JavaScript.
func utf16Len(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r > 0xFFFF {
			n++
		}
	}
	return n
}

// validText replaces what is not UTF-8, byte by byte, as Node's decoder does.
func validText(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	var out strings.Builder
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		out.WriteRune(r)
		b = b[size:]
	}
	return out.String()
}

// findNUL gives the path to the first string with a NUL in it: PostgreSQL's
// jsonb cannot hold one.
func findNUL(v any, path []string) ([]string, bool) {
	switch v := v.(type) {
	case string:
		return path, strings.IndexByte(v, 0) >= 0
	case []any:
		for i, item := range v {
			if p, ok := findNUL(item, append(slices.Clip(path), strconv.Itoa(i))); ok {
				return p, true
			}
		}
	case *object:
		for _, k := range v.keys {
			p := append(slices.Clip(path), k)
			if strings.IndexByte(k, 0) >= 0 {
				return p, true
			}
			if p, ok := findNUL(v.values[k], p); ok {
				return p, true
			}
		}
	}
	return nil, false
}
