// Package githubsim is a local GitHub: an HTTP server over real bare Git
// repositories on disk, with the part of GitHub that Callboard talks to. It
// serves git smart HTTP, REST under /api/v3 and GraphQL under /api/graphql (the
// Enterprise Server layout), sends signed webhooks and keeps their log, and
// limits, delays and fails on demand.
//
// It owns accounts, repositories, Apps, deliveries and faults, and only in
// memory, the Git objects apart: a stopped simulator is gone. It never retries
// a delivery, as GitHub does not. It refuses to be more than a stand-in: no
// issues, no pull requests beyond what a client needs, no web pages to speak of.
//
// What GitHub promises is collected in contracts/github.md; where a shape or
// rule comes from GitHub's documentation, the comment at the place says so.
package githubsim

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Server is one simulated GitHub. It is safe for concurrent use.
type Server struct {
	opt options

	base     string // http://host:port, set by Start
	listener net.Listener
	http     *http.Server
	ownDir   bool
	stop     context.CancelFunc
	stopped  context.Context
	signKey  []byte // signs codeload links

	// mu guards everything below, the fields of what they point to included.
	// No network and no long Git work happens while it is held.
	mu        sync.RWMutex
	nextID    int64
	accounts  map[string]*account // by lower-case login
	repos     map[string]*Repo    // by lower-case owner/name
	reposByID map[int64]*Repo
	order     []*Repo           // by id
	moved     map[string]int64  // old lower-case owner/name to id
	apps      []*App            // by id
	installs  []*Installation   // by id
	tokens    map[string]*token // installation and personal tokens

	listing ListingFaults
	// manifests are Apps made from a manifest, by the code for their secrets.
	manifests map[string]pendingApp

	hooks  hooks
	faults faults
	limits limits
}

// New makes a simulator that does not listen yet.
func New(opts ...Option) (*Server, error) {
	o := defaults()
	for _, f := range opts {
		f(&o)
	}
	s := &Server{
		opt: o, nextID: 1000,
		accounts: map[string]*account{}, repos: map[string]*Repo{}, reposByID: map[int64]*Repo{},
		moved: map[string]int64{}, tokens: map[string]*token{}, manifests: map[string]pendingApp{},
		signKey: []byte(rand.Text()),
	}
	s.stopped, s.stop = context.WithCancel(context.Background())
	if s.opt.dir == "" {
		dir, err := os.MkdirTemp(fastDir(), "githubsim-")
		if err != nil {
			return nil, fmt.Errorf("create data directory: %w", err)
		}
		s.opt.dir, s.ownDir = dir, true
	} else if err := os.MkdirAll(filepath.Join(s.opt.dir, "repositories"), 0o755); err != nil {
		return nil, fmt.Errorf("create data directory: %w", err)
	}
	s.hooks.init(s)
	s.faults.init(o.seed)
	s.limits.init(o)
	s.account(defaultUser, typeUser)
	return s, nil
}

// Start listens and serves until Close.
func (s *Server) Start() error {
	if s.listener != nil {
		return errors.New("start simulator: started before")
	}
	l, err := net.Listen("tcp", s.opt.addr)
	if err != nil {
		return fmt.Errorf("start simulator: %w", err)
	}
	s.listener = l
	s.base = "http://" + l.Addr().String()
	s.http = &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return s.stopped },
		ErrorLog:          slog.NewLogLogger(s.opt.log.Handler(), slog.LevelWarn),
	}
	go func() {
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.opt.log.Error("simulator stopped", slog.Any("error", err))
		}
	}()
	return nil
}

// Open is New and Start in one.
func Open(opts ...Option) (*Server, error) {
	s, err := New(opts...)
	if err != nil {
		return nil, err
	}
	if err := s.Start(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// URL is the base address, such as http://127.0.0.1:40001. HTML and clone URLs
// start with it; REST is below /api/v3, GraphQL at /api/graphql.
func (s *Server) URL() string { return s.base }

// APIURL is the base of the REST interface.
func (s *Server) APIURL() string { return s.base + "/api/v3" }

// GraphQLURL is the address of the GraphQL interface.
func (s *Server) GraphQLURL() string { return s.base + "/api/graphql" }

// Close stops serving and delivering, and removes a temporary data directory.
// Deliveries not sent yet are dropped.
func (s *Server) Close() error {
	s.stop()
	s.hooks.close()
	var err error
	if s.http != nil {
		err = s.http.Close()
	}
	if s.ownDir {
		err = errors.Join(err, os.RemoveAll(s.opt.dir))
	}
	return err
}

// id gives the next number; mu is held. Accounts, repositories, Apps and
// installations share one sequence, so that no id means two things in a log.
func (s *Server) id() int64 {
	s.nextID++
	return s.nextID
}

func (s *Server) now() time.Time { return s.opt.clock().UTC() }

// deliveryNow is the time of the delivery log.
func (s *Server) deliveryNow() time.Time {
	if s.opt.deliveryClock != nil {
		return s.opt.deliveryClock().UTC()
	}
	return s.now()
}

func (s *Server) repoDir(id int64) string {
	return filepath.Join(s.opt.dir, "repositories", strconv.FormatInt(id, 10)+".git")
}

// key folds a name as GitHub compares it: without case.
func key(name string) string { return strings.ToLower(name) }
