package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/callboard/callboard/cmd/app"
	"github.com/callboard/callboard/cmd/config"
	"github.com/callboard/callboard/cmd/doctor"
	"github.com/callboard/callboard/storage/migrate"
)

func doctorCommand() *cobra.Command {
	var files []string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check that everything Callboard needs is in order",
		Long: `Look at the configuration, the database, the bus, and everything at GitHub: Apps,
their permissions, events, webhooks and installations, clocks and quota. Each line
is ok, warning or failed, with what to do about it; in a pipe its parts are
separated by tabs.

GitHub is asked to send one webhook again, a ping if there is one, which proves
that it reaches Callboard and that the secrets fit. Nothing else is changed.

Run it where Callboard runs, as the user that runs it, with its configuration.
The exit code is 1 if anything failed, and 0 with warnings.`,
		Example: `  callboard doctor --config app-config.yaml
  callboard doctor --json | jq '.checks[] | select(.status != "ok")'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return examine(cmd.Context(), files, asJSON, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringArrayVar(&files, "config", nil, "configuration file; repeat it, later ones win (default app-config.yaml, app-config.local.yaml)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func examine(ctx context.Context, files []string, asJSON bool, stdout, stderr io.Writer) error {
	out := &findings{stdout: stdout, stderr: stderr, json: asJSON, Checks: []doctor.Result{}}
	report := &doctor.Report{Result: out.add, Wait: out.wait}
	if d := diagnosis(files, report); d != nil {
		d.Run(ctx, report)
	}
	out.wait("")
	if ctx.Err() != nil {
		return errors.New("stopped")
	}
	if err := out.end(report.Failed()); err != nil {
		return err
	}
	if report.Failed() {
		return errSilent
	}
	return nil
}

// diagnosis reads the configuration, the first thing that may be out of order;
// nil where nothing can be known without it.
func diagnosis(files []string, report *doctor.Report) *doctor.Doctor {
	if len(files) == 0 {
		var err error
		if files, err = defaultFiles(); err != nil {
			report.Configuration(nil, err)
			return nil
		}
	}
	cfg, err := config.Load(files, config.Environment)
	report.Configuration(files, err)
	if cfg == nil {
		return nil
	}
	d := &doctor.Doctor{
		Config:   cfg,
		Database: func(ctx context.Context) (migrate.Status, error) { return app.LookDatabase(ctx, cfg.Database) },
		Redis:    func(ctx context.Context) (doctor.Redis, error) { return app.LookRedis(ctx, cfg.Bus) },
	}
	clients, err := app.GitHub(cfg)
	if err != nil {
		report.Credentials(err)
		return d
	}
	d.GitHub = clients
	return d
}

// findings prints what a doctor finds, line by line as it comes.
type findings struct {
	stdout, stderr io.Writer
	json           bool

	Status doctor.Status   `json:"status"`
	Checks []doctor.Result `json:"checks"`
	warned bool
}

var colours = map[doctor.Status]string{doctor.OK: green, doctor.Warning: yellow, doctor.Failed: red}

// statusWidth is that of the longest status.
const statusWidth = len(doctor.Warning)

func (f *findings) add(r doctor.Result) {
	r.Detail, r.Do = plain(r.Detail), plain(r.Do)
	r.Check = plain(r.Check)
	f.warned = f.warned || r.Status == doctor.Warning
	f.Checks = append(f.Checks, r)
	if f.json {
		return
	}
	if !terminal(f.stdout) {
		fmt.Fprintln(f.stdout, strings.TrimRight(line([]string{string(r.Status), r.Check, r.Detail, r.Do}), "\t"))
		return
	}
	f.wait("")
	pad := strings.Repeat(" ", statusWidth-len(r.Status))
	fmt.Fprintf(f.stdout, "%s%s  %s: %s\n", paint(f.stdout, colours[r.Status], string(r.Status)), pad, r.Check, r.Detail)
	if r.Do != "" {
		fmt.Fprintf(f.stdout, "%*s  %s %s\n", statusWidth, "", paint(f.stdout, grey, "→"), r.Do)
	}
}

// wait shows on a terminal what takes time, and takes it away again with "".
func (f *findings) wait(what string) {
	if !terminal(f.stderr) {
		return
	}
	fmt.Fprint(f.stderr, "\r\x1b[K")
	if what != "" {
		fmt.Fprint(f.stderr, paint(f.stderr, grey, plain(what)+" …"))
	}
}

func (f *findings) end(failed bool) error {
	if !f.json {
		return nil
	}
	switch {
	case failed:
		f.Status = doctor.Failed
	case f.warned:
		f.Status = doctor.Warning
	default:
		f.Status = doctor.OK
	}
	return printJSON(f.stdout, f)
}
