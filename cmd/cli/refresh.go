package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/callboard/callboard/handlers/api/callboard"
	"github.com/callboard/callboard/storage/entity"
)

// refresher are the flags of callboard refresh.
type refresher struct {
	client
	force, wait bool
	timeout     time.Duration
}

func refreshCommand() *cobra.Command {
	r := &refresher{}
	cmd := &cobra.Command{
		Use:   "refresh REF|OWNER/NAME",
		Short: "Ask for a look at an entity's repository, or at a repository",
		Long: `Ask a running Callboard to look at a repository again: at the one that declares an
entity (kind:[namespace/]name), or at owner/name. Callboard does so by itself
after every push; this is for what it could not hear of.`,
		Example: `  callboard refresh component:default/cart
  callboard refresh acme/cart --force --wait`,
		Args:              needs("an entity, such as component:default/cart, or a repository, owner/name", false),
		ValidArgsFunction: r.completeRepository,
		RunE:              r.run,
	}
	r.flags(cmd.Flags())
	cmd.Flags().BoolVar(&r.force, "force", false, "read every file again, also if no commit is new")
	cmd.Flags().BoolVar(&r.wait, "wait", false, "wait until it is done and the catalog shows it")
	cmd.Flags().DurationVar(&r.timeout, "timeout", 2*time.Minute, "how long --wait waits")
	return cmd
}

func (r *refresher) run(cmd *cobra.Command, args []string) error {
	ctx, out := cmd.Context(), cmd.OutOrStdout()
	repository := args[0]
	if !strings.Contains(args[0], "/") || strings.Contains(args[0], ":") {
		ref, err := r.resolve(ctx, args[0], "")
		if err != nil {
			return err
		}
		if !r.force {
			if err := r.post(ctx, catalogPath+"/refresh", map[string]string{"entityRef": ref.String()}, nil); err != nil {
				return err
			}
		}
		if !r.force && !r.wait {
			_, err := fmt.Fprintln(out, plain(ref.String()), "accepted")
			return err
		}
		if repository, err = r.repositoryOf(ctx, ref); err != nil {
			return err
		}
	}
	owner, name, ok := strings.Cut(repository, "/")
	if !ok || owner == "" || name == "" || strings.Contains(name, "/") {
		return fmt.Errorf("%q is neither kind:[namespace/]name nor owner/name", plain(repository))
	}
	path := segments(ownPath+"/repositories", owner, name)
	if repository == args[0] || r.force {
		if err := r.post(ctx, fmt.Sprintf("%s/refresh?force=%t", path, r.force), nil, nil); err != nil {
			return err
		}
	}
	if !r.wait {
		_, err := fmt.Fprintln(out, plain(repository), "accepted")
		return err
	}
	return r.follow(ctx, cmd.ErrOrStderr(), out, repository, path)
}

func (r *refresher) repositoryOf(ctx context.Context, ref entity.Ref) (string, error) {
	var s callboard.Source
	if err := r.get(ctx, byName(ownPath+"/entities", ref), &s); err != nil {
		return "", err
	}
	if s.Repository == "" {
		return "", fmt.Errorf("%s comes from no repository that is known", ref)
	}
	return s.Repository, nil
}

// pollEvery is how often --wait looks.
const pollEvery = 100 * time.Millisecond

// follow waits until the refreshes that were asked for when it began are done,
// and then until reads show what they stored.
func (r *refresher) follow(ctx context.Context, progress, out io.Writer, repository, path string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, r.timeout, errors.New("it is still not done; the refresh goes on, --timeout waits longer"))
	defer cancel()
	var awaited map[int64]bool
	told := ""
	for {
		var d callboard.RepositoryDetail
		if err := r.get(ctx, path, &d); err != nil {
			return ended(ctx, err)
		}
		if awaited == nil {
			awaited = map[int64]bool{}
			for _, m := range d.Messages {
				awaited[m.ID] = m.ParkedAt.IsZero()
			}
		}
		left, state, err := await(d.Messages, awaited)
		if err != nil {
			return fmt.Errorf("refresh of %s %w", repository, err)
		}
		if left == 0 {
			if err := r.visible(ctx); err != nil {
				return ended(ctx, err)
			}
			_, err := fmt.Fprintf(out, "%s %.10s\n", plain(repository), plain(firstOf(d.Applied, "nothing applied")))
			return err
		}
		if terminal(progress) && state != told {
			told = state
			fmt.Fprintln(progress, paint(progress, grey, plain(repository+" "+state)))
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

// await counts the awaited messages that are not done, and says how one of them stands.
func await(messages []callboard.Message, awaited map[int64]bool) (left int, state string, err error) {
	for _, m := range messages {
		switch {
		case !awaited[m.ID]:
			continue
		case !m.ParkedAt.IsZero():
			return 0, "", fmt.Errorf("was given up after %d attempts: %s", m.Attempts, plain(m.Error))
		case m.Error != "":
			state = fmt.Sprintf("attempt %d: %s", m.Attempts, m.Error)
		case m.RunAfter.After(time.Now()):
			state = "was looked at just now, waits until " + clock(m.RunAfter)
		default:
			state = "waits for its turn"
		}
		left++
	}
	return left, state, nil
}

// visible waits until reads show what is stored by now.
func (r *refresher) visible(ctx context.Context) error {
	stored := int64(-1)
	for {
		var s callboard.Status
		if err := r.get(ctx, ownPath+"/status", &s); err != nil {
			return err
		}
		if stored < 0 {
			stored = s.StoredRevision
		}
		if s.Revision >= stored {
			return nil
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(pollEvery):
		return nil
	}
}

// ended prefers the reason for giving up to what it broke.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
