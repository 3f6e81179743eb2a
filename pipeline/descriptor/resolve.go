package descriptor

import (
	"errors"
	"regexp"
	"slices"
	"strings"
)

const defaultHost = "github.com"

var gitHubPathPattern = regexp.MustCompile(`//([^/]+)/([^/]+)/([^/]+)/(?:blob|tree|edit)/`)

// asType rewrites the blob, tree or edit segment of a GitHub URL.
func asType(u, segment string) string {
	m := gitHubPathPattern.FindStringSubmatchIndex(u)
	if m == nil {
		return u
	}
	return u[:m[7]] + "/" + segment + "/" + u[m[1]:]
}

// ResolveURL resolves a Location target or placeholder value against the URL of
// the file that holds it (contract catalog 3.3): absolute URLs stay, "/x" is
// relative to the root of the repository at the same ref, everything else to
// the folder of the file. Where base lies on one of hosts (github.com when
// there are none) the result has the tree form.
func ResolveURL(target, base string, hosts []string) (string, error) {
	if file, ok := LocalFile(base); ok {
		return resolveLocal(target, file)
	}
	b, err := parseURL(base)
	if err != nil || !b.special {
		return "", errInvalidURL
	}
	resolved := target
	if !validURL(target) {
		if resolved, err = relativeTo(target, b); err != nil {
			return "", err
		}
	}
	if knownHost(b, hosts) {
		resolved = asType(resolved, "tree")
	}
	return resolved, nil
}

func knownHost(u *webURL, hosts []string) bool {
	if len(hosts) == 0 {
		hosts = []string{defaultHost}
	}
	host := u.authority[strings.LastIndexByte(u.authority, '@')+1:]
	return slices.ContainsFunc(hosts, func(h string) bool { return strings.EqualFold(h, host) })
}

func relativeTo(target string, base *webURL) (string, error) {
	u := *base
	u.fragment = ""
	if strings.HasPrefix(target, "/") {
		root := base.path
		if f, ok := repoFileOf(base); ok && f.filepath != "" {
			root = strings.TrimSuffix(root, f.filepath)
		}
		u.path = normalPath(strings.NewReplacer("?", "%3F", "#", "%23").Replace(strings.TrimRight(root, "/") + target))
		return u.String(), nil
	}
	target = trimURL(target)
	if schemePattern.MatchString(target) {
		return "", errInvalidURL // it has a scheme, so it is absolute and wrong
	}
	slashes := strings.ReplaceAll(target, `\`, "/")
	switch {
	case strings.HasPrefix(slashes, "//"):
		other, err := parseURL(base.scheme + ":" + target)
		if err != nil {
			return "", err
		}
		u = *other
	case target == "":
	default:
		rest, fragment := splitAt(target, '#', fragmentSet)
		u.fragment = fragment
		rest, _ = splitAt(rest, '?', querySet)
		if rest != "" && slashes[0] != '/' {
			rest = base.path[:strings.LastIndexByte(base.path, '/')+1] + rest
		}
		if rest != "" {
			u.path = normalPath(rest)
		}
	}
	u.query = base.query // the query of the file's own URL always wins
	return u.String(), nil
}

// repoFile is how far a URL is recognisable as a file in a repository.
type repoFile struct {
	host, owner, name, filepath string
}

var fileMarkers = []string{"blob", "tree", "src", "raw", "edit"}

// repoFileOf reads <host>/<owner>/<name>/<marker>/<ref>/<path>. The marker may
// stand anywhere after the second segment, as in Backstage, so that
// raw.githubusercontent.com/o/r/main/a/src/b/c counts as a file too.
func repoFileOf(u *webURL) (repoFile, bool) {
	segments := strings.Split(strings.Trim(u.path, "/"), "/")
	at := -1
	for _, marker := range fileMarkers {
		if i := slices.Index(segments, marker); i >= 2 && (at < 0 || marker == "tree" && i < at) {
			at = i
		}
	}
	if at < 0 || at+2 >= len(segments) {
		return repoFile{}, false
	}
	host := u.authority[strings.LastIndexByte(u.authority, '@')+1:]
	return repoFile{
		host:     host,
		owner:    strings.Join(segments[:at-1], "/"),
		name:     strings.TrimSuffix(segments[at-1], ".git"),
		filepath: strings.Join(segments[at+2:], "/"),
	}, true
}

var errOtherRepository = errors.New("Placeholder may only reference files from the same repository as the entity") //nolint:staticcheck // Backstage's wording

// sameRepository refuses a placeholder that reaches from one repository into
// another, where both are recognisable (contract catalog 3.6).
func sameRepository(resolved, base string) error {
	r, err := parseURL(resolved)
	if err != nil || !r.special {
		return nil
	}
	b, err := parseURL(base)
	if err != nil {
		return nil
	}
	rf, ok1 := repoFileOf(r)
	bf, ok2 := repoFileOf(b)
	if ok1 && ok2 && (rf.host != bf.host || rf.owner != bf.owner || rf.name != bf.name) {
		return errOtherRepository
	}
	return nil
}
