package descriptor

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/callboard/callboard/storage/entity"
)

// rules is the table of all rule ids with what to do about each. Ids are part
// of the API: clients filter by them.
var rules = map[string]struct {
	severity entity.Severity
	hint     string
}{
	"file-too-large":     {entity.SeverityError, "Split the file, or raise the limit."},
	"too-many-documents": {entity.SeverityError, "Split the file, or raise the limit."},

	"yaml-syntax":        {entity.SeverityError, "Quote values that hold special characters, and check the brackets and quotes before this place."},
	"yaml-duplicate-key": {entity.SeverityError, "Remove one of the two keys."},
	"yaml-tab":           {entity.SeverityError, "Indent with spaces."},
	"yaml-indentation":   {entity.SeverityError, "Align this line with its siblings, deeper than the key it belongs to."},
	"yaml-alias":         {entity.SeverityError, "Set the anchor (&name) earlier in the same document, or quote a value that starts with *."},
	"yaml-depth":         {entity.SeverityError, "Flatten the document."},
	"yaml-size":          {entity.SeverityError, "Use fewer aliases of large values."},
	"nul-character":      {entity.SeverityError, "Remove the NUL character."},
	"root-object":        {entity.SeverityError, "A document has to be a mapping with apiVersion, kind and metadata."},

	"required-field": {entity.SeverityError, "Add the field."},
	"field-type":     {entity.SeverityError, "Write a value of the expected type; quote numbers, booleans and dates that are meant as text."},
	"field-empty":    {entity.SeverityError, "Give the field a value, or remove it."},
	"field-value":    {entity.SeverityError, "Use one of the allowed values."},
	"unknown-field":  {entity.SeverityError, "Only apiVersion, kind, metadata and spec may stand at the root; move other data into metadata or spec."},

	"api-version-format":    {entity.SeverityError, "Most kinds use backstage.io/v1alpha1, Template uses scaffolder.backstage.io/v1beta3."},
	"kind-format":           {entity.SeverityError, "A kind is one word of letters and digits, such as Component."},
	"name-format":           {entity.SeverityError, "Use letters, digits, '-', '_' and '.', with a letter or digit at both ends, at most 63 of them; put the pretty name into metadata.title."},
	"namespace-format":      {entity.SeverityError, "Use lower-case letters, digits and '-', with a letter or digit at both ends, at most 63 of them."},
	"label-key-format":      {entity.SeverityError, "A key is a name, or a DNS domain in lower case, '/' and a name."},
	"label-value-format":    {entity.SeverityError, "A label value follows the rules of names; put free text into an annotation."},
	"annotation-key-format": {entity.SeverityError, "A key is a name, or a DNS domain in lower case, '/' and a name."},
	"tag-format":            {entity.SeverityError, "Use lower-case letters, digits, '+', '#' and ':', separated by single '-'."},
	"link-url":              {entity.SeverityError, "Write an absolute URL such as https://example.com."},
	"link-text":             {entity.SeverityError, "Give the field a text, or remove it."},
	"unknown-kind":          {entity.SeverityError, "Kinds are case-sensitive: API, Component, Domain, Group, Location, Resource, System, Template, User. Check apiVersion too."},
	"entity-ref":            {entity.SeverityError, "Write [kind:][namespace/]name; dependsOn and dependencyOf need the kind, as in resource:orders-db."},
	"location-type":         {entity.SeverityError, "Use type: url, or leave the type out."},
	"location-target":       {entity.SeverityError, "Write a path relative to this file, or an absolute https URL."},

	"placeholder-value":   {entity.SeverityError, "Write a path relative to this file, or an absolute URL."},
	"placeholder-url":     {entity.SeverityError, "Refer to a file of the same repository."},
	"placeholder-read":    {entity.SeverityError, "Check that the file exists at this commit; only files of the same repository are read."},
	"placeholder-content": {entity.SeverityError, "Correct the file that the placeholder reads."},

	"owner-format":      {entity.SeverityWarning, "Name the owner as the catalog does, [kind:][namespace/]name, for example team-a or user:jane."},
	"template-skeleton": {entity.SeverityInfo, "Nothing to do if this is the skeleton of a template; otherwise remove the template markers."},
}

// diagnose makes a diagnostic with the severity and hint of its rule.
func diagnose(rule, message string) entity.Diagnostic {
	r, known := rules[rule]
	if !known {
		panic("descriptor: no such rule: " + rule)
	}
	return entity.Diagnostic{Rule: rule, Severity: r.severity, Message: message, Hint: r.hint}
}

// rule is the id for a broken schema.
func (v *violation) rule() string {
	keyword, _, _ := strings.Cut(v.param, ":")
	switch keyword {
	case "missingProperty":
		return "required-field"
	case "type":
		return "field-type"
	case "limit":
		return "field-empty"
	case "additionalProperty":
		return "unknown-field"
	default:
		return "field-value"
	}
}

// brief is the message without place and excerpt, which a diagnostic has apart.
func (f *fault) brief() string {
	s, _, _ := strings.Cut(f.message, "\n")
	if i := strings.LastIndex(s, " at line "); i > 0 {
		s = s[:i]
	}
	return s
}

// place finds the line and column of a field in the file: the key of a mapping
// entry, the item of a list. Of a field that is not there it gives the nearest
// thing around it.
func (d *document) place(path []string) (line, col int) {
	if d.root == nil {
		return d.line, 1
	}
	at := d.root
	node := d.root
	reader := decoder{chunk: d.chunk, veiled: true}
	for _, segment := range path {
		for node.Kind == yaml.AliasNode {
			node = node.Alias
		}
		next, mark := reader.step(node, segment)
		if next == nil {
			break
		}
		node, at = next, mark
	}
	return d.chunk.line + at.Line - 1, at.Column
}

// step goes one segment down and says which node to point at.
func (d *decoder) step(n *yaml.Node, segment string) (next, mark *yaml.Node) {
	if n.Kind == yaml.SequenceNode {
		for i, item := range n.Content {
			if segment == strconv.Itoa(i) {
				return item, item
			}
		}
		return nil, nil
	}
	if n.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := len(n.Content) - 2; i >= 0; i -= 2 {
		k := n.Content[i]
		for k.Kind == yaml.AliasNode {
			k = k.Alias
		}
		if k.Kind == yaml.ScalarNode && keyText(d.scalar(k)) == segment {
			return n.Content[i+1], n.Content[i]
		}
	}
	return nil, nil
}
