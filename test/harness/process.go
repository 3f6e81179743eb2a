package harness

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// binary is built once for a test binary, to the same place each time so that
// nothing is left behind; test binaries that run together replace it whole.
var binary = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("CALLBOARD_TEST_BINARY"); path != "" {
		return path, nil
	}
	path := filepath.Join(os.TempDir(), fmt.Sprintf("callboard-under-test-%d", os.Getuid()))
	fresh := fmt.Sprintf("%s-%d", path, os.Getpid())
	out, err := exec.Command("go", "build", "-o", fresh, "github.com/callboard/callboard/cmd/callboard").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build callboard: %w\n%s", err, out)
	}
	return path, os.Rename(fresh, path)
})

// Process is the real program, run with a configuration file, that can be
// killed at any moment.
type Process struct {
	w    *World
	cmd  *exec.Cmd
	args []string
	log  *os.File
}

// Process starts the program for the World instead of running it in this
// process.
func (w *World) Process() *Process {
	w.T.Helper()
	w.Prepare()
	path, err := binary()
	if err != nil {
		w.T.Fatal(err)
	}
	dir := w.T.TempDir()
	file := filepath.Join(dir, "app-config.yaml")
	if err := os.WriteFile(file, []byte(w.YAML(dir)), 0o600); err != nil {
		w.T.Fatal(err)
	}
	logFile, err := os.Create(filepath.Join(dir, "callboard.log"))
	if err != nil {
		w.T.Fatal(err)
	}
	p := &Process{w: w, args: []string{path, "serve", "--config", file}, log: logFile}
	w.T.Cleanup(func() {
		p.Kill()
		if w.T.Failed() {
			out, _ := os.ReadFile(logFile.Name())
			w.T.Logf("log of the process:\n%s", out[max(0, len(out)-20_000):])
		}
		_ = logFile.Close()
	})
	p.Start()
	return p
}

// Start runs the program and waits until it serves.
func (p *Process) Start() {
	p.w.T.Helper()
	p.Launch()
	p.w.Eventually("the process is ready", func() error { return p.w.Get("/.backstage/health/v1/readiness", nil) })
}

// Launch runs the program without waiting.
func (p *Process) Launch() {
	p.w.T.Helper()
	p.cmd = exec.Command(p.args[0], p.args[1:]...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		p.w.T.Fatal(err)
	}
	p.w.URL = "http://" + p.w.Config.Listen
}

// Kill ends the program as a power cut would: it gets no chance to do anything.
func (p *Process) Kill() {
	if p.cmd != nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
		p.cmd = nil
		http.DefaultClient.CloseIdleConnections()
	}
}

// PID of the running program.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// PeakMB is the most memory that the program was resident with, in MiB.
func (p *Process) PeakMB() int {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	if err != nil {
		return 0
	}
	var kb int
	for line := range strings.Lines(string(raw)) {
		if v, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			_, _ = fmt.Sscan(v, &kb)
		}
	}
	return kb >> 10
}

// YAML is the configuration as a file; keys are written beside it, into dir.
func (w *World) YAML(dir string) string {
	c := w.Config
	var b strings.Builder
	fmt.Fprintf(&b, "backend:\n  listen: %q\n  auth: {dangerouslyDisableDefaultAuthPolicy: %t}\n  database:\n    client: %s\n", c.Listen, c.Auth.Open, c.Database.Client)
	if c.Database.Client == "pg" {
		fmt.Fprintf(&b, "    connection: %q\n", c.Database.DSN.Reveal())
	} else {
		fmt.Fprintf(&b, "    connection: %q\n", c.Database.Path)
	}
	b.WriteString("integrations:\n  github:\n")
	for _, g := range c.GitHub {
		fmt.Fprintf(&b, "    - host: %q\n      baseUrl: %q\n      apps:\n", g.Host, g.BaseURL)
		for _, a := range g.Apps {
			key := filepath.Join(dir, fmt.Sprintf("app-%d.pem", a.ID))
			if err := os.WriteFile(key, []byte(a.PrivateKey.Reveal()), 0o600); err != nil {
				w.T.Fatal(err)
			}
			fmt.Fprintf(&b, "        - appId: %d\n          privateKey: {$file: %q}\n          webhookSecret: %q\n", a.ID, key, Secret)
		}
	}
	b.WriteString("catalog:\n  rules: [{allow: [Component, API, Resource, System, Domain, Group, User, Location, Template]}]\n")
	fmt.Fprintf(&b, "callboard:\n  dataDir: %q\n  bus: %s\n  workers: %d\n", dir, c.Bus.Kind, c.Workers)
	if c.Bus.Kind == "redis" {
		fmt.Fprintf(&b, "  redis: {url: %q}\n", c.Bus.RedisURL.Reveal())
	}
	return b.String()
}

// FreeAddress is an address on this machine that nobody listens on.
func FreeAddress(t testing.TB) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return addr
}

// testWriter sends log lines to the test that they belong to.
type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	defer func() { _ = recover() }() // a line after the end of the test is of no interest
	w.t.Log(strings.TrimSuffix(string(p), "\n"))
	return len(p), nil
}
