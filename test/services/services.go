// Package services gives tests the real servers that they need: PostgreSQL and
// Redis, private, on free ports, started once per test process and gone with it.
//
// A server that the environment names wins ($CALLBOARD_TEST_POSTGRES,
// $CALLBOARD_TEST_REDIS); command test/services/cmd starts both and sets these
// for all test binaries of a run. A test that finds no server fails: it never
// skips. The package installs nothing; that command does.
//
//	store, err := postgres.Open(t.Context(), services.Postgres(t))
package services

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Environment variables that name running servers.
const (
	EnvPostgres = "CALLBOARD_TEST_POSTGRES" // a DSN that may create databases
	EnvRedis    = "CALLBOARD_TEST_REDIS"    // a redis:// URL
)

// ErrMissing says that a server's program is not on this machine.
var ErrMissing = errors.New("program is missing")

// patience is how long a server may take to answer.
const patience = 30 * time.Second

// Server is a running server.
type Server struct {
	// URL is how to connect, in the server's own form.
	URL string

	start func() (*process, error)
	ready func(context.Context) error
	proc  *process
}

// Stop ends the server and waits until it is gone, with its data if it made a
// folder for that.
func (s *Server) Stop() {
	if s.proc != nil {
		s.proc.stop()
		s.proc = nil
	}
}

// Kill ends the server as a crash would. Its data stays for Restart.
func (s *Server) Kill() error {
	pid, err := os.ReadFile(filepath.Join(s.proc.dir, "pid"))
	if err != nil {
		return fmt.Errorf("find the server: %w", err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(pid)))
	if err != nil {
		return fmt.Errorf("find the server: %w", err)
	}
	if err := syscall.Kill(n, syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill the server: %w", err)
	}
	s.Stop()
	return nil
}

// Restart starts a killed server again, at the same address with the same data.
func (s *Server) Restart(ctx context.Context) error {
	s.Stop()
	return s.run(ctx)
}

func (s *Server) run(ctx context.Context) (err error) {
	if s.proc, err = s.start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := s.ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-s.proc.over:
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
			continue
		}
		log, _ := os.ReadFile(filepath.Join(s.proc.dir, "log")) // only to explain err
		s.Stop()
		return fmt.Errorf("wait for the server: %w\n%s", err, log)
	}
}

// process is a server under a shell that outlives us by a moment: when our end
// of its standard input closes, even because we were killed, it ends the server
// and cleans up. A death signal could not do that: Linux sends it when a thread
// ends, and Go's threads come and go.
type process struct {
	cmd   *exec.Cmd
	input *os.File
	over  chan struct{} // closed when the shell has ended
	dir   string
}

// The server's own input must not be ours. "wait" returns early when the server
// ends by itself; then the shell goes too, so that run notices.
const supervise = `
dir=$1 signal=$2 remove=$3
shift 3
"$@" >>"$dir/log" 2>&1 </dev/null &
pid=$!
echo $pid >"$dir/pid"
(read _; kill -s "$signal" $pid 2>/dev/null) <&3 3<&- &
exec 3<&-
wait $pid
if [ "$remove" = yes ]; then rm -rf "$dir"; fi
`

// launch runs a server in dir; remove says that dir goes with it.
func launch(dir string, owner *syscall.Credential, signal string, remove bool, argv ...string) (*process, error) {
	in, out, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer func() { _ = in.Close() }() // the child has its own
	cmd := exec.Command("sh", append([]string{"-c", supervise, "sh", dir, signal, yes(remove)}, argv...)...)
	cmd.Dir = dir
	cmd.ExtraFiles = []*os.File{in} // descriptor 3
	// An own group: Ctrl-C reaches us, and we end the server.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: owner}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", argv[0], err), out.Close())
	}
	p := &process{cmd: cmd, input: out, over: make(chan struct{}), dir: dir}
	go func() {
		_ = cmd.Wait() // how it ended is in the log
		close(p.over)
	}()
	return p, nil
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func (p *process) stop() {
	_ = p.input.Close()
	<-p.over
}

// freePort asks the kernel for a port. Somebody may take it before the server
// does; then the server's start fails and is tried with another.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// ports is how many ports are tried.
const ports = 3

// attempt starts a server on fresh ports until one works.
func attempt(ctx context.Context, start func(port int) (*Server, error)) (*Server, error) {
	var errs []error
	for range ports {
		port, err := freePort()
		if err != nil {
			return nil, err
		}
		s, err := start(port)
		if err != nil {
			return nil, err
		}
		if err = s.run(ctx); err == nil {
			return s, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}
