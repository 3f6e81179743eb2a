// Package location knows what a location is: which targets may be registered,
// what they point to, which are registered through the API, and whom to ask for
// a look when one comes or goes (contract catalog 3.1 to 3.4 and 4.14).
//
// It never reads a target: that is the work of a refresh.
//
//	loc, err := location.Check("url", "https://github.com/acme/shop/blob/main/catalog-info.yaml", hosts)
//	loc, err = registry.Create(ctx, loc, location.Reject, "ann")
package location

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/callboard/callboard/pipeline/match"
	"github.com/callboard/callboard/storage"
)

// maxTarget bounds the length of a target; a glob may be twice as long.
const maxTarget = 2048

// InvalidError says why a location cannot be registered, and what to do. It is
// written for whoever asked.
type InvalidError struct{ Message string }

func (e *InvalidError) Error() string { return e.Message }

func invalid(format string, args ...any) error {
	return &InvalidError{Message: fmt.Sprintf(format, args...)}
}

// ErrType refuses every type but url, in the words of contract catalog 4.14.
var ErrType error = &InvalidError{Message: `Registered locations must be of an allowed type ["url"]`}

// Check looks at a location before anything is stored: one that could never be
// read is refused at once (contract catalog 6, row 28).
func Check(typ, target string, hosts []string) (storage.Location, error) {
	if typ != "url" {
		return storage.Location{}, ErrType
	}
	if len(target) > maxTarget {
		return storage.Location{}, invalid("The target is longer than %d characters", maxTarget)
	}
	u, err := url.Parse(target)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return storage.Location{}, invalid("The target '%s' is not an absolute URL, such as https://github.com/<owner>/<repository>/blob/<branch>/catalog-info.yaml", target)
	}
	if strings.ContainsAny(target, "?#") {
		return storage.Location{}, invalid("The target '%s' has a query or a fragment, which names no file; leave it out, or write %%3F and %%23 where the path itself holds ? or #", target)
	}
	if strings.Contains(strings.ToLower(target), "%2f") {
		return storage.Location{}, invalid("The target '%s' holds an encoded slash, %%2F; write a slash", target)
	}
	if u.User != nil {
		return storage.Location{}, invalid("The target holds a user name or password, which everybody could read; leave it out")
	}
	if !slices.ContainsFunc(hosts, func(h string) bool { return strings.EqualFold(h, u.Host) }) {
		return storage.Location{}, invalid("Reading from '%s' is not allowed: no entry of integrations.github has the host %s", target, u.Host)
	}
	loc, ok := Parse(target)
	if !ok {
		return storage.Location{}, invalid("The target '%s' names no file; name one of a repository, as in %s://%s/<owner>/<repository>/blob/<branch>/catalog-info.yaml",
			target, u.Scheme, u.Host)
	}
	if !isName(loc.Owner) || !isName(loc.Repo) {
		return storage.Location{}, invalid("The target '%s' names no repository that there can be", target)
	}
	if _, ok := CleanPath(loc.GitRef + "/" + loc.Path); !ok {
		return storage.Location{}, invalid("The target '%s' has no clean path to a file: segments that are empty, . or .., control characters and what is not UTF-8 are refused", target)
	}
	if _, err := match.Compile(loc.Path); err != nil {
		return storage.Location{}, invalid("The target '%s' cannot be matched: %s", target, err)
	}
	return loc, nil
}

var namePattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,100}$`)

// isName says whether an owner or a repository can be called so on GitHub.
func isName(s string) bool { return namePattern.MatchString(s) && s != "." && s != ".." }

// Found is an entity in a catalog file that a repository has.
type Found struct {
	// Target is the URL of the file; Registered says that the catalog reads it.
	Target     string
	Registered bool
	Entity     json.RawMessage
}

// Parse takes the URL of a file on a GitHub host apart, as Backstage does: the
// first segment after blob, tree or edit is the branch (contract catalog 3.3).
func Parse(target string) (storage.Location, bool) {
	u, err := url.Parse(target)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" {
		return storage.Location{}, false
	}
	seg := strings.SplitN(strings.TrimPrefix(u.Path, "/"), "/", 5)
	if len(seg) < 5 || seg[2] != "blob" && seg[2] != "tree" && seg[2] != "edit" {
		return storage.Location{}, false
	}
	return storage.Location{
		Type: "url", Target: target, Host: strings.ToLower(u.Host), Owner: strings.ToLower(seg[0]),
		Repo: strings.ToLower(seg[1]), GitRef: seg[3], Path: seg[4], Origin: "url:" + target,
	}, seg[0] != "" && seg[1] != "" && seg[3] != "" && seg[4] != ""
}

// ParseRepository takes the URL of a repository apart, or of anything in it.
// owner and name are empty when it names none.
func ParseRepository(target string) (host, owner, name string, err error) {
	u, err := url.Parse(target)
	if err != nil || u.Scheme == "" || u.Host == "" || len(target) > maxTarget {
		return "", "", "", errors.New("not a URL")
	}
	host = strings.ToLower(u.Host)
	seg := strings.Split(strings.Trim(u.Path, "/"), "/")
	if len(seg) < 2 {
		return host, "", "", nil
	}
	if name = strings.TrimSuffix(seg[1], ".git"); !isName(seg[0]) || !isName(name) {
		return host, "", "", nil
	}
	return host, seg[0], name, nil
}

// CleanPath refuses everything that does not name a place inside a repository.
func CleanPath(p string) (string, bool) {
	if p == "" || strings.HasPrefix(p, "/") || strings.HasSuffix(p, "/") ||
		!utf8.ValidString(p) || strings.ContainsFunc(p, unicode.IsControl) {
		return "", false
	}
	for seg := range strings.SplitSeq(p, "/") {
		if seg == ".." || seg == "." || seg == "" {
			return "", false
		}
	}
	return path.Clean(p), true
}
