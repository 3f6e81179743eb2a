package descriptor

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/callboard/callboard/storage/entity"
)

// relations works out both directions of every edge that spec declares
// (contract catalog 2.1). One ref that cannot be read refuses the entity.
func (p *process) relations() bool {
	self := refOf(p.entity)
	whole, _ := p.entity.get("spec")
	spec := p.entity.child("spec")
	var out []entity.Relation
	for _, r := range p.kind.relations {
		v, _ := spec.get(r.field)
		if isSealed(whole) {
			v = whole // it may hold the field
		}
		if !truthy(v) {
			continue
		}
		targets, isList := v.([]any)
		if !isList {
			targets = []any{v}
		}
		for i, target := range targets {
			ref, err := relationTarget(target, r.defaultKind, self.Namespace)
			if err != nil {
				path := []string{"spec", r.field}
				if isList {
					path = append(path, strconv.Itoa(i))
				}
				e := jsError("InputError", "Processor "+p.kind.processor+" threw an error while postprocessing", refCause(err))
				return p.fail(e, "entity-ref", path)
			}
			out = append(out,
				entity.Relation{Source: self.String(), Type: r.forward, Target: ref.String()},
				entity.Relation{Source: ref.String(), Type: r.backward, Target: self.String()})
		}
	}
	slices.SortFunc(out, compareRelations)
	p.result.Declaration.Relations = slices.Compact(out)
	return true
}

// relationTarget reads a target. Beside text, a mapping of kind, namespace and
// name passes where no schema forbids it (dependencyOf).
func relationTarget(v any, defaultKind, defaultNamespace string) (entity.Ref, error) {
	switch v := v.(type) {
	case sealed: // somebody, only not to be seen who
		return entity.Ref{Kind: cmp.Or(defaultKind, entity.KindComponent), Namespace: defaultNamespace, Name: "sealed"}, nil
	case string:
		return entity.ParseRef(v, defaultKind, defaultNamespace)
	case *object:
		kindName, _ := v.text("kind")
		namespace, hasNamespace := v.text("namespace")
		name, _ := v.text("name")
		if kindName == "" {
			kindName = defaultKind
		}
		if !hasNamespace {
			namespace = defaultNamespace
		}
		for _, part := range []struct{ is, label string }{{kindName, "kind"}, {namespace, "namespace"}, {name, "name"}} {
			if part.is != "" {
				continue
			}
			if part.label == "kind" {
				break
			}
			return entity.Ref{}, &entity.RefError{Name: "Error", Message: "Entity reference " + string(appendJSON(nil, v)) + " had missing or empty " + part.label}
		}
		if kindName != "" {
			return entity.Ref{Kind: kindName, Namespace: namespace, Name: name}, nil
		}
	}
	if !truthy(v) {
		return entity.ParseRef("", defaultKind, defaultNamespace)
	}
	return entity.Ref{}, entity.MissingKindError(string(appendJSON(nil, v)))
}

func refCause(err error) *entity.Error {
	if ref, ok := errors.AsType[*entity.RefError](err); ok {
		return jsError(ref.Name, ref.Message, nil)
	}
	return jsError("Error", err.Error(), nil)
}

func compareRelations(a, b entity.Relation) int {
	if c := strings.Compare(a.Source, b.Source); c != 0 {
		return c
	}
	if c := strings.Compare(a.Type, b.Type); c != 0 {
		return c
	}
	return strings.Compare(a.Target, b.Target)
}

// compareUTF16 orders strings as JavaScript's sort does.
func compareUTF16(a, b string) int {
	return slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
}
