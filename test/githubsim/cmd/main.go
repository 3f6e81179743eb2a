// Command githubsim runs the local GitHub by itself, for a demo or by hand. It
// ends on an interrupt; nothing survives it but the Git repositories in --data.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/callboard/callboard/test/githubsim"
	"github.com/callboard/callboard/test/githubsim/sample"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "githubsim:", err)
		os.Exit(1)
	}
}

type flags struct {
	addr, data, webhook, secret, org, keyFile, token string
	sample, quiet                                    bool
}

func parse(args []string, stderr io.Writer) (flags, error) {
	var f flags
	fs := flag.NewFlagSet("githubsim", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&f.addr, "addr", "127.0.0.1:9417", "address to listen on; port 0 finds a free one")
	fs.StringVar(&f.data, "data", "", "directory for the Git repositories, empty or new (default: a temporary one)")
	fs.StringVar(&f.webhook, "webhook-url", "", "where the App sends its webhooks, such as http://127.0.0.1:7007/api/events/http/github")
	fs.StringVar(&f.secret, "secret", "", "webhook secret of the App")
	fs.StringVar(&f.org, "org", "acme", "organization that the App is installed on")
	fs.StringVar(&f.keyFile, "key-file", "", "write the App's private key here, mode 0600")
	fs.StringVar(&f.token, "token", "", "accept this personal access token too")
	fs.BoolVar(&f.sample, "sample", false, "fill the organization with the sample repositories")
	fs.BoolVar(&f.quiet, "quiet", false, "print one line only")
	return f, fs.Parse(args)
}

// run starts the simulator, says where it is, and waits for the end of ctx.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	f, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if f.webhook != "" && f.secret == "" {
		return fmt.Errorf("--webhook-url needs --secret: an unsigned webhook is refused by every sane receiver")
	}
	opts := []githubsim.Option{
		githubsim.WithAddr(f.addr),
		githubsim.WithLogger(slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))),
	}
	if f.data != "" {
		opts = append(opts, githubsim.WithDataDir(f.data))
	}
	s, err := githubsim.Open(opts...)
	if err != nil {
		return err
	}
	defer func() {
		if closed := s.Close(); err == nil {
			err = closed
		}
	}()
	app, in, err := populate(s, f)
	if err != nil {
		return err
	}
	if f.keyFile != "" {
		// A key of an earlier run may be there with other rights.
		if err := os.Remove(f.keyFile); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("replace key file: %w", err)
		}
		if err := os.WriteFile(f.keyFile, app.KeyPEM(), 0o600); err != nil {
			return fmt.Errorf("write key file: %w", err)
		}
	}
	describe(stdout, s, app, in, f)
	<-ctx.Done()
	return nil
}

// populate makes the App first and everything else before the installation, so
// that the ids are the same in every run and one event announces it all.
func populate(s *githubsim.Server, f flags) (*githubsim.App, *githubsim.Installation, error) {
	if f.token != "" {
		s.AddToken(f.token, "repo", "read:org")
	}
	app, err := s.AddApp("callboard", githubsim.AppOptions{
		Name: "Callboard", WebhookURL: f.webhook, WebhookSecret: f.secret,
	})
	if err != nil {
		return nil, nil, err
	}
	s.AddOrg(f.org, f.org)
	if f.sample {
		if err := sample.Load(s, f.org, githubsim.Quiet()); err != nil {
			return nil, nil, err
		}
	}
	in, err := s.Install(app, f.org, nil)
	return app, in, err
}

func describe(w io.Writer, s *githubsim.Server, app *githubsim.App, in *githubsim.Installation, f flags) {
	if f.quiet {
		fmt.Fprintf(w, "%s app=%d installation=%d\n", s.URL(), app.ID(), in.ID())
		return
	}
	fmt.Fprintf(w, "GitHub, simulated, at %s\n\n", s.URL())
	fmt.Fprintf(w, "  REST          %s\n  GraphQL       %s\n", s.APIURL(), s.GraphQLURL())
	fmt.Fprintf(w, "  App id        %d\n  installation  %d on %s\n", app.ID(), in.ID(), f.org)
	if f.keyFile != "" {
		fmt.Fprintf(w, "  private key   %s\n", f.keyFile)
	}
	if f.webhook != "" {
		fmt.Fprintf(w, "  webhooks to   %s\n", f.webhook)
	}
	if f.sample {
		fmt.Fprintln(w)
		for _, name := range sample.Names() {
			fmt.Fprintf(w, "  git clone %s/%s/%s.git\n", s.URL(), f.org, name)
		}
	}
	fmt.Fprintf(w, "\n%s", githubsim.AdminHelp())
}
