package entity

import (
	"fmt"
	"strings"
)

// Ref names an entity. The parts keep the author's casing; comparison and
// String are case-insensitive by being lower case (contract catalog 1.4).
type Ref struct {
	Kind      string
	Namespace string
	Name      string
}

// String is the one textual form used as a key everywhere: kind:namespace/name, lower case.
func (r Ref) String() string {
	ns := r.Namespace
	if ns == "" {
		ns = DefaultNamespace
	}
	return strings.ToLower(r.Kind + ":" + ns + "/" + r.Name)
}

// RefError is a ref that cannot be read. Name is the JavaScript error class
// that Backstage throws for it, which is part of its wire format.
type RefError struct {
	Name    string
	Message string
}

func (e *RefError) Error() string { return e.Message }

// ParseRef reads [<kind>:][<namespace>/]<name>. Missing parts come from the
// defaults; an empty defaultKind makes the kind mandatory. Errors are *RefError
// with the wording of contract catalog 1.4.
func ParseRef(s, defaultKind, defaultNamespace string) (Ref, error) {
	if s == "" {
		return Ref{}, &RefError{Name: "Error", Message: "Entity reference must not be empty"}
	}
	var ref Ref
	rest := s
	colon, slash := strings.IndexByte(s, ':'), strings.IndexByte(s, '/')
	hasKind := colon >= 0 && (slash < 0 || colon < slash)
	if hasKind {
		ref.Kind, rest = s[:colon], s[colon+1:]
	}
	var hasNamespace bool
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		hasNamespace = true
		ref.Namespace, rest = rest[:i], rest[i+1:]
	}
	ref.Name = rest
	if ref.Name == "" || hasKind && ref.Kind == "" || hasNamespace && ref.Namespace == "" {
		return Ref{}, &RefError{
			Name:    "TypeError",
			Message: fmt.Sprintf("Entity reference %q was not on the form [<kind>:][<namespace>/]<name>", s),
		}
	}
	if !hasKind {
		if defaultKind == "" {
			return Ref{}, MissingKindError(fmt.Sprintf("%q", s))
		}
		ref.Kind = defaultKind
	}
	if !hasNamespace {
		ref.Namespace = defaultNamespace
		if ref.Namespace == "" {
			ref.Namespace = DefaultNamespace
		}
	}
	return ref, nil
}

// MissingKindError is the error for a ref without a kind where none is implied.
// printed is the offending value as JSON.
func MissingKindError(printed string) error {
	return &RefError{
		Name: "Error",
		Message: fmt.Sprintf(
			`Entity reference %s had missing or empty kind (e.g. did not start with "component:" or similar)`, printed),
	}
}
