package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/callboard/callboard/test/services"
)

// machine makes a PATH that holds these scripts only.
func machine(t *testing.T, scripts map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, body := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+body+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
	return dir
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

func TestServersOfTheEnvironmentAreUsed(t *testing.T) {
	machine(t, map[string]string{"git": ""})
	t.Setenv(services.EnvPostgres, "postgres://theirs")
	t.Setenv(services.EnvRedis, "redis://theirs")
	out := filepath.Join(t.TempDir(), "out")
	var stderr strings.Builder
	code := run(t.Context(), []string{"--", "/bin/sh", "-c", "echo $" + services.EnvPostgres + " $" + services.EnvRedis + " >" + out + "; exit 3"}, &stderr)
	if code != 3 {
		t.Errorf("exit code is %d, want the command's 3: %s", code, stderr.String())
	}
	if got := read(t, out); got != "postgres://theirs redis://theirs" {
		t.Errorf("the command saw %q", got)
	}
}

// Only the tests of test/clients need node, so its absence stops no others.
func TestWithoutNodeTheCommandRuns(t *testing.T) {
	machine(t, map[string]string{"git": ""})
	t.Setenv(services.EnvPostgres, "postgres://theirs")
	t.Setenv(services.EnvRedis, "redis://theirs")
	var stderr strings.Builder
	if code := run(t.Context(), []string{"/bin/true"}, &stderr); code != 0 {
		t.Errorf("exit code is %d: %s", code, stderr.String())
	}
	if !strings.Contains(stderr.String(), "install nodejs and npm") {
		t.Errorf("what to install is missing in:\n%s", stderr.String())
	}
}

func TestNothingToStartFromSaysWhatToInstall(t *testing.T) {
	machine(t, map[string]string{"git": ""})
	t.Setenv(services.EnvPostgres, "postgres://theirs")
	t.Setenv(services.EnvRedis, "")
	var stderr strings.Builder
	if code := run(t.Context(), []string{"/bin/true"}, &stderr); code != 1 {
		t.Errorf("exit code is %d, want 1", code)
	}
	for _, want := range []string{"redis-server: program is missing", "there is no docker", "apt-get install postgresql redis-server"} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, stderr.String())
		}
	}
}

func TestDockerIsTheLastResort(t *testing.T) {
	dir := machine(t, map[string]string{
		"git":    "",
		"docker": `echo "$@" >>"$LOG"; case "$*" in *" port "*) echo 0.0.0.0:4711;; esac`,
	})
	log := filepath.Join(dir, "log")
	t.Setenv("LOG", log)
	t.Setenv(services.EnvPostgres, "postgres://theirs")
	t.Setenv(services.EnvRedis, "")
	out := filepath.Join(dir, "out")
	var stderr strings.Builder
	if code := run(t.Context(), []string{"/bin/sh", "-c", "echo $" + services.EnvRedis + " >" + out}, &stderr); code != 0 {
		t.Fatalf("exit code is %d: %s", code, stderr.String())
	}
	if got := read(t, out); got != "redis://127.0.0.1:4711/0" {
		t.Errorf("the command saw %q", got)
	}
	lines := strings.Split(read(t, log), "\n")
	if len(lines) != 3 || !strings.HasSuffix(lines[0], "up -d --wait redis") || !strings.HasSuffix(lines[2], "down -v") {
		t.Errorf("docker was called so:\n%s", strings.Join(lines, "\n"))
	}
}

func TestDebianInstallsWhatIsMissing(t *testing.T) {
	if os.Geteuid() != 0 {
		// Then the answer must be that we may not, and that is all there is to test.
		if err := (&provider{stderr: t.Output()}).install(t.Context()); err == nil {
			t.Error("a user who is not root installed packages")
		}
		return
	}
	dir := machine(t, map[string]string{"apt-get": `echo "$@" >>"$LOG"`})
	log := filepath.Join(dir, "log")
	t.Setenv("LOG", log)
	if err := (&provider{stderr: t.Output()}).install(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := "update -q\ninstall -q -y --no-install-recommends postgresql redis-server git nodejs npm"
	if got := read(t, log); got != want {
		t.Errorf("apt-get was called so:\n%s", got)
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	var stderr strings.Builder
	if code := run(t.Context(), []string{"--"}, &stderr); code != 2 || !strings.Contains(stderr.String(), "usage") {
		t.Errorf("exit code %d, %q", code, stderr.String())
	}
}
