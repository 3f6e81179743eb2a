package descriptor

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// schema is the part of JSON Schema that the catalog model uses. Checking
// stops at the first violation, in the order in which ajv evaluates keywords,
// because that one is what Backstage reports.
type schema struct {
	types    []string // any of "string", "object", "array", "boolean"; none allows all
	nonEmpty bool     // minLength 1
	pattern  *regexp.Regexp
	enum     []string
	items    *schema
	required []string
	// additional is for keys that props does not name; closed allows none.
	closed     bool
	additional *schema
	props      []prop
	// every is for all keys that are neither empty nor hold a line break
	// (patternProperties "^.+$").
	every *schema
	oneOf []*schema
}

type prop struct {
	name string
	is   *schema
}

// violation is a broken rule: where, in ajv's words, and with ajv's parameter.
type violation struct {
	path    []string // JSON pointer segments of the value concerned
	field   string   // a missing or surplus property under path
	message string
	param   string // "type: string"
}

// pointer is the path as ajv prints it.
func (v *violation) pointer() string {
	if len(v.path) == 0 {
		return "<root>"
	}
	var b strings.Builder
	for _, p := range v.path {
		b.WriteString("/" + strings.ReplaceAll(strings.ReplaceAll(p, "~", "~0"), "/", "~1"))
	}
	return b.String()
}

// place is the path of what the reader has to look at.
func (v *violation) place() []string {
	if v.field == "" {
		return v.path
	}
	return append(slices.Clip(v.path), v.field)
}

func typeOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case float64:
		return "number"
	case string:
		return "string"
	case []any:
		return "array"
	default:
		return "object"
	}
}

// check answers the first violation, nil when there is none.
func (s *schema) check(v any, path []string) *violation {
	if isSealed(v) {
		return nil
	}
	if len(s.types) > 0 && !slices.Contains(s.types, typeOf(v)) {
		t := strings.Join(s.types, ",")
		return &violation{path: path, message: "must be " + t, param: "type: " + t}
	}
	if text, ok := v.(string); ok {
		if s.nonEmpty && text == "" {
			return &violation{path: path, message: "must NOT have fewer than 1 characters", param: "limit: 1"}
		}
		if s.pattern != nil && !s.pattern.MatchString(text) {
			return &violation{path: path, message: fmt.Sprintf("must match pattern %q", s.pattern), param: "pattern: " + s.pattern.String()}
		}
	}
	if text, _ := v.(string); len(s.enum) > 0 && !slices.Contains(s.enum, text) {
		return &violation{path: path, message: "must be equal to one of the allowed values", param: "allowedValues: " + strings.Join(s.enum, ",")}
	}
	if bad := s.checkOneOf(v, path); bad != nil {
		return bad
	}
	switch v := v.(type) {
	case []any:
		return s.checkItems(v, path)
	case *object:
		return s.checkObject(v, path)
	}
	return nil
}

// checkOneOf reports the complaint of the first alternative when none fits.
func (s *schema) checkOneOf(v any, path []string) *violation {
	var first *violation
	for _, alternative := range s.oneOf {
		bad := alternative.check(v, path)
		if bad == nil {
			return nil
		}
		if first == nil {
			first = bad
		}
	}
	return first
}

func (s *schema) checkItems(list []any, path []string) *violation {
	if s.items == nil {
		return nil
	}
	for i, item := range list {
		if bad := s.items.check(item, append(slices.Clip(path), strconv.Itoa(i))); bad != nil {
			return bad
		}
	}
	return nil
}

func (s *schema) checkObject(o *object, path []string) *violation {
	for _, name := range s.required {
		if _, ok := o.get(name); !ok {
			return &violation{
				path: path, field: name,
				message: fmt.Sprintf("must have required property '%s'", name), param: "missingProperty: " + name,
			}
		}
	}
	under := func(key string) []string { return append(slices.Clip(path), key) }
	if s.closed || s.additional != nil {
		for _, key := range o.keys {
			if slices.ContainsFunc(s.props, func(p prop) bool { return p.name == key }) {
				continue
			}
			if s.closed {
				return &violation{path: path, field: key, message: "must NOT have additional properties", param: "additionalProperty: " + key}
			}
			if bad := s.additional.check(o.values[key], under(key)); bad != nil {
				return bad
			}
		}
	}
	for _, p := range s.props {
		if v, ok := o.get(p.name); ok {
			if bad := p.is.check(v, under(p.name)); bad != nil {
				return bad
			}
		}
	}
	if s.every != nil {
		for _, key := range o.keys {
			if key == "" || strings.Contains(key, "\n") {
				continue
			}
			if bad := s.every.check(o.values[key], under(key)); bad != nil {
				return bad
			}
		}
	}
	return nil
}
