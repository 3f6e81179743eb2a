package refresh

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/callboard/callboard/pipeline/descriptor"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/pipeline/location"
	"github.com/callboard/callboard/pipeline/match"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
)

// Validate processes one entity as if target were its file, and stores nothing
// (contract catalog 4.16). Whoever asks may not see the files that its
// placeholders and, for a Location, its targets name: GitHub is only asked
// whether they are there. turn is called before that.
func (s *Step) Validate(ctx context.Context, raw json.RawMessage, target string, turn func() error) ([]*entity.Error, error) {
	doc, err := descriptor.ParseEntity(raw, s.cfg.Limits)
	if err != nil {
		return []*entity.Error{{Name: "InputError", Message: err.Error()}}, nil
	}
	src := descriptor.Source{URL: target, Origin: "url:" + target, Hosts: s.github.Hosts()}
	if src.Exists, err = s.exists(ctx, doc.Inputs(src), target, turn); err != nil {
		return nil, err
	}
	res := doc.Process(src)
	if res.Verdict != descriptor.VerdictAccepted {
		return res.Errors, nil
	}
	r := fileResult{rejected: map[string][]entity.StatusItem{}}
	if c := inspect(s, nil, storage.Repository{}); !c.owned(&r, res) {
		return []*entity.Error{r.rejected[res.Ref][0].Error}, nil
	}
	return s.validateTargets(ctx, res.Targets, turn)
}

// exists tells which inputs are there of an entity that is said to lie at
// target. Like in a refresh, only its own repository is looked into.
func (s *Step) exists(ctx context.Context, urls []string, target string, turn func() error) (func(string) error, error) {
	l, ok := location.Parse(target)
	if len(urls) == 0 || !ok || !configured(s.github, l.Host) {
		return notFound, nil
	}
	if len(urls) > inspectFiles {
		return func(string) error {
			return &entity.Error{Name: "InputError", Message: fmt.Sprintf("the placeholders name more than %d files", inspectFiles)}
		}, nil
	}
	if err := turn(); err != nil {
		return nil, err
	}
	tree, repo, err := s.open(ctx, githubapp.Name{Host: l.Host, Owner: l.Owner, Name: l.Repo})
	if err != nil {
		if unreadable(err) {
			err = nil
		}
		return notFound, err
	}
	paths := map[string]string{}
	for _, u := range urls {
		if p, inside := repoPath(repo, u); inside {
			paths[u] = p
		}
	}
	objects, err := tree.Lookup(ctx, slices.Sorted(maps.Values(paths)))
	return func(u string) error {
		path, inside := paths[u]
		o, there := objects[path]
		switch {
		case !inside:
			return descriptor.NotAllowed(u)
		case !there:
			return descriptor.NotFound(u)
		case o.Size > int64(s.cfg.Limits.FileBytes):
			return &entity.Error{Name: "InputError", Message: fmt.Sprintf("%s is larger than the limit of %d bytes", path, s.cfg.Limits.FileBytes)}
		}
		return nil
	}, err
}

func notFound(u string) error { return descriptor.NotFound(u) }

// validateTargets says which targets of a Location are not there. What is in
// them is not told, and like in a refresh a glob may match nothing.
func (s *Step) validateTargets(ctx context.Context, targets []string, turn func() error) (out []*entity.Error, err error) {
	if len(targets) > inspectFiles {
		return []*entity.Error{{Name: "InputError", Message: fmt.Sprintf("The Location has more than %d targets", inspectFiles)}}, nil
	}
	var queue []storage.Location
	for _, target := range targets {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		l, err := location.Check("url", target, s.github.Hosts())
		if err != nil {
			out = append(out, &entity.Error{Name: "InputError", Message: err.Error()})
			continue
		}
		queue = append(queue, l)
	}
	if len(queue) == 0 {
		return out, nil
	}
	if err := turn(); err != nil {
		return nil, err
	}
	in := &inspection{step: s, seen: map[string]bool{}, only: existence}
	if err := in.follow(ctx, queue); err != nil {
		return nil, err
	}
	for _, f := range in.faults {
		name, message, _ := strings.Cut(f, ": ")
		out = append(out, &entity.Error{Name: name, Message: message})
	}
	return out, nil
}

// existence looks which of the files that locations name are there.
func existence(ctx context.Context, in *inspection, c *crawl) error {
	wanted := map[string]string{}
	for _, l := range c.locations {
		path, other := c.place(l)
		if other {
			in.faults = append(in.faults, fmt.Sprintf("InputError: %s is not on the default branch, and only that one is read", l.Target))
			continue
		}
		if pattern, err := match.Compile(path); err == nil {
			if path, plain := pattern.Plain(); plain {
				wanted[l.Target] = path
			}
		}
	}
	objects, err := c.tree.Lookup(ctx, slices.Sorted(maps.Values(wanted)))
	for _, target := range slices.Sorted(maps.Keys(wanted)) {
		if _, there := objects[wanted[target]]; !there {
			in.faults = append(in.faults, "NotFoundError: Unable to read url, "+missing(target))
		}
	}
	return err
}
