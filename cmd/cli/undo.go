package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/callboard/callboard/handlers/api/callboard"
)

// undo are the flags of callboard undo.
type undo struct {
	client
	list, json       bool
	repository, scan string
	limit            int
}

const tombstonesPath = ownPath + "/tombstones"

func undoCommand() *cobra.Command {
	u := &undo{}
	cmd := &cobra.Command{
		Use:   "undo [REF...]",
		Short: "Bring entities back that went",
		Long: `Serve entities again that were removed, as they were, with their uid. Nothing declares
them, so they have the annotation backstage.io/orphan: they stay until a file declares
them again, or somebody deletes them by their uid. An entity whose file comes back
needs no undo: it is the same one by itself.`,
		Example: `  callboard undo --list
  callboard undo component:default/cart
  callboard undo --repository acme/cart
  callboard undo --scan 5b0c1f52-7b7a-4b3c-9c7e-1d6b9c0a6a11`,
		RunE: u.run,
	}
	u.flags(cmd.Flags())
	cmd.Flags().BoolVar(&u.list, "list", false, "only list what went, newest first")
	cmd.Flags().StringVar(&u.repository, "repository", "", "all that went from owner/name")
	cmd.Flags().StringVar(&u.scan, "scan", "", "all that a scan removed, by its id")
	cmd.Flags().IntVar(&u.limit, "limit", 100, "how many --list shows, 1000 at most")
	cmd.Flags().BoolVar(&u.json, "json", false, "print JSON")
	return cmd
}

func (u *undo) run(cmd *cobra.Command, args []string) error {
	if u.list {
		return u.show(cmd, args)
	}
	chosen := 0
	for _, is := range []bool{len(args) > 0, u.repository != "", u.scan != ""} {
		if is {
			chosen++
		}
	}
	switch chosen {
	case 0:
		return errors.New("undo what? Name entities, --repository or --scan; --list shows what there is")
	case 1:
	default:
		return errors.New("entities, --repository and --scan exclude each other")
	}
	req := callboard.UndoRequest{Repository: u.repository, Scan: u.scan}
	for _, arg := range args {
		req.Refs = append(req.Refs, u.refOf(cmd.Context(), arg))
	}
	var out callboard.Undone
	if err := u.post(cmd.Context(), tombstonesPath+"/undo", req, &out); err != nil {
		return err
	}
	if u.json {
		return printJSON(cmd.OutOrStdout(), out)
	}
	return printUndone(cmd.OutOrStdout(), out.Items)
}

// refOf makes a full ref of a name that exactly one entity went under.
func (u *undo) refOf(ctx context.Context, given string) string {
	if strings.Contains(given, ":") {
		return given
	}
	page, err := u.tombstones(ctx, url.Values{"limit": {"1000"}})
	if err != nil {
		return given // the server has words for it
	}
	var found []string
	for _, t := range page.Items {
		if _, name, _ := strings.Cut(t.Ref, "/"); strings.EqualFold(name, given) {
			found = append(found, t.Ref)
		}
	}
	if len(found) == 1 {
		return found[0]
	}
	return given
}

func (u *undo) tombstones(ctx context.Context, q url.Values) (page callboard.Page[callboard.Tombstone], err error) {
	return page, u.get(ctx, tombstonesPath+"?"+q.Encode(), &page)
}

func printUndone(w io.Writer, items []callboard.UndoneItem) error {
	words := map[string]string{
		callboard.UndoServed: "is served again", callboard.UndoNothing: "did not go, or too long ago",
	}
	for _, i := range items {
		what, ok := words[i.Outcome]
		if !ok {
			what = "is declared elsewhere by now, and comes back when that goes"
			if i.ServedBy != nil {
				what = fmt.Sprintf("is declared by %s in %s by now, and comes back when that goes", i.ServedBy.Path, i.ServedBy.Repository)
			}
		}
		if plumbing(i.Ref) {
			continue
		}
		if _, err := fmt.Fprintln(w, plain(i.Ref), plain(what)); err != nil {
			return err
		}
	}
	return nil
}

// plumbing are the Locations that Callboard makes for itself.
func plumbing(ref string) bool { return strings.HasPrefix(ref, "location:default/generated-") }

func (u *undo) show(cmd *cobra.Command, args []string) error {
	q := url.Values{"limit": {strconv.Itoa(u.limit)}}
	for name, v := range map[string]string{"repository": u.repository, "scan": u.scan} {
		if v != "" {
			q.Set(name, v)
		}
	}
	switch len(args) {
	case 0:
	case 1:
		q.Set("ref", args[0])
	default:
		return errors.New("--list takes one entity at most")
	}
	page, err := u.tombstones(cmd.Context(), q)
	if err != nil {
		return err
	}
	if u.json {
		return printJSON(cmd.OutOrStdout(), page)
	}
	page.Items = slices.DeleteFunc(page.Items, func(t callboard.Tombstone) bool { return plumbing(t.Ref) })
	var rows [][]string
	for _, t := range page.Items {
		rows = append(rows, []string{
			t.RemovedAt.Local().Format(time.DateTime), t.Ref, t.Repository, t.Path, because(t.Cause), t.UndoUntil.Local().Format(time.DateTime),
		})
	}
	if err := table(cmd.OutOrStdout(), []string{"REMOVED", "REF", "REPOSITORY", "PATH", "BECAUSE", "UNDO UNTIL"}, rows); err != nil {
		return err
	}
	if page.NextCursor != "" {
		_, err = fmt.Fprintln(cmd.ErrOrStderr(), "there are more; --limit shows them")
	}
	return err
}
