package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/callboard/callboard/handlers/api/callboard"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/pipeline/refresh"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
)

// difference is what a tree would change in the catalog.
type difference struct {
	Repository string `json:"repository"`
	Server     string `json:"server"`
	// Known says whether the server knows the repository; Applied is the commit
	// that it shows, Against what it was compared with.
	Known   bool   `json:"known"`
	Applied string `json:"applied,omitempty"`
	Against string `json:"against"`

	Created []diffItem `json:"created"`
	Updated []diffItem `json:"updated"`
	Deleted []diffItem `json:"deleted"`
	// Kept entities would stay as they are because their file is broken.
	Kept []diffItem `json:"kept"`
	// Conflicts are declarations that would not be served.
	Conflicts   []diffItem          `json:"conflicts"`
	Unchanged   int                 `json:"unchanged"`
	Diagnostics []entity.Diagnostic `json:"diagnostics"`
}

// diffItem is an entity that differs.
type diffItem struct {
	Ref    string                `json:"ref"`
	Path   string                `json:"path,omitempty"`
	Line   int                   `json:"line,omitempty"`
	Fields []storage.FieldChange `json:"fields,omitempty"`
	Winner *winner               `json:"winner,omitempty"`
}

// winner is the file that serves a ref.
type winner struct {
	Repository string `json:"repository"`
	Path       string `json:"path"`
}

// compare finds what would change, if the tree that was checked became the head.
func compare(facts githubapp.Repository, held callboard.RepositoryDetail, checked []refresh.Checked, served map[string]json.RawMessage) difference {
	out := difference{
		Repository: facts.Owner + "/" + facts.Name, Known: held.ID != 0, Applied: held.Applied,
		Created: []diffItem{}, Updated: []diffItem{}, Deleted: []diffItem{}, Kept: []diffItem{}, Conflicts: []diffItem{},
		Diagnostics: []entity.Diagnostic{},
	}
	declared, broken := map[string]string{}, map[string]bool{}
	for _, file := range checked { // by path, which decides between two files of a repository
		broken[file.Path] = file.Status == storage.FileBroken
		for _, d := range file.Diagnostics {
			d.Commit = ""
			out.Diagnostics = append(out.Diagnostics, d)
		}
		for _, e := range file.Declarations {
			item := diffItem{Ref: e.Ref, Path: file.Path, Line: e.Line}
			if first, twice := declared[e.Ref]; twice {
				item.Winner = &winner{out.Repository, first}
				out.Conflicts = append(out.Conflicts, item)
				continue
			}
			declared[e.Ref] = file.Path
			out.add(item, e, served[e.Ref], slices.Contains(held.Entities, e.Ref))
		}
	}
	for _, ref := range held.Entities {
		if _, stays := declared[ref]; stays || strings.HasPrefix(ref, "location:default/generated-") {
			continue // the Location that stands for a file comes and goes with it
		}
		item := diffItem{Ref: ref, Path: pathOf(facts, served[ref])}
		if broken[item.Path] {
			out.Kept = append(out.Kept, item)
		} else {
			out.Deleted = append(out.Deleted, item)
		}
	}
	return out
}

// add puts one declaration where it belongs.
func (d *difference) add(item diffItem, declared entity.Declaration, served json.RawMessage, ours bool) {
	switch {
	case served == nil:
		d.Created = append(d.Created, item)
	case !ours:
		d.Conflicts = append(d.Conflicts, item)
	default:
		item.Fields = refresh.Differences(written(served), written(declared.JSON))
		if len(item.Fields) == 0 {
			d.Unchanged++
			return
		}
		d.Updated = append(d.Updated, item)
	}
}

// written is an entity without what the catalog adds when it serves it, and
// without the way by which the file was found, which only the server knows.
func written(raw json.RawMessage) json.RawMessage {
	var e map[string]any
	if json.Unmarshal(raw, &e) != nil {
		return raw
	}
	delete(e, "relations")
	delete(e, "status")
	if metadata, ok := e["metadata"].(map[string]any); ok {
		delete(metadata, "uid")
		delete(metadata, "etag")
		if annotations, ok := metadata["annotations"].(map[string]any); ok {
			delete(annotations, entity.AnnotationOriginLocation)
		}
	}
	out, err := json.Marshal(e)
	if err != nil {
		return raw
	}
	return out
}

// pathOf is the file of a served entity, as far as its annotation tells it.
func pathOf(facts githubapp.Repository, served json.RawMessage) string {
	var e struct {
		Metadata struct{ Annotations map[string]string }
	}
	if json.Unmarshal(served, &e) != nil {
		return ""
	}
	for _, view := range []string{"tree", "blob"} {
		prefix := fmt.Sprintf("url:%s/%s/%s/", facts.URL, view, facts.DefaultBranch)
		if path, ok := strings.CutPrefix(e.Metadata.Annotations[entity.AnnotationLocation], prefix); ok {
			return path
		}
	}
	return ""
}

func (d difference) different() bool {
	return len(d.Created)+len(d.Updated)+len(d.Deleted)+len(d.Conflicts) > 0
}

func (d difference) errors() (n int) {
	for _, diag := range d.Diagnostics {
		if diag.Severity == entity.SeverityError {
			n++
		}
	}
	return n
}

func (d difference) print(w io.Writer, format string) error {
	if format == "json" {
		return printJSON(w, d)
	}
	applied := fmt.Sprintf("which shows %.10s", d.Applied)
	if !d.Known {
		applied = "which does not know it yet"
	} else if d.Applied == "" {
		applied = "which has read nothing of it yet"
	}
	against := d.Against
	if against != workingTree {
		against = fmt.Sprintf("commit %.10s", against)
	}
	fmt.Fprintf(w, "%s, with %s, against %s, %s\n", plain(d.Repository), against, plain(d.Server), plain(applied))
	section := func(colour, mark string, items []diffItem, note func(diffItem) string) {
		for _, item := range items {
			fmt.Fprintf(w, "%s %s\n", paint(w, colour, mark+" "+plain(item.Ref)), plain(item.place()+note(item)))
			printFields(w, item.Fields)
		}
	}
	nothing := func(diffItem) string { return "" }
	section(green, "+", d.Created, nothing)
	section(yellow, "~", d.Updated, nothing)
	section(red, "-", d.Deleted, nothing)
	section(grey, "=", d.Kept, func(diffItem) string { return " stays as it is: the file is broken" })
	section(red, "!", d.Conflicts, func(i diffItem) string { return " would not be served: " + i.Winner.String() + " declares it" })
	for _, diag := range d.Diagnostics {
		printDiagnostic(w, diag)
	}
	_, err := fmt.Fprintf(w, "%d created, %d updated, %d deleted, %d conflict(s), %d unchanged, %d error(s)\n",
		len(d.Created), len(d.Updated), len(d.Deleted), len(d.Conflicts), d.Unchanged, d.errors())
	return err
}

func (i diffItem) place() string {
	if i.Line == 0 {
		return i.Path
	}
	return fmt.Sprintf("%s:%d", i.Path, i.Line)
}

func (w *winner) String() string {
	if w == nil || w.Path == "" {
		return "another file"
	}
	return w.Path + " in " + w.Repository
}
