package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/callboard/callboard/cmd/manifest"
	"github.com/callboard/callboard/pipeline/githubapp"
)

// createApp is what the flags of create-app say.
type createApp struct {
	host, apiBaseURL, org, url, name string
	output, listen                   string
	people, force, open              bool
}

func createAppCommand() *cobra.Command {
	var c createApp
	cmd := &cobra.Command{
		Use:   "create-app",
		Short: "Make the GitHub App that Callboard works as",
		Long: `Make a GitHub App with exactly the permissions and events that Callboard uses.

The command serves a page on this machine and prints its address. The page's
button leads to GitHub, where somebody who may make Apps for the organization
confirms. GitHub leads back to the page, and the App's credentials are written to
a file that only you can read. The command ends with what to add to
app-config.yaml, and where to install the App.

On a remote machine, forward the port first:
  ssh -L 8123:127.0.0.1:8123 machine
  callboard github create-app … --listen 127.0.0.1:8123`,
		Example: `  callboard github create-app --org acme --url https://callboard.acme.com
  callboard github create-app --org acme --url https://callboard.acme.com --host github.acme.com
  callboard github create-app --url https://callboard.example.com --people=false   # for your own account`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVar(&c.url, "url", "", "where GitHub reaches Callboard, such as https://callboard.acme.com (required)")
	f.StringVar(&c.org, "org", "", "organization that the App is for (default: your own account)")
	f.StringVar(&c.name, "name", "", `name of the App, unique on GitHub (default "Callboard <org>")`)
	f.StringVar(&c.host, "host", githubapp.DefaultHost, "GitHub's host; a URL where it is not https")
	f.StringVar(&c.apiBaseURL, "api-base-url", "", "root of GitHub's REST API, where it does not follow from the host")
	f.BoolVar(&c.people, "people", true, "ask for what users and groups from GitHub need (catalog.providers.githubOrg)")
	f.StringVar(&c.output, "output", "github-app-credentials.yaml", "file for the credentials")
	f.BoolVar(&c.force, "force", false, "replace the file if there is one")
	f.StringVar(&c.listen, "listen", "127.0.0.1:0", "address of the local page, on the loopback")
	f.BoolVar(&c.open, "open", false, "open the page in a browser")
	return cmd
}

func (c *createApp) run(ctx context.Context, stdout, stderr io.Writer) error {
	if c.url == "" {
		return errors.New("--url is missing: the address at which GitHub reaches Callboard, such as https://callboard.acme.com")
	}
	host, err := githubHost(c.host, c.apiBaseURL)
	if err != nil {
		return err
	}
	m, err := manifest.New(firstOf(c.name, manifest.Name(c.org)), c.url, manifest.Needed(c.people))
	if err != nil {
		return err
	}
	if host.Host == githubapp.DefaultHost && !public(c.url) {
		fmt.Fprintf(stderr, "%s %s is not an address that GitHub.com reaches: it can send no webhooks there\n", paint(stderr, yellow, "warning"), plain(c.url))
	}
	file, err := manifest.Reserve(c.output, c.force)
	if err != nil {
		return err
	}
	kept := false
	defer func() {
		if !kept {
			file.Forget()
		}
	}()
	l, err := listenLoopback(ctx, c.listen)
	if err != nil {
		return err
	}
	flow := &manifest.Flow{
		Host: host, Org: c.org, Manifest: m, Convert: githubapp.ConvertManifest,
		Refused: func(err error) { fmt.Fprintln(stderr, "callboard:", err) },
		Save: func(app githubapp.CreatedApp) error {
			content, err := manifest.Credentials(app)
			if err != nil {
				return err
			}
			kept = true
			return file.Write(content)
		},
	}
	app, err := flow.Run(ctx, l, func(address string) { c.ask(ctx, stderr, address) })
	switch {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("stopped; if you confirmed already, delete the App at %s/settings/apps", host.WebURL())
	case errors.Is(err, context.DeadlineExceeded):
		return errors.New("nobody confirmed within an hour; run the command again")
	case err != nil:
		return err
	}
	return c.tell(stdout, host, app)
}

// ask says where to go. It goes to standard error: standard output is for what
// belongs into the configuration.
func (c *createApp) ask(ctx context.Context, stderr io.Writer, address string) {
	fmt.Fprintf(stderr, "Open this address in your browser and confirm on GitHub:\n\n  %s\n\nWaiting …\n", address)
	if !c.open {
		return
	}
	if err := openBrowser(ctx, address); err != nil {
		fmt.Fprintln(stderr, "no browser could be opened:", err)
	}
}

func openBrowser(ctx context.Context, address string) error {
	switch runtime.GOOS {
	case "darwin":
		return exec.CommandContext(ctx, "open", address).Run() //nolint:gosec // our own address
	case "windows":
		return exec.CommandContext(ctx, "rundll32", "url.dll,FileProtocolHandler", address).Run() //nolint:gosec // our own address
	}
	return exec.CommandContext(ctx, "xdg-open", address).Run() //nolint:gosec // our own address
}

func (c *createApp) tell(w io.Writer, host githubapp.Host, app githubapp.CreatedApp) error {
	var b strings.Builder
	fmt.Fprintf(&b, "The App %s (%d) is made; its credentials are in %s.\n\n", plain(app.Name), app.ID, c.output)
	fmt.Fprintf(&b, "Add this to app-config.yaml:\n\nintegrations:\n  github:\n    - host: %s\n", host.Host)
	if host.BaseURL != "" {
		fmt.Fprintf(&b, "      baseUrl: %s\n", host.BaseURL)
	}
	if host.APIBaseURL != "" {
		fmt.Fprintf(&b, "      apiBaseUrl: %s\n", host.APIBaseURL)
	}
	output := c.output
	if strings.ContainsFunc(output, func(r rune) bool {
		return !strings.ContainsRune("_-./", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}) {
		output = strconv.Quote(output) // YAML would read something else into it
	}
	fmt.Fprintf(&b, "      apps:\n        - $include: %s\n", output)
	fmt.Fprintf(&b, "\nInstall the App, which is what lets Callboard see repositories:\n\n  %s\n", plain(manifest.InstallURL(app)))
	b.WriteString("\nThen `callboard doctor` says whether everything works.\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// githubHost is an entry of integrations.github for a host name, or for a URL.
func githubHost(name, api string) (githubapp.Host, error) {
	h := githubapp.Host{Host: strings.TrimRight(name, "/"), APIBaseURL: api}
	if strings.Contains(name, "://") {
		u, err := url.Parse(h.Host)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return h, fmt.Errorf("--host must be a name such as github.acme.com or a URL, not %q", name)
		}
		h.Host, h.BaseURL = u.Host, h.Host
	}
	if h.Host == "" || strings.ContainsAny(h.Host, "/ @?#") {
		return h, fmt.Errorf("--host must be a name such as github.acme.com or a URL, not %q", name)
	}
	return h, nil
}

// listenLoopback refuses every other address: whoever opens the page could make
// an App of theirs ours.
func listenLoopback(ctx context.Context, address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("--listen must be host:port, not %q", address)
	}
	if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("--listen must be on the loopback, such as 127.0.0.1:8123, not %q; from elsewhere, forward the port with ssh -L", address)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("--listen: %w", err)
	}
	return l, nil
}

// public says whether an address can be on the internet, as far as its text tells.
func public(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil {
		return !ip.IsLoopback() && !ip.IsPrivate() && !ip.IsLinkLocalUnicast() && !ip.IsUnspecified()
	}
	name := strings.ToLower(u.Hostname())
	return strings.Contains(name, ".") && !strings.HasSuffix(name, ".localhost") && !strings.HasSuffix(name, ".local") && !strings.HasSuffix(name, ".internal")
}
