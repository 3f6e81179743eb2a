package refresh

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/callboard/callboard/pipeline/descriptor"
	"github.com/callboard/callboard/pipeline/location"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
)

// fileURL is the page of a file: mode is "tree" or "blob".
func fileURL(r storage.Repository, mode, file string) string {
	if isLocal(r) {
		return localURL + file
	}
	u := url.URL{Path: "/" + mode + "/" + r.DefaultBranch + "/" + file}
	return r.HTMLURL + u.EscapedPath()
}

// repoPath is the path of a file URL that lies in the repository and on its
// default branch.
func repoPath(r storage.Repository, fileURL string) (string, bool) {
	if isLocal(r) {
		file, ok := descriptor.LocalFile(fileURL)
		if !ok {
			return "", false
		}
		return location.CleanPath(strings.TrimPrefix(file, "/"))
	}
	ref, ok := location.Parse(fileURL)
	base, err := url.Parse(r.HTMLURL)
	if !ok || err != nil || !strings.EqualFold(ref.Host, base.Host) ||
		!strings.EqualFold(ref.Owner, r.Owner) || !strings.EqualFold(ref.Repo, r.Name) {
		return "", false
	}
	// The branch may hold slashes: it is ours, so cut it off whole.
	if p, ok := strings.CutPrefix(ref.GitRef+"/"+ref.Path, r.DefaultBranch+"/"); ok {
		return location.CleanPath(p)
	}
	if ref.GitRef == "HEAD" {
		return location.CleanPath(ref.Path)
	}
	return "", false
}

// sortTargets tells a Location's targets inside the repository from those in
// other repositories, and refuses the rest with a diagnostic.
func (c *crawl) sortTargets(r *fileResult, res descriptor.Result) {
	beyond := 0
	for _, target := range res.Targets {
		if !strings.HasPrefix(target, localURL) {
			target, _, _ = strings.Cut(target, "#") // names no file: one target must not come
			target, _, _ = strings.Cut(target, "?") // in many spellings
		}
		if p, ok := repoPath(c.repo, target); ok {
			r.Targets = r.once(r.Targets, p)
			continue
		}
		loc, ok := location.Parse(target)
		if ok {
			_, ok = location.CleanPath(loc.Path)
		}
		switch {
		case !ok || !configured(c.step.github, loc.Host):
			d := c.about(r, res, "target-not-allowed", entity.SeverityError, fmt.Sprintf("Unable to read url, Reading from '%s' is not allowed", target),
				"Name a file of this repository, or the full URL of a file in a repository on a host of integrations.github.")
			d.Field = "spec.target"
			r.Diagnostics = append(r.Diagnostics, d)
		case r.targets[target]:
		case c.reach(target):
			r.External = r.once(r.External, target)
		default:
			beyond++
		}
	}
	if beyond > 0 {
		c.beyond(r, res, beyond)
	}
}

// once adds a target that the file did not name before.
func (r *fileResult) once(list []string, target string) []string {
	if r.targets[target] {
		return list
	}
	if r.targets == nil {
		r.targets = map[string]bool{}
	}
	r.targets[target] = true
	return append(list, target)
}

// locationSource names a file as the source of the locations it declares.
func locationSource(f storage.File) string {
	return location.Source{RepositoryID: f.RepositoryID, Path: f.Path}.String()
}

// externalLocations are the files of other repositories that a file names.
func externalLocations(f storage.File) []storage.Location {
	var locations []storage.Location
	for _, target := range f.External {
		if loc, ok := location.Parse(target); ok {
			loc.ID, loc.Origin, loc.Source = uuid.NewString(), f.Origin, locationSource(f)
			locations = append(locations, loc)
		}
	}
	return locations
}

// configured says that a host is one of integrations.github.
func configured(g GitHub, host string) bool {
	return slices.ContainsFunc(g.Hosts(), func(h string) bool { return strings.EqualFold(h, host) })
}
