package location

import (
	"path/filepath"
	"strings"

	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/pipeline/match"
	"github.com/callboard/callboard/storage"
)

// File is a location of type file, which only the configuration may have. The
// target is an absolute path, or a glob of one (contract catalog 3.1).
func File(target string) (storage.Location, error) {
	if len(target) > maxTarget {
		return storage.Location{}, invalid("The target is longer than %d characters", maxTarget)
	}
	if !filepath.IsAbs(target) {
		return storage.Location{}, invalid("The target '%s' is no absolute path", target)
	}
	p := strings.TrimPrefix(filepath.ToSlash(target), "/")
	if _, ok := CleanPath(p); !ok {
		return storage.Location{}, invalid("The target '%s' names no file", target)
	}
	if _, err := match.Compile(p); err != nil {
		return storage.Location{}, invalid("The target '%s' cannot be matched: %s", target, err)
	}
	return storage.Location{
		Type: "file", Target: target, Owner: event.FilesOwner, Repo: event.FilesName, Path: p, Origin: "file:" + target,
	}, nil
}
