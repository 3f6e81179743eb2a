package location

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/callboard/callboard/storage"
)

const (
	// SourceConfig is the source of the locations of catalog.locations.
	SourceConfig = "config"
	// sourceAPI is what the source of a registered location begins with; its id
	// follows, so that each is written for itself.
	sourceAPI    = "api:"
	sourceEntity = "entity:"
)

// Source is the file whose Location entities made locations in other repositories.
type Source struct {
	RepositoryID int64
	Path         string
}

// String is the source as locations have it.
func (s Source) String() string { return fmt.Sprintf("%s%d:%s", sourceEntity, s.RepositoryID, s.Path) }

// ParseSource reads what String writes; ok is false for every other source.
func ParseSource(source string) (s Source, ok bool) {
	rest, ok := strings.CutPrefix(source, sourceEntity)
	id, path, more := strings.Cut(rest, ":")
	n, err := strconv.ParseInt(id, 10, 64)
	if !ok || !more || err != nil {
		return Source{}, false
	}
	return Source{RepositoryID: n, Path: path}, true
}

// Foreign says that a Location entity of another repository made the location.
func Foreign(l storage.Location) bool { return strings.HasPrefix(l.Source, sourceEntity) }
