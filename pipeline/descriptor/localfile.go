package descriptor

import (
	"path"
	"strings"
)

// A file of the machine itself has the location ref file:<absolute path>, which is
// also what stands for its URL: Source.URL, targets and inputs.
const localPrefix = "file:"

// LocalFile gives the absolute path of what stands for the URL of a local file.
func LocalFile(u string) (file string, ok bool) {
	file, ok = strings.CutPrefix(u, localPrefix)
	return file, ok && strings.HasPrefix(file, "/")
}

// resolveLocal resolves a target against the local file that holds it (contract
// catalog 3.3). A URL stays one.
func resolveLocal(target, base string) (string, error) {
	switch {
	case validURL(target):
		return target, nil
	case target == "" || strings.HasSuffix(target, "/"):
		return "", errInvalidURL
	case strings.HasPrefix(target, "/"):
		return localPrefix + path.Clean(target), nil
	}
	return localPrefix + path.Join(path.Dir(base), target), nil
}

// location is the ref of the file.
func (s Source) location() string {
	if s.local() {
		return s.URL
	}
	return "url:" + s.URL
}

// local says that the file is one of the machine itself.
func (s Source) local() bool {
	_, ok := LocalFile(s.URL)
	return ok
}

// kind is the type of the location, in Backstage's words for errors.
func (s Source) kind() string {
	if s.local() {
		return "file"
	}
	return "url"
}
