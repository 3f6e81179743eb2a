package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/callboard/callboard/cmd/config"
	"github.com/callboard/callboard/pipeline/rule"
	"github.com/callboard/callboard/test/githubsim"
	"github.com/callboard/callboard/test/harness"
)

// The scripts of testdata/server run against the whole program, which lets in
// who has a token. Each has its own; the repositories that it begins with are
// its files below repos/owner/name/.
func TestServerScripts(t *testing.T) {
	t.Parallel()
	scripts, err := filepath.Glob("testdata/server/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, script := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(script), ".txtar"), func(t *testing.T) {
			t.Parallel()
			w := world(t, script)
			testscript.Run(t, testscript.Params{
				Files: []string{script}, RequireExplicitExec: true,
				Setup: func(env *testscript.Env) error {
					for name, value := range map[string]string{
						"CALLBOARD_URL": w.URL, "CALLBOARD_TOKEN": operatorToken, "GITHUB": w.GitHub.URL(), "READER": readerToken,
						"GIT_AUTHOR_NAME": "Dev", "GIT_AUTHOR_EMAIL": "dev@example.com", "GIT_COMMITTER_NAME": "Dev",
						"GIT_COMMITTER_EMAIL": "dev@example.com", "GIT_CONFIG_GLOBAL": os.DevNull, "GIT_TERMINAL_PROMPT": "0",
					} {
						env.Setenv(name, value)
					}
					return nil
				},
				Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
					"settled": func(*testscript.TestScript, bool, []string) { w.Settled() },
					// deletes owner/name at GitHub, and no webhook tells.
					"deletes": func(ts *testscript.TestScript, _ bool, args []string) {
						ts.Check(w.GitHub.DeleteRepo(args[0], githubsim.Quiet()))
					},
					// paused sets PAUSED to the id of the scan that waits.
					"paused": func(ts *testscript.TestScript, _ bool, _ []string) {
						var list struct{ Items []struct{ ID string } }
						ts.Check(w.Get("/api/callboard/scans?state=paused", &list))
						ts.Setenv("PAUSED", list.Items[0].ID)
					},
				},
			})
		})
	}
}

const (
	operatorToken = "operator-token"
	readerToken   = "reader-token"
)

// world is a GitHub with the repositories of a script, and a Callboard that has read them.
func world(t *testing.T, script string) *harness.World {
	t.Helper()
	archive, err := txtar.ParseFile(script)
	if err != nil {
		t.Fatal(err)
	}
	w := harness.New(t, harness.Setups[0])
	w.Config.Auth = config.Auth{External: []config.ExternalAccess{
		{Subject: "operator", Token: operatorToken},
		{Subject: "reader", Token: readerToken, Restrictions: map[string]config.AccessRestriction{"catalog": {Actions: []string{"read"}}}},
	}}
	w.Config.Catalog.Rules = rule.Default() // diff learns them from the server
	w.Config.Scan.MaxRemovedShare, w.Config.Scan.MaxRemovedEntities = 0, 0
	repos := map[string]map[string]string{}
	var order []string
	for _, f := range archive.Files {
		parts := strings.SplitN(f.Name, "/", 4)
		if len(parts) != 4 || parts[0] != "repos" {
			continue
		}
		name := parts[1] + "/" + parts[2]
		if repos[name] == nil {
			repos[name] = map[string]string{}
			order = append(order, name)
		}
		repos[name][parts[3]] = string(f.Data)
	}
	for _, name := range order {
		owner, repo, _ := strings.Cut(name, "/")
		if _, err := w.GitHub.CreateRepo(owner, repo, githubsim.RepoOptions{}, repos[name]); err != nil {
			t.Fatal(err)
		}
	}
	w.Start().Install("acme")
	w.Settled()
	return w
}
