package cli

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/callboard/callboard/cmd/app"
	"github.com/callboard/callboard/cmd/config"
)

func serveCommand() *cobra.Command {
	var files []string
	var logFormat string
	var verbose bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the portal",
		Long: `Run API, webhooks and workers in one process.

Without configuration of a database or bus everything is embedded: SQLite in
callboard-data/, wake-ups in the process. deploy/app-config.yaml shows every key.`,
		Example: `  callboard serve --config app-config.yaml
  callboard serve --config app-config.yaml --config app-config.production.yaml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := newLogger(cmd.ErrOrStderr(), logFormat, verbose)
			if err != nil {
				return err
			}
			if len(files) == 0 {
				if files, err = defaultFiles(); err != nil {
					return err
				}
			}
			cfg, err := config.Load(files, config.Environment)
			if err != nil {
				return fmt.Errorf("configuration:\n%w", err)
			}
			defer runtime.KeepAlive(tightenHeap())
			a, err := app.New(cmd.Context(), cfg, app.Options{Log: log, Version: version()})
			if err != nil {
				return err
			}
			return a.Run(cmd.Context())
		},
	}
	cmd.Flags().StringArrayVar(&files, "config", nil, "configuration file; repeat it, later ones win (default app-config.yaml, app-config.local.yaml)")
	cmd.Flags().StringVar(&logFormat, "log-format", "auto", "auto, terminal, text or json")
	cmd.Flags().BoolVar(&verbose, "verbose", false, "log more")
	return cmd
}

// ballast is how much the collector believes to be in use that is not.
const ballast = 256 << 20

// tightenHeap lets the heap grow by a quarter, and 64 MB, before the next
// collection: most of it is the read model, which lives long, so that the usual
// doubling would be memory for nothing. A quarter alone would be too little for
// a small catalog, of which each request would be a good part, and a larger
// share fixed at the start too much once the catalog has grown. Hence the
// ballast, which must be kept: nobody writes to it, so it is not resident.
// GOGC and GOMEMLIMIT in the environment win.
func tightenHeap() []byte {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return nil
	}
	debug.SetGCPercent(25)
	return make([]byte, ballast)
}

// defaultFiles are Backstage's, as far as they are there.
func defaultFiles() ([]string, error) {
	var files []string
	for _, f := range []string{"app-config.yaml", "app-config.local.yaml"} {
		if _, err := os.Stat(f); err == nil {
			files = append(files, f)
		}
	}
	if len(files) == 0 {
		return nil, errors.New("there is no app-config.yaml here: name one with --config (deploy/app-config.yaml is a sample)")
	}
	return files, nil
}
