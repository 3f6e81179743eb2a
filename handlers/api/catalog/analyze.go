package catalog

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/callboard/callboard/handlers/respond"
	"github.com/callboard/callboard/pipeline/location"
	"github.com/callboard/callboard/storage/entity"
)

// analysis is the answer of POST /analyze-location.
type analysis struct {
	Existing []existing  `json:"existingEntityFiles"`
	Generate []generated `json:"generateEntities"`
}

type existing struct {
	Location     target          `json:"location"`
	IsRegistered bool            `json:"isRegistered"`
	Entity       json.RawMessage `json:"entity"`
}

type target struct {
	Type   string `json:"type"`
	Target string `json:"target"`
}

type generated struct {
	Entity draft      `json:"entity"`
	Fields []struct{} `json:"fields"`
}

// draft is an entity to begin with.
type draft struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name        string            `json:"name"`
		Annotations map[string]string `json:"annotations,omitempty"`
	} `json:"metadata"`
	Spec struct {
		Type      string `json:"type"`
		Lifecycle string `json:"lifecycle"`
	} `json:"spec"`
}

// maxFilename bounds catalogFilename.
const maxFilename = 256

// Analyze is POST /analyze-location (contract catalog 4.15). catalogFilename is
// honoured, which the reference does not.
func (a *Locations) Analyze(w http.ResponseWriter, r *http.Request) error {
	if _, err := readParams(r, nil); err != nil {
		return err
	}
	url, filename, err := readAnalysis(r)
	if err != nil {
		return err
	}
	host, owner, name, err := location.ParseRepository(url)
	if err != nil {
		return respond.Input("The given location.target is not a URL")
	}
	known := slices.ContainsFunc(a.Hosts, func(h string) bool { return strings.EqualFold(h, host) })
	if !known || name == "" {
		return respond.JSON(w, r, http.StatusOK, analysis{Existing: []existing{}, Generate: []generated{propose("", lastSegment(url))}})
	}
	out := analysis{Existing: []existing{}, Generate: []generated{}}
	err = a.inspect(w, r, func(ctx context.Context, turn func() error) error {
		if err := turn(); err != nil {
			return err
		}
		found, readable, err := a.Inspector.Analyze(ctx, host, owner, name, filename)
		if err == nil && !readable {
			err = respond.Input("The repository %s/%s on %s cannot be read: check the name, and that the App is installed on it", owner, name, host)
		}
		for _, f := range found {
			out.Existing = append(out.Existing, existing{target{"url", f.Target}, f.Registered, f.Entity})
		}
		return asInput(err)
	})
	if err != nil {
		return err
	}
	if len(out.Existing) == 0 {
		out.Generate = append(out.Generate, propose(owner, name))
	}
	return respond.JSON(w, r, http.StatusOK, out)
}

func readAnalysis(r *http.Request) (url, filename string, err error) {
	b, err := readBody(r)
	if err != nil {
		return "", "", err
	}
	given, err := b.object("location")
	if err != nil {
		return "", "", err
	}
	if !given {
		return "", "", respond.Input("request/body must have required property 'location'")
	}
	var l body
	if err := json.Unmarshal(b["location"], &l); err != nil {
		return "", "", respond.Input("request/body/location must be object")
	}
	for _, name := range []string{"type", "target"} {
		value, given, err := l.string(name)
		switch {
		case err != nil:
			return "", "", respond.Input("request/body/location/%s must be string", name)
		case !given:
			return "", "", respond.Input("request/body/location must have required property '%s'", name)
		}
		url = value
	}
	filename, _, err = b.string("catalogFilename")
	if err == nil && len(filename) > maxFilename {
		err = respond.Input("request/body/catalogFilename must NOT have more than %d characters", maxFilename)
	}
	return url, filename, err
}

// propose is an entity for a repository without any. owner is empty where the
// host is not known, and then nobody could tell what the slug means.
func propose(owner, name string) generated {
	var d draft
	d.APIVersion, d.Kind = "backstage.io/v1alpha1", entity.KindComponent
	d.Metadata.Name = entityName(name)
	d.Spec.Type, d.Spec.Lifecycle = "other", "unknown"
	if owner != "" {
		d.Metadata.Annotations = map[string]string{"github.com/project-slug": owner + "/" + name}
	}
	return generated{Entity: d, Fields: []struct{}{}}
}

var notInName = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// entityName makes a valid name of any (contract catalog 1.3).
func entityName(s string) string {
	const longest = 63
	s = strings.Trim(notInName.ReplaceAllString(s, "-"), "-._")
	if len(s) > longest {
		s = strings.Trim(s[:longest], "-._")
	}
	if s == "" {
		return "component"
	}
	return s
}

func lastSegment(url string) string {
	url, _, _ = strings.Cut(url, "?")
	seg := strings.Split(strings.TrimSuffix(strings.TrimRight(url, "/"), ".git"), "/")
	return seg[len(seg)-1]
}
