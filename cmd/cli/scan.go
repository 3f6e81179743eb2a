package cli

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/callboard/callboard/handlers/api/callboard"
	"github.com/callboard/callboard/storage"
)

// scans are the commands about reconciliation with GitHub.
type scans struct {
	client
	json bool
}

const scansPath = ownPath + "/scans"

func scanCommand() *cobra.Command {
	s := &scans{}
	var owner string
	var noWait bool
	cmd := &cobra.Command{
		Use:   "scan",
		Short: "Compare the catalog with what GitHub shows, now",
		Long: `Ask a running Callboard to list the repositories of its accounts at GitHub and to read
those that are new, moved or missing, as it does by itself on its schedule. A scan that
runs already is followed. One that would remove much waits for somebody to approve it;
the exit code is then 2. Changed settings that would remove much wait in the same way, from
the start on: correct the configuration and restart, or approve.`,
		Example: `  callboard scan
  callboard scan --owner acme
  callboard scan list
  callboard scan show 5b0c1f52-7b7a-4b3c-9c7e-1d6b9c0a6a11
  callboard scan approve 5b0c1f52-7b7a-4b3c-9c7e-1d6b9c0a6a11`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.start(cmd, owner, noWait) },
	}
	s.flags(cmd.PersistentFlags())
	cmd.PersistentFlags().BoolVar(&s.json, "json", false, "print JSON")
	cmd.Flags().StringVar(&owner, "owner", "", "only this organization or user")
	cmd.Flags().BoolVar(&noWait, "no-wait", false, "do not wait for the end")
	cmd.AddCommand(
		s.listCommand(), s.showCommand(),
		s.decideCommand("approve", "Remove what paused scans hold"),
		s.decideCommand("reject", "Keep what paused scans hold"),
	)
	return cmd
}

func (s *scans) start(cmd *cobra.Command, owner string, noWait bool) error {
	q := url.Values{}
	if owner != "" {
		q.Set("owner", owner)
	}
	var began callboard.Items[callboard.Scan]
	if err := s.post(cmd.Context(), scansPath+"?"+q.Encode(), nil, &began); err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	if !noWait {
		var err error
		if began.Items, err = s.follow(cmd.Context(), cmd.ErrOrStderr(), began.Items); err != nil {
			return err
		}
	}
	if s.json {
		if err := printJSON(out, began.Items); err != nil {
			return err
		}
	} else if err := printScans(out, began.Items); err != nil {
		return err
	}
	return verdict(began.Items)
}

// verdict is an error for scans that did not end well, in words of what to do.
func verdict(all []callboard.Scan) error {
	code := 0
	var said []string
	for _, s := range all {
		switch s.State {
		case storage.ScanFailed:
			code = max(code, 1)
		case storage.ScanPaused:
			code = 2
		default:
			continue
		}
		said = append(said, fmt.Sprintf("scan of %s %s: %s", s.Owner, s.State, s.Error))
	}
	if code == 0 {
		return nil
	}
	return &exitError{code, fmt.Errorf("%s", plain(strings.Join(said, "; ")))}
}

// followEvery is how often a scan is looked at.
const followEvery = 500 * time.Millisecond

// follow tells how far scans are until all of them are over, or wait.
func (s *scans) follow(ctx context.Context, progress io.Writer, all []callboard.Scan) ([]callboard.Scan, error) {
	bar := &progressBar{w: progress}
	defer bar.end()
	for {
		running := 0
		for i, scan := range all {
			if scan.State != storage.ScanRunning {
				continue
			}
			var now callboard.ScanDetail
			if err := s.get(ctx, segments(scansPath, scan.ID), &now); err != nil {
				return nil, err
			}
			if all[i] = now.Scan; now.State == storage.ScanRunning {
				running++
			}
			bar.tell(now.Scan)
		}
		if running == 0 {
			return all, nil
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(followEvery):
		}
	}
}

func (s *scans) listCommand() *cobra.Command {
	var owner, state string
	var limit int
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List scans, newest first",
		Example: "  callboard scan list --state paused",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := url.Values{"limit": {strconv.Itoa(limit)}}
			for name, v := range map[string]string{"owner": owner, "state": state} {
				if v != "" {
					q.Set(name, v)
				}
			}
			var page callboard.Items[callboard.Scan]
			if err := s.get(cmd.Context(), scansPath+"?"+q.Encode(), &page); err != nil {
				return err
			}
			if s.json {
				return printJSON(cmd.OutOrStdout(), page.Items)
			}
			return printScans(cmd.OutOrStdout(), page.Items)
		},
	}
	cmd.Flags().StringVar(&owner, "owner", "", "only those of an organization or user")
	cmd.Flags().StringVar(&state, "state", "", "only running, paused, done, failed or superseded ones")
	cmd.Flags().IntVar(&limit, "limit", 30, "how many, 1000 at most")
	return cmd
}

func (s *scans) showCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Show one scan, and what it would remove",
		Args:  needs("a scan by its id", false),
		RunE: func(cmd *cobra.Command, args []string) error {
			var d callboard.ScanDetail
			if err := s.get(cmd.Context(), segments(scansPath, args[0]), &d); err != nil {
				return err
			}
			if s.json {
				return printJSON(cmd.OutOrStdout(), d)
			}
			return printScan(cmd.OutOrStdout(), d)
		},
	}
}

func (s *scans) decideCommand(name, short string) *cobra.Command {
	return &cobra.Command{
		Use:   name + " ID...",
		Short: short,
		Args:  needs("paused scans by their ids", true),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, id := range slices.Compact(args) {
				var accepted callboard.Accepted
				if err := s.post(cmd.Context(), segments(scansPath, id, name), nil, &accepted); err != nil {
					return err
				}
				if s.json {
					if err := printJSON(cmd.OutOrStdout(), accepted); err != nil {
						return err
					}
					continue
				}
				if _, err := fmt.Fprintln(cmd.OutOrStdout(), plain(id), accepted.Status); err != nil {
					return err
				}
			}
			return nil
		},
	}
}
