package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/callboard/callboard/storage/entity"
)

const (
	catalogPath = "/api/catalog"
	ownPath     = "/api/callboard"
)

// byName is the path of an entity below a prefix.
func byName(prefix string, ref entity.Ref) string {
	return segments(prefix, ref.Kind, ref.Namespace, ref.Name)
}

// resolve finds the entity that the user means. Where kind or namespace is not
// given, the catalog is asked which entities have the name; only one may.
func (c *client) resolve(ctx context.Context, given, kind string) (entity.Ref, error) {
	ref, err := entity.ParseRef(given, firstOf(kind, "any"), "")
	if err != nil {
		return ref, err
	}
	_, rest, hasKind := strings.Cut(given, ":")
	if !hasKind {
		rest = given
	}
	if hasKind || kind != "" {
		return ref, nil // a missing namespace is "default", as everywhere
	}
	filter := "metadata.name=" + ref.Name
	if strings.Contains(rest, "/") {
		filter += ",metadata.namespace=" + ref.Namespace
	}
	const shown = 10
	var page entityPage
	q := url.Values{"filter": {filter}, "limit": {fmt.Sprint(shown)}, "fields": {nameFields}}
	if err := c.get(ctx, catalogPath+"/entities/by-query?"+q.Encode(), &page); err != nil {
		return ref, err
	}
	var refs []string
	for _, raw := range page.Items {
		var e map[string]any
		if err := json.Unmarshal(raw, &e); err != nil {
			return ref, fmt.Errorf("read an entity: %w", err)
		}
		refs = append(refs, refOf(e))
	}
	switch len(refs) {
	case 0:
		return ref, fmt.Errorf("no entity is named %s", plain(given))
	case 1:
		return entity.ParseRef(refs[0], "", "")
	}
	if page.TotalItems > len(refs) {
		refs = append(refs, "…")
	}
	return ref, fmt.Errorf("%s is ambiguous, name one of %s", plain(given), plain(strings.Join(refs, ", ")))
}
