package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/callboard/callboard/handlers/api/callboard"
	"github.com/callboard/callboard/storage/entity"
)

// description is everything that Callboard knows of an entity.
type description struct {
	Ref         string                 `json:"ref"`
	Entity      json.RawMessage        `json:"entity,omitempty"`
	Source      *callboard.Source      `json:"source,omitempty"`
	Diagnostics []callboard.Diagnostic `json:"diagnostics"`
	Conflicts   []callboard.Conflict   `json:"conflicts"`
	History     []callboard.Change     `json:"history"`
	// Unavailable are the parts that this server did not tell, with its reason.
	Unavailable map[string]string `json:"unavailable,omitempty"`
}

func describeCommand() *cobra.Command {
	var (
		c      client
		f      format
		events int
	)
	cmd := &cobra.Command{
		Use:   "describe REF",
		Short: "Show an entity: what it is, where it comes from, what happened to it",
		Long: `Show what a running Callboard knows of an entity: its fields and relations, the
file and commit it comes from and who pushed that, what is wrong with it, who
else declares it, and its last changes with the fields that differ.

An entity that is gone keeps its history, and one that was refused shows why; the
exit code is then 1.`,
		Example: `  callboard describe component:default/cart
  callboard describe cart --history 3
  callboard describe api:default/cart -o yaml`,
		Args:              needs("an entity, such as component:default/cart", false),
		ValidArgsFunction: c.completeRef,
		RunE: func(cmd *cobra.Command, args []string) error {
			kind, err := f.get()
			if err != nil {
				return err
			}
			if events < 1 {
				return fmt.Errorf("--history must be at least 1, not %d", events)
			}
			ref, err := c.resolve(cmd.Context(), args[0], "")
			if err != nil {
				return err
			}
			d, err := c.describe(cmd.Context(), ref, events)
			if err != nil {
				return err
			}
			if err := d.print(cmd, kind); err != nil {
				return err
			}
			if d.Entity == nil {
				return errSilent
			}
			return nil
		},
	}
	c.flags(cmd.Flags())
	f.flags(cmd, "text", "json", "yaml")
	cmd.Flags().IntVar(&events, "history", 10, "how many of the last changes")
	return cmd
}

// describe asks for all parts. Only who the entity is must be known; the other
// parts are Callboard's own, and a token may not open them.
func (c *client) describe(ctx context.Context, ref entity.Ref, events int) (description, error) {
	d := description{
		Ref: ref.String(), Diagnostics: []callboard.Diagnostic{}, Conflicts: []callboard.Conflict{}, History: []callboard.Change{},
		Unavailable: map[string]string{},
	}
	gone := c.get(ctx, byName(catalogPath+"/entities/by-name", ref), &d.Entity)
	if gone != nil && !absent(gone) {
		return d, gone
	}
	own := byName(ownPath+"/entities", ref)
	about := "?" + url.Values{"ref": {ref.String()}}.Encode()
	var (
		changes     callboard.Items[callboard.Change]
		diagnostics callboard.Items[callboard.Diagnostic]
		conflicts   callboard.Items[callboard.Conflict]
		source      callboard.Source
	)
	parts := []struct {
		name, path string
		out        any
	}{
		{"history", fmt.Sprintf("%s/history?limit=%d", own, events), &changes},
		{"source", own, &source},
		{"diagnostics", ownPath + "/diagnostics" + about, &diagnostics},
		{"conflicts", ownPath + "/conflicts" + about, &conflicts},
	}
	for _, p := range parts {
		err := c.get(ctx, p.path, p.out)
		if _, answered := errors.AsType[*answerError](err); err != nil && !answered {
			return d, err
		}
		switch {
		case err != nil && (gone == nil || !absent(err)):
			d.Unavailable[p.name] = err.Error()
		}
	}
	if gone != nil && len(changes.Items)+len(diagnostics.Items)+len(conflicts.Items) == 0 {
		return d, gone // no file declares it, rightly or wrongly, and none ever did
	}
	if source.Ref != "" {
		d.Source = &source
	}
	d.History = append(d.History, changes.Items...)
	d.Diagnostics = append(d.Diagnostics, diagnostics.Items...)
	d.Conflicts = append(d.Conflicts, conflicts.Items...)
	return d, nil
}
