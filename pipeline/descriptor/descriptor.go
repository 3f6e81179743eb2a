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

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/callboard/callboard/storage/entity"
)

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
	// https://github.com/acme/shop/tree/main/catalog-info.yaml; of a file of the
	// machine itself file:/srv/catalog/all.yaml.
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
	// Exists takes the place of Read for whoever may not see what an input holds.
	// It says whether there is one; no error then tells of more.
	Exists func(url string) error
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
	// Declaration is set when the document was accepted, and SpecType is then
	// its spec.type, if that is a string.
	Declaration entity.Declaration
	SpecType    string
	// Targets are, for kind Location, the absolute URLs it reads, in order.
	// Those that make the document rejected are left out.
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

	doc    *document
	limits Limits
}

// Parse splits a file into its documents. Problems of the whole file (too
// large, too many documents) are diagnostics, and then there are no documents;
// a broken document is a Document whose Process says so. Empty documents count
// in Index but are not listed.
func Parse(src []byte, limits Limits) (docs []Document, diags []entity.Diagnostic) {
	limits = limits.withDefaults()
	all, diags := readStream(src, limits)
	for _, d := range all {
		if d.fault == nil && d.value == nil {
			continue
		}
		docs = append(docs, Document{Index: d.index, Line: d.line, doc: d, limits: limits})
	}
	return docs, diags
}

// ParseEntity reads an entity that somebody sent as JSON. It is then a document
// like another, on the first line of no file.
func ParseEntity(src []byte, limits Limits) (Document, error) {
	limits = limits.withDefaults()
	if len(src) > limits.FileBytes {
		return Document{}, fmt.Errorf("the entity has %d bytes, more than the limit of %d", len(src), limits.FileBytes)
	}
	v, err := parseJSON(validText(src))
	return Document{Line: 1, doc: &document{line: 1, value: v}, limits: limits}, err
}

// readStream reads every document of a stream, empty ones too.
func readStream(src []byte, limits Limits) ([]*document, []entity.Diagnostic) {
	if len(src) > limits.FileBytes {
		return nil, []entity.Diagnostic{diagnose("file-too-large",
			fmt.Sprintf("The file has %d bytes, more than the limit of %d (FileBytes)", len(src), limits.FileBytes))}
	}
	text := strings.TrimPrefix(validText(src), "\uFEFF")
	chunks := split(text)
	if len(chunks) > limits.Documents {
		return nil, []entity.Diagnostic{diagnose("too-many-documents",
			fmt.Sprintf("The file has %d documents, more than the limit of %d (Documents)", len(chunks), limits.Documents))}
	}
	lines := newLineIndex(text)
	docs := make([]*document, len(chunks))
	for i, c := range chunks {
		d := &document{index: i, line: c.content, chunk: c}
		d.root, d.value, d.fault = decode(c, limits, lines)
		docs[i] = d
	}
	return docs, nil
}

const (
	defaultFileBytes = 5 << 20
	defaultDocuments = 10_000
	defaultDepth     = 100
	defaultNodes     = 1_000_000
)

func (l Limits) withDefaults() Limits {
	return Limits{
		FileBytes: cmp.Or(l.FileBytes, defaultFileBytes),
		Documents: cmp.Or(l.Documents, defaultDocuments),
		Depth:     cmp.Or(l.Depth, defaultDepth),
		Nodes:     cmp.Or(l.Nodes, defaultNodes),
	}
}

// Inputs lists the resolved URLs of the placeholders ($text, $json, $yaml) that
// the document needs, each once, in order of appearance.
func (d Document) Inputs(src Source) []string {
	if d.doc.fault != nil || envelopeSchema.check(d.doc.value, nil) != nil {
		return nil
	}
	p := placeholders{src: src}
	p.replace(d.doc.value, nil)
	return p.inputs
}
