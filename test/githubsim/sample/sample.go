// Package sample is a small company's organisation for demos and tests: Acme,
// which sells outdoor gear. Its repositories together use all nine kinds,
// nested Locations, definitions in files of their own, documentation, software
// templates, a monorepo and, on purpose, one broken descriptor.
//
// Each repository is one txtar archive beside this file: a head of "key: value"
// lines, then the files. The text @BASE@ stands for the simulator's address.
package sample

import (
	"embed"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/callboard/callboard/test/githubsim"
)

//go:embed *.txtar
var archives embed.FS

// person is a member of the organisation with the teams they are in.
type person struct {
	login, name, bio string
	teams            []string
}

var people = []person{
	{"amara", "Amara Okafor", "Runs engineering", nil},
	{"nora", "Nora Lind", "Leads the storefront", []string{"storefront"}},
	{"jun", "Jun Sato", "Makes the app quick", []string{"storefront"}},
	{"priya", "Priya Raman", "Leads checkout and payments", []string{"checkout"}},
	{"lucas", "Lucas Silva", "Counts money twice", []string{"checkout"}},
	{"tomas", "Tomas Weber", "Leads fulfilment", []string{"fulfilment"}},
	{"elif", "Elif Kaya", "Knows every shelf", []string{"fulfilment"}},
	{"sven", "Sven Dahl", "Keeps the platform up", []string{"platform"}},
	{"maya", "Maya Cohen", "Search, data, recommendations", []string{"insight"}},
}

var teams = []githubsim.TeamOptions{
	{Name: "engineering", Description: "Everybody who builds"},
	{Name: "storefront", Description: "What customers see", Parent: "engineering"},
	{Name: "checkout", Description: "From basket to paid order", Parent: "engineering"},
	{Name: "fulfilment", Description: "From paid order to parcel", Parent: "engineering"},
	{Name: "platform", Description: "What the others stand on", Parent: "engineering"},
	{Name: "insight", Description: "Search and recommendations", Parent: "engineering"},
}

// Names lists the repositories of the sample.
func Names() []string {
	entries, err := archives.ReadDir(".")
	if err != nil {
		panic(err) // the embedded root is always there
	}
	var out []string
	for _, e := range entries {
		out = append(out, strings.TrimSuffix(e.Name(), ".txtar"))
	}
	return out
}

// Load makes the organisation in a running simulator. Nothing is announced
// until everything is there, as far as opts say Quiet.
func Load(s *githubsim.Server, org string, opts ...githubsim.EditOption) error {
	s.AddOrg(org, "Acme Outdoor")
	for _, p := range people {
		s.AddUser(githubsim.User{Login: p.login, Name: p.name, Email: mail(p.login), VerifiedEmails: []string{mail(p.login)}, Bio: p.bio})
		role := "member"
		if len(p.teams) == 0 {
			role = "admin"
		}
		if err := s.AddMember(org, p.login, role, opts...); err != nil {
			return err
		}
	}
	for _, t := range teams {
		if err := s.AddTeam(org, t, opts...); err != nil {
			return err
		}
	}
	for _, p := range people {
		for _, t := range p.teams {
			if err := s.AddTeamMember(org, t, p.login, opts...); err != nil {
				return err
			}
		}
	}
	for _, name := range Names() {
		if err := load(s, org, name, opts); err != nil {
			return fmt.Errorf("load %s: %w", name, err)
		}
	}
	return nil
}

func mail(login string) string { return login + "@acme.example" }

// step is one commit of a repository's story: the files that match its
// patterns and came with no step before.
type step struct {
	login, message string
	when           time.Time
	patterns       []string
}

// repository is one archive, read.
type repository struct {
	options githubsim.RepoOptions
	steps   []step
	files   map[string]string
}

func read(name, org, base string) (repository, error) {
	var r repository
	raw, err := archives.ReadFile(name + ".txtar")
	if err != nil {
		return r, err
	}
	ar := txtar.Parse(raw)
	for line := range strings.Lines(string(ar.Comment)) {
		k, v, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok {
			continue
		}
		switch k {
		case "description":
			r.options.Description = v
		case "topics":
			r.options.Topics = strings.Split(v, ", ")
		case "private":
			r.options.Private = v == "true"
		case "archived":
			r.options.Archived = v == "true"
		case "commit":
			s, err := readStep(v)
			if err != nil {
				return r, err
			}
			r.steps = append(r.steps, s)
		default:
			return r, fmt.Errorf("unknown key %q", k)
		}
	}
	replace := strings.NewReplacer("@BASE@", base+"/"+org, "@ORG@", org)
	r.files = map[string]string{}
	for _, f := range ar.Files {
		r.files[f.Name] = replace.Replace(string(f.Data))
	}
	return r, nil
}

// readStep reads "login date message | pattern pattern". Without patterns the
// step takes all that is left.
func readStep(text string) (step, error) {
	head, patterns, _ := strings.Cut(text, " | ")
	parts := strings.SplitN(head, " ", 3)
	if len(parts) != 3 {
		return step{}, fmt.Errorf("commit %q: want login, date, message", text)
	}
	when, err := time.Parse("2006-01-02", parts[1])
	if err != nil {
		return step{}, fmt.Errorf("commit %q: %w", text, err)
	}
	return step{parts[0], parts[2], when.Add(9 * time.Hour), strings.Fields(patterns)}, nil
}

func (s step) takes(name string) bool {
	return len(s.patterns) == 0 || slices.ContainsFunc(s.patterns, func(p string) bool {
		if dir, ok := strings.CutSuffix(p, "/"); ok {
			return strings.HasPrefix(name, dir+"/")
		}
		ok, err := path.Match(p, name)
		return ok && err == nil
	})
}

// load makes one repository, telling its story commit by commit.
func load(s *githubsim.Server, org, name string, opts []githubsim.EditOption) error {
	r, err := read(name, org, s.URL())
	if err != nil {
		return err
	}
	archived := r.options.Archived
	r.options.Archived = false
	if _, err := s.CreateRepo(org, name, r.options, nil, opts...); err != nil {
		return err
	}
	for _, st := range r.steps {
		changes := map[string]*string{}
		for file, text := range r.files {
			if st.takes(file) {
				changes[file] = &text
				delete(r.files, file)
			}
		}
		as := []githubsim.EditOption{githubsim.As(st.login), githubsim.At(st.when)}
		for _, p := range people {
			if p.login == st.login {
				as = append(as, githubsim.Author(p.name, mail(p.login)))
			}
		}
		if _, err := s.Commit(org+"/"+name, "main", st.message+"\n", changes, append(as, opts...)...); err != nil {
			return err
		}
	}
	if len(r.files) > 0 {
		return fmt.Errorf("%d files belong to no commit", len(r.files))
	}
	if archived {
		return s.ArchiveRepo(org+"/"+name, true, opts...)
	}
	return nil
}
