package people

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/callboard/callboard/pipeline/descriptor"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/storage/entity"
)

// Annotations of contract catalog 5.5.
const (
	annotationLogin = "github.com/user-login"
	annotationID    = "github.com/user-id"
	annotationTeam  = "github.com/team-slug"
)

// Options say how people become entities.
type Options struct {
	// URL is scheme and host of GitHub's pages; Hosts are those that are configured.
	URL   string
	Hosts []string
	// OrgNamespace puts the groups of an organization into a namespace of its name.
	OrgNamespace bool
	// VerifiedEmails takes the first address of a verified domain where there is one.
	VerifiedEmails bool
	// ExcludeSuspended leaves suspended users out, of teams as well.
	ExcludeSuspended bool
}

// record is a User or Group as it is handed to the descriptor package, which
// checks it like any file and works out its relations.
type record struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Metadata   metadata `json:"metadata"`
	Spec       spec     `json:"spec"`
}

type metadata struct {
	Name        string            `json:"name"`
	Namespace   string            `json:"namespace"`
	Description string            `json:"description,omitempty"`
	Annotations map[string]string `json:"annotations"`
}

type spec struct {
	Type    string  `json:"type,omitempty"`
	Profile profile `json:"profile"`
	Parent  string  `json:"parent,omitempty"`
	// A User has MemberOf, a Group the other two; empty lists are written.
	MemberOf *[]string `json:"memberOf,omitempty"`
	Children *[]string `json:"children,omitempty"`
	Members  *[]string `json:"members,omitempty"`
}

type profile struct {
	DisplayName string `json:"displayName,omitempty"`
	Email       string `json:"email,omitempty"`
	Picture     string `json:"picture,omitempty"`
}

// Transform turns the people of the organizations of a source into entries, by
// path. It is pure. Of a user of several organizations what the first says is
// taken, and the teams of all.
func Transform(opts Options, orgs []githubapp.People) []Entry {
	t := transform{Options: opts, memberOf: map[string]*[]string{}, left: map[string]bool{}}
	for _, org := range orgs {
		t.users(org)
	}
	for _, org := range orgs {
		t.groups(org)
	}
	entries := make([]Entry, 0, len(t.all))
	for _, d := range t.all {
		entries = append(entries, t.entry(d))
	}
	slices.SortFunc(entries, func(a, b Entry) int { return cmp.Compare(a.Path, b.Path) })
	return entries
}

// draft is a record on its way to an entry.
type draft struct {
	record
	path string
	// url is the page of the user or team, given how GitHub calls it.
	url, given string
}

type transform struct {
	Options
	all []draft
	// memberOf are the teams of each user, by lower-case login; left the logins
	// that are left out.
	memberOf map[string]*[]string
	left     map[string]bool
}

func (t *transform) users(org githubapp.People) {
	for _, m := range org.Members {
		login := text(m.Login)
		key := strings.ToLower(login)
		if t.ExcludeSuspended && !m.SuspendedAt.IsZero() {
			t.left[key] = true
			continue
		}
		if _, seen := t.memberOf[key]; seen {
			continue
		}
		groups := &[]string{}
		t.memberOf[key] = groups
		annotations := map[string]string{annotationLogin: login}
		if m.NodeID != "" {
			annotations[annotationID] = text(m.NodeID)
		}
		t.all = append(t.all, draft{
			record: record{
				APIVersion: "backstage.io/v1alpha1", Kind: entity.KindUser,
				Metadata: metadata{
					Name: entityName(login), Namespace: entity.DefaultNamespace,
					Description: text(m.Bio), Annotations: annotations,
				},
				Spec: spec{
					Profile:  profile{DisplayName: text(m.Name), Email: t.email(m), Picture: text(m.AvatarURL)},
					MemberOf: groups,
				},
			},
			path: memberPath(m.Login), url: t.URL + "/" + url.PathEscape(login), given: login,
		})
	}
}

// email is the verified address without its tag, or the public one.
func (t *transform) email(m githubapp.Member) string {
	if !t.VerifiedEmails || len(m.VerifiedEmails) == 0 {
		return text(m.Email)
	}
	local, domain, ok := strings.Cut(text(m.VerifiedEmails[0]), "@")
	if !ok {
		return local
	}
	local, _, _ = strings.Cut(local, "+")
	return local + "@" + domain
}

func (t *transform) groups(org githubapp.People) {
	login := text(org.Org)
	ns, prefix := entity.DefaultNamespace, ""
	if t.OrgNamespace {
		ns = namespace(login)
		prefix = ns + "/"
	}
	children := map[string][]string{}
	for _, team := range org.Teams {
		if team.Parent != "" {
			children[team.Parent] = append(children[team.Parent], entityName(text(team.Slug)))
		}
	}
	for _, team := range org.Teams {
		slug := text(team.Slug)
		name := entityName(slug)
		annotations := map[string]string{annotationTeam: text(cmp.Or(team.CombinedSlug, login+"/"+slug))}
		if team.EditTeamURL != "" {
			annotations[entity.AnnotationEditURL] = text(team.EditTeamURL)
		}
		below, members := append([]string{}, children[team.Slug]...), t.members(team, prefix+name)
		d := draft{
			record: record{
				APIVersion: "backstage.io/v1alpha1", Kind: entity.KindGroup,
				Metadata: metadata{Name: name, Namespace: ns, Description: text(team.Description), Annotations: annotations},
				Spec: spec{
					Type:     "team",
					Profile:  profile{DisplayName: text(team.Name), Picture: text(team.AvatarURL)},
					Children: &below, Members: &members,
				},
			},
			path:  teamPath(org.Org, team.Slug),
			url:   t.URL + "/orgs/" + url.PathEscape(login) + "/teams/" + url.PathEscape(slug),
			given: slug,
		}
		if team.Parent != "" {
			d.Spec.Parent = entityName(text(team.Parent))
		}
		t.all = append(t.all, d)
	}
}

// members are the refs of a team's members, and makes them members of it. Who
// joined between the two listings is named all the same.
func (t *transform) members(team githubapp.Team, group string) []string {
	refs := make([]string, 0, len(team.Members))
	for _, m := range team.Members {
		login := text(m)
		key := strings.ToLower(login)
		if t.left[key] {
			continue
		}
		refs = append(refs, entity.DefaultNamespace+"/"+entityName(login))
		if groups, known := t.memberOf[key]; known {
			*groups = append(*groups, group)
		}
	}
	return refs
}

// entry lets the descriptor package process a record, as if it were a document
// of a file at the page of the user or team.
func (t *transform) entry(d draft) Entry {
	e := Entry{Path: d.path, Origin: "url:" + d.url}
	raw, err := json.Marshal(d.record)
	if err != nil {
		return e.refused(err)
	}
	doc, err := descriptor.ParseEntity(raw, descriptor.Limits{})
	if err != nil {
		return e.refused(err)
	}
	res := doc.Process(descriptor.Source{URL: d.url, Origin: e.Origin, Path: d.path, Hosts: t.Hosts})
	e.Diagnostics = res.Diagnostics
	if res.Verdict == descriptor.VerdictAccepted {
		res.Declaration.Line = 0 // it stands in no file
		e.Declarations = []entity.Declaration{res.Declaration}
	}
	if d.given != d.Metadata.Name {
		e.Diagnostics = append(e.Diagnostics, entity.Diagnostic{
			Path: d.path, Ref: res.Ref, Field: "metadata.name", Rule: "name-changed", Severity: entity.SeverityInfo,
			Message: fmt.Sprintf("%q is no valid name of an entity; this one is called %q", d.given, d.Metadata.Name),
			Hint:    "Name it so where other entities refer to it.",
		})
	}
	for i := range e.Diagnostics {
		e.Diagnostics[i].Line, e.Diagnostics[i].Column = 0, 0
	}
	sum := sha256.Sum256(append(res.Declaration.JSON, raw...))
	e.SHA = hex.EncodeToString(sum[:20])
	return e
}

// refused is an entry that is too much even to be looked at.
func (e Entry) refused(err error) Entry {
	e.SHA = "refused"
	e.Diagnostics = []entity.Diagnostic{{
		Path: e.Path, Rule: "unreadable", Severity: entity.SeverityError, Message: err.Error(),
		Hint: "Make the team smaller, or its description shorter.",
	}}
	return e
}
