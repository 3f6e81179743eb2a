// Command demo is `make demo`: it starts a local GitHub with the sample
// organisation, and the real Callboard beside it on embedded defaults, shows
// the organisation coming in, and then what to try. Enter stops Callboard and
// starts it again, so that one sees it catch up.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/callboard/callboard/test/githubsim"
	"github.com/callboard/callboard/test/githubsim/sample"
)

const secret = "demo-secret"

func main() {
	binary := flag.String("callboard", "bin/callboard", "the program to run")
	portal := flag.String("listen", "127.0.0.1:7007", "address of Callboard; another port is taken when it is in use")
	github := flag.String("github", "127.0.0.1:7080", "address of the local GitHub, likewise")
	once := flag.Bool("once", false, "end after the screen, for trying the demo itself")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	d := &demo{out: os.Stdout, binary: *binary, portal: free(*portal), github: free(*github)}
	if err := d.run(ctx, *once); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// free is addr, or another port where that is taken.
func free(addr string) string {
	for _, a := range []string{addr, "127.0.0.1:0"} {
		if l, err := net.Listen("tcp", a); err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	return addr
}

type demo struct {
	out            io.Writer
	binary         string
	portal, github string
	sim            *githubsim.Server
	app            *githubsim.App
	stop           context.CancelFunc // ends the Callboard that runs
	quiet          atomic.Bool        // while the progress is shown
}

func (d *demo) run(ctx context.Context, once bool) error {
	dir, err := os.MkdirTemp("", "callboard-demo-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	d.sim, err = githubsim.Open(githubsim.WithAddr(d.github), githubsim.WithDataDir(filepath.Join(dir, "github")))
	if err != nil {
		return err
	}
	defer d.sim.Close()
	fmt.Fprintln(d.out, "Making a local GitHub with the organisation acme …")
	if err := d.load(); err != nil {
		return err
	}
	d.app, err = d.sim.AddApp("callboard", githubsim.AppOptions{
		WebhookURL: "http://" + d.portal + "/api/events/http/github", WebhookSecret: secret,
	})
	if err != nil {
		return err
	}
	config, err := d.config(dir)
	if err != nil {
		return err
	}
	d.quiet.Store(true)
	ended, err := d.serve(ctx, config)
	if err != nil {
		return err
	}
	if err := d.bringIn(ctx, ended); err != nil {
		return err
	}
	d.quiet.Store(false)
	if once {
		return nil
	}
	return d.toggle(ctx, config, ended)
}

// toggle passes on what Callboard says until Ctrl-C, and stops and starts it as
// Enter is pressed.
func (d *demo) toggle(ctx context.Context, config string, ended <-chan error) error {
	enter := lines(os.Stdin)
	for {
		select {
		case err := <-ended:
			if err != nil && ctx.Err() == nil {
				return fmt.Errorf("callboard ended: %w", err)
			}
			return nil // Ctrl-C reaches it as soon as us
		case <-enter:
		}
		d.stop()
		<-ended //nolint:errcheck // it was told to
		fmt.Fprint(d.out, "\n  Callboard is stopped. Push, or change something on the admin page; GitHub's deliveries fail. Enter starts it again.\n\n")
		select {
		case <-ctx.Done():
			return nil
		case <-enter:
		}
		fmt.Fprint(d.out, "  Callboard starts, and asks GitHub what it missed.\n\n")
		var err error
		if ended, err = d.serve(ctx, config); err != nil {
			return err
		}
	}
}

// lines tells of each line of a reader; where there is nobody to type, never.
func lines(r io.Reader) <-chan struct{} {
	out := make(chan struct{})
	go func() {
		for in := bufio.NewScanner(r); in.Scan(); {
			out <- struct{}{}
		}
	}()
	return out
}

// load makes the sample organisation. Its people come from GitHub's members and
// teams here, so the files that say the same give way.
func (d *demo) load() error {
	if err := sample.Load(d.sim, "acme", githubsim.Quiet()); err != nil {
		return err
	}
	files, err := d.sim.Tree("acme/people", "HEAD")
	if err != nil {
		return err
	}
	gone := map[string]*string{}
	for path := range files {
		if strings.HasPrefix(path, "users/") || path == "groups/engineering.yaml" || path == "groups/teams.yaml" {
			gone[path] = nil
		}
	}
	_, err = d.sim.Commit("acme/people", "main", "GitHub knows who we are", gone, githubsim.As("amara"), githubsim.Quiet())
	return err
}

// config writes what a user would write for a real GitHub. The schedules begin
// late because the installation of the App starts the first scan.
func (d *demo) config(dir string) (string, error) {
	key := filepath.Join(dir, "app.pem")
	if err := os.WriteFile(key, d.app.KeyPEM(), 0o600); err != nil {
		return "", err
	}
	text := fmt.Sprintf(`backend:
  listen: %[1]s
  baseUrl: http://%[1]s
  auth: {dangerouslyDisableDefaultAuthPolicy: true}
integrations:
  github:
    - host: %[2]s
      baseUrl: http://%[2]s
      apps:
        - appId: %[3]d
          privateKey: {$file: app.pem}
          webhookSecret: %[4]s
catalog:
  providers:
    github:
      acme:
        host: %[2]s
        organization: acme
        schedule: {frequency: {minutes: 2}, timeout: {minutes: 2}, initialDelay: {seconds: 30}}
    githubOrg:
      id: acme
      githubUrl: http://%[2]s
      orgs: [acme]
      defaultUserTransformer: {useVerifiedEmails: true}
      schedule: {frequency: {minutes: 10}, timeout: {minutes: 5}, initialDelay: {seconds: 30}}
  rules: [{allow: [Component, API, Resource, System, Domain, Group, User, Location, Template]}]
callboard:
  dataDir: %[5]s
`, d.portal, d.github, d.app.ID(), secret, filepath.Join(dir, "data"))
	path := filepath.Join(dir, "app-config.yaml")
	return path, os.WriteFile(path, []byte(text), 0o600)
}

// serve runs the program and passes its lines on, once they are wanted.
func (d *demo) serve(ctx context.Context, config string) (<-chan error, error) {
	ctx, d.stop = context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, d.binary, "serve", "--config", config, "--log-format", "terminal")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 15 * time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if terminal() {
		cmd.Env = append(os.Environ(), "FORCE_COLOR=1")
	}
	log, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w (make build makes it)", d.binary, err)
	}
	ended := make(chan error, 1)
	go func() {
		lines := bufio.NewScanner(log)
		var held []string
		for lines.Scan() {
			if d.quiet.Load() {
				held = append(held, lines.Text())
				continue
			}
			fmt.Fprintln(d.out, lines.Text())
		}
		err := cmd.Wait()
		if ctx.Err() != nil {
			err = nil // it was told to end
		}
		if err != nil && d.quiet.Load() {
			fmt.Fprintln(d.out, strings.Join(held, "\n"))
		}
		ended <- err
		close(ended)
	}()
	return ended, nil
}

type status struct {
	Entities     int
	Repositories int
	Kinds        map[string]int
	Scans        struct{ Running int }
}

// quietFor is how long nothing must come in before all is taken for read.
const quietFor = 500 * time.Millisecond

// bringIn installs the App and shows the organisation coming in.
func (d *demo) bringIn(ctx context.Context, ended <-chan error) error {
	began := time.Now()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	installed, entities, changed := false, 0, began
	total := len(sample.Names()) - 1 // one is archived, which is left out
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-ended:
			return errors.Join(errors.New("callboard did not start"), err)
		case <-tick.C:
		}
		var s status
		if err := d.get(ctx, "/api/callboard/status", &s); err != nil {
			if time.Since(began) > time.Minute {
				return err
			}
			continue
		}
		if !installed {
			installed = true
			if err := d.app.Ping(); err != nil { // what GitHub sends when an App is made
				return err
			}
			if _, err := d.sim.Install(d.app, "acme", nil); err != nil {
				return err
			}
			began = time.Now()
			continue
		}
		if s.Entities != entities {
			entities, changed = s.Entities, time.Now()
		}
		if terminal() {
			fmt.Fprintf(d.out, "\r\x1b[KThe App is installed on acme: %d of %d repositories read, %d entities", s.Repositories, total, s.Entities)
		}
		if s.Repositories >= total && s.Kinds["User"] > 0 && s.Scans.Running == 0 && time.Since(changed) > quietFor {
			if terminal() {
				fmt.Fprint(d.out, "\r\x1b[K")
			}
			d.screen(s, changed.Sub(began))
			return nil
		}
	}
}

func (d *demo) screen(s status, took time.Duration) {
	fmt.Fprintf(d.out, `
  Callboard   http://%[1]s        %[3]d entities from %[4]d repositories, read in %[5]d ms
  GitHub      http://%[2]s/acme   a local one, with real Git behind it

  Try it:
    git clone http://%[2]s/acme/search.git && cd search
    sed -i.bak 's/^  description:.*/  description: Finds a tent that is not too heavy/' catalog-info.yaml && git commit -am 'Say what search does' && git push
    curl -s http://%[1]s/api/catalog/entities/by-name/component/default/search

  http://%[2]s/_sim/ui has buttons for what else happens on GitHub: repositories renamed, archived, deleted,
  made, people and teams changed, the App uninstalled, deliveries lost, GitHub itself failing. The catalog follows.

  Each webhook delivery is one line below: repository, commit, what changed, milliseconds.
  Enter stops Callboard: push meanwhile, start it with Enter, and see the gap found and closed. Ctrl-C ends it all.

`, d.portal, d.github, s.Entities, s.Repositories, took.Milliseconds())
}

func (d *demo) get(ctx context.Context, path string, out any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+d.portal+path, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", path, res.Status)
	}
	return json.NewDecoder(res.Body).Decode(out)
}

func terminal() bool {
	info, err := os.Stdout.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
