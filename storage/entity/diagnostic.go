package entity

// Severity of a diagnostic.
type Severity string

// The severities. Only SeverityError keeps a document out of the catalog.
const (
	SeverityError   Severity = "error"
	SeverityWarning Severity = "warning"
	SeverityInfo    Severity = "info"
)

// Diagnostic says what is wrong with one place of one file, and what to do.
// Server, `callboard lint` and API print the same diagnostics.
type Diagnostic struct {
	// Path of the file in its repository, and the commit it was read at.
	Path   string `json:"path"`
	Commit string `json:"commit,omitempty"`
	// Document is the position in the YAML stream, from 0. Line and Column are
	// positions in the file, from 1; 0 means the whole file.
	Document int `json:"document"`
	Line     int `json:"line"`
	Column   int `json:"column"`
	// Ref of the entity concerned, when the document got as far as having one.
	Ref string `json:"ref,omitempty"`
	// Field is the dotted path concerned, for example "metadata.name".
	Field string `json:"field,omitempty"`
	// Rule is a stable id in kebab case, for example "name-format".
	Rule     string   `json:"rule"`
	Severity Severity `json:"severity"`
	// Message is what is wrong, in Backstage's words where Backstage has words for it.
	Message string `json:"message"`
	// Hint says what to do.
	Hint string `json:"hint,omitempty"`
}
