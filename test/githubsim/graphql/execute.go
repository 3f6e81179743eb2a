package graphql

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Object is a value with fields. Field answers nil, a scalar that encoding/json
// can write, an Object, or a []any of those, errors of single entries included.
type Object interface {
	// Type is the GraphQL name of the object's type.
	Type() string
	Field(name string, args Args) (any, error)
}

// Map is an Object made of ready values. A func() (any, error) is called when
// the field is asked for.
type Map struct {
	Name   string
	Fields map[string]any
}

// Type implements Object.
func (m Map) Type() string { return m.Name }

// Field implements Object.
func (m Map) Field(name string, _ Args) (any, error) {
	v, ok := m.Fields[name]
	if !ok {
		return nil, ErrNoField
	}
	if f, lazy := v.(func() (any, error)); lazy {
		return f()
	}
	return v, nil
}

// ErrNoField says that the type has no such field.
var ErrNoField = errors.New("no such field")

// Error is an error of one field, with GitHub's type word such as NOT_FOUND.
type Error struct {
	Kind, Message string
}

func (e *Error) Error() string { return e.Message }

// Args are the arguments of a field, variables filled in.
type Args map[string]any

// String is a string or enum argument, "" when absent.
func (a Args) String(name string) string {
	switch v := a[name].(type) {
	case string:
		return v
	case enum:
		return string(v)
	}
	return ""
}

// Int is a whole-number argument.
func (a Args) Int(name string) (int, bool) {
	switch v := a[name].(type) {
	case int64:
		return int(v), true
	case float64:
		return int(v), true
	}
	return 0, false
}

// Bool is a boolean argument, or the fallback.
func (a Args) Bool(name string, fallback bool) bool {
	if v, ok := a[name].(bool); ok {
		return v
	}
	return fallback
}

// Map is an input object argument.
func (a Args) Map(name string) Args {
	m, _ := a[name].(map[string]any)
	return m
}

// List is a list argument.
func (a Args) List(name string) []any {
	l, _ := a[name].([]any)
	return l
}

// Request is what a client posts.
type Request struct {
	Query         string         `json:"query"`
	OperationName string         `json:"operationName"`
	Variables     map[string]any `json:"variables"`
}

// Schema is what requests run against.
type Schema struct {
	Query, Mutation Object
	// Interfaces lists, per type, what else a fragment may call it.
	Interfaces map[string][]string
}

type location struct {
	Line   int `json:"line"`
	Column int `json:"column"`
}

// Problem is one entry of the answer's errors.
type Problem struct {
	Type      string     `json:"type,omitempty"`
	Path      []any      `json:"path,omitempty"`
	Locations []location `json:"locations,omitempty"`
	Message   string     `json:"message"`
	// Extensions carries a code for requests that do not fit the schema.
	Extensions map[string]any `json:"extensions,omitempty"`
}

type execution struct {
	schema   *Schema
	doc      *Document
	vars     map[string]any
	out      bytes.Buffer
	problems []Problem
	invalid  bool
	depth    int
}

// Execute runs a request and answers the JSON document, always well-formed.
func (s *Schema) Execute(req Request) []byte {
	doc, err := Parse(req.Query)
	if err != nil {
		return answer(nil, []Problem{{Message: err.Error()}})
	}
	op, err := doc.operation(req.OperationName)
	if err != nil {
		return answer(nil, []Problem{{Message: err.Error()}})
	}
	root := s.Query
	if op.kind == "mutation" {
		root = s.Mutation
	}
	if root == nil {
		return answer(nil, []Problem{{Message: "schema has no " + op.kind}})
	}
	e := &execution{schema: s, doc: doc, vars: map[string]any{}}
	for _, v := range op.variables {
		value, given := req.Variables[v.name]
		if !given {
			value = v.fallback
		}
		if v.required && value == nil {
			return answer(nil, []Problem{{
				Message:    fmt.Sprintf("Variable $%s of type was provided invalid value", v.name),
				Extensions: map[string]any{"value": nil},
			}})
		}
		e.vars[v.name] = value
	}
	e.object(root, op.selections, nil)
	if e.invalid {
		return answer(nil, e.problems)
	}
	return answer(e.out.Bytes(), e.problems)
}

func answer(data []byte, problems []Problem) []byte {
	var out bytes.Buffer
	out.WriteByte('{')
	if data != nil {
		out.WriteString(`"data":`)
		out.Write(data)
	}
	if len(problems) > 0 {
		if data != nil {
			out.WriteByte(',')
		}
		out.WriteString(`"errors":`)
		b, err := json.Marshal(problems)
		if err != nil {
			b = []byte(`[{"message":"unprintable error"}]`)
		}
		out.Write(b)
	}
	out.WriteByte('}')
	return out.Bytes()
}

func (d *Document) operation(name string) (*operation, error) {
	for _, op := range d.operations {
		if op.name == name || name == "" && len(d.operations) == 1 {
			return op, nil
		}
	}
	return nil, fmt.Errorf("no operation named %q", name)
}

// merged is one response key: the fields of all fragments under it.
type merged struct {
	selection
	all []selection
}

// object writes the selected fields of o.
func (e *execution) object(o Object, selections []selection, path []any) {
	if e.depth++; e.depth > maxDepth {
		e.invalid = true
		e.problems = append(e.problems, Problem{Message: "Query nested too deeply"})
		e.out.WriteString("null")
		return
	}
	defer func() { e.depth-- }()
	var fields []*merged
	e.collect(o.Type(), selections, &fields, map[string]bool{})
	e.out.WriteByte('{')
	for i, f := range fields {
		if i > 0 {
			e.out.WriteByte(',')
		}
		e.json(f.alias)
		e.out.WriteByte(':')
		e.field(o, f, append(slices.Clone(path), f.alias))
	}
	e.out.WriteByte('}')
}

func (e *execution) field(o Object, f *merged, path []any) {
	if f.name == "__typename" {
		e.json(o.Type())
		return
	}
	v, err := o.Field(f.name, e.args(f.args))
	if err != nil {
		p := Problem{Path: path, Locations: []location{{f.line, f.column}}, Message: err.Error()}
		var kind *Error
		switch {
		case errors.Is(err, ErrNoField):
			e.invalid = true
			p.Message = fmt.Sprintf("Field '%s' doesn't exist on type '%s'", f.name, o.Type())
			p.Extensions = map[string]any{"code": "undefinedField", "typeName": o.Type(), "fieldName": f.name}
		case errors.As(err, &kind):
			p.Type = kind.Kind
		}
		e.problems = append(e.problems, p)
		e.out.WriteString("null")
		return
	}
	e.value(v, f, path)
}

func (e *execution) value(v any, f *merged, path []any) {
	switch v := v.(type) {
	case Object:
		if len(f.all) == 0 {
			e.invalid = true
			e.problems = append(e.problems, Problem{Path: path, Locations: []location{{f.line, f.column}},
				Message: fmt.Sprintf("Field must have selections (field '%s' returns %s but has no selections)", f.name, v.Type())})
			e.out.WriteString("null")
			return
		}
		e.object(v, f.all, path)
	case error: // of one entry of a list: null there, and a problem
		p := Problem{Path: path, Locations: []location{{f.line, f.column}}, Message: v.Error()}
		if kind := (*Error)(nil); errors.As(v, &kind) {
			p.Type = kind.Kind
		}
		e.problems = append(e.problems, p)
		e.out.WriteString("null")
	case []any:
		e.out.WriteByte('[')
		for i, item := range v {
			if i > 0 {
				e.out.WriteByte(',')
			}
			e.value(item, f, append(slices.Clone(path), i))
		}
		e.out.WriteByte(']')
	default:
		e.json(v)
	}
}

func (e *execution) json(v any) {
	b, err := json.Marshal(v)
	if err != nil {
		e.problems = append(e.problems, Problem{Message: err.Error()})
		b = []byte("null")
	}
	e.out.Write(b)
}

// collect gathers the fields that apply to a type, fragments opened, equal
// response keys merged (GraphQL specification 6.3.2).
func (e *execution) collect(typ string, selections []selection, out *[]*merged, visited map[string]bool) {
	for _, s := range selections {
		if !e.included(s) || s.spread != "" && visited[s.spread] {
			continue
		}
		switch {
		case s.spread != "":
			visited[s.spread] = true // once per place, which also ends cycles
			f := e.doc.fragments[s.spread]
			if f == nil {
				e.invalid = true
				e.problems = append(e.problems, Problem{Message: fmt.Sprintf("Fragment %s was used, but not defined", s.spread)})
			} else if e.matches(typ, f.on) {
				e.collect(typ, f.selections, out, visited)
			}
		case s.inline:
			if e.matches(typ, s.on) {
				e.collect(typ, s.selections, out, visited)
			}
		default:
			i := slices.IndexFunc(*out, func(m *merged) bool { return m.alias == s.alias })
			if i < 0 {
				*out = append(*out, &merged{selection: s, all: s.selections})
			} else {
				(*out)[i].all = append(slices.Clone((*out)[i].all), s.selections...)
			}
		}
	}
}

func (e *execution) matches(typ, on string) bool {
	return on == "" || on == typ || slices.Contains(e.schema.Interfaces[typ], on)
}

func (e *execution) included(s selection) bool {
	for _, d := range s.directives {
		cond := e.args(d.args).Bool("if", true)
		if d.name == "skip" && cond || d.name == "include" && !cond {
			return false
		}
	}
	return true
}

func (e *execution) args(in map[string]any) Args {
	out := make(Args, len(in))
	for k, v := range in {
		out[k] = e.fill(v)
	}
	return out
}

// fill replaces variables in a value.
func (e *execution) fill(v any) any {
	switch v := v.(type) {
	case variableRef:
		return e.vars[string(v)]
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = e.fill(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = e.fill(v[k])
		}
		return out
	}
	return v
}
