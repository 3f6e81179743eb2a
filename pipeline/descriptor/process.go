package descriptor

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/callboard/callboard/storage/entity"
)

// Process validates the document and works out what it declares. The steps and
// their order are those of contract catalog 1.1; the first that fails decides.
func (d Document) Process(src Source) Result {
	p := process{src: src, limits: d.limits, doc: d.doc}
	p.run()
	p.quietenTemplates()
	return p.result
}

// process is one document on its way. A step answers false when it failed.
type process struct {
	src    Source
	limits Limits
	doc    *document
	entity *object // the processed copy
	kind   *kind
	result Result
}

func (p *process) run() {
	p.result.Verdict = VerdictParseError
	if !p.readable() {
		return
	}
	p.result.Verdict = VerdictRejected
	for _, step := range []func() bool{
		p.envelope, p.placeholders, p.annotate, p.policy, p.formats, p.kindSchema, p.location, p.relations, p.storable,
	} {
		if !step() {
			return
		}
	}
	p.result.Verdict = VerdictAccepted
	p.entity.child("metadata").drop("uid")
	p.result.Declaration.Ref = p.result.Ref
	p.result.Declaration.Document = p.doc.index
	p.result.Declaration.Line = p.doc.line
	p.result.Declaration.Descriptor = appendJSON(nil, p.doc.value)
	p.result.Declaration.JSON = appendJSON(nil, p.entity)
	specType, _ := p.entity.child("spec").get("type")
	p.result.SpecType, _ = specType.(string)
	p.warn()
}

// jsError makes an error as Backstage serialises it: the cause is nested and
// also part of the message.
func jsError(name, message string, cause *entity.Error) *entity.Error {
	if cause != nil {
		message += "; caused by " + cause.Error()
	}
	return &entity.Error{Name: name, Message: message, Cause: cause}
}

// fail records an error and the diagnostic for it, at the place of path.
func (p *process) fail(e *entity.Error, rule string, path []string) bool {
	cause := e
	for cause.Cause != nil {
		cause = cause.Cause
	}
	d := diagnose(rule, strings.TrimSuffix(cause.Message, " "+moreOnFormat))
	path = p.asWritten(path)
	d.Line, d.Column = p.doc.place(path)
	d.Field = strings.Join(path, ".")
	p.add(e, d)
	return false
}

// asWritten takes back what sorting did to the index of a reference.
func (p *process) asWritten(path []string) []string {
	if len(path) != 3 || path[0] != "spec" || !slices.Contains(sortedFields, path[1]) {
		return path
	}
	root, _ := p.doc.value.(*object)
	written, _ := root.child("spec").get(path[1])
	sorted, _ := p.entity.child("spec").get(path[1])
	before, _ := written.([]any)
	after, _ := sorted.([]any)
	at, err := strconv.Atoi(path[2])
	if err != nil || at >= len(after) {
		return path
	}
	want, isText := after[at].(string)
	if i := slices.IndexFunc(before, func(v any) bool { s, ok := v.(string); return ok && s == want }); isText && i >= 0 {
		return []string{path[0], path[1], strconv.Itoa(i)}
	}
	return path
}

func (p *process) add(e *entity.Error, d entity.Diagnostic) {
	if e != nil {
		p.result.Errors = append(p.result.Errors, e)
	}
	d.Path, d.Commit, d.Document, d.Ref = p.src.Path, p.src.Commit, p.doc.index, p.result.Ref
	p.result.Diagnostics = append(p.result.Diagnostics, d)
}

// readable: an entity comes out of the YAML at all (contract catalog 1.8).
func (p *process) readable() bool {
	f := p.doc.fault
	if f == nil {
		if _, ok := p.doc.value.(*object); ok {
			return true
		}
		got := typeOf(p.doc.value)
		if got == "array" {
			got = "object" // which is what typeof says of a list
		}
		return p.fail(jsError("Error", "Expected object at root, got "+got, nil), "root-object", nil)
	}
	message := fmt.Sprintf("YAML error at %s, YAMLParseError: %s", p.src.location(), f.message)
	if f.thrown {
		message = "Unable to read " + p.src.kind() + ", " + f.message
	}
	d := diagnose(f.rule, f.brief())
	d.Line, d.Column = f.line, f.col
	p.add(jsError("Error", message, nil), d)
	return false
}

func (p *process) envelope() bool {
	if bad := envelopeSchema.check(p.doc.value, nil); bad != nil {
		e := jsError("TypeError", fmt.Sprintf("%s %s - %s", bad.pointer(), bad.message, bad.param), nil)
		return p.fail(e, bad.rule(), bad.place())
	}
	p.entity = clone(p.doc.value).(*object)
	p.result.Ref = refOf(p.entity).String()
	meta := p.entity.child("metadata")
	annotations, _ := meta.get("annotations")
	if !truthy(annotations) {
		annotations = newObject(5)
	}
	o, ok := annotations.(*object)
	if !ok {
		return p.fail(jsError("Error", "metadata.annotations must be a valid object", nil), "field-type", []string{"metadata", "annotations"})
	}
	o.set(entity.AnnotationLocation, p.src.location())
	o.set(entity.AnnotationOriginLocation, p.src.Origin)
	meta.set("annotations", o)
	return true
}

func refOf(e *object) entity.Ref {
	meta := e.child("metadata")
	kindName, _ := e.text("kind")
	namespace, _ := meta.text("namespace")
	name, _ := meta.text("name")
	return entity.Ref{Kind: kindName, Namespace: namespace, Name: name}
}

func (p *process) placeholders() bool {
	read := p.src.Read
	if read == nil {
		read = func(u string) ([]byte, error) { return nil, fmt.Errorf("nothing can be read from %s", u) }
	}
	ph := placeholders{src: p.src, read: read, exists: p.src.Exists, limits: p.limits.withDefaults()}
	v, bad := ph.replace(p.entity, nil)
	if bad != nil {
		e := jsError("InputError", "Processor PlaceholderProcessor threw an error while preprocessing", jsError("Error", bad.message, nil))
		return p.fail(e, bad.rule, bad.path)
	}
	p.entity = v.(*object)
	return true
}

var sortedFields = []string{"providesApis", "consumesApis", "dependsOn", "dependencyOf", "memberOf", "children", "members"}

var commitPattern = regexp.MustCompile(`\b[0-9a-f]{40,}\b`)

// annotate sorts the lists of references (contract catalog 1.7) and writes the
// annotations that say where the entity came from (3.5).
func (p *process) annotate() bool {
	spec := p.entity.child("spec")
	for _, field := range sortedFields {
		v, _ := spec.get(field)
		if list, ok := v.([]any); ok {
			sortStrings(list)
		}
	}
	annotations := p.entity.child("metadata").child("annotations")
	if annotations == nil || p.src.local() { // a placeholder stands there, and the schema will complain; or no URL leads there
		return true
	}
	known := false
	if u, err := parseURL(p.src.URL); err == nil {
		known = knownHost(u, p.src.Hosts)
	}
	writeURLs(annotations, p.src.URL, known)
	return true
}

// writeURLs adds the annotations with URLs of a file that its author has not set.
func writeURLs(annotations *object, fileURL string, knownHost bool) {
	add := func(key, value string) {
		if _, ok := annotations.get(key); !ok {
			annotations.set(key, value)
		}
	}
	add(entity.AnnotationViewURL, fileURL)
	if !knownHost {
		return
	}
	if !commitPattern.MatchString(fileURL) {
		add(entity.AnnotationEditURL, asType(fileURL, "edit"))
	}
	if u, err := parseURL(fileURL); err == nil {
		if folder, err := relativeTo("./", u); err == nil {
			add(entity.AnnotationSourceLocation, "url:"+asType(folder, "tree"))
		}
	}
}

// sortStrings sorts by UTF-16 code units, unless there is anything but strings.
func sortStrings(list []any) {
	if slices.ContainsFunc(list, func(v any) bool { _, ok := v.(string); return !ok }) {
		return
	}
	slices.SortStableFunc(list, func(a, b any) int { return compareUTF16(a.(string), b.(string)) })
}

// policy: steps 3 to 5 of contract catalog 1.1.
func (p *process) policy() bool {
	if bad := rootSchema.check(p.entity, nil); bad != nil {
		return p.refuse(fmt.Sprintf("Malformed envelope, %s %s", bad.pointer(), bad.message), bad.rule(), bad.place())
	}
	for _, key := range p.entity.keys {
		if key == "relations" || key == "status" {
			return p.refuse("Unknown field "+key, "unknown-field", []string{key})
		}
	}
	meta := p.entity.child("metadata")
	if _, ok := meta.get("namespace"); !ok {
		meta.set("namespace", entity.DefaultNamespace)
	}
	return true
}

func (p *process) formats() bool {
	if bad := checkFormats(p.entity); bad != nil {
		return p.refuse(bad.message(), bad.rule, bad.path)
	}
	return true
}

func (p *process) refuse(message, rule string, path []string) bool {
	e := jsError("InputError", "Policy check failed for "+p.result.Ref, jsError("Error", message, nil))
	return p.fail(e, rule, path)
}

func (p *process) kindSchema() bool {
	name, _ := p.entity.text("kind")
	version, _ := p.entity.text("apiVersion")
	p.kind = findKind(name, version)
	if p.kind == nil {
		e := jsError("InputError", fmt.Sprintf("No processor recognized the entity %s as valid, "+
			"possibly caused by a foreign kind or apiVersion", p.result.Ref), nil)
		return p.fail(e, "unknown-kind", []string{"kind"})
	}
	shape := fields([]string{"spec"}, prop{"spec", p.kind.spec})
	if bad := shape.check(p.entity, nil); bad != nil {
		cause := jsError("TypeError", fmt.Sprintf("%s %s - %s", bad.pointer(), bad.message, bad.param), nil)
		e := jsError("InputError", fmt.Sprintf("Processor %s threw an error while validating the entity %s", p.kind.processor, p.result.Ref), cause)
		return p.fail(e, bad.rule(), bad.place())
	}
	return true
}

// storable: PostgreSQL cannot hold NUL in JSON; Backstage fails on it much later.
func (p *process) storable() bool {
	if path, found := findNUL(p.entity, nil); found {
		return p.fail(jsError("InputError", "NUL characters cannot be stored", nil), "nul-character", path)
	}
	return true
}
