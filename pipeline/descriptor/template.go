package descriptor

import (
	"bytes"
	"strings"

	"github.com/callboard/callboard/storage/entity"
)

// LooksTemplated tells whether src holds template markers ({{ }} with or
// without a dollar sign, {% %} or {# #}) and so probably is the skeleton of a
// file rather than a file.
func LooksTemplated(src []byte) bool {
	for _, marker := range [][2]string{{"{{", "}}"}, {"{%", "%}"}, {"{#", "#}"}} {
		if i := bytes.Index(src, []byte(marker[0])); i >= 0 && bytes.Contains(src[i:], []byte(marker[1])) {
			return true
		}
	}
	return false
}

// quietenTemplates turns the errors about a skeleton into one note: nobody
// means such a file to be an entity, and repositories of templates hold many.
// A Template is full of markers by nature, so only markers in its name count.
func (p *process) quietenTemplates() {
	if p.result.Verdict == VerdictAccepted || !LooksTemplated([]byte(p.doc.chunk.text)) {
		return
	}
	root, _ := p.doc.value.(*object)
	if k, _ := root.text("kind"); k == entity.KindTemplate {
		name, _ := root.child("metadata").get("name")
		if s, isText := name.(string); isText && !strings.Contains(s, "{{") && !strings.Contains(s, "{%") {
			return
		}
	}
	first := p.result.Diagnostics[0]
	note := diagnose("template-skeleton", "Looks like the skeleton of a template, not like an entity: "+first.Message)
	note.Path, note.Commit, note.Document, note.Ref, note.Field = first.Path, first.Commit, first.Document, first.Ref, first.Field
	note.Line, note.Column = first.Line, first.Column
	p.result.Diagnostics = []entity.Diagnostic{note}
}

// warn adds what Backstage accepts and is a mistake all the same.
func (p *process) warn() {
	owner, _ := p.entity.child("spec").text("owner")
	if owner == "" || len(p.kind.relations) == 0 || p.kind.relations[0] != ownedBy {
		return
	}
	ref, err := entity.ParseRef(owner, entity.KindGroup, entity.DefaultNamespace)
	if err == nil && isObjectName(ref.Name) && isDNSLabel(strings.ToLower(ref.Namespace)) && isKind(ref.Kind) {
		return
	}
	d := diagnose("owner-format", "No entity can have the ref that spec.owner says: "+owner)
	d.Line, d.Column = p.doc.place([]string{"spec", "owner"})
	d.Field = "spec.owner"
	p.add(nil, d)
}
