package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/callboard/callboard/cmd/config"
	"github.com/callboard/callboard/handlers/api/callboard"
	"github.com/callboard/callboard/test/harness"
)

// put writes files below a folder.
func put(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func fileLocations(w *harness.World, targets ...string) {
	w.Config.Locations = nil
	for _, target := range targets {
		w.Config.Locations = append(w.Config.Locations, config.Location{Type: "file", Target: target, Place: "harness"})
	}
}

// Files of the machine are read as a repository's are, followed when they change,
// and kept through restarts.
func TestFiles(t *testing.T) {
	each(t, func(t *testing.T, w *harness.World) {
		dir := t.TempDir()
		put(t, dir, map[string]string{
			"all.yaml":          location("all", "./parts/*.yaml", w.GitHub.URL()+"/acme/shop/blob/main/shop.yaml"),
			"parts/a.yaml":      component("a", "x", "definition: {$text: ./a.txt}"),
			"parts/a.txt":       "some text",
			"parts/b.yaml":      component("b", "x", "dependsOn: [component:default/a]"),
			"globbed/x/c.yaml":  component("c", "x"),
			"globbed/README.md": "x",
		})
		create(t, w, "acme/shop", map[string]string{"shop.yaml": component("shop", "x")})
		fileLocations(w, filepath.Join(dir, "all.yaml"), filepath.Join(dir, "globbed/**/*.yaml"))
		w.Prepare()
		w.Install("acme")
		w.Start()
		all := []string{"location:default/all", "component:default/a", "component:default/b", "component:default/c", "component:default/shop"}
		eventually(w, all...)
		a, err := w.Entity("component", "a")
		if err != nil || a.Spec["definition"] != "some text" {
			t.Fatalf("a is %+v, %v", a, err)
		}
		annotations := fmt.Sprint(a.Metadata["annotations"])
		want := fmt.Sprintf("map[backstage.io/managed-by-location:file:%s backstage.io/managed-by-origin-location:file:%s]",
			filepath.Join(dir, "parts/a.yaml"), filepath.Join(dir, "all.yaml"))
		if annotations != want {
			t.Errorf("annotations are %s, want %s", annotations, want)
		}
		uid := a.Metadata["uid"]

		put(t, dir, map[string]string{"parts/a.txt": "another text", "globbed/y/d.yaml": component("d", "x")})
		if err := os.Remove(filepath.Join(dir, "parts/b.yaml")); err != nil {
			t.Fatal(err)
		}
		all = []string{"location:default/all", "component:default/a", "component:default/c", "component:default/d", "component:default/shop"}
		eventually(w, all...)
		w.Eventually("the other text", func() error {
			a, err = w.Entity("component", "a")
			if err == nil && (a.Spec["definition"] != "another text" || a.Metadata["uid"] != uid) {
				err = fmt.Errorf("it is %v", a)
			}
			return err
		})
		w.Stop()
		fileLocations(w, filepath.Join(dir, "all.yaml"))
		w.Start()
		eventually(w, "location:default/all", "component:default/a", "component:default/shop")

		// Who asks for another look gets one.
		for _, path := range []string{"/api/callboard/repositories/local/~files/refresh?force=true", "/api/callboard/repositories/local/~files/refresh"} {
			if err := w.Post(path); err != nil {
				t.Error(err)
			}
		}
		if status := ask(t, w, "POST", "/api/catalog/refresh", `{"entityRef":"component:default/a"}`); status != 200 {
			t.Errorf("refresh: %d", status)
		}
		w.Settled()
		var detail callboard.RepositoryDetail
		if err := w.Get("/api/callboard/repositories/local/~files", &detail); err != nil || detail.State != "active" || len(detail.Files) != 2 {
			t.Errorf("%+v, %v", detail, err)
		}

		// Somebody deletes an entity: its file brings it back, as another one.
		if status := ask(t, w, "DELETE", "/api/catalog/entities/by-uid/"+fmt.Sprint(uid), ""); status != 204 {
			t.Fatalf("deleted: %d", status)
		}
		w.Eventually("a is back", func() error {
			if a, err = w.Entity("component", "a"); err == nil && a.Metadata["uid"] == uid {
				err = fmt.Errorf("it has its old uid")
			}
			return err
		})
		w.Stop()
		fileLocations(w)
		w.Start()
		eventually(w)
	})
}

// A file that is missing or broken is told, never stops the start, and takes
// nothing away.
func TestFilesThatCannotBeRead(t *testing.T) {
	w := embedded(t)
	dir, other := t.TempDir(), t.TempDir()
	put(t, other, map[string]string{"secret.yaml": component("secret", "x")})
	put(t, dir, map[string]string{
		"good.yaml":  component("good", "x"),
		"bad.yaml":   "a: [\n",
		"sub/x.txt":  "",
		"reach.yaml": location("reach", "../"+filepath.Base(other)+"/secret.yaml", "./link.yaml", filepath.Join(other, "secret.yaml"), "./pipe"),
		"text.yaml":  component("text", "x", fmt.Sprintf("definition: {$text: %q}", filepath.Join(other, "secret.yaml"))),
	})
	if err := os.Symlink(filepath.Join(other, "secret.yaml"), filepath.Join(dir, "link.yaml")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "good.yaml"), filepath.Join(dir, "own-link.yaml")); err != nil {
		t.Fatal(err)
	}
	var targets []string
	for _, name := range []string{"own-link.yaml", "bad.yaml", "none.yaml", "reach.yaml", "text.yaml", "sub", "{a", "none/*.yaml"} {
		targets = append(targets, filepath.Join(dir, name))
	}
	fileLocations(w, append(targets, "relative.yaml", "/dev/zero")...)
	w.Start()
	eventually(w, "component:default/good", "location:default/reach")
	var page callboard.Diagnostics
	told := ""
	w.Eventually("all is told", func() error {
		if err := w.Get("/api/callboard/diagnostics?repository=local/~files", &page); err != nil {
			return err
		}
		told = ""
		for _, d := range page.Items {
			told += d.Path + ": " + d.Message + "\n"
		}
		for _, want := range []string{
			"none.yaml: NotFoundError: file /", "link.yaml could not be read, ", "/dev/zero could not be read, it is not a regular file",
			"secret.yaml could not be read, it lies outside", "bad.yaml: ", "text.yaml: ",
		} {
			if !strings.Contains(told, want) {
				return fmt.Errorf("%q is not told of:\n%s", want, told)
			}
		}
		return nil
	})

	// What was read is kept while the file cannot be, or is broken.
	if err := os.Remove(filepath.Join(dir, "good.yaml")); err != nil {
		t.Fatal(err)
	}
	w.Eventually("good is shown with an error", func() error {
		e, err := w.Entity("component", "good")
		if err == nil && (e.Status == nil || !strings.Contains(e.Status.Items[0].Message, "does not exist")) {
			err = fmt.Errorf("it shows %+v", e.Status)
		}
		return err
	})
	put(t, dir, map[string]string{"good.yaml": component("better", "x")})
	eventually(w, "component:default/better", "location:default/reach")
}
