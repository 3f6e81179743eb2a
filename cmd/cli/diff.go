package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/callboard/callboard/handlers/api/callboard"
	"github.com/callboard/callboard/pipeline/discovery"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/pipeline/refresh"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
)

// differ are the flags of callboard diff.
type differ struct {
	client
	format     format
	repository string
	ref        string
	pattern    string
	exitCode   bool
}

func diffCommand() *cobra.Command {
	d := &differ{}
	cmd := &cobra.Command{
		Use:   "diff [PATH]",
		Short: "What would this working tree, or a commit, change in the catalog",
		Long: `Read the repository at PATH as the server would, and compare it with what a running
Callboard serves of it: what would be created, updated with which fields, and
deleted, and what would lose to another repository that declares the same name.

The repository is that of the remote origin, or --repository. New files count,
ignored ones do not. Which files are descriptors, which kinds are allowed and
whether an owner is needed is as the server says.

Exit codes: 0, or 1 where a descriptor has an error or, with --exit-code, where
something differs; 2 where it could not be found out.`,
		Example: `  callboard diff
  callboard diff --ref origin/main --exit-code
  git fetch origin pull/12/head && callboard diff --ref FETCH_HEAD -o json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			different, err := d.run(cmd, firstOf(append(args, ".")...))
			if err != nil && !errors.Is(err, errSilent) {
				return &exitError{2, err}
			}
			if err == nil && different && d.exitCode {
				return errSilent
			}
			return err
		},
	}
	d.flags(cmd.Flags())
	d.format.flags(cmd, "text", "json")
	cmd.Flags().StringVar(&d.repository, "repository", "", "owner/name or host/owner/name, instead of the remote origin")
	cmd.Flags().StringVar(&d.ref, "ref", "", "a commit instead of the working tree: a branch, a tag, FETCH_HEAD")
	cmd.Flags().StringVar(&d.pattern, "pattern", "", "which files are descriptors, instead of what the server says")
	cmd.Flags().BoolVar(&d.exitCode, "exit-code", false, "exit with 1 when something differs")
	return cmd
}

func (d *differ) run(cmd *cobra.Command, path string) (different bool, err error) {
	ctx := cmd.Context()
	name, err := d.format.get()
	if err != nil {
		return false, err
	}
	dir, repo, err := d.locate(ctx, path)
	if err != nil {
		return false, err
	}
	held, err := d.held(ctx, repo)
	if err != nil {
		return false, err
	}
	facts := githubapp.Repository{
		ID: max(1, held.ID), Owner: firstOf(held.Owner, repo.Owner), Name: firstOf(held.Name, repo.Name),
		DefaultBranch: firstOf(held.DefaultBranch, "main"),
	}
	host := firstOf(held.Host, repo.Host, githubapp.DefaultHost)
	facts.URL = firstOf(held.URL, "https://"+host+"/"+facts.Owner+"/"+facts.Name)
	checked, against, err := d.check(ctx, dir, host, facts, held)
	if err != nil {
		return false, err
	}
	served, err := d.served(ctx, held, checked)
	if err != nil {
		return false, err
	}
	out := compare(facts, held, checked, served)
	out.Server, out.Against = d.address(), against
	if err := d.winners(ctx, &out); err != nil {
		return false, err
	}
	if err := out.print(cmd.OutOrStdout(), name); err != nil {
		return false, err
	}
	if out.errors() > 0 {
		return true, errSilent
	}
	return out.different(), nil
}

// locate finds the top of the repository that path is in, and its name.
func (d *differ) locate(ctx context.Context, path string) (gitDir, repositoryName, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", repositoryName{}, err
	}
	dir, notGit := gitDir(abs).root(ctx)
	if d.repository != "" {
		repo, err := parseRepository(d.repository)
		if notGit != nil && d.ref == "" {
			dir, notGit = "", nil // a plain directory will do
		}
		return dir, repo, errors.Join(err, notGit)
	}
	if notGit != nil {
		return "", repositoryName{}, notGit
	}
	remote, err := dir.line(ctx, "remote", "get-url", "origin")
	if err != nil {
		return "", repositoryName{}, fmt.Errorf("%w; name the repository with --repository owner/name", err)
	}
	repo, err := parseRemote(remote)
	return dir, repo, err
}

// held is what the server knows of the repository; nothing where it is new to it.
func (d *differ) held(ctx context.Context, repo repositoryName) (held callboard.RepositoryDetail, err error) {
	path := segments(ownPath+"/repositories", repo.Owner, repo.Name)
	if d.repository != "" && repo.Host != "" {
		path += "?host=" + repo.Host
	}
	err = d.get(ctx, path, &held)
	if absent(err) {
		return callboard.RepositoryDetail{}, nil
	}
	return held, err
}

// workingTree stands where a commit would.
const workingTree = "the working tree"

// check reads the tree as a refresh would. What the server reads because a
// location names it is read here too.
func (d *differ) check(ctx context.Context, dir gitDir, host string, facts githubapp.Repository, held callboard.RepositoryDetail) (_ []refresh.Checked, against string, err error) {
	var registered []string
	for _, f := range held.Files {
		if f.Role == storage.RoleRegistered {
			registered = append(registered, f.Path)
		}
	}
	known := held.ID != 0
	cfg, err := d.settings(ctx, host, facts.Owner)
	if err != nil {
		return nil, "", err
	}
	hosts := []string{host}
	if d.ref != "" {
		tree, err := openGitTree(ctx, dir, d.ref)
		if err != nil {
			return nil, "", err
		}
		facts.Head = tree.facts.Head
		tree.facts = facts
		checked, err := refresh.Check(ctx, cfg, hosts, tree, registered, known && !held.Discovered)
		return checked, facts.Head, err
	}
	tree, err := openLocalTree(firstOf(string(dir), "."), maxLintBytes)
	if err != nil {
		return nil, "", err
	}
	defer tree.Close()
	facts.Head = tree.facts.Head
	tree.facts = facts
	if dir != "" {
		paths, err := dir.files(ctx)
		if err != nil {
			return nil, "", err
		}
		tree.only(paths)
	}
	checked, err := refresh.Check(ctx, cfg, hosts, tree, registered, known && !held.Discovered)
	return checked, workingTree, err
}

// settings are the server's, so that both read alike.
func (d *differ) settings(ctx context.Context, host, owner string) (refresh.Config, error) {
	var s callboard.Settings
	query := url.Values{"host": {host}, "owner": {owner}}
	if err := d.get(ctx, ownPath+"/settings?"+query.Encode(), &s); absent(err) {
		s.Pattern = discovery.DefaultPath // an older server, which does not tell
	} else if err != nil {
		return refresh.Config{}, err
	}
	pattern := firstOf(d.pattern, s.Pattern)
	return refresh.Config{
		Policy: discovery.All(pattern), Rules: s.Rules, Owner: refresh.OwnerPolicy(s.OwnerPolicy),
	}, nil
}

// refsPerRequest is what the official client asks for at once, at most.
const refsPerRequest = 1000

// served are the entities as the catalog has them, of all that the repository
// declares there or here.
func (d *differ) served(ctx context.Context, held callboard.RepositoryDetail, checked []refresh.Checked) (map[string]json.RawMessage, error) {
	refs := slices.Clone(held.Entities)
	for _, file := range checked {
		for _, e := range file.Declarations {
			refs = append(refs, e.Ref)
		}
	}
	slices.Sort(refs)
	out := map[string]json.RawMessage{}
	for chunk := range slices.Chunk(slices.Compact(refs), refsPerRequest) {
		var answer struct{ Items []json.RawMessage }
		if err := d.post(ctx, catalogPath+"/entities/by-refs", map[string]any{"entityRefs": chunk}, &answer); err != nil {
			return nil, err
		}
		if len(answer.Items) != len(chunk) {
			return nil, fmt.Errorf("by-refs gave %d entities for %d refs", len(answer.Items), len(chunk))
		}
		for i, ref := range chunk {
			if raw := answer.Items[i]; string(raw) != "null" {
				out[ref] = raw
			}
		}
	}
	return out, nil
}

// winners finds out who holds what this repository would lose.
func (d *differ) winners(ctx context.Context, out *difference) error {
	for i, item := range out.Conflicts {
		if item.Winner != nil {
			continue
		}
		ref, err := entity.ParseRef(item.Ref, "", "")
		if err != nil {
			return err
		}
		var s callboard.Source
		if err := d.get(ctx, byName(ownPath+"/entities", ref), &s); err != nil && !absent(err) {
			return err
		}
		out.Conflicts[i].Winner = &winner{Repository: s.Repository, Path: s.Path}
	}
	return nil
}

// only leaves of the working tree what Git would commit.
func (t *localTree) only(paths []string) {
	t.listed = []githubapp.Entry{}
	slices.Sort(paths)
	for _, p := range slices.Compact(paths) { // Git lists a file in conflict twice
		if info, err := t.root.Lstat(filepath.FromSlash(p)); err == nil && info.Mode().IsRegular() && !strings.HasPrefix(p, ".git/") {
			t.listed = append(t.listed, githubapp.Entry{Path: p})
		}
	}
}
