// Package scan makes the catalog equal to what GitHub shows of an account, in
// case a webhook was lost: it lists the account's repositories page by page and
// asks for a refresh of those that are new, moved, changed or missing.
//
// A scan is a chain of messages (event.TopicScan), one for each page, and a row
// (storage.Scan) that says how far it is. So it goes on where it was after a
// restart, is done once by all replicas, and is retried and postponed like all
// other work. It reads no repository and removes nothing: refresh does, and what
// a scan would remove is held back until all of it is counted (design 3.1, 3.3;
// contract catalog 6, rows 4, 5, 16 and 17).
//
//	begin ─▶ page ─▶ page ─▶ … ─▶ wait for the refreshes ─▶ count what would go ─▶ done, or paused
//	                                        ▲                       │
//	                                        └────── release it ◀────┘
//
// What settings other than before would remove goes the same way, without pages.
package scan

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/callboard/callboard/pipeline/bus"
	"github.com/callboard/callboard/pipeline/discovery"
	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/pipeline/fault"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/storage"
)

// GitHub is what a scan asks of GitHub.
type GitHub interface {
	Hosts() []string
	HasApps(host string) bool
	// AppsOn are the Apps on an organization as Installations last had them, none for
	// a user's account, and nil where that is not known.
	AppsOn(host, owner string) []int64
	// Installations are all of a host, or an error.
	Installations(ctx context.Context, host string) ([]githubapp.Installation, error)
	Repositories(ctx context.Context, a githubapp.Account, q githubapp.PageQuery) (githubapp.Page, error)
}

// Config says what is scanned and when a scan must be approved.
type Config struct {
	Policy discovery.Policy
	// A scan pauses when it would remove more than both: a share of the account's
	// entities, and a number of them.
	MaxRemovedShare    float64
	MaxRemovedEntities int
	// Current says whether a repository was read under the settings of now; nil
	// takes all for current.
	Current func(storage.Repository) bool
	Now     func() time.Time
}

// Step is the work behind event.TopicScan.
type Step struct {
	cfg     Config
	store   storage.Store
	github  GitHub
	log     *slog.Logger
	metrics *metrics

	mu sync.Mutex
	// installed is what GitHub said of an installation when a scan over it began.
	installed map[int64]installed
}

var _ bus.Step[Plan] = (*Step)(nil)

// New makes the step. Metrics are registered with reg unless it is nil.
func New(cfg Config, store storage.Store, github GitHub, log *slog.Logger, reg prometheus.Registerer) *Step {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Step{
		cfg: cfg, store: store, github: github, log: log, metrics: newMetrics(store, reg),
		installed: map[int64]installed{},
	}
}

// Topic implements bus.Step.
func (s *Step) Topic() string { return event.TopicScan }

// Plan is what is to be written.
type Plan struct {
	begin []beginning
	moves []move
}

// move is a step of one scan.
type move struct {
	scan storage.Scan
	// messages are refreshes; next is when the scan goes on, zero at its end.
	messages []storage.Message
	next     time.Time
	results  map[string]int
	// was is the scan's row as the step was planned on it.
	was storage.Scan
	// end says that held entities are to be released, or the scan to be paused.
	end, pause bool
	held       int
}

// Plan implements bus.Step.
func (s *Step) Plan(ctx context.Context, msgs []storage.Message) (Plan, error) {
	ctx = githubapp.WithPurpose(ctx, githubapp.PurposeScan)
	var p Plan
	done, accounts := map[string]bool{}, map[event.Scan][]account{}
	for _, m := range msgs {
		var req event.Scan
		var err error
		if err = json.Unmarshal(m.Payload, &req); err != nil || req.Host == "" {
			return p, fault.Permanent(fault.ReasonInvalid, fmt.Errorf("message %d asks for no scan: %w", m.ID, err))
		}
		if req.Scan == "" {
			all, known := accounts[req]
			if !known {
				if all, err = s.asked(ctx, req); err != nil {
					return p, err
				}
				accounts[req] = all
			}
			for _, a := range all {
				p.ask(beginning{account: a, cause: m.Cause, asked: m.CreatedAt, follows: true})
			}
			continue
		}
		if done[req.Scan] {
			continue
		}
		done[req.Scan] = true
		move, err := s.move(ctx, req.Scan)
		if err != nil {
			return p, err
		}
		p.moves = append(p.moves, move)
	}
	return p, nil
}

// ask adds a beginning. Who asks twice for an account is content with one scan
// that begins after the later of the two.
func (p *Plan) ask(b beginning) {
	i := slices.IndexFunc(p.begin, func(o beginning) bool { return o.same(b.account) })
	switch {
	case i < 0:
		p.begin = append(p.begin, b)
	case b.asked.After(p.begin[i].asked):
		p.begin[i] = b
	}
}

// move plans the next step of a scan. One that is not running has none.
func (s *Step) move(ctx context.Context, id string) (m move, err error) {
	scan, err := s.store.Scan(ctx, id)
	switch {
	case err != nil || scan.State != storage.ScanRunning:
		return m, err
	case listed(scan):
		m, err = s.settle(ctx, scan)
	default:
		m, err = s.page(ctx, scan)
	}
	m.was = scan
	return m, err
}

// listed says that there is no page to read any more.
func listed(s storage.Scan) bool { return s.Listed() }

// Apply implements bus.Step.
func (s *Step) Apply(ctx context.Context, tx storage.Tx, p Plan) (bus.Outcome, error) {
	out := bus.Outcome{State: storage.DeliveryApplied}
	for _, b := range p.begin {
		if _, err := s.begin(ctx, tx, b); err != nil {
			return out, err
		}
	}
	for _, m := range p.moves {
		if m.scan.ID == "" {
			continue
		}
		var err error
		if out.Summary, err = s.apply(ctx, tx, m); err != nil {
			return out, err
		}
	}
	return out, nil
}

func (s *Step) apply(ctx context.Context, tx storage.Tx, m move) (summary string, err error) {
	if err := lock(ctx, tx, m.was.Host, m.was.Owner); err != nil {
		return "", err
	}
	// Somebody may have asked more of it meanwhile.
	now, err := tx.Scan(ctx, m.was.ID)
	if err == nil && (now.State != m.was.State || !now.UpdatedAt.Equal(m.was.UpdatedAt)) {
		err = storage.ErrStale
	}
	if m.end && err == nil {
		err = s.end(ctx, tx, &m)
	}
	if err != nil {
		return "", err
	}
	if !m.next.IsZero() {
		msg, err := next(m.scan, m.next)
		if err != nil {
			return "", err
		}
		m.messages = append(m.messages, msg)
	}
	if _, err := tx.AddMessages(ctx, m.messages); err != nil {
		return "", err
	}
	if err := tx.PutScan(ctx, m.scan); err != nil {
		return "", err
	}
	s.metrics.count(m)
	s.tell(ctx, m)
	return fmt.Sprintf("scan of %s: %d of %d seen", m.scan.Owner, m.scan.Seen, m.scan.Total), nil
}

// next is the message that a scan goes on with. Its key is the scan's own, so
// that it never waits behind requests for another one, nor comes with them.
func next(s storage.Scan, at time.Time) (storage.Message, error) {
	req := event.Scan{Host: s.Host, Owner: s.Owner, InstallationID: s.InstallationID, Scan: s.ID}
	payload, err := json.Marshal(req)
	if err != nil {
		return storage.Message{}, fmt.Errorf("encode a step of scan %s: %w", s.ID, err)
	}
	return storage.Message{Topic: event.TopicScan, Key: event.ScanKey(req), Payload: payload, Cause: s.Cause, RunAfter: at}, nil
}
