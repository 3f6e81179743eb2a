// Command cmd runs a command with the servers that tests need:
//
//	go run ./test/services/cmd -- go test ./...
//
// Servers that the environment names are used as they are. Others are started
// for the time of the command, privately: from what is installed, else from
// what Debian has when we are root, else from compose.yaml when Docker works.
// If none of these helps it says what to install, and fails. git, and node with
// npm for the JavaScript client, come from Debian too.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"github.com/callboard/callboard/test/services"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stderr io.Writer) int {
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		fmt.Fprintln(stderr, "usage: go run ./test/services/cmd -- COMMAND [ARGUMENT]...")
		return 2
	}
	p := &provider{stderr: stderr}
	defer p.stop()
	env, err := p.provide(ctx)
	if err != nil {
		fmt.Fprintf(stderr, "services for tests: %v\n", err)
		return 1
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, stderr
	cmd.Env = append(os.Environ(), env...)
	// The command ends by the signal that ends us; it must not be killed first.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		return exit.ExitCode()
	}
	fmt.Fprintf(stderr, "%s: %v\n", args[0], err)
	return 1
}

// provider finds or starts servers and knows how to end what it started.
type provider struct {
	stderr io.Writer
	stops  []func()
}

func (p *provider) stop() {
	for _, stop := range p.stops {
		stop()
	}
}

// service is one server: the variable that names it, how to start it, where
// compose.yaml has it.
type service struct {
	env     string
	start   func(context.Context) (*services.Server, error)
	compose string
	port    string
	url     string // of the one in compose.yaml, %s is its address
}

var all = []service{
	{services.EnvPostgres, services.StartPostgres, "postgres", "5432", "postgres://callboard:callboard@%s/callboard?sslmode=disable"},
	{services.EnvRedis, services.StartRedis, "redis", "6379", "redis://%s/0"},
}

func (p *provider) provide(ctx context.Context) (env []string, err error) {
	missing := p.start(ctx, all, &env)
	_, gitErr := exec.LookPath("git")
	_, nodeErr := exec.LookPath("node")
	_, npmErr := exec.LookPath("npm")
	if missing == nil && gitErr == nil && nodeErr == nil && npmErr == nil {
		return env, nil
	}
	if err := errors.Join(missing...); err != nil && !errors.Is(err, services.ErrMissing) {
		return nil, err // it is here and does not work: installing does not help
	}
	if err := p.install(ctx); err == nil {
		env = nil
		p.stop()
		p.stops = nil
		if missing = p.start(ctx, all, &env); missing == nil {
			return env, nil
		}
	} else if gitErr != nil {
		return nil, fmt.Errorf("git is missing, and %w: install git", err)
	} else if missing == nil {
		// One package's tests need them, and say so themselves.
		fmt.Fprintf(p.stderr, "node or npm is missing, and %v: test/clients will fail; install nodejs and npm\n", err)
		return env, nil
	}
	composed, err := p.composeUp(ctx)
	if err != nil {
		return nil, errors.Join(append(missing, err, errors.New(advice))...)
	}
	return composed, nil
}

const advice = `install PostgreSQL and Redis (Debian: apt-get install postgresql redis-server), or Docker,
or name running servers: ` + services.EnvPostgres + `=postgres://… ` + services.EnvRedis + `=redis://…`

// start starts what the environment does not name and collects what to tell the
// command.
func (p *provider) start(ctx context.Context, wanted []service, env *[]string) (missing []error) {
	for _, s := range wanted {
		if os.Getenv(s.env) != "" {
			continue
		}
		server, err := s.start(ctx)
		if err != nil {
			missing = append(missing, err)
			continue
		}
		p.stops = append(p.stops, server.Stop)
		*env = append(*env, s.env+"="+server.URL)
	}
	return missing
}

// install asks Debian for the servers.
func (p *provider) install(ctx context.Context) error {
	if os.Geteuid() != 0 {
		return errors.New("we are not root to install it")
	}
	apt, err := exec.LookPath("apt-get")
	if err != nil {
		return errors.New("there is no apt-get to install it")
	}
	fmt.Fprintln(p.stderr, "installing postgresql, redis-server, git, nodejs and npm for the tests …")
	for _, args := range [][]string{
		{"update", "-q"},
		{"install", "-q", "-y", "--no-install-recommends", "postgresql", "redis-server", "git", "nodejs", "npm"},
	} {
		if err := p.quietly(ctx, apt, args...); err != nil {
			return err
		}
	}
	return nil
}

// quietly runs a command and shows what it said only if it fails.
func (p *provider) quietly(ctx context.Context, name string, args ...string) error {
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out.String())
	}
	return nil
}

var compose = []string{"compose", "-p", "callboard-test", "-f", "compose.yaml"}

func (p *provider) composeUp(ctx context.Context) (env []string, err error) {
	docker, err := exec.LookPath("docker")
	if err != nil {
		return nil, errors.New("there is no docker")
	}
	var wanted []string
	for _, s := range all {
		if os.Getenv(s.env) == "" {
			wanted = append(wanted, s.compose)
		}
	}
	up := append(append([]string{}, compose...), "up", "-d", "--wait")
	if err := p.quietly(ctx, docker, append(up, wanted...)...); err != nil {
		return nil, err
	}
	p.stops = append(p.stops, func() {
		down := append(append([]string{}, compose...), "down", "-v")
		if err := p.quietly(context.WithoutCancel(ctx), docker, down...); err != nil {
			fmt.Fprintf(p.stderr, "end the containers: %v\n", err)
		}
	})
	for _, s := range all {
		if os.Getenv(s.env) != "" {
			continue
		}
		ask := append(append([]string{}, compose...), "port", s.compose, s.port)
		address, err := exec.CommandContext(ctx, docker, ask...).Output()
		if err != nil {
			return nil, fmt.Errorf("ask for the port of %s: %w", s.compose, err)
		}
		reachable := strings.Replace(strings.TrimSpace(string(address)), "0.0.0.0", "127.0.0.1", 1)
		env = append(env, s.env+"="+fmt.Sprintf(s.url, reachable))
	}
	return env, nil
}
