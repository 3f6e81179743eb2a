package refresh

import (
	"context"
	"fmt"
	"slices"

	"github.com/callboard/callboard/pipeline/descriptor"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
)

// fileResult is a file as it is now, and what it declares.
type fileResult struct {
	storage.File
	declarations []entity.Declaration
	targets      map[string]bool // Targets and External, to have each once
	// rejected are the refs of documents that were refused, with the errors;
	// broken are the errors of documents that do not even have a ref. Both keep
	// the last good version of what they replace.
	rejected map[string][]entity.StatusItem
	broken   []entity.StatusItem
	// kept says that the file still declares what it did.
	kept bool
	// shown are the errors of its generated Locations, by ref.
	shown map[string][]entity.StatusItem
}

// reading is a file on its way from the tree to a result.
type reading struct {
	want
	object githubapp.Object
	docs   []descriptor.Document
	diags  []entity.Diagnostic
	body   []byte
	inputs map[string]string // resolved URL → path, for those in this repository
}

// read fetches files and what they are made from, and processes them.
func (c *crawl) read(ctx context.Context, files []reading) ([]fileResult, error) {
	if len(files) == 0 {
		return nil, nil
	}
	objects := make([]githubapp.Object, len(files))
	for i, f := range files {
		objects[i] = f.object
	}
	bodies, err := c.tree.Read(ctx, objects)
	if err != nil {
		return nil, err
	}
	var inputs []string
	for i := range files {
		f := &files[i]
		f.body = bodies[f.object.SHA]
		f.docs, f.diags = descriptor.Parse(f.body, c.step.cfg.Limits)
		f.inputs = map[string]string{}
		for _, doc := range f.docs {
			for _, u := range doc.Inputs(c.source(f.want, nil)) {
				if path, ok := repoPath(c.repo, u); ok {
					f.inputs[u] = path
					inputs = append(inputs, path)
				}
			}
		}
	}
	in, err := c.readInputs(ctx, inputs)
	if err != nil {
		return nil, err
	}
	results := make([]fileResult, len(files))
	for i, f := range files {
		results[i] = c.process(f, in)
	}
	return results, nil
}

// inputs are the files that placeholders name, at the commit of the tree.
type inputs struct {
	objects map[string]githubapp.Object
	bodies  map[string][]byte
	limit   int
}

func (c *crawl) readInputs(ctx context.Context, paths []string) (inputs, error) {
	in := inputs{limit: c.step.cfg.Limits.FileBytes}
	slices.Sort(paths)
	var err error
	if in.objects, err = c.tree.Lookup(ctx, slices.Compact(paths)); err != nil {
		return in, err
	}
	var read []githubapp.Object
	for _, o := range in.objects {
		if o.Size <= int64(in.limit) {
			read = append(read, o)
		}
	}
	in.bodies, err = c.tree.Read(ctx, read)
	return in, err
}

// body answers for a resolved URL. Nothing outside the repository is ever
// fetched: that is what keeps a descriptor from reaching into our network.
func (in inputs) body(url, path string, inside bool) ([]byte, error) {
	if !inside {
		return nil, descriptor.NotAllowed(url)
	}
	o, ok := in.objects[path]
	if !ok {
		return nil, descriptor.NotFound(url)
	}
	if o.Size > int64(in.limit) {
		return nil, &entity.Error{Name: "InputError", Message: fmt.Sprintf("%s has %d bytes; the limit is %d", path, o.Size, in.limit)}
	}
	return in.bodies[o.SHA], nil
}

func (c *crawl) source(w want, read func(string) ([]byte, error)) descriptor.Source {
	return descriptor.Source{
		URL: fileURL(c.repo, "tree", w.path), Origin: w.origin, Path: w.path, Commit: c.repo.AppliedSHA,
		Hosts: c.step.github.Hosts(), Read: read,
	}
}

// begin is the result of a file before its documents are looked at.
func (c *crawl) begin(f reading, in inputs) fileResult {
	r := fileResult{
		File: storage.File{
			RepositoryID: c.repo.ID, Path: f.path, BlobSHA: f.object.SHA, Role: f.role, Parent: f.parent,
			Origin: f.origin, Inputs: map[string]string{}, Status: storage.FileOK, Documents: len(f.docs),
			Diagnostics: f.diags, Roots: c.roots[f.path],
		},
		rejected: map[string][]entity.StatusItem{},
	}
	for _, path := range f.inputs {
		r.Inputs[path] = in.objects[path].SHA
	}
	if hasError(f.diags) {
		r.broken = append(r.broken, statusItem(&entity.Error{Name: "InputError", Message: f.diags[0].Message}))
		r.Errors = append(r.Errors, r.broken...)
	}
	for i := range r.Diagnostics {
		r.Diagnostics[i].Path, r.Diagnostics[i].Commit = f.path, c.repo.AppliedSHA
	}
	return r
}

// process turns a file's documents into what it declares.
func (c *crawl) process(f reading, in inputs) fileResult {
	r := c.begin(f, in)
	source := c.source(f.want, func(url string) ([]byte, error) {
		path, inside := f.inputs[url]
		return in.body(url, path, inside)
	})
	var accepted []entity.Declaration
	skeletons := 0
	for _, doc := range f.docs {
		res := doc.Process(source)
		if skeletons == 0 || hasError(res.Diagnostics) || res.Verdict == descriptor.VerdictAccepted {
			r.Diagnostics = append(r.Diagnostics, res.Diagnostics...) // one quiet word for all skeletons of a file
		}
		if res.Verdict == descriptor.VerdictAccepted {
			if c.admit(&r, res) {
				accepted = append(accepted, res.Declaration)
				c.sortTargets(&r, res)
			}
			continue
		}
		if !hasError(res.Diagnostics) {
			skeletons++
			continue
		}
		if res.Ref == "" {
			r.broken = append(r.broken, statusItems(res.Errors)...)
			r.Errors = append(r.Errors, statusItems(res.Errors)...)
		} else {
			r.rejected[res.Ref] = statusItems(res.Errors)
		}
	}
	if len(r.rejected)+len(r.broken) > 0 {
		c.keepTargets(&r)
	}
	switch {
	case hasError(r.Diagnostics):
		r.Status = storage.FileBroken
	case skeletons > 0 && len(accepted) == 0:
		r.Status = storage.FileIgnored // filled in by a template some day (users.md row 9)
	}
	r.declarations = c.lastOfEach(&r, accepted)
	return r
}

// keepTargets keeps, of a file with a document that broke, what its Locations
// led to: a Location that broke keeps its children with it.
func (c *crawl) keepTargets(r *fileResult) {
	before := c.stored[r.Path]
	for _, target := range before.Targets {
		r.Targets = r.once(r.Targets, target)
	}
	for _, target := range before.External {
		if !r.targets[target] && c.reach(target) {
			r.External = r.once(r.External, target)
		}
	}
}

func hasError(ds []entity.Diagnostic) bool {
	return slices.ContainsFunc(ds, func(d entity.Diagnostic) bool { return d.Severity == entity.SeverityError })
}

// lastOfEach keeps the last document of those that declare the same ref, as
// Backstage does, and says so.
func (c *crawl) lastOfEach(r *fileResult, ds []entity.Declaration) []entity.Declaration {
	last := map[string]int{}
	for i, d := range ds {
		last[d.Ref] = i
	}
	kept := ds[:0:0]
	for i, d := range ds {
		if last[d.Ref] == i {
			kept = append(kept, d)
			continue
		}
		r.Diagnostics = append(r.Diagnostics, entity.Diagnostic{
			Path: r.Path, Commit: c.repo.AppliedSHA, Document: d.Document, Line: d.Line, Column: 1, Ref: d.Ref,
			Rule: "duplicate-entity", Severity: entity.SeverityWarning,
			Message: "Duplicate nested entity: " + d.Ref + "; a later document of the file declares it again and is the one served",
			Hint:    "Remove one of the two documents.",
		})
	}
	return kept
}

func statusItems(errs []*entity.Error) []entity.StatusItem {
	items := make([]entity.StatusItem, 0, len(errs))
	for _, e := range errs {
		items = append(items, statusItem(e))
	}
	return items
}

// statusItem is an error as Backstage shows it on an entity (contract catalog 1.9).
func statusItem(e *entity.Error) entity.StatusItem {
	return entity.StatusItem{
		Type: "backstage.io/catalog-processing", Level: "error", Message: e.Name + ": " + e.Message, Error: e,
	}
}

func union(a, b []string) []string {
	for _, s := range b {
		if !slices.Contains(a, s) {
			a = append(a, s)
		}
	}
	return a
}
