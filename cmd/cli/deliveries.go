package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/callboard/callboard/handlers/api/callboard"
)

// client asks a running Callboard.
type client struct {
	server string
	json   bool
}

func deliveriesCommand() *cobra.Command {
	c := &client{server: os.Getenv("CALLBOARD_URL")}
	if c.server == "" {
		c.server = "http://localhost:7007"
	}
	cmd := &cobra.Command{
		Use:   "deliveries",
		Short: "What GitHub sent, and what became of it",
		Long:  "Ask a running Callboard what GitHub sent, and what became of it.",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().StringVar(&c.server, "server", c.server, "address of Callboard (or CALLBOARD_URL)")
	cmd.PersistentFlags().BoolVar(&c.json, "json", false, "print JSON")
	cmd.AddCommand(c.listCommand(), c.showCommand(), c.replayCommand())
	return cmd
}

func (c *client) listCommand() *cobra.Command {
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
			if err := c.call(cmd.Context(), http.MethodGet, "deliveries?"+q.Encode(), &page); err != nil {
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

func (c *client) showCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show GUID",
		Short: "Show one delivery with its payload",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var d callboard.Delivery
			if err := c.call(cmd.Context(), http.MethodGet, "deliveries/"+url.PathEscape(args[0])+"?payload=true", &d); err != nil {
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

func (c *client) replayCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "replay GUID...",
		Short: "Do deliveries again, reading every file anew",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var errs []error
			for _, guid := range args {
				var accepted callboard.Accepted
				if err := c.call(cmd.Context(), http.MethodPost, "deliveries/"+url.PathEscape(guid)+"/replay", &accepted); err != nil {
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

// call asks and decodes; an error answer is told in the server's words.
func (c *client) call(ctx context.Context, method, path string, out any) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	server := strings.TrimSuffix(c.server, "/")
	if !strings.Contains(server, "://") {
		server = "http://" + server
	}
	req, err := http.NewRequestWithContext(ctx, method, server+"/api/callboard/"+path, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("ask Callboard (set --server or CALLBOARD_URL if it runs elsewhere): %w", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 64<<20))
	if err != nil {
		return err
	}
	if res.StatusCode/100 != 2 {
		var envelope struct{ Error struct{ Message string } }
		if json.Unmarshal(body, &envelope) == nil && envelope.Error.Message != "" {
			return errors.New(plain(envelope.Error.Message))
		}
		return fmt.Errorf("%s %s: %s", method, path, res.Status)
	}
	return json.Unmarshal(body, out)
}
