package refresh

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/callboard/callboard/pipeline/bus"
	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/pipeline/fault"
	"github.com/callboard/callboard/pipeline/location"
	"github.com/callboard/callboard/pipeline/match"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
)

// Local files are those of a repository of their own: the file system, as far as
// catalog.locations names it. Their paths are absolute ones without the first slash.
//
// A file system is less to be believed than a Git tree: a volume may not be
// mounted. So a file that is named and is not there is broken, and what it
// declared stays (contract catalog 3.4). An entity goes when a file that can be
// read does not declare it any more, or no location leads to its file.

// localURL is what the location ref of a local file, which stands for its URL,
// begins with.
const localURL = "file:/"

// ruleLocal is the rule of local files that cannot be read.
const ruleLocal = "file-unreadable"

func isLocal(r storage.Repository) bool { return r.Name == event.FilesName }

// fileRef is the location ref of a file.
func fileRef(r storage.Repository, file string) string {
	if isLocal(r) {
		return localURL + file
	}
	return "url:" + fileURL(r, "tree", file)
}

// LocalTree is a file system as far as locations let it be read.
type LocalTree interface {
	Tree
	// Fault is why a file that was looked up is there and cannot be read.
	Fault(path string) string
	// Glob gives the files that a pattern matches; known is false where that
	// cannot be told.
	Glob(ctx context.Context, p *match.Pattern, work *int) (paths []string, known bool, err error)
	Close()
}

// LocalFiles is the work behind event.TopicFiles.
type LocalFiles struct {
	*Step
	// Open gives the tree of some locations.
	Open func(locations []storage.Location, limit int) LocalTree
}

var _ bus.Step[Plan] = LocalFiles{}

// Topic implements bus.Step.
func (LocalFiles) Topic() string { return event.TopicFiles }

// Plan implements bus.Step.
func (s LocalFiles) Plan(ctx context.Context, msgs []storage.Message) (Plan, error) {
	force, cause := false, storage.Cause{}
	for _, m := range msgs {
		var f event.Files
		if err := json.Unmarshal(m.Payload, &f); err != nil {
			return Plan{}, fault.Permanent(fault.ReasonInvalid, fmt.Errorf("message %d: %w", m.ID, err))
		}
		force, cause = force || f.Force, m.Cause
	}
	source := LocalRepository()
	stored, err := s.store.Repository(ctx, source.ID)
	if isNotFound(err) {
		stored, err = storage.Repository{ID: source.ID}, nil
	}
	if err != nil {
		return Plan{}, err
	}
	files, err := s.files(ctx, stored)
	if err != nil {
		return Plan{}, err
	}
	repo := stored
	repo.Owner, repo.Name, repo.State, repo.Error = source.Owner, source.Name, storage.RepositoryActive, ""
	repo.SettingsHash = s.settings(repo)
	locations, err := location.Of(ctx, s.store, repo)
	if err != nil {
		return Plan{}, err
	}
	tree := s.Open(locations, s.cfg.Limits.FileBytes)
	defer tree.Close()
	named := repo
	named.AppliedSHA = "" // which is no commit
	c := newCrawl(s.Step, tree, named, files)
	c.locations, c.again = locations, force || repo.SettingsHash != stored.SettingsHash
	if err := c.run(ctx); err != nil {
		return Plan{}, fmt.Errorf("read the files of catalog.locations: %w", err)
	}
	repo.AppliedSHA = c.digest()
	p := Plan{repo: repo, cause: cause, changed: c.changed, told: c.told, removed: c.removed(), files: c.stored, asked: c.seen}
	if p.empty() && (same(stored, repo) || stored.Version == 0 && len(locations) == 0) {
		p.still = "no file changed"
	}
	return p, nil
}

// LocalRepository is where local files are kept.
func LocalRepository() storage.Repository {
	return storage.Repository{
		ID: SourceID("", event.FilesOwner, event.FilesName), Owner: event.FilesOwner, Name: event.FilesName,
	}
}

// digest names what all files hold together.
func (c *crawl) digest() string {
	shas := map[string]string{}
	for path, f := range c.stored {
		if _, wanted := c.seen[path]; wanted {
			shas[path] = f.BlobSHA
		}
	}
	for _, r := range c.changed {
		shas[r.Path] = r.BlobSHA
	}
	h := sha256.New()
	for _, path := range slices.Sorted(maps.Keys(shas)) {
		fmt.Fprintf(h, "%s\x00%s\n", path, shas[path])
	}
	return hex.EncodeToString(h.Sum(nil)[:20])
}

// unreadable settles a local file that is not there, or cannot be read.
func (c *crawl) unreadable(w want, sha string) (fileResult, bool) {
	tree, local := c.tree.(LocalTree)
	if !local {
		return fileResult{}, false
	}
	d := entity.Diagnostic{Path: w.path, Severity: entity.SeverityError, Rule: ruleLocal}
	why := tree.Fault(w.path)
	switch {
	case why != "":
		d.Message, d.Hint = fmt.Sprintf("file /%s could not be read, %s", w.path, why), "Make the file readable, or name another one."
	case sha == "":
		d.Rule, d.Message = "target-missing", fmt.Sprintf("NotFoundError: file /%s does not exist", w.path)
		d.Hint = "Correct the target, or add the file. What it declared stays until then."
	default:
		return fileResult{}, false
	}
	return c.unread(c.file(w, storage.FileBroken), d), true
}

// expandLocal is expand for local files. What cannot be told matches what it did.
func (c *crawl) expandLocal(ctx context.Context, tree LocalTree, p *match.Pattern) ([]string, error) {
	left := maxWork - c.globs.spent[c.class]
	paths, known, err := tree.Glob(ctx, p, &left)
	c.globs.spent[c.class] = maxWork - left
	if known || err != nil {
		return paths, err
	}
	for _, path := range slices.Sorted(maps.Keys(c.stored)) {
		if p.Match(path) {
			paths = append(paths, path)
		}
	}
	return paths, nil
}
