package manifest

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/callboard/callboard/pipeline/githubapp"
)

const (
	// patience is how long the flow waits for somebody: as long as GitHub's code lives.
	patience = time.Hour
	// convertTimeout bounds the exchange of the code.
	convertTimeout = 30 * time.Second
)

// Flow makes one App. Make a new one for another.
type Flow struct {
	Host githubapp.Host
	// Org is who gets the App; nobody means the account of who agrees.
	Org      string
	Manifest Manifest
	// Save keeps the credentials. It is called once, before GitHub's code is lost
	// for good and anybody is told of success.
	Save func(githubapp.CreatedApp) error
	// Convert exchanges the code: githubapp.ConvertManifest.
	Convert func(ctx context.Context, h githubapp.Host, code string) (githubapp.CreatedApp, error)
	// Refused is told when GitHub did not exchange the code. Reloading the page tries again.
	Refused func(err error)

	start, state string // secrets: the address of the page, what GitHub must bring back
	hosts        []string
	done         chan outcome

	mu       sync.Mutex
	finished bool
}

type outcome struct {
	app githubapp.CreatedApp
	err error
}

// Run serves the page on l, which it closes, until GitHub's answer was saved or
// ctx ends. ready is told the address to open.
//
// The address holds a secret, because other users of the machine reach the
// loopback, too, and could have their App taken for ours.
func (f *Flow) Run(ctx context.Context, l net.Listener, ready func(address string)) (githubapp.CreatedApp, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	f.start, f.state, f.done = rand.Text(), rand.Text(), make(chan outcome, 1)
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return githubapp.CreatedApp{}, errors.Join(fmt.Errorf("serve the page: %w", err), l.Close())
	}
	f.hosts = []string{l.Addr().String(), "localhost:" + port, "127.0.0.1:" + port, "[::1]:" + port}
	f.Manifest.RedirectURL = "http://" + l.Addr().String() + "/callback"

	server := &http.Server{
		Handler: f.handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 2 * convertTimeout, MaxHeaderBytes: 16 << 10,
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	ready("http://" + l.Addr().String() + "/" + f.start)
	out, err := f.wait(ctx, served)
	// A page that is being answered is finished, an exchange with GitHub above
	// all: its result comes once.
	end, stop := context.WithTimeout(context.WithoutCancel(ctx), convertTimeout+5*time.Second)
	defer stop()
	if server.Shutdown(end) != nil {
		_ = server.Close()
	}
	select {
	case late := <-f.done:
		out, err = late, nil
	default:
	}
	return out.app, errors.Join(err, out.err)
}

func (f *Flow) wait(ctx context.Context, served <-chan error) (outcome, error) {
	select {
	case out := <-f.done:
		return out, nil
	case err := <-served:
		return outcome{}, fmt.Errorf("serve the page: %w", err)
	case <-ctx.Done():
		return outcome{}, ctx.Err()
	}
}

// newAppURL is GitHub's page for new Apps. The state is in its query, as GitHub wants.
func (f *Flow) newAppURL() string {
	path := "/settings/apps/new"
	if f.Org != "" {
		path = "/organizations/" + url.PathEscape(f.Org) + path
	}
	return f.Host.WebURL() + path + "?state=" + f.state
}

func (f *Flow) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /"+f.start, func(w http.ResponseWriter, _ *http.Request) { f.formPage(w) })
	mux.HandleFunc("GET /callback", f.callback)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		page(w, http.StatusNotFound, f.Host, "Nothing is here", "<p>Open the address that the terminal shows.</p>")
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A foreign name that leads to this address is an attack by way of DNS.
		for _, h := range f.hosts {
			if strings.EqualFold(r.Host, h) {
				mux.ServeHTTP(w, r)
				return
			}
		}
		page(w, http.StatusForbidden, f.Host, "Wrong address", "<p>Open the address that the terminal shows.</p>")
	})
}

// codes bounds what is put into the path of a request to GitHub.
var codes = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,255}$`)

// callback takes GitHub's answer: the state that was sent along, and the code.
func (f *Flow) callback(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	code := q.Get("code")
	switch {
	case subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(f.state)) != 1:
		page(w, http.StatusForbidden, f.Host, "This is not the answer that was waited for",
			"<p>The state does not fit. Begin again with the address that the terminal shows.</p>")
		return
	case !codes.MatchString(code) || code == "." || code == "..":
		page(w, http.StatusBadRequest, f.Host, "GitHub sent no code",
			"<p>Begin again with the address that the terminal shows.</p>")
		return
	}
	// One at a time: a second callback waits, and then finds the work done.
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.finished {
		page(w, http.StatusConflict, f.Host, "The App was made already", "<p>The terminal shows what comes next.</p>")
		return
	}
	// Who closes the browser must not lose the credentials, which come once.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), convertTimeout)
	defer cancel()
	app, err := f.Convert(ctx, f.Host, code)
	if err != nil {
		f.Refused(err)
		page(w, http.StatusBadGateway, f.Host, "GitHub did not hand out the credentials", "<p>"+escape(err.Error())+
			"</p><p>Reload this page to try again. If GitHub goes on refusing, delete the App there and run the command again.</p>")
		return
	}
	f.finished = true
	err = f.Save(app)
	f.done <- outcome{app, err}
	if err != nil {
		page(w, http.StatusInternalServerError, f.Host, "The credentials could not be saved", "<p>The terminal shows why.</p>")
		return
	}
	page(w, http.StatusOK, f.Host, "The App "+app.Name+" is made", "<p>Its credentials are saved. Now "+
		`<a href="`+escape(InstallURL(app))+`">install it</a>: only then does Callboard see repositories.</p>`+
		"<p>The terminal shows what to add to app-config.yaml.</p>")
}

// InstallURL is GitHub's page where an App is installed on an account.
func InstallURL(app githubapp.CreatedApp) string {
	return strings.TrimRight(app.HTMLURL, "/") + "/installations/new"
}
