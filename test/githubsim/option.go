package githubsim

import (
	"log/slog"
	"time"
)

// Option changes a default of New.
type Option func(*options)

type options struct {
	addr            string
	dir             string
	log             *slog.Logger
	clock           func() time.Time
	deliveryClock   func() time.Time
	seed            uint64
	rateLimit       int
	anonymousLimit  int
	treeLimit       int
	blobTextLimit   int
	tokenTTL        time.Duration
	deliveryLog     int
	deliveryTimeout time.Duration
	deliveryWorkers int
	maxPayload      int
	gitAuth         bool
}

func defaults() options {
	return options{
		addr:  "127.0.0.1:0",
		log:   slog.New(slog.DiscardHandler),
		clock: time.Now,
		seed:  1,
		// Off, as on Enterprise Server: a test that wants a limit sets one.
		rateLimit:      1_000_000,
		anonymousLimit: 1_000_000,
		// contracts/github.md section 2, and GitHub's GraphQL reference for Blob.text.
		treeLimit:       100_000,
		blobTextLimit:   512_000,
		tokenTTL:        time.Hour,
		deliveryLog:     10_000,
		deliveryTimeout: 10 * time.Second,
		deliveryWorkers: 1,
		maxPayload:      25 << 20,
	}
}

// WithAddr sets the address to listen on; a free port of 127.0.0.1 by default.
func WithAddr(addr string) Option { return func(o *options) { o.addr = addr } }

// WithDataDir keeps the Git repositories in dir, which is not removed by Close.
// It should be empty or new: a simulator does not continue an older one. By
// default the repositories are in a temporary directory, in memory if possible.
func WithDataDir(dir string) Option { return func(o *options) { o.dir = dir } }

// WithLogger sets the logger; silent by default.
func WithLogger(l *slog.Logger) Option { return func(o *options) { o.log = l } }

// WithClock sets the clock for token expiry, rate limits, commits and the
// delivery log.
func WithClock(now func() time.Time) Option { return func(o *options) { o.clock = now } }

// WithDeliveryClock sets the clock of the delivery log alone, so that days can
// pass there while tokens and signatures stay good.
func WithDeliveryClock(now func() time.Time) Option {
	return func(o *options) { o.deliveryClock = now }
}

// WithSeed sets the seed of everything random: faults and delivery faults.
func WithSeed(seed uint64) Option { return func(o *options) { o.seed = seed } }

// WithRateLimit sets the requests an hour that each installation and token has,
// REST and GraphQL apart, as GitHub counts them.
func WithRateLimit(perHour int) Option { return func(o *options) { o.rateLimit = perHour } }

// WithTreeLimit sets how many entries a recursive tree answer holds before it
// says truncated.
func WithTreeLimit(entries int) Option { return func(o *options) { o.treeLimit = entries } }

// WithBlobTextLimit sets how many bytes of text GraphQL shows of a blob.
func WithBlobTextLimit(bytes int) Option { return func(o *options) { o.blobTextLimit = bytes } }

// WithTokenTTL sets how long installation tokens live; one hour by default.
func WithTokenTTL(d time.Duration) Option { return func(o *options) { o.tokenTTL = d } }

// WithDeliveryLog sets how many deliveries the log keeps.
func WithDeliveryLog(n int) Option { return func(o *options) { o.deliveryLog = n } }

// WithDeliveryTimeout sets how long a receiver may take; 10 s as on GitHub.com.
func WithDeliveryTimeout(d time.Duration) Option { return func(o *options) { o.deliveryTimeout = d } }

// WithDeliveryWorkers sends up to n deliveries of a hook at once, which gives up
// their order.
func WithDeliveryWorkers(n int) Option { return func(o *options) { o.deliveryWorkers = n } }

// WithMaxPayload sets the size above which a webhook is not sent at all; 25 MB
// as on GitHub.
func WithMaxPayload(bytes int) Option { return func(o *options) { o.maxPayload = bytes } }

// WithGitAuth makes git clone and push ask for a token where GitHub would.
// Without it everybody may read and push, so that a demo needs no credentials;
// credentials that are given must still be right.
func WithGitAuth() Option { return func(o *options) { o.gitAuth = true } }

// EditOption says how a change is made: by whom, when, whether anybody is told.
type EditOption func(*edit)

type edit struct {
	quiet  bool
	actor  string
	author string
	email  string
	when   time.Time
	modes  map[string]string
}

// Quiet makes the change without a webhook.
func Quiet() EditOption { return func(e *edit) { e.quiet = true } }

// As makes the change in the name of a user; the account is made when missing.
func As(login string) EditOption { return func(e *edit) { e.actor = login } }

// Author sets author and committer of a commit.
func Author(name, email string) EditOption {
	return func(e *edit) { e.author, e.email = name, email }
}

// At sets the time of a commit.
func At(t time.Time) EditOption { return func(e *edit) { e.when = t } }

// Mode sets the Git mode of a changed path, such as 100755 or 120000.
func Mode(path, mode string) EditOption {
	return func(e *edit) {
		if e.modes == nil {
			e.modes = map[string]string{}
		}
		e.modes[path] = mode
	}
}

func (s *Server) edit(opts []EditOption) edit {
	e := edit{actor: defaultUser, when: s.now()}
	for _, f := range opts {
		f(&e)
	}
	if e.author == "" {
		e.author, e.email = e.actor, e.actor+"@users.noreply.example"
	}
	return e
}
