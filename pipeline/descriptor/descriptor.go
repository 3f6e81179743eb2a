// Package descriptor turns the bytes of a catalog-info file into verdicts:
// which documents are entities, what they declare, and what is wrong with the
// others. It reads them as Backstage does (contract catalog 1 to 3), with one
// difference by design: a document never suffers for its neighbours.
//
// The package is pure. It refuses to own fetching (placeholder bodies come
// through Source.Read), matching of globs (package match), catalog rules about
// allowed kinds, and storage.
//
//	docs, diags := descriptor.Parse(src, descriptor.Limits{})
//	for _, doc := range docs {
//		res := doc.Process(descriptor.Source{URL: fileURL, Origin: "url:" + rootURL, Read: read})
//		…
//	}
package descriptor

import "github.com/callboard/callboard/storage/entity"

// Limits caps what one file may cost. Zero fields take the defaults.
type Limits struct {
	// FileBytes is the largest file that is read at all (5 MiB).
	FileBytes int
	// Documents is how many YAML documents a file may hold (10,000).
	Documents int
	// Depth is how deep collections may nest (100).
	Depth int
	// Nodes is how many values a document may have once its aliases are expanded (1,000,000).
	Nodes int
}

// Source says where a file lies and how it came in.
type Source struct {
	// URL is the tree-form URL of the file, for example
	// https://github.com/acme/shop/tree/main/catalog-info.yaml.
	URL string
	// Origin is the location ref of the root, for example
	// url:https://github.com/acme/shop/blob/main/catalog-info.yaml.
	Origin string
	// Path and Commit are copied into diagnostics.
	Path, Commit string
	// Hosts are the GitHub hosts that an integration knows, github.com by
	// default. Their blob and edit URLs become tree URLs.
	Hosts []string
	// Read gives the body of an input by its resolved URL. Its error is an
	// *entity.Error where Backstage has words for it.
	Read func(url string) ([]byte, error)
}

// Verdict is what became of one document.
type Verdict string

// The verdicts.
const (
	VerdictAccepted Verdict = "accepted"
	// VerdictRejected is for an entity that breaks a rule.
	VerdictRejected Verdict = "rejected"
	// VerdictParseError is for a document out of which no entity comes at all.
	VerdictParseError Verdict = "parse-error"
)

// Result is the outcome of one document.
type Result struct {
	Verdict Verdict
	// Ref is the lower-case ref, "" where there is none.
	Ref string
	// Declaration is set when the document was accepted.
	Declaration entity.Declaration
	// Targets are, for kind Location, the absolute URLs it reads, in order.
	Targets []string
	// Errors are the errors as Backstage writes them, causes nested.
	Errors []*entity.Error
	// Diagnostics holds every error and warning with its place.
	Diagnostics []entity.Diagnostic
}

// Document is one YAML document of a file.
type Document struct {
	// Index is its position in the stream, from 0; empty documents count.
	// Line is where its content starts in the file, from 1.
	Index, Line int
}

// Parse splits a file into its documents. Problems of the whole file (too
// large, too many documents) are diagnostics; a broken document is a Document
// whose Process says so. Empty documents count in Index but are not listed.
func Parse(src []byte, limits Limits) (docs []Document, diags []entity.Diagnostic) {
	return nil, nil
}

// Inputs lists the resolved URLs of the placeholders ($text, $json, $yaml) that
// the document needs, each once, in order of appearance.
func (d Document) Inputs(src Source) []string { return nil }

// Process validates the document and works out what it declares.
func (d Document) Process(src Source) Result { return Result{Verdict: VerdictParseError} }

// RootLocation is the generated Location entity of a registered or discovered
// file (contract catalog 3.2).
func RootLocation(locationType, target string, optional bool) entity.Declaration {
	return entity.Declaration{}
}

// ResolveURL resolves a Location target or placeholder value against the URL of
// the file that holds it (contract catalog 3.3).
func ResolveURL(target, base string, hosts []string) (string, error) { return target, nil }

// LooksTemplated tells whether src holds template markers (${{ }}, {{ }} or
// {% %}) and so probably is the skeleton of a file rather than a file.
func LooksTemplated(src []byte) bool { return false }
