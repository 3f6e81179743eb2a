package refresh

import (
	"fmt"
	"slices"
	"strings"

	"github.com/callboard/callboard/pipeline/descriptor"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
)

// OwnerPolicy says what becomes of an entity that nobody owns.
type OwnerPolicy string

// The policies. Whether the owner that an entity names exists is another
// question: the group may come later, or be renamed, so an unknown owner is
// never a reason to refuse. The API tells it, from the catalog as it is.
const (
	OwnerOff     OwnerPolicy = "off"     // nothing
	OwnerWarn    OwnerPolicy = "warn"    // a warning
	OwnerEnforce OwnerPolicy = "enforce" // an error: the document is refused
)

// owned are the kinds that have an owner (contract catalog 2.1).
var owned = []string{
	entity.KindComponent, entity.KindAPI, entity.KindResource, entity.KindSystem, entity.KindDomain, entity.KindTemplate,
}

// admit applies the rules and the owner policy to a valid document. One that is
// refused suffers alone (contract catalog 6, row 32).
func (c *crawl) admit(r *fileResult, res descriptor.Result) bool {
	return c.allowed(r, res) && c.owned(r, res)
}

// allowed applies the rules. Every location that names the very file may allow
// what it holds, not only the one that came first: a further location must not
// take anything away. What no rule allows goes, also what was served before:
// whoever tightens them wants it gone.
func (c *crawl) allowed(r *fileResult, res descriptor.Result) bool {
	kind, _, _ := strings.Cut(res.Ref, ":")
	rules := c.step.cfg.Rules
	if rules == nil || rules.Allow(r.Origin, kind, res.SpecType) ||
		slices.ContainsFunc(r.Roots, func(root storage.Root) bool { return rules.Allow(root.Location, kind, res.SpecType) }) {
		return true
	}
	e := &entity.Error{Name: "NotAllowedError", Message: fmt.Sprintf(
		"Entity %s at %s, originated at %s, is not of an allowed kind for that location", res.Ref, fileRef(c.repo, r.Path), r.Origin)}
	r.Diagnostics = append(r.Diagnostics, c.about(r, res, "kind-not-allowed", entity.SeverityError, e.Error(),
		"Allow the kind in catalog.rules of the server, for this location or for all, or remove the document."))
	r.Errors = append(r.Errors, statusItem(e))
	return false
}

// owned applies the owner policy.
func (c *crawl) owned(r *fileResult, res descriptor.Result) bool {
	policy := c.step.cfg.Owner
	if policy != OwnerWarn && policy != OwnerEnforce || hasOwner(res) {
		return true
	}
	severity := entity.SeverityWarning
	if policy == OwnerEnforce {
		severity = entity.SeverityError
	}
	d := c.about(r, res, "owner-missing", severity, "Nobody owns "+res.Ref, "Add spec.owner: the group or user that looks after it.")
	d.Field = "spec.owner"
	r.Diagnostics = append(r.Diagnostics, d)
	if policy == OwnerWarn {
		return true
	}
	r.rejected[res.Ref] = []entity.StatusItem{statusItem(&entity.Error{Name: "InputError", Message: fmt.Sprintf(
		"Policy check failed for %s; caused by Error: spec.owner is required", res.Ref)})}
	return false
}

func hasOwner(res descriptor.Result) bool {
	kind, _, _ := strings.Cut(res.Ref, ":")
	if !slices.ContainsFunc(owned, func(k string) bool { return strings.EqualFold(k, kind) }) {
		return true // has no use for one
	}
	return slices.ContainsFunc(res.Declaration.Relations, func(rel entity.Relation) bool {
		return rel.Source == res.Ref && rel.Type == "ownedBy"
	})
}

// about is a diagnostic about a whole document.
func (c *crawl) about(r *fileResult, res descriptor.Result, rule string, s entity.Severity, message, hint string) entity.Diagnostic {
	return entity.Diagnostic{
		Path: r.Path, Commit: c.repo.AppliedSHA, Document: res.Declaration.Document, Line: res.Declaration.Line, Column: 1,
		Ref: res.Ref, Rule: rule, Severity: s, Message: message, Hint: hint,
	}
}
