package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
)

// format is what -o asks for. --json is short for -o json, as in the commands
// that know only that.
type format struct {
	name    string
	json    bool
	allowed []string
}

// flags adds -o with the formats that a command knows, the default first.
func (f *format) flags(cmd *cobra.Command, allowed ...string) {
	f.allowed = allowed
	cmd.Flags().StringVarP(&f.name, "output", "o", allowed[0], strings.Join(allowed, ", "))
	cmd.Flags().BoolVar(&f.json, "json", false, "print JSON (-o json)")
	cmd.MarkFlagsMutuallyExclusive("output", "json")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(allowed, cobra.ShellCompDirectiveNoFileComp))
}

// get checks what was given.
func (f *format) get() (string, error) {
	if f.json {
		return "json", nil
	}
	if !slices.Contains(f.allowed, f.name) {
		return "", fmt.Errorf("-o must be one of %s, not %q", strings.Join(f.allowed, ", "), f.name)
	}
	return f.name, nil
}

// documents gives a writer for JSON and YAML. On a terminal it shows what could
// drive the terminal as \u escapes, which JSON reads back; into a pipe every
// byte passes.
func documents(w io.Writer) io.Writer {
	if terminal(w) {
		return escaping{w}
	}
	return w
}

type escaping struct{ w io.Writer }

func (e escaping) Write(p []byte) (int, error) {
	var buf bytes.Buffer
	for _, r := range string(p) {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
			fmt.Fprintf(&buf, `\u%04x`, r)
			continue
		}
		buf.WriteRune(r)
	}
	if _, err := e.w.Write(buf.Bytes()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// column is a column of a table of entities.
type column struct {
	header string
	value  func(e map[string]any) string
}

// field is a column that shows what stands at a path.
func field(header, path string) column {
	return column{header, func(e map[string]any) string { return text(lookup(e, path)) }}
}

// lookup goes along a dotted path; keys may hold dots themselves, as those of
// annotations do.
func lookup(v any, path string) any {
	m, ok := v.(map[string]any)
	if !ok {
		return nil
	}
	if found, ok := m[path]; ok {
		return found
	}
	for i := strings.IndexByte(path, '.'); i >= 0; {
		if inner, ok := m[path[:i]]; ok {
			if found := lookup(inner, path[i+1:]); found != nil {
				return found
			}
		}
		next := strings.IndexByte(path[i+1:], '.')
		if next < 0 {
			break
		}
		i += 1 + next
	}
	return nil
}

// text shows a value in a cell.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case []any:
		parts := make([]string, len(v))
		for i, item := range v {
			parts[i] = text(item)
		}
		return strings.Join(parts, ",")
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(raw)
}

// refOf is the ref of an entity as the server sent it.
func refOf(e map[string]any) string {
	namespace := firstOf(text(lookup(e, "metadata.namespace")), "default")
	return strings.ToLower(text(e["kind"]) + ":" + namespace + "/" + text(lookup(e, "metadata.name")))
}

// printer prints entities as they come.
type printer struct {
	w       io.Writer
	format  string
	columns []column
	single  bool // not a list: JSON without brackets
	count   int
}

// page prints some more.
func (p *printer) page(items []json.RawMessage) error {
	var rows [][]string
	for _, raw := range items {
		if p.format == "json" || p.format == "yaml" {
			if err := p.document(raw); err != nil {
				return err
			}
			p.count++
			continue
		}
		var e map[string]any
		if err := json.Unmarshal(raw, &e); err != nil {
			return fmt.Errorf("read an entity: %w", err)
		}
		if p.format == "name" {
			rows = append(rows, []string{refOf(e)})
			continue
		}
		row := make([]string, len(p.columns))
		for i, c := range p.columns {
			row[i] = c.value(e)
		}
		rows = append(rows, row)
	}
	if len(rows) == 0 {
		return nil
	}
	var header []string
	if p.count == 0 && p.format != "name" {
		for _, c := range p.columns {
			header = append(header, c.header)
		}
	}
	p.count += len(rows)
	return table(p.w, header, rows)
}

func (p *printer) document(raw json.RawMessage) error {
	w := documents(p.w)
	if p.format == "yaml" {
		if p.count > 0 {
			if _, err := io.WriteString(w, "---\n"); err != nil {
				return err
			}
		}
		return writeYAML(w, raw)
	}
	var buf bytes.Buffer
	indent := "  "
	if p.single {
		indent = ""
	} else if p.count > 0 {
		buf.WriteString(",\n  ")
	} else {
		buf.WriteString("[\n  ")
	}
	if err := json.Indent(&buf, raw, indent, "  "); err != nil {
		return fmt.Errorf("read an entity: %w", err)
	}
	if p.single {
		buf.WriteByte('\n')
	}
	_, err := w.Write(buf.Bytes())
	return err
}

// end closes what page opened.
func (p *printer) end() error {
	if p.format != "json" || p.single {
		return nil
	}
	closing := "\n]\n"
	if p.count == 0 {
		closing = "[]\n"
	}
	_, err := io.WriteString(p.w, closing)
	return err
}
