package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/callboard/callboard/handlers/api/callboard"
	"github.com/callboard/callboard/storage"
)

func (d description) print(cmd *cobra.Command, format string) error {
	w := cmd.OutOrStdout()
	switch format {
	case "json":
		return printJSON(w, d)
	case "yaml":
		raw, err := json.Marshal(d)
		if err != nil {
			return err
		}
		return writeYAML(documents(w), raw)
	}
	if d.Entity == nil {
		fmt.Fprintf(w, "%s is not in the catalog now\n", plain(d.Ref))
	} else if err := d.printEntity(w); err != nil {
		return err
	}
	d.printSource(w)
	d.printTroubles(w)
	d.printHistory(w)
	for _, name := range slices.Sorted(maps.Keys(d.Unavailable)) {
		fmt.Fprintf(w, "\n%s\n", paint(w, yellow, fmt.Sprintf("No %s from this server: %s", name, d.Unavailable[name])))
	}
	return nil
}

func title(w io.Writer, s string) { fmt.Fprintf(w, "\n%s\n", s) }

// pairs prints names with their values, without those that are empty.
func pairs(w io.Writer, nameAndValue ...string) {
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for i := 0; i+1 < len(nameAndValue); i += 2 {
		if nameAndValue[i+1] != "" {
			fmt.Fprintf(tw, "  %s\t%s\n", nameAndValue[i], plain(nameAndValue[i+1]))
		}
	}
	_ = tw.Flush() // the writer beneath tells of its own failures
}

func (d description) printEntity(w io.Writer) error {
	var e map[string]any
	if err := json.Unmarshal(d.Entity, &e); err != nil {
		return fmt.Errorf("read the entity: %w", err)
	}
	at := func(path string) string { return text(lookup(e, path)) }
	fmt.Fprintln(w, plain(d.Ref))
	pairs(w, "Title", at("metadata.title"), "Description", at("metadata.description"), "Type", at("spec.type"),
		"Lifecycle", at("spec.lifecycle"), "Owner", at("spec.owner"), "System", at("spec.system"),
		"Tags", at("metadata.tags"), "UID", at("metadata.uid"))
	items, _ := lookup(e, "status.items").([]any)
	for _, item := range items {
		fmt.Fprintf(w, "  %s: %s\n", paint(w, red, plain(text(lookup(item, "level")))), plain(text(lookup(item, "message"))))
	}
	relations, _ := e["relations"].([]any)
	if len(relations) == 0 {
		return nil
	}
	title(w, "Relations")
	var lines []string
	for _, r := range relations {
		lines = append(lines, text(lookup(r, "type")), text(lookup(r, "targetRef")))
	}
	pairs(w, lines...)
	return nil
}

func (d description) printSource(w io.Writer) {
	s := d.Source
	if s == nil {
		return
	}
	title(w, "Source")
	pusher := ""
	for _, c := range d.History {
		if c.Cause.Commit == s.Commit {
			pusher = c.Cause.Pusher
			break
		}
	}
	pairs(w, "Repository", s.Repository, "File", place(s.Place), "URL", s.URL, "Commit", s.Commit, "Pushed by", pusher,
		"Delivery", s.Delivery, "First seen", clock(s.FirstSeen), "Last changed", clock(s.LastChanged),
		"Last verified", clock(s.LastVerified), "Revision", fmt.Sprint(s.Revision))
	if s.Stale {
		fmt.Fprintf(w, "  %s\n", paint(w, yellow, "The file is broken now: this is its last good version."))
	}
	if f := s.Freshness; f != nil && f.Behind {
		fmt.Fprintf(w, "  %s\n", paint(w, yellow, fmt.Sprintf("Behind: commit %.10s is not applied yet.", plain(f.Head))))
	}
}

func place(p callboard.Place) string {
	if p.Line == 0 {
		return p.Path
	}
	return fmt.Sprintf("%s:%d", p.Path, p.Line)
}

func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format(time.DateTime)
}

func (d description) printTroubles(w io.Writer) {
	if len(d.Diagnostics) > 0 {
		title(w, "Diagnostics")
	}
	for _, diag := range d.Diagnostics {
		fmt.Fprint(w, "  ")
		printDiagnostic(w, diag.Diagnostic)
	}
	if len(d.Conflicts) > 0 {
		title(w, "Conflicts")
	}
	for _, c := range d.Conflicts {
		fmt.Fprintf(w, "  %s\n", plain(c.Why))
		if c.Served != nil {
			fmt.Fprintf(w, "  %s %s %s\n", paint(w, green, "served"), plain(c.Served.Repository), plain(place(c.Served.Place)))
		}
		for _, lost := range c.Lost {
			fmt.Fprintf(w, "  %s   %s %s\n", paint(w, red, "lost"), plain(lost.Repository), plain(place(lost.Place)))
		}
	}
}

func (d description) printHistory(w io.Writer) {
	if len(d.History) == 0 {
		return
	}
	title(w, "History")
	for _, c := range d.History {
		fmt.Fprintf(w, "  %s  %s  revision %d  %s\n", clock(c.At), paint(w, changeColour[c.What], string(c.What)), c.Revision, plain(because(c.Cause)))
		printFields(w, c.Fields)
	}
}

var changeColour = map[storage.ChangeKind]string{storage.ChangeCreated: green, storage.ChangeUpdated: yellow, storage.ChangeDeleted: red}

// because is a cause in a few words.
func because(c storage.Cause) string {
	words := []string{c.Reason}
	if c.Commit != "" {
		words = append(words, fmt.Sprintf("%.10s", c.Commit))
	}
	if who := firstOf(c.Pusher, c.Actor); who != "" {
		words = append(words, "by "+who)
	}
	if c.Delivery != "" {
		words = append(words, "("+c.Delivery+")")
	}
	return strings.Join(words, " ")
}

// printFields prints what differs, as "path: before → after".
func printFields(w io.Writer, fields []storage.FieldChange) {
	for _, f := range fields {
		before, after := string(f.Before), string(f.After)
		switch {
		case f.Path == "":
			continue // all of it: the entity is new or gone
		case f.Before == nil:
			fmt.Fprintf(w, "      %s: %s\n", plain(f.Path), paint(w, green, plain(after)))
		case f.After == nil:
			fmt.Fprintf(w, "      %s: %s\n", plain(f.Path), paint(w, red, plain(before)+" removed"))
		default:
			fmt.Fprintf(w, "      %s: %s → %s\n", plain(f.Path), paint(w, red, plain(before)), paint(w, green, plain(after)))
		}
	}
}
