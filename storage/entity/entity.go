// Package entity is the vocabulary that every layer speaks: references, kinds,
// relations, and the diagnostics that say what is wrong with a descriptor.
//
// It is the leaf of the import graph: it imports nothing of Callboard, knows no
// database, no YAML and no HTTP.
package entity

import "encoding/json"

// The nine kinds of the Backstage catalog model (contract catalog 1.6).
const (
	KindComponent = "Component"
	KindAPI       = "API"
	KindResource  = "Resource"
	KindSystem    = "System"
	KindDomain    = "Domain"
	KindGroup     = "Group"
	KindUser      = "User"
	KindLocation  = "Location"
	KindTemplate  = "Template"
)

// DefaultNamespace is where an entity lives that names no namespace.
const DefaultNamespace = "default"

// Annotations that the catalog itself writes (contract catalog 3.5).
const (
	AnnotationLocation       = "backstage.io/managed-by-location"
	AnnotationOriginLocation = "backstage.io/managed-by-origin-location"
	AnnotationViewURL        = "backstage.io/view-url"
	AnnotationEditURL        = "backstage.io/edit-url"
	AnnotationSourceLocation = "backstage.io/source-location"
	AnnotationOrphan         = "backstage.io/orphan"
)

// Relation is one directed edge. Source and Target are full lower-case refs
// ("component:default/cart"); Type is a word such as "ownedBy".
type Relation struct {
	Source string `json:"source"`
	Type   string `json:"type"`
	Target string `json:"target"`
}

// Declaration is what one accepted YAML document declares.
type Declaration struct {
	// Ref is the full lower-case ref.
	Ref string
	// Document is the position in the YAML stream, from 0; Line is where it starts, from 1.
	Document int
	Line     int
	// Descriptor is the document as written, as JSON in the author's key order.
	Descriptor json.RawMessage
	// JSON is the processed entity: defaults filled in, placeholders replaced,
	// reference lists sorted, location annotations written. It has apiVersion,
	// kind, metadata and spec; uid, relations and status are added when served.
	JSON json.RawMessage
	// Relations holds both directions of every edge the document declares,
	// each once, sorted by source, type, target.
	Relations []Relation
}

// StatusItem is an entry of status.items of a served entity (contract catalog 1.9).
type StatusItem struct {
	Type    string `json:"type"`
	Level   string `json:"level"`
	Message string `json:"message"`
	Error   *Error `json:"error,omitempty"`
}

// Error is an error as Backstage serialises it: causes are nested in Cause and
// also repeated in Message (contract catalog 1.9).
type Error struct {
	Name    string `json:"name"`
	Message string `json:"message"`
	Cause   *Error `json:"cause,omitempty"`
}

// Error prints the error as status messages do. Backstage repeats the causes
// inside Message ("…; caused by …"), so they are not printed again.
func (e *Error) Error() string { return e.Name + ": " + e.Message }

// Unwrap gives the cause to errors.Is and errors.As.
func (e *Error) Unwrap() error {
	if e.Cause == nil {
		return nil
	}
	return e.Cause
}
