package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/callboard/callboard/pipeline/discovery"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/pipeline/refresh"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
)

// maxLintBytes is the server's default for callboard.catalog.maxFileBytes.
const maxLintBytes = 5 << 20

type lintFlags struct {
	json    bool
	format  string
	pattern string
	hosts   []string
}

func lintCommand() *cobra.Command {
	var f lintFlags
	cmd := &cobra.Command{
		Use:   "lint PATH...",
		Short: "Check descriptors as the server would, offline",
		Long: `Check catalog descriptors with the rules of the server, without a server.

A directory is read as a repository: files that match --pattern, the targets of
their Location entities, and what $text, $json and $yaml name. A file is read as
if it were registered. Exit code 1 when there is an error.`,
		Example: `  callboard lint .
  callboard lint --format github catalog-info.yaml
  callboard lint --json . | jq '.[] | select(.severity == "error")'`,
		Args: needs("a file or a directory, such as .", true),
		RunE: func(cmd *cobra.Command, args []string) error { return lint(cmd, args, f) },
	}
	cmd.Flags().BoolVar(&f.json, "json", false, "print the diagnostics as JSON")
	cmd.Flags().StringVar(&f.format, "format", "text", "text, or github for annotations in a workflow")
	cmd.Flags().StringVar(&f.pattern, "pattern", "**/catalog-info.yaml", "which files of a directory are descriptors")
	cmd.Flags().StringSliceVar(&f.hosts, "host", []string{githubapp.DefaultHost}, "GitHub hosts that URLs may name")
	return cmd
}

func lint(cmd *cobra.Command, args []string, f lintFlags) error {
	if f.format != "text" && f.format != "github" {
		return fmt.Errorf("--format must be text or github, not %q", f.format)
	}
	if f.json && f.format != "text" {
		return errors.New("--json and --format exclude each other")
	}
	cfg := refresh.Config{Policy: discovery.All(f.pattern), Owner: refresh.OwnerWarn}
	diagnostics := []entity.Diagnostic{}
	var files, entities int
	for _, arg := range args {
		dir, rel, err := lintRoot(arg)
		if err != nil {
			return err
		}
		tree, err := openLocalTree(dir, maxLintBytes)
		if err != nil {
			return err
		}
		var paths []string
		if rel != "" {
			paths = []string{rel}
		}
		checked, err := refresh.Check(cmd.Context(), cfg, f.hosts, tree, paths, rel != "")
		tree.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", arg, err)
		}
		if len(checked) == 0 {
			return fmt.Errorf("%s: no file matches %s", arg, f.pattern)
		}
		for _, c := range checked {
			if c.Status != storage.FileIgnored {
				files++
			}
			entities += len(c.Declarations)
			for _, d := range c.Diagnostics {
				d.Path, d.Commit = shownPath(dir, d.Path), ""
				diagnostics = append(diagnostics, d)
			}
		}
	}
	return report(cmd.OutOrStdout(), diagnostics, files, entities, f)
}

// lintRoot gives the directory that stands for the repository, and the file in
// it when one file is meant. The repository of a file is the nearest folder
// above it that holds .git, else its own folder.
func lintRoot(arg string) (dir, rel string, err error) {
	info, err := os.Stat(arg)
	if err != nil {
		return "", "", err
	}
	if info.IsDir() {
		return arg, "", nil
	}
	abs, err := filepath.Abs(arg)
	if err != nil {
		return "", "", err
	}
	dir = filepath.Dir(abs)
	for up := dir; ; up = filepath.Dir(up) {
		if _, err := os.Stat(filepath.Join(up, ".git")); err == nil {
			dir = up
			break
		}
		if up == filepath.Dir(up) {
			break
		}
	}
	rel, err = filepath.Rel(dir, abs)
	return dir, filepath.ToSlash(rel), err
}

// shownPath is relative to where the user stands, so that an editor finds it.
func shownPath(dir, path string) string {
	full := filepath.Join(dir, filepath.FromSlash(path))
	if wd, err := os.Getwd(); err == nil && filepath.IsAbs(full) {
		if rel, err := filepath.Rel(wd, full); err == nil && !strings.HasPrefix(rel, "..") {
			return rel
		}
	}
	return full
}

func report(w io.Writer, ds []entity.Diagnostic, files, entities int, f lintFlags) error {
	errs := 0
	for _, d := range ds {
		if d.Severity == entity.SeverityError {
			errs++
		}
	}
	switch {
	case f.json:
		if err := printJSON(w, ds); err != nil {
			return err
		}
	case f.format == "github":
		for _, d := range ds {
			if _, err := fmt.Fprintln(w, annotation(d)); err != nil {
				return err
			}
		}
	default:
		for _, d := range ds {
			printDiagnostic(w, d)
		}
		if _, err := fmt.Fprintf(w, "%d file(s), %d entities, %d error(s)\n", files, entities, errs); err != nil {
			return err
		}
	}
	if errs > 0 {
		return errSilent
	}
	return nil
}

func printDiagnostic(w io.Writer, d entity.Diagnostic) {
	colour := map[entity.Severity]string{entity.SeverityError: red, entity.SeverityWarning: yellow}[d.Severity]
	if colour == "" {
		colour = grey
	}
	fmt.Fprintf(w, "%s:%d:%d: %s: %s [%s]\n", plain(d.Path), max(d.Line, 1), max(d.Column, 1),
		paint(w, colour, string(d.Severity)), plain(strings.TrimSpace(d.Message)), d.Rule)
	if d.Hint != "" {
		fmt.Fprintln(w, "    "+paint(w, grey, plain(d.Hint)))
	}
}

// annotation is GitHub's workflow command; its values are escaped as GitHub's
// toolkit does.
func annotation(d entity.Diagnostic) string {
	level := map[entity.Severity]string{entity.SeverityError: "error", entity.SeverityWarning: "warning"}[d.Severity]
	if level == "" {
		level = "notice"
	}
	data := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", "\x1b", "")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C", "\x1b", "")
	message := d.Message
	if d.Hint != "" {
		message += "\n" + d.Hint
	}
	return fmt.Sprintf("::%s file=%s,line=%d,col=%d,title=%s::%s", level, property.Replace(d.Path),
		max(d.Line, 1), max(d.Column, 1), property.Replace(d.Rule), data.Replace(message))
}
