package view

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/callboard/callboard/storage/view/jsondoc"
)

// What a predicate may cost. Depth counts $all, $any and $not within each
// other, conditions these and the fields asked about, values those compared with.
const (
	maxPredicateDepth      = 32
	maxPredicateConditions = 1_000
	maxPredicateValues     = 10_000
)

// PredicateError is a predicate that cannot be read; the message is part of the
// wire format, where the contract has one (contract catalog 4.6).
type PredicateError struct{ message string }

func (e *PredicateError) Error() string { return e.message }

// ParsePredicate reads the query of a POST body (contract catalog 4.6). The
// error is a *PredicateError.
func ParsePredicate(raw json.RawMessage) (Filter, error) {
	var p predicate
	if err := p.doc.Parse(raw); err != nil {
		return nil, &PredicateError{"request/body/query is not JSON: " + err.Error()}
	}
	if p.doc.Node(0).Kind != jsondoc.Object {
		return nil, &PredicateError{"request/body/query must be object"}
	}
	return p.object(0, 1)
}

// predicate is one being read.
type predicate struct {
	doc                jsondoc.Doc
	conditions, values int
}

// invalid is a query that the reference's schema refuses.
func invalid(format string, args ...any) error {
	return &PredicateError{"Invalid query: Validation error: " + fmt.Sprintf(format, args...)}
}

func tooMuch(format string, args ...any) error {
	return &PredicateError{"Invalid query: " + fmt.Sprintf(format, args...)}
}

// short quotes what a client sent, as much of it as tells it apart.
func short[T ~string | ~[]byte](s T) string {
	const enough = 100
	if len(s) > enough {
		return fmt.Sprintf("%q…", string(s[:enough]))
	}
	return fmt.Sprintf("%q", string(s))
}

// object reads conditions that must all hold, or one of the operators that
// stand alone.
func (p *predicate) object(i, depth int) (Filter, error) {
	if p.doc.Node(i).Kind != jsondoc.Object {
		return nil, invalid("a condition must be object, not %s", short(p.doc.Raw(i)))
	}
	if depth > maxPredicateDepth {
		return nil, tooMuch("it is nested deeper than %d levels", maxPredicateDepth)
	}
	members, err := p.members(i)
	if err != nil {
		return nil, err
	}
	if len(members) == 0 {
		return All{}, p.count() // it costs as another does
	}
	all := make(All, 0, len(members))
	for _, m := range members {
		key := string(p.doc.Key(m))
		var (
			f   Filter
			err error
		)
		switch {
		case !strings.HasPrefix(key, "$"):
			f, err = p.field(key, m)
		case key != "$all" && key != "$any" && key != "$not":
			err = invalid("%s is no operator here, expected $all, $any, $not or a field", short(key))
		case len(members) > 1:
			err = invalid("%s must be the only key of its object", key)
		default:
			return p.logical(key, m, depth)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return all, nil
}

func (p *predicate) count() error {
	if p.conditions++; p.conditions > maxPredicateConditions {
		return tooMuch("it has more than %d conditions", maxPredicateConditions)
	}
	return nil
}

// members are the conditions of an object. As in every JSON reader that makes
// maps, the last of equal keys counts.
func (p *predicate) members(i int) ([]int, error) {
	var (
		members []int
		at      = make(map[string]int)
		err     error
	)
	p.doc.Children(i, func(c int) bool {
		if err = p.count(); err != nil {
			return false
		}
		key := string(p.doc.Key(c))
		if k, again := at[key]; again {
			members[k] = c
			return true
		}
		at[key] = len(members)
		members = append(members, c)
		return true
	})
	return members, err
}

func (p *predicate) logical(key string, i, depth int) (Filter, error) {
	if key == "$not" {
		f, err := p.object(i, depth+1)
		if err != nil {
			return nil, err
		}
		return Not{f}, nil
	}
	if p.doc.Node(i).Kind != jsondoc.Array {
		return nil, invalid("%s must be array", key)
	}
	var (
		parts []Filter
		err   error
	)
	p.doc.Children(i, func(c int) bool {
		var f Filter
		f, err = p.object(c, depth+1)
		parts = append(parts, f)
		return err == nil
	})
	if err != nil {
		return nil, err
	}
	if key == "$all" {
		return All(parts), nil
	}
	return Any(parts), nil
}

// field reads what is asked of a field: a value, or one operator. Of several,
// one is honoured, the first in this order.
func (p *predicate) field(name string, i int) (Filter, error) {
	key := strings.ToLower(name)
	if p.doc.Node(i).Kind != jsondoc.Object {
		v, err := p.value(name, i)
		if err != nil {
			return nil, err
		}
		return Equal{Key: key, Values: []string{v}}, nil
	}
	operands, err := p.operators(name, i)
	if err != nil {
		return nil, err
	}
	switch exists, in, contains, prefix := operands[0], operands[1], operands[2], operands[3]; {
	case exists > 0:
		return p.exists(name, exists)
	case in > 0:
		values, err := p.list(name, in)
		if err != nil {
			return nil, err
		}
		return Equal{Key: key, Values: values}, nil
	case contains > 0:
		return p.contains(name, contains)
	case prefix > 0:
		if p.doc.Node(prefix).Kind != jsondoc.String {
			return nil, invalid("$hasPrefix of %s must be string", short(name))
		}
		return HasPrefix{Key: key, Prefix: strings.ToLower(string(p.doc.Text(prefix)))}, nil
	}
	return nil, invalid("the value of %s must be a string, number or boolean, or an object with one of %s", short(name), strings.Join(operators[:], ", "))
}

var operators = [...]string{"$exists", "$in", "$contains", "$hasPrefix"}

// operators finds the operand of each operator, 0 for none.
func (p *predicate) operators(name string, i int) (operands [len(operators)]int, err error) {
	p.doc.Children(i, func(c int) bool {
		for k, op := range operators {
			if string(p.doc.Key(c)) == op {
				operands[k] = c
				return true
			}
		}
		err = invalid("%s of %s is no operator, expected one of %s", short(p.doc.Key(c)), short(name), strings.Join(operators[:], ", "))
		return false
	})
	return operands, err
}

func (p *predicate) exists(name string, i int) (Filter, error) {
	f := Exists{Key: strings.ToLower(name)}
	switch p.doc.Node(i).Kind {
	case jsondoc.True:
		return f, nil
	case jsondoc.False:
		return Not{f}, nil
	}
	return nil, invalid("$exists of %s must be boolean", short(name))
}

// contains is about elements: values of the same search key (contract catalog
// 4.4), or for relations objects with type and targetRef.
func (p *predicate) contains(name string, i int) (Filter, error) {
	key := strings.ToLower(name)
	if p.doc.Node(i).Kind != jsondoc.Object {
		v, err := p.value(name, i)
		if err != nil {
			return nil, err
		}
		return Equal{Key: key, Values: []string{v}}, nil
	}
	if key != "relations" {
		return nil, &PredicateError{fmt.Sprintf(`Object form of $contains is not supported for field "%s"`, name)}
	}
	var typ, target int
	var err error
	p.doc.Children(i, func(c int) bool {
		switch key := p.doc.Key(c); string(key) {
		case "type":
			typ = c
		case "targetRef":
			target = c
		default:
			err = invalid("%s is unknown in $contains of relations, expected type and targetRef", short(key))
		}
		return err == nil
	})
	if err != nil {
		return nil, err
	}
	if typ == 0 || p.doc.Node(typ).Kind != jsondoc.String {
		return nil, invalid("$contains of relations must have a string as type")
	}
	return p.relation("relations."+strings.ToLower(string(p.doc.Text(typ))), target)
}

// relation reads which targets are wanted; target 0 wants any.
func (p *predicate) relation(key string, target int) (Filter, error) {
	const expected = "targetRef of $contains must be a string or an object with $in"
	switch {
	case target == 0:
		return Exists{Key: key}, nil
	case p.doc.Node(target).Kind == jsondoc.String:
		v, err := p.value("targetRef", target)
		if err != nil {
			return nil, err
		}
		return Equal{Key: key, Values: []string{v}}, nil
	case p.doc.Node(target).Kind != jsondoc.Object:
		return nil, invalid(expected)
	}
	in := p.doc.Member(target, "$in")
	if in < 0 || int(p.doc.Node(in).Next) != int(p.doc.Node(target).Next) || in != target+1 {
		return nil, invalid(expected)
	}
	values, err := p.list("targetRef", in)
	if err != nil {
		return nil, err
	}
	return Equal{Key: key, Values: values}, nil
}

func (p *predicate) list(name string, i int) ([]string, error) {
	if p.doc.Node(i).Kind != jsondoc.Array {
		return nil, invalid("$in of %s must be array", short(name))
	}
	var (
		values []string
		err    error
	)
	p.doc.Children(i, func(c int) bool {
		var v string
		v, err = p.value(name, c)
		values = append(values, v)
		return err == nil
	})
	return values, err
}

// value is what a primitive is compared as: its text in lower case.
func (p *predicate) value(name string, i int) (string, error) {
	if p.values++; p.values > maxPredicateValues {
		return "", tooMuch("it has more than %d values", maxPredicateValues)
	}
	switch p.doc.Node(i).Kind {
	case jsondoc.String:
		return strings.ToLower(string(p.doc.Text(i))), nil
	case jsondoc.Number:
		return string(jsondoc.AppendNumber(nil, p.doc.Raw(i))), nil
	case jsondoc.True, jsondoc.False:
		return string(p.doc.Raw(i)), nil
	}
	return "", invalid("the value of %s must be a string, number or boolean, not %s", short(name), short(p.doc.Raw(i)))
}

// PredicateJSON writes a filter that ParseFilter made as the predicate that
// chooses the same, nil for nil. A cursor carries it (contract catalog 4.9).
func PredicateJSON(f Filter) json.RawMessage {
	if f == nil {
		return nil
	}
	raw, err := json.Marshal(predicateForm(f))
	if err != nil {
		return nil // cannot be: maps of strings
	}
	return raw
}

func predicateForm(f Filter) map[string]any {
	field := func(key string, value any) map[string]any {
		if strings.HasPrefix(key, "$") {
			// A filter may ask for such a key and a predicate may not. No entity
			// has one: they all begin with a field of the envelope.
			return map[string]any{"$any": []any{}}
		}
		return map[string]any{key: value}
	}
	switch f := f.(type) {
	case All:
		return map[string]any{"$all": predicateForms(f)}
	case Any:
		return map[string]any{"$any": predicateForms(f)}
	case Not:
		return map[string]any{"$not": predicateForm(f.Filter)}
	case Exists:
		return field(f.Key, map[string]any{"$exists": true})
	case HasPrefix:
		return field(f.Key, map[string]any{"$hasPrefix": f.Prefix})
	case Equal:
		if len(f.Values) == 1 {
			return field(f.Key, f.Values[0])
		}
		return field(f.Key, map[string]any{"$in": f.Values})
	}
	return nil
}

func predicateForms(parts []Filter) []any {
	out := make([]any, len(parts))
	for i, part := range parts {
		out[i] = predicateForm(part)
	}
	return out
}
