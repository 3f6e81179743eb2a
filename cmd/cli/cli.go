// Package cli is the command line: it reads flags, calls the package that does
// the work, and prints. On a terminal it prints tables and colour, into a pipe
// plain lines, and JSON where --json asks for it.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// Version is set by the build (-ldflags -X).
var Version = "dev"

// errSilent ends with exit code 1 after everything was said.
var errSilent = errors.New("")

// Run runs one command line and gives the exit code.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := &cobra.Command{
		Use:   "callboard",
		Short: "Callboard, the developer portal that Git drives",
		Long: `Callboard keeps a software catalog equal to your Git repositories and serves it
on an API that is compatible with Backstage's.

  callboard serve --config app-config.yaml   run the portal
  callboard lint .                           check descriptors as the server would
  callboard diff                             what would this working tree change
  callboard get components                   what the catalog has
  callboard describe component:default/cart  where an entity comes from, and what happened to it
  callboard deliveries list                  what GitHub sent, and what became of it
  callboard scan                             compare the catalog with what GitHub shows
  callboard undo --list                      what went, and can be brought back
  callboard github create-app --help         connect with GitHub
  callboard doctor                           whether everything is in order, and what to do if not`,
		SilenceUsage: true, SilenceErrors: true,
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetArgs(args)
	root.AddCommand(serveCommand(), lintCommand(), getCommand(), describeCommand(), diffCommand(), refreshCommand(), scanCommand(), deliveriesCommand(),
		undoCommand(), doctorCommand(), githubCommand(), versionCommand())
	return exitCode(stderr, root.ExecuteContext(ctx))
}

// exitError ends with another exit code than 1.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }

func (e *exitError) Unwrap() error { return e.err }

// exitCode tells an error and gives its exit code.
func exitCode(stderr io.Writer, err error) int {
	if err == nil {
		return 0
	}
	if !errors.Is(err, errSilent) {
		fmt.Fprintln(stderr, "callboard:", err)
	}
	if coded, ok := errors.AsType[*exitError](err); ok {
		return coded.code
	}
	return 1
}

// needs asks for one argument, or for at least one, in words of the command.
func needs(what string, more bool) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) == 0:
			return fmt.Errorf("%s what? Name %s; %s --help shows examples", cmd.Name(), what, cmd.CommandPath())
		case len(args) > 1 && !more:
			return fmt.Errorf("%s takes one argument, %s, and not also %q", cmd.Name(), what, args[1])
		}
		return nil
	}
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "callboard", version())
			return err
		},
	}
}

// version falls back to what Go knows of the build.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if Version != "dev" || !ok {
		return Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return Version + " (" + s.Value[:12] + ")"
		}
	}
	return Version
}
