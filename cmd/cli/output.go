package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"unicode"
)

// terminal says whether w is one, and wants colour.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}

const (
	red    = "31"
	yellow = "33"
	green  = "32"
	grey   = "90"
)

// paint colours text for a terminal. NO_COLOR switches colour off, FORCE_COLOR
// on where the output passes through another program to a terminal.
func paint(w io.Writer, colour, s string) string {
	if os.Getenv("NO_COLOR") != "" || !terminal(w) && os.Getenv("FORCE_COLOR") == "" {
		return s
	}
	return "\x1b[" + colour + "m" + s + "\x1b[0m"
}

// table prints rows in columns on a terminal and separated by tabs in a pipe.
func table(w io.Writer, header []string, rows [][]string) error {
	if !terminal(w) {
		for _, r := range rows {
			if _, err := fmt.Fprintln(w, line(r)); err != nil {
				return err
			}
		}
		return nil
	}
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	if header != nil {
		fmt.Fprintln(tw, strings.Join(header, "\t"))
	}
	for _, r := range rows {
		fmt.Fprintln(tw, line(r))
	}
	return tw.Flush()
}

// line is a row in plain text, its cells separated by tabs.
func line(row []string) string {
	cells := make([]string, len(row))
	for i, c := range row {
		cells[i] = plain(c)
	}
	return strings.Join(cells, "\t")
}

// plain takes away what a repository could hide in a name: control characters,
// and marks that turn the direction of text.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n':
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, s)
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(documents(w))
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
