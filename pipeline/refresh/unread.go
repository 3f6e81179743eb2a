package refresh

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/pipeline/location"
	"github.com/callboard/callboard/pipeline/match"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
)

// maxGuests is how many files of a repository the Location entities of other
// repositories may bring in.
const maxGuests = 100

// ruleBranch is the rule of files that are named on another branch.
const ruleBranch = "other-branch"

// refuse settles the files that are not read at all.
func (c *crawl) refuse(w want, o githubapp.Object) (fileResult, bool) {
	if r, ok := c.remembered(w); ok {
		return r, true
	}
	if r, ok := c.unreadable(w, o.SHA); ok {
		return r, true
	}
	f := c.file(w, storage.FileOK)
	f.BlobSHA = o.SHA
	d := entity.Diagnostic{Path: w.path, Commit: c.repo.AppliedSHA, Severity: entity.SeverityError}
	switch {
	case c.lost != "":
		f.Status, f.BlobSHA = storage.FileBroken, "" // to be read when it can be
		d.Rule, d.Message = ruleUnreadable, "NotFoundError: Unable to read url, "+c.lost
		d.Hint = "Check the name, and that the App is installed on the repository."
	case w.branch != "":
		f.Status = storage.FileBroken
		d.Rule, d.Message = ruleBranch, fmt.Sprintf("The location names the branch %q; only the default branch %q is read", w.branch, c.repo.DefaultBranch)
		d.Hint = "Point the location to the default branch."
	case o.SHA == "":
		f.Status = storage.FileMissing
		d.Rule, d.Message = "target-missing", "NotFoundError: Unable to read url, no matching files found for "+fileURL(c.repo, "tree", w.path)
		d.Hint = "Correct the target, or add the file."
		if w.parent != "" {
			d.Message += ", a target of " + w.parent
		}
	case o.Size > int64(c.step.cfg.Limits.FileBytes):
		f.Status = storage.FileBroken
		d.Rule, d.Message = "file-too-large", fmt.Sprintf("The file has %d bytes; the limit is %d", o.Size, c.step.cfg.Limits.FileBytes)
		d.Hint = "Split the file, or raise callboard.catalog.maxFileBytes."
	default:
		reason, ignored := match.Ignored(w.path)
		if !ignored || w.named || isLocal(c.repo) {
			return fileResult{}, false
		}
		f.Status = storage.FileIgnored
		d.Rule, d.Severity, d.Message = "ignored-path", entity.SeverityInfo, "Not read: "+reason
		d.Hint = "Name the file in a Location if it belongs to the catalog."
	}
	return c.unread(f, d), true
}

// remembered is a file of a tree that cannot be read, which was read before and
// is named otherwise now. Only its Location entities change; the rest is read
// again when it can be.
func (c *crawl) remembered(w want) (fileResult, bool) {
	before, ok := c.stored[w.path]
	if !ok || c.lost == "" || before.Status == storage.FileMissing || diagnosed(before, ruleUnreadable) {
		return fileResult{}, false
	}
	f := before
	f.Role, f.Parent, f.Origin, f.Roots, f.BlobSHA = w.role, w.parent, w.origin, c.roots[w.path], ""
	return fileResult{File: f, kept: true}, true
}

func diagnosed(f storage.File, rules ...string) bool {
	return slices.ContainsFunc(f.Diagnostics, func(d entity.Diagnostic) bool { return slices.Contains(rules, d.Rule) })
}

// unread is the result of a file that is not read. A broken one keeps what it
// declared and reached when it was last good.
func (c *crawl) unread(f storage.File, d entity.Diagnostic) fileResult {
	f.Diagnostics = []entity.Diagnostic{d}
	r := fileResult{File: f}
	if d.Severity == entity.SeverityError {
		r.Errors = []entity.StatusItem{statusItem(errorOf(d))}
	}
	before := c.stored[f.Path]
	if f.Status != storage.FileBroken || d.Rule == ruleBranch && before.Origin != f.Origin {
		return r // what was read of the default branch is not what this location names
	}
	r.Targets, r.External = before.Targets, c.within(before.External)
	r.broken = r.Errors
	return r
}

// errorOf is a diagnostic as an error of Backstage's.
func errorOf(d entity.Diagnostic) *entity.Error {
	if message, ok := strings.CutPrefix(d.Message, "NotFoundError: "); ok {
		return &entity.Error{Name: "NotFoundError", Message: message}
	}
	return &entity.Error{Name: "InputError", Message: d.Message}
}

// tooDeep leaves the files of a level unread because Locations nest too deeply.
func (c *crawl) tooDeep(level []want) {
	if c.class == byOthers {
		c.forget(level)
		return
	}
	for _, w := range level {
		c.changed = append(c.changed, c.unread(c.file(w, storage.FileBroken), entity.Diagnostic{
			Path: w.path, Commit: c.repo.AppliedSHA, Severity: entity.SeverityError, Rule: "location-depth",
			Message: fmt.Sprintf("Not read: Locations nest deeper than %d, the last is %s", c.step.cfg.MaxDepth, w.parent),
			Hint:    "Name the file in a Location nearer to the root.",
		}))
	}
}

// bounded cuts a level where the repository has more catalog files than it may.
// Those that are cut stay as they are stored; the first of them says so.
func (c *crawl) bounded(ctx context.Context, level []want) ([]want, error) {
	if c.class == byOthers {
		return c.present(ctx, level)
	}
	free := c.step.cfg.MaxFiles - c.taken
	if len(level) <= free {
		c.taken += len(level)
		return level, nil
	}
	c.taken = c.step.cfg.MaxFiles
	first := level[free]
	c.changed = append(c.changed, c.unread(c.file(first, storage.FileBroken), entity.Diagnostic{
		Path: first.path, Commit: c.repo.AppliedSHA, Severity: entity.SeverityError, Rule: "too-many-files",
		Message: fmt.Sprintf("This file and %d after it are not read: a repository may have %d catalog files", len(level)-free-1, c.step.cfg.MaxFiles),
		Hint:    "Narrow the pattern, or raise callboard.catalog.maxFiles.",
	}))
	return level[:free], nil
}

// present are the files that others name and that are there, as many as may be.
// The rest is the business of those who name it, so nothing is said of it here.
func (c *crawl) present(ctx context.Context, level []want) ([]want, error) {
	const lookups = 10 * maxGuests
	if len(level) > lookups {
		c.forget(level[lookups:])
		level = level[:lookups]
	}
	objects, err := c.lookup(ctx, level)
	if err != nil {
		return nil, err
	}
	kept := level[:0]
	for _, w := range level {
		if there := objects[w.path].SHA != ""; c.guests >= maxGuests || !there && c.guest(w) {
			c.forget([]want{w})
			continue
		}
		c.guests++
		kept = append(kept, w)
	}
	return kept, nil
}

// inTurns orders what others name so that all of them come to their share:
// whoever names a hundred files crowds nobody out. Of one's own those come first
// that are known.
func (c *crawl) inTurns(wants []want) []want {
	type turn struct {
		want
		n int
	}
	slices.SortStableFunc(wants, func(a, b want) int { return cmp.Compare(c.known(b), c.known(a)) })
	turns, taken := make([]turn, len(wants)), map[string]int{}
	for i, w := range wants {
		by := w.origin
		if l, ok := location.Parse(strings.TrimPrefix(by, "url:")); ok {
			by = l.Host + "/" + l.Owner + "/" + l.Repo // whichever of its files names it
		}
		turns[i] = turn{w, taken[by]}
		taken[by]++
	}
	slices.SortStableFunc(turns, func(a, b turn) int { return cmp.Compare(a.n, b.n) })
	for i, t := range turns {
		wants[i] = t.want
	}
	return wants
}

// known is 1 for a file that was read before for the same origin.
func (c *crawl) known(w want) int {
	if f, ok := c.stored[w.path]; ok && f.Origin == w.origin {
		return 1
	}
	return 0
}

// guest says that only others name a file. When it cannot be read, the
// repository has nothing to show for it; but what was read once stays while the
// whole repository cannot be read.
func (c *crawl) guest(w want) bool {
	_, stored := c.stored[w.path]
	return c.class == byOthers && (c.lost == "" || !stored)
}

// file is the row of a wanted file that is not read.
func (c *crawl) file(w want, status storage.FileStatus) storage.File {
	return storage.File{
		RepositoryID: c.repo.ID, Path: w.path, Role: w.role, Parent: w.parent, Origin: w.origin, Status: status,
		Roots: c.roots[w.path],
	}
}
