package cli

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/callboard/callboard/handlers/api/callboard"
)

// deliveries are the commands about what GitHub sent.
type deliveries struct {
	client
	json bool
}

const deliveriesPath = "/api/callboard/deliveries"

func deliveriesCommand() *cobra.Command {
	c := &deliveries{}
	cmd := &cobra.Command{
		Use:   "deliveries",
		Short: "What GitHub sent, and what became of it",
		Long:  "Ask a running Callboard what GitHub sent, and what became of it.",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.flags(cmd.PersistentFlags())
	cmd.PersistentFlags().BoolVar(&c.json, "json", false, "print JSON")
	cmd.AddCommand(c.listCommand(), c.showCommand(), c.replayCommand())
	return cmd
}

func (c *deliveries) listCommand() *cobra.Command {
	q := url.Values{}
	var repository, state, event string
	var limit int
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List deliveries, newest first",
		Example: "  callboard deliveries list --repository acme/cart --state failed",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for name, v := range map[string]string{"repository": repository, "state": state, "event": event} {
				if v != "" {
					q.Set(name, v)
				}
			}
			q.Set("limit", strconv.Itoa(limit))
			var page callboard.Items[callboard.Delivery]
			if err := c.get(cmd.Context(), deliveriesPath+"?"+q.Encode(), &page); err != nil {
				return err
			}
			if c.json {
				return printJSON(cmd.OutOrStdout(), page.Items)
			}
			return printDeliveries(cmd.OutOrStdout(), page.Items)
		},
	}
	cmd.Flags().StringVar(&repository, "repository", "", "only those of owner/name")
	cmd.Flags().StringVar(&state, "state", "", "only received, applied, unchanged, ignored, failed or parked ones")
	cmd.Flags().StringVar(&event, "event", "", "only those of an event, such as push")
	cmd.Flags().IntVar(&limit, "limit", 30, "how many, 1000 at most")
	return cmd
}

func printDeliveries(w io.Writer, ds []callboard.Delivery) error {
	var rows [][]string
	for _, d := range ds {
		what := d.Summary
		if what == "" {
			what = d.Reason
		}
		rows = append(rows, []string{
			d.ReceivedAt.Local().Format(time.DateTime), string(d.State), strings.Trim(d.Event+" "+d.Action, " "),
			d.Repository, fmt.Sprintf("%.7s", d.Commit), fmt.Sprintf("%d ms", d.DurationMs), d.GUID, what,
		})
	}
	return table(w, []string{"RECEIVED", "STATE", "EVENT", "REPOSITORY", "COMMIT", "TOOK", "GUID", "WHAT"}, rows)
}

func (c *deliveries) showCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show GUID",
		Short: "Show one delivery with its payload",
		Args:  needs("a delivery by its GUID", false),
		RunE: func(cmd *cobra.Command, args []string) error {
			var d callboard.Delivery
			if err := c.get(cmd.Context(), segments(deliveriesPath, args[0])+"?payload=true", &d); err != nil {
				return err
			}
			if c.json {
				return printJSON(cmd.OutOrStdout(), d)
			}
			if err := printDeliveries(cmd.OutOrStdout(), []callboard.Delivery{d}); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout())
			return printJSON(cmd.OutOrStdout(), d.Payload)
		},
	}
}

func (c *deliveries) replayCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "replay GUID...",
		Short: "Do deliveries again, reading every file anew",
		Args:  needs("deliveries by their GUIDs", true),
		RunE: func(cmd *cobra.Command, args []string) error {
			var errs []error
			for _, guid := range args {
				var accepted callboard.Accepted
				if err := c.post(cmd.Context(), segments(deliveriesPath, guid, "replay"), nil, &accepted); err != nil {
					errs = append(errs, err)
					continue
				}
				if c.json {
					errs = append(errs, printJSON(cmd.OutOrStdout(), accepted))
				} else {
					fmt.Fprintln(cmd.OutOrStdout(), plain(guid), accepted.Status)
				}
			}
			return errors.Join(errs...)
		},
	}
}
