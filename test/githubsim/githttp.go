package githubsim

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/callboard/callboard/test/githubsim/gitrepo"
)

// Routes that are not REST, by the names that faults and counters use.
const (
	routeGraphQL    = "POST /graphql"
	routeRefs       = "GIT info/refs"
	routeUploadPack = "GIT upload-pack"
	routeReceive    = "GIT receive-pack"
	routeRaw        = "WEB raw"
	routeWeb        = "WEB"
)

func (s *Server) handler() http.Handler {
	rest := http.StripPrefix("/api/v3", s.restRoutes())
	graphql := s.observed(routeGraphQL, s.serveGraphQL)
	// A page of somebody else must not press the buttons.
	admin := http.NewCrossOriginProtection().Handler(http.StripPrefix("/_sim", s.adminRoutes()))
	web := s.webRoutes()
	codeload := http.NewServeMux() // apart: its pattern and those of web overlap
	codeload.HandleFunc("GET /_codeload/{owner}/{repo}/legacy.tar.gz/{sha}", s.observed("WEB codeload", s.serveTarball))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case strings.HasPrefix(path, "/api/v3/"):
			rest.ServeHTTP(w, r)
		case path == "/api/graphql":
			graphql(w, r)
		case path == "/_sim":
			_, _ = io.WriteString(w, adminHelp)
		case strings.HasPrefix(path, "/_sim/"):
			admin.ServeHTTP(w, r)
		case strings.HasPrefix(path, "/_codeload/"):
			codeload.ServeHTTP(w, r)
		default:
			web.ServeHTTP(w, r)
		}
	})
}

func (s *Server) webRoutes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{owner}/{repo}/info/refs", s.observed(routeRefs, s.gitRefs))
	mux.HandleFunc("POST /{owner}/{repo}/git-upload-pack", s.observed(routeUploadPack, s.gitService("upload-pack")))
	mux.HandleFunc("POST /{owner}/{repo}/git-receive-pack", s.observed(routeReceive, s.gitService("receive-pack")))
	mux.HandleFunc("GET /{owner}/{repo}/raw/{rest...}", s.observed(routeRaw, s.serveFile))
	mux.HandleFunc("GET /{owner}/{repo}/blob/{rest...}", s.observed(routeWeb, s.serveFile))
	mux.HandleFunc("GET /{owner}/{repo}", s.observed(routeWeb, s.serveRepoPage))
	s.manifestRoutes(mux)
	mux.HandleFunc("GET /{$}", s.observed(routeWeb, s.serveHome))
	return mux
}

// gitRepo finds the repository of a git request and checks the right to it. It
// answers the request itself when there is none.
func (s *Server) gitRepo(w http.ResponseWriter, r *http.Request, write bool) (*Repo, principal, bool) {
	who, err := s.authenticate(r)
	refuse := func(status int, text string) (*Repo, principal, bool) {
		if status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Basic realm="GitHub"`)
		}
		http.Error(w, text, status)
		return nil, who, false
	}
	if err != nil {
		return refuse(http.StatusUnauthorized, "Invalid username or token.")
	}
	name := strings.TrimSuffix(r.PathValue("repo"), ".git")
	s.mu.RLock()
	repo, _, err := s.find(r.PathValue("owner") + "/" + name)
	var mayRead, mayWrite, archived, concealed bool
	if err == nil {
		open := !s.opt.gitAuth && who.token == nil
		mayRead, mayWrite, archived = open || who.mayRead(repo), open || who.mayWrite(repo), repo.archived
		concealed = s.concealed(repo)
	}
	s.mu.RUnlock()
	switch {
	case err != nil || !mayRead || concealed:
		if who.token == nil && s.opt.gitAuth {
			return refuse(http.StatusUnauthorized, "Repository not found.")
		}
		return refuse(http.StatusNotFound, "Repository not found.")
	case write && who.token == nil && !mayWrite:
		return refuse(http.StatusUnauthorized, "Authentication required.")
	case write && !mayWrite:
		return refuse(http.StatusForbidden, "Write access to repository not granted.")
	case write && archived:
		return refuse(http.StatusForbidden, "This repository was archived so it is read-only.")
	}
	return repo, who, true
}

// gitRefs is the first request of clone, fetch and push.
func (s *Server) gitRefs(w http.ResponseWriter, r *http.Request) {
	service := strings.TrimPrefix(r.URL.Query().Get("service"), "git-")
	if service != "upload-pack" && service != "receive-pack" {
		http.Error(w, "Please upgrade your git client.", http.StatusForbidden)
		return
	}
	repo, _, ok := s.gitRepo(w, r, service == "receive-pack")
	if !ok {
		return
	}
	w.Header().Set("Content-Type", "application/x-git-"+service+"-advertisement")
	w.Header().Set("Cache-Control", "no-cache")
	if r.Header.Get("Git-Protocol") == "" || service == "receive-pack" {
		line := "# service=git-" + service + "\n"
		_, _ = fmt.Fprintf(w, "%04x%s0000", len(line)+4, line)
	}
	if err := s.git(r, w, nil, service, "--advertise-refs", repo.git.Dir()); err != nil {
		s.opt.log.WarnContext(r.Context(), "git request", "service", service, "error", err)
	}
}

// gitService runs one stateless round of upload-pack or receive-pack.
func (s *Server) gitService(service string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		repo, who, ok := s.gitRepo(w, r, service == "receive-pack")
		if !ok {
			return
		}
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			gz, err := gzip.NewReader(r.Body)
			if err != nil {
				http.Error(w, "bad gzip body", http.StatusBadRequest)
				return
			}
			body = gz
		}
		w.Header().Set("Content-Type", "application/x-git-"+service+"-result")
		w.Header().Set("Cache-Control", "no-cache")
		var err error
		if service == "receive-pack" {
			err = s.receive(w, r, body, repo, who)
		} else {
			err = s.git(r, w, body, service, repo.git.Dir())
		}
		if err != nil {
			s.opt.log.WarnContext(r.Context(), "git request", "service", service, "error", err)
		}
	}
}

// receive takes a push. The client hears of it only when the webhooks are in
// their queue.
func (s *Server) receive(w http.ResponseWriter, r *http.Request, body io.Reader, repo *Repo, who principal) error {
	actor := who.name()
	if actor == "" {
		actor = defaultUser
	}
	e := s.edit([]EditOption{As(actor)})
	var answer bytes.Buffer
	err := s.updateRepo(repo, e, func(git *gitrepo.Repo) error {
		before := git.Refs()
		if err := s.git(r, &answer, body, "receive-pack", git.Dir()); err != nil {
			return err
		}
		if err := git.Reload(); err != nil {
			return err
		}
		if refuseDeletedDefault(git, before) {
			return git.SetRef("refs/heads/"+git.DefaultBranch(), before["refs/heads/"+git.DefaultBranch()])
		}
		return nil
	})
	_, _ = w.Write(answer.Bytes())
	return err
}

// refuseDeletedDefault says whether a push removed the default branch, which
// GitHub does not allow. Git itself refuses it too; this is for HEADs it missed.
func refuseDeletedDefault(git *gitrepo.Repo, before map[string]string) bool {
	return before["refs/heads/"+git.DefaultBranch()] != "" && git.Head() == ""
}

// git runs one git process for a request.
func (s *Server) git(r *http.Request, out io.Writer, in io.Reader, service string, args ...string) error {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	cmd := exec.CommandContext(ctx, "git", slices.Concat([]string{service, "--stateless-rpc"}, args)...)
	cmd.Env = append(os.Environ(),
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_DIR=",
		"GIT_PROTOCOL="+r.Header.Get("Git-Protocol"))
	cmd.Env = slices.DeleteFunc(cmd.Env, func(v string) bool { return strings.HasPrefix(v, "GIT_DIR=") })
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, &stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("git %s: %w: %s", service, err, strings.TrimSpace(stderr.String()))
	}
	return nil
}

// serveFile is the raw view of a file, for /raw/ and, without any page around
// it, for /blob/. The ref may hold slashes: the longest one that exists counts.
func (s *Server) serveFile(w http.ResponseWriter, req *http.Request) {
	c := &call{s: s, w: w, r: req}
	var err error
	if c.who, err = s.authenticate(req); err != nil {
		c.fail(err)
		return
	}
	s.mu.RLock()
	r, _, err := s.find(req.PathValue("owner") + "/" + req.PathValue("repo"))
	open := err == nil && (!s.opt.gitAuth && c.who.token == nil || c.who.mayRead(r))
	s.mu.RUnlock()
	if !open {
		c.fail(errNotFound)
		return
	}
	parts := strings.Split(req.PathValue("rest"), "/")
	for n := len(parts) - 1; n > 0; n-- {
		commit, err := c.commit(r, strings.Join(parts[:n], "/"))
		if err != nil {
			continue
		}
		e, err := r.git.Find(commit.Tree, strings.Join(parts[n:], "/"))
		if err != nil || e.Type != "blob" {
			continue
		}
		b, err := r.git.Blob(e.SHA)
		if err != nil {
			c.fail(err)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write(b)
		return
	}
	c.fail(errNotFound)
}

// serveRepoPage is a plain list of what a repository holds.
func (s *Server) serveRepoPage(w http.ResponseWriter, req *http.Request) {
	name := strings.TrimSuffix(req.PathValue("repo"), ".git")
	r, err := s.Repo(req.PathValue("owner") + "/" + name)
	if err != nil {
		(&call{s: s, w: w, r: req}).fail(err)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = fmt.Fprintf(w, "%s\n\n  git clone %s\n\n", r.FullName(), r.CloneURL())
	entries, _, err := r.walk("HEAD")
	if err != nil {
		_, _ = fmt.Fprintln(w, "This repository is empty.")
		return
	}
	for _, e := range entries {
		if e.Type == "blob" {
			_, _ = fmt.Fprintf(w, "  %s/blob/%s/%s\n", r.HTMLURL(), r.git.DefaultBranch(), e.Path)
		}
	}
}

func (s *Server) serveHome(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = fmt.Fprintf(w, "A simulated GitHub. REST: %s  GraphQL: %s  admin: %s/_sim/ui\n\n", s.APIURL(), s.GraphQLURL(), s.base)
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, r := range s.order {
		_, _ = fmt.Fprintf(w, "  %s/%s.git\n", s.base, r.fullName())
	}
}
