package cli

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

const (
	// completionTime and completionLimit keep a shell responsive: who waits for a
	// completion types on.
	completionTime  = 2 * time.Second
	completionLimit = 50
)

// complete suggests what to get, then refs of it.
func (g *get) complete(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return append([]string{"entity", "locations"}, slices.Sorted(maps.Keys(kinds))...), cobra.ShellCompDirectiveNoFileComp
	}
	kind, _ := kindOf(strings.ToLower(args[0]))
	return g.suggest(cmd.Context(), kind, typed), cobra.ShellCompDirectiveNoFileComp
}

// completeRef suggests refs of any kind for the first argument.
func (c *client) completeRef(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return c.suggest(cmd.Context(), "", typed), cobra.ShellCompDirectiveNoFileComp
}

// suggest asks the catalog for refs that begin as typed. It keeps silent when
// the catalog does not answer in time: a shell has no place for an error.
func (c *client) suggest(ctx context.Context, kind, typed string) []string {
	ctx, cancel := context.WithTimeout(ctx, completionTime)
	defer cancel()
	name := typed
	if before, after, ok := strings.Cut(name, ":"); ok {
		kind, name = before, after
	}
	namespace, rest, qualified := strings.Cut(name, "/")
	if qualified {
		name = rest
	}
	query := map[string]any{"metadata.name": map[string]any{"$hasPrefix": name}}
	if kind != "" {
		query["kind"] = kind
	}
	if qualified {
		query["metadata.namespace"] = namespace
	}
	var page entityPage
	err := c.post(ctx, catalogPath+"/entities/by-query", map[string]any{
		"query": query, "limit": completionLimit, "fields": strings.Split(nameFields, ","),
		"orderBy": []any{map[string]any{"field": "metadata.name", "order": "asc"}},
	}, &page)
	if err != nil {
		return nil
	}
	var out []string
	for _, raw := range page.Items {
		var e map[string]any
		if json.Unmarshal(raw, &e) == nil {
			if ref := refOf(e); ref == plain(ref) && !strings.ContainsAny(ref, " \t") {
				out = append(out, ref)
			}
		}
	}
	return out
}

// completeRepository suggests repositories and refs, for what takes both.
func (c *client) completeRepository(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	refs, directive := c.completeRef(cmd, args, typed)
	if len(args) > 0 || strings.Contains(typed, ":") {
		return refs, directive
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
	defer cancel()
	var list struct {
		Items []struct{ Owner, Name string }
	}
	if err := c.get(ctx, ownPath+"/repositories", &list); err != nil {
		return refs, directive
	}
	for _, r := range list.Items {
		name := r.Owner + "/" + r.Name
		if strings.HasPrefix(name, typed) && name == plain(name) && len(refs) < 2*completionLimit {
			refs = append(refs, name)
		}
	}
	return refs, directive
}
