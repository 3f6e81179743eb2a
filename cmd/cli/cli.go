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
  callboard deliveries list                  what GitHub sent, and what became of it`,
		SilenceUsage: true, SilenceErrors: true,
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetArgs(args)
	root.AddCommand(serveCommand(), lintCommand(), deliveriesCommand(), versionCommand())
	if err := root.ExecuteContext(ctx); err != nil {
		if !errors.Is(err, errSilent) {
			fmt.Fprintln(stderr, "callboard:", err)
		}
		return 1
	}
	return 0
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
