package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/callboard/callboard/storage/entity"
)

// get are the flags of callboard get.
type get struct {
	client
	format  format
	filters []string
	query   string
	text    string
	order   string
	fields  []string
	limit   int
	all     bool
}

func getCommand() *cobra.Command {
	g := &get{}
	cmd := &cobra.Command{
		Use:   "get entities|locations|KIND [REF...]",
		Short: "List what the catalog has, or show entities",
		Long: `Ask a running Callboard for entities or for registered locations.

KIND is a kind in singular or plural: components, api, groups. REF is
[kind:][namespace/]name; without a kind the name must be the only one.
A filter is Backstage's: key=value,key=value, all of which must hold; of several
--filter one must. --query is a predicate as JSON, as by-query takes it.`,
		Example: `  callboard get components --filter spec.type=service,spec.lifecycle=production
  callboard get entities --filter relations.ownedBy=group:default/team-a -o name
  callboard get entities --query '{"$not":{"metadata.annotations.github.com/team-slug":{"$exists":true}}}'
  callboard get entities --all --fields kind,metadata.name,spec.owner
  callboard get entity component:default/cart -o yaml
  callboard get locations`,
		Args:              needs("a kind, entities or locations", true),
		ValidArgsFunction: g.complete,
		RunE:              g.run,
	}
	g.flags(cmd.Flags())
	g.format.flags(cmd, "table", "wide", "name", "json", "yaml")
	cmd.Flags().StringArrayVar(&g.filters, "filter", nil, "key=value,…; repeat it for alternatives")
	cmd.Flags().StringVar(&g.query, "query", "", "a predicate as JSON")
	cmd.Flags().StringVar(&g.text, "text", "", "only entities with this text in name, title or description")
	cmd.Flags().StringVar(&g.order, "order", "metadata.name", "field[,asc|desc]")
	cmd.Flags().StringSliceVar(&g.fields, "fields", nil, "what to show: columns of a table, parts of JSON and YAML")
	cmd.Flags().IntVar(&g.limit, "limit", 200, "how many at most")
	cmd.Flags().BoolVar(&g.all, "all", false, "all of them, page by page")
	cmd.MarkFlagsMutuallyExclusive("filter", "query")
	cmd.MarkFlagsMutuallyExclusive("limit", "all")
	return cmd
}

func (g *get) run(cmd *cobra.Command, args []string) error {
	name, err := g.format.get()
	if err != nil {
		return err
	}
	p := &printer{w: cmd.OutOrStdout(), format: name, columns: g.columns(name)}
	what, refs := strings.ToLower(args[0]), args[1:]
	if what == "location" || what == "locations" {
		return g.locations(cmd, p, refs)
	}
	kind, alternative := kindOf(what)
	if len(refs) > 0 {
		return g.show(cmd.Context(), p, kind, refs)
	}
	if what == "entity" {
		return errors.New("name an entity: callboard get entity component:default/cart (get entities lists them)")
	}
	return g.list(cmd, p, kind, alternative)
}

// kinds are those of the model by their plural.
var kinds = map[string]string{
	"entities": "", "components": "component", "apis": "api", "resources": "resource", "systems": "system",
	"domains": "domain", "groups": "group", "users": "user", "templates": "template",
}

// kindOf reads the word after get; alternative is another reading of a word
// that is no kind of the model: it may be a plural or end with an s itself.
func kindOf(word string) (kind, alternative string) {
	if word == "entity" {
		return "", ""
	}
	if kind, ok := kinds[word]; ok {
		return kind, ""
	}
	if singular, ok := strings.CutSuffix(word, "s"); ok && singular != "" {
		return singular, word
	}
	return word, ""
}

const (
	nameFields = "kind,metadata.namespace,metadata.name"
	// pageSize is what one request asks for; the official client takes as many.
	pageSize = 500
)

// columns are those of a table, and what they are made of is all that is asked for.
func (g *get) columns(format string) []column {
	ref := column{"REF", refOf}
	if len(g.fields) > 0 {
		columns := []column{ref}
		for _, f := range g.fields {
			columns = append(columns, field(strings.ToUpper(f), f))
		}
		return columns
	}
	columns := []column{
		ref, field("TYPE", "spec.type"), field("LIFECYCLE", "spec.lifecycle"), field("OWNER", "spec.owner"), field("DESCRIPTION", "metadata.description"),
	}
	if format == "wide" {
		columns = slices.Insert(columns, 4, field("SYSTEM", "spec.system"), field("TAGS", "metadata.tags"),
			field("SOURCE", "metadata.annotations."+entity.AnnotationLocation))
	}
	return columns
}

// wanted is the fields parameter for what is printed; "" for all of it.
func (g *get) wanted(format string) string {
	switch {
	case format == "name":
		return nameFields
	case format == "json" || format == "yaml":
		return strings.Join(g.fields, ",")
	case len(g.fields) > 0:
		return nameFields + "," + strings.Join(g.fields, ",")
	case format == "wide":
		return nameFields + ",metadata.description,metadata.tags,metadata.annotations,spec"
	}
	return nameFields + ",metadata.description,spec.type,spec.lifecycle,spec.owner"
}

// show prints single entities, and names those that are not there.
func (g *get) show(ctx context.Context, p *printer, kind string, given []string) error {
	p.single = len(given) == 1
	var refs []string
	var errs []error
	for _, one := range given {
		ref, err := g.resolve(ctx, one, kind)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		refs = append(refs, ref.String())
	}
	var answer struct{ Items []json.RawMessage }
	if len(refs) > 0 {
		ask := map[string]any{"entityRefs": refs}
		if fields := g.wanted(p.format); fields != "" {
			ask["fields"] = strings.Split(fields, ",")
		}
		if err := g.post(ctx, catalogPath+"/entities/by-refs", ask, &answer); err != nil {
			return err
		}
	}
	var found []json.RawMessage
	for i, raw := range answer.Items {
		if string(raw) == "null" && i < len(refs) {
			errs = append(errs, fmt.Errorf("no entity %s", plain(refs[i])))
			continue
		}
		found = append(found, raw)
	}
	return errors.Join(append(errs, p.page(found), p.end())...)
}

// locations prints the locations registered through the API.
func (g *get) locations(cmd *cobra.Command, p *printer, ids []string) error {
	p.columns = []column{field("ID", "id"), field("TYPE", "type"), field("TARGET", "target"), field("ENTITY", "entityRef")}
	if p.format == "name" {
		p.format, p.columns = "table", p.columns[:1]
	}
	var list []struct{ Data json.RawMessage }
	if err := g.get(cmd.Context(), catalogPath+"/locations", &list); err != nil {
		return err
	}
	var items []json.RawMessage
	for _, l := range list {
		var id struct{ ID string }
		if err := json.Unmarshal(l.Data, &id); err != nil {
			return fmt.Errorf("read a location: %w", err)
		}
		if len(ids) == 0 || slices.Contains(ids, id.ID) {
			items = append(items, l.Data)
		}
	}
	if len(items) < len(ids) {
		return fmt.Errorf("not all of %s are registered", plain(strings.Join(ids, ", ")))
	}
	if len(items) == 0 {
		fmt.Fprintln(cmd.ErrOrStderr(), "no locations are registered through the API")
	}
	return errors.Join(p.page(items), p.end())
}

// entityPage is an answer of by-query.
type entityPage struct {
	Items      []json.RawMessage
	TotalItems int
	PageInfo   struct{ NextCursor string }
}

// list prints entities page by page.
func (g *get) list(cmd *cobra.Command, p *printer, kind, alternative string) error {
	if g.limit < 1 {
		return fmt.Errorf("--limit must be at least 1, not %d", g.limit)
	}
	next, err := g.pages(kind, alternative, g.wanted(p.format))
	if err != nil {
		return err
	}
	total, cursor := 0, ""
	for {
		size := pageSize
		if !g.all {
			size = min(size, g.limit-p.count)
		}
		var page entityPage
		if err := next(cmd.Context(), size, cursor, &page); err != nil {
			return err
		}
		if err := p.page(page.Items); err != nil {
			return err
		}
		total, cursor = page.TotalItems, page.PageInfo.NextCursor
		if cursor == "" || len(page.Items) == 0 || !g.all && p.count >= g.limit {
			break
		}
	}
	switch {
	case p.count == 0:
		fmt.Fprintln(cmd.ErrOrStderr(), "nothing matches")
	case total > p.count && !g.all:
		fmt.Fprintf(cmd.ErrOrStderr(), "%d of %d; --all shows the rest\n", p.count, total)
	}
	return p.end()
}

// pages gives what asks for a page: by GET, or by POST where there is a predicate.
func (g *get) pages(kind, alternative, fields string) (func(ctx context.Context, size int, cursor string, out any) error, error) {
	const path = catalogPath + "/entities/by-query"
	if g.query != "" {
		body, err := g.predicate(kind, alternative, fields)
		return func(ctx context.Context, size int, cursor string, out any) error {
			body["limit"] = size
			if cursor != "" {
				body["cursor"] = cursor
			}
			return g.post(ctx, path, body, out)
		}, err
	}
	q := url.Values{"filter": g.filtersOf(kind, alternative)}
	set := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	set("orderField", g.order)
	set("fields", fields)
	if g.text != "" {
		q.Set("fullTextFilterTerm", g.text)
		q.Set("fullTextFilterFields", strings.Join(textFields, ","))
	}
	return func(ctx context.Context, size int, cursor string, out any) error {
		q.Set("limit", strconv.Itoa(size))
		set("cursor", cursor)
		return g.get(ctx, path+"?"+q.Encode(), out)
	}, nil
}

// textFields is where --text looks.
var textFields = []string{"metadata.name", "metadata.title", "metadata.description"}

// filtersOf adds the kind to each filter; values of one key are alternatives.
func (g *get) filtersOf(kind, alternative string) []string {
	var parts []string
	for _, k := range []string{kind, alternative} {
		if k != "" {
			parts = append(parts, "kind="+k)
		}
	}
	if len(g.filters) == 0 {
		if len(parts) == 0 {
			return nil
		}
		return []string{strings.Join(parts, ",")}
	}
	var out []string
	for _, f := range g.filters {
		out = append(out, strings.Join(append(slices.Clone(parts), f), ","))
	}
	return out
}

// predicate is the body of a POST: the user's predicate, and the kind.
func (g *get) predicate(kind, alternative, fields string) (map[string]any, error) {
	if !json.Valid([]byte(g.query)) {
		return nil, fmt.Errorf("--query is not JSON: %s", plain(g.query))
	}
	body := map[string]any{"query": json.RawMessage(g.query)}
	if kind != "" {
		ofKind := map[string]any{"kind": map[string]any{"$in": []string{kind, firstOf(alternative, kind)}}}
		body["query"] = map[string]any{"$all": []any{ofKind, json.RawMessage(g.query)}}
	}
	if field, direction, _ := strings.Cut(g.order, ","); field != "" {
		body["orderBy"] = []any{map[string]any{"field": field, "order": firstOf(direction, "asc")}}
	}
	if fields != "" {
		body["fields"] = strings.Split(fields, ",")
	}
	if g.text != "" {
		body["fullTextFilter"] = map[string]any{"term": g.text, "fields": textFields}
	}
	return body, nil
}
