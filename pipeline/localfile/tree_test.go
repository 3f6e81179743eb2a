package localfile

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/pipeline/location"
	"github.com/callboard/callboard/pipeline/match"
	"github.com/callboard/callboard/storage"
)

// place makes a folder with files, and one beside it that nobody may reach.
func place(t testing.TB, files ...string) (dir, secret string) {
	t.Helper()
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir, secret = filepath.Join(top, "catalog"), filepath.Join(top, "secret", "key.yaml")
	for _, f := range append(files, "../secret/key.yaml") {
		p := filepath.Join(dir, f)
		if err := os.MkdirAll(filepath.Dir(p), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte("text of "+f), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir, secret
}

func locations(t testing.TB, targets ...string) (all []storage.Location) {
	t.Helper()
	for _, target := range targets {
		l, err := location.File(target)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, l)
	}
	return all
}

func tree(t testing.TB, targets ...string) *Tree {
	t.Helper()
	tr := Open(locations(t, targets...), 100)
	t.Cleanup(tr.Close)
	return tr
}

// short is a path of the tree.
func short(file string) string { return strings.TrimPrefix(file, "/") }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	dir, secret := place(t, "all.yaml", "sub/a.yaml", "large.yaml")
	in := func(name string) string { return filepath.Join(dir, name) }
	must(t, os.WriteFile(in("large.yaml"), make([]byte, 101), 0o600))
	must(t, os.Symlink("sub/a.yaml", in("inside.yaml")))
	must(t, os.Symlink(secret, in("outside.yaml")))
	must(t, os.Symlink(filepath.Dir(secret), in("folder")))
	must(t, os.Symlink(secret, in("own.yaml")))
	must(t, syscall.Mkfifo(in("pipe"), 0o600))
	tr := tree(t, in("all.yaml"), in("own.yaml"), "/dev/zero", "/none/x.yaml")
	tests := []struct{ path, found, fault string }{
		{in("all.yaml"), "text of all.yaml", ""},
		{in("sub/a.yaml"), "text of sub/a.yaml", ""},
		{in("inside.yaml"), "text of sub/a.yaml", ""},
		{in("own.yaml"), "text of ../secret/key.yaml", ""},
		{in("none.yaml"), "", ""},
		{in("none/none.yaml"), "", ""},
		{"/none/x.yaml", "", ""},
		{in("outside.yaml"), "", "path escapes from parent"},
		{in("folder/key.yaml"), "", "path escapes from parent"},
		{secret, "", errOutside.Error()},
		{"/etc/passwd", "", errOutside.Error()},
		{in("sub"), "", errIrregular.Error()},
		{in("pipe"), "", errIrregular.Error()},
		{"/dev/zero", "", errIrregular.Error()},
		{in("all.yaml/x"), "", "not a directory"},
	}
	for _, tt := range tests {
		objects, err := tr.Lookup(t.Context(), []string{short(tt.path)})
		must(t, err)
		bodies, err := tr.Read(t.Context(), slices.Collect(maps.Values(objects)))
		must(t, err)
		if got := string(bodies[objects[short(tt.path)].SHA]); got != tt.found || tr.Fault(short(tt.path)) != tt.fault {
			t.Errorf("%s: %q with %q, want %q with %q", tt.path, got, tr.Fault(short(tt.path)), tt.found, tt.fault)
		}
	}
	large, err := tr.Lookup(t.Context(), []string{short(in("large.yaml"))})
	must(t, err)
	if o := large[short(in("large.yaml"))]; o.Size != 101 {
		t.Errorf("large is %+v", o)
	}
}

// What changes between the look and the reading is an error, to be tried again.
func TestReadWhileItIsWritten(t *testing.T) {
	t.Parallel()
	dir, _ := place(t, "a.yaml")
	file := filepath.Join(dir, "a.yaml")
	tr := tree(t, file)
	objects, err := tr.Lookup(t.Context(), []string{short(file)})
	must(t, err)
	o := objects[short(file)]
	if want := "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"; BlobSHA(nil) != want { // git hash-object /dev/null
		t.Errorf("the empty blob is %s", BlobSHA(nil))
	}
	must(t, os.WriteFile(file, []byte("other"), 0o600))
	if bodies, err := tr.Read(t.Context(), []githubapp.Object{o}); err == nil {
		t.Errorf("read %q", bodies)
	}
}

func TestGlob(t *testing.T) {
	t.Parallel()
	dir, _ := place(t, "a.yaml", "b.txt", "x/c.yaml", "x/y/d.yaml", ".git/e.yaml", "node_modules/f.yaml", ".hidden/g.yaml")
	must(t, os.Symlink("a.yaml", filepath.Join(dir, "link.yaml")))
	must(t, os.Mkdir(filepath.Join(dir, "empty"), 0o750))
	tests := []struct {
		glob  string
		known bool
		want  []string
	}{
		{"*.yaml", true, []string{"a.yaml", "link.yaml"}},
		{"*/*.yaml", true, []string{"node_modules/f.yaml", "x/c.yaml"}},
		{"x/**/*.yaml", true, []string{"x/c.yaml", "x/y/d.yaml"}},
		{"{a,x/y/d}.yaml", true, []string{"a.yaml", "x/y/d.yaml"}},
		{"{.git,x}/*.yaml", true, []string{"x/c.yaml"}},
		{"x/?.json", true, nil},
		{"none/*.yaml", false, nil},
		{"empty/*.yaml", false, nil},
		{"a.yaml/*.yaml", false, nil},
	}
	for _, tt := range tests {
		glob := filepath.Join(dir, tt.glob)
		p, err := match.Compile(glob)
		must(t, err)
		work := 1 << 20
		got, known, err := tree(t, glob).Glob(t.Context(), p, &work)
		must(t, err)
		var want []string
		for _, name := range tt.want {
			if !strings.HasPrefix(name, "node_modules") { // which is not looked into
				want = append(want, short(filepath.Join(dir, name)))
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" || known != tt.known {
			t.Errorf("%s: known %t (-want +got):\n%s", tt.glob, known, diff)
		}
	}
}

func TestFixed(t *testing.T) {
	t.Parallel()
	tests := []struct{ glob, want string }{
		{"srv/a.yaml", "srv/a.yaml"},
		{"srv/x/*.yaml", "srv/x"},
		{"srv/x-*/a.yaml", "srv"},
		{"srv/{a/b,c}/d.yaml", "srv"},
		{"**/a.yaml", ""},
		{"srv/[id]/a.yaml", "srv/[id]/a.yaml"},
		{"srv/[id]/*.yaml", "srv"},
	}
	for _, tt := range tests {
		if got := fixed(tt.glob); got != tt.want {
			t.Errorf("fixed(%q) = %q, want %q", tt.glob, got, tt.want)
		}
	}
}

// Whatever a file names, nothing is read that lies outside the folders of locations.
func FuzzLookup(f *testing.F) {
	dir, secret := place(f, "all.yaml", "sub/a.yaml")
	must(f, os.Symlink(filepath.Dir(secret), filepath.Join(dir, "out")))
	for _, seed := range []string{
		"sub/a.yaml", "../secret/key.yaml", "out/key.yaml", "sub/../../secret/key.yaml", "", "/", "sub//a.yaml", "./all.yaml", "a\x00b", "out/../secret/key.yaml",
	} {
		f.Add(seed)
	}
	tr := tree(f, filepath.Join(dir, "all.yaml"))
	f.Fuzz(func(t *testing.T, name string) {
		for _, p := range []string{short(dir) + "/" + name, name} {
			objects, err := tr.Lookup(t.Context(), []string{p})
			must(t, err)
			bodies, err := tr.Read(t.Context(), slices.Collect(maps.Values(objects)))
			must(t, err)
			for _, b := range bodies {
				if strings.Contains(string(b), "secret") || !strings.HasPrefix(string(b), "text of ") {
					t.Fatalf("%q gives %q", p, b)
				}
			}
		}
	})
}
