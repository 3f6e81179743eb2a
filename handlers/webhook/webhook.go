// Package webhook is where GitHub's webhooks enter: it checks method, type,
// size and signature, and hands the raw body to the inbox. 202 means that the
// delivery is committed (contract catalog 5.6, with its rows marked X improved).
//
// It reads nothing of the body and asks nobody anything. It refuses to work
// without a secret.
package webhook

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/pipeline/inbox"
)

// Config of the handler. Zero fields mean the defaults named with them.
type Config struct {
	// Secrets are tried in order; more than one is for the time of a rotation.
	Secrets []string
	// MaxBytes bounds a body: 25 MiB, GitHub's own limit.
	MaxBytes int64
	// ReadTimeout is how long a body may take to arrive: 10 s.
	ReadTimeout time.Duration
}

// Accepter keeps deliveries; *inbox.Inbox is one.
type Accepter interface {
	Accept(ctx context.Context, r inbox.Received) (inbox.Receipt, error)
}

const (
	defaultMaxBytes    = 25 << 20
	defaultReadTimeout = 10 * time.Second
	// retryAfter, in seconds, goes with every 503.
	retryAfter = "5"
	// Bodies above largeBody share maxLarge bytes of memory. Ordinary deliveries
	// are far below, so that nobody who sends large ones can keep them out.
	largeBody = 1 << 20
	maxLarge  = 256 << 20
	// maxHeader bounds the header values that become columns; a GUID has 36 bytes.
	maxHeader = 128
)

// New makes the handler of POST /api/events/http/github and /webhooks/github.
// Without a secret, or with an empty one, everybody could write to the catalog,
// so that is an error.
func New(cfg Config, in Accepter, logger *slog.Logger) (http.Handler, error) {
	if len(cfg.Secrets) == 0 {
		return nil, errors.New("webhook: no secret is configured")
	}
	h := &handler{cfg: cfg, inbox: in, log: logger, large: semaphore.NewWeighted(maxLarge)}
	for _, s := range cfg.Secrets {
		if s == "" {
			return nil, errors.New("webhook: a secret is empty")
		}
		h.secrets = append(h.secrets, []byte(s))
	}
	if h.cfg.MaxBytes <= 0 {
		h.cfg.MaxBytes = defaultMaxBytes
	}
	if h.cfg.ReadTimeout <= 0 {
		h.cfg.ReadTimeout = defaultReadTimeout
	}
	return h, nil
}

type handler struct {
	cfg     Config
	secrets [][]byte
	inbox   Accepter
	log     *slog.Logger
	// large bounds the bytes of large bodies that are held at once.
	large *semaphore.Weighted
}

// ServeHTTP answers 202 when the delivery is kept, and logs one line.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	receipt, refused := h.serve(w, r)
	attrs := []slog.Attr{
		slog.String(event.LogDelivery, bounded(r.Header.Get("X-GitHub-Delivery"))),
		slog.String("event", bounded(r.Header.Get("X-GitHub-Event"))),
		slog.Int64(event.LogDuration, time.Since(start).Milliseconds()),
	}
	if refused != nil {
		// What is left of the body is neither wanted nor waited for.
		w.Header().Set("Connection", "close")
		_ = http.NewResponseController(w).SetReadDeadline(time.Now())
		refused.write(w, r)
		attrs = append(attrs, slog.Int("status", refused.status), slog.String(event.LogError, refused.Error()))
		h.log.LogAttrs(r.Context(), slog.LevelWarn, "delivery refused", attrs...)
		return
	}
	writeJSON(w, http.StatusAccepted, accepted)
	attrs = append(attrs, slog.String("state", string(receipt.State)), slog.String(event.LogRepository, receipt.Repository),
		slog.Bool("duplicate", receipt.Duplicate))
	if receipt.Reason != "" {
		attrs = append(attrs, slog.String("reason", receipt.Reason))
	}
	h.log.LogAttrs(r.Context(), slog.LevelInfo, "delivery", attrs...)
}

var accepted = map[string]string{"status": "accepted"}

// serve goes through the checks, the cheap ones first; nothing of an unsigned
// body gets further than the signature.
func (h *handler) serve(w http.ResponseWriter, r *http.Request) (inbox.Receipt, *refusal) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return inbox.Receipt{}, refuse(http.StatusMethodNotAllowed, "only POST is served here")
	}
	if refused := checkType(r.Header); refused != nil {
		return inbox.Receipt{}, refused
	}
	sum, refused := signature(r.Header.Get("X-Hub-Signature-256"))
	if refused != nil {
		return inbox.Receipt{}, refused // before a body of a stranger's is held in memory
	}
	if r.ContentLength > h.cfg.MaxBytes {
		return inbox.Receipt{}, h.tooLarge()
	}
	held, ok := h.hold(r)
	if !ok {
		w.Header().Set("Retry-After", retryAfter)
		return inbox.Receipt{}, refuse(http.StatusServiceUnavailable, "too many large deliveries at once")
	}
	defer h.large.Release(held)
	body, refused := h.read(w, r)
	if refused != nil {
		return inbox.Receipt{}, refused
	}
	if !h.signed(sum, body) {
		return inbox.Receipt{}, invalidSignature
	}
	in := inbox.Received{
		GUID: r.Header.Get("X-GitHub-Delivery"), Event: r.Header.Get("X-GitHub-Event"),
		Host: r.Header.Get("X-GitHub-Enterprise-Host"), Payload: body,
	}
	if refused := checkHeaders(in); refused != nil {
		return inbox.Receipt{}, refused
	}
	receipt, err := h.inbox.Accept(r.Context(), in)
	switch {
	case err == nil:
		return receipt, nil
	case errors.Is(err, inbox.ErrPayload):
		return receipt, refuse(http.StatusBadRequest, "the body is not a JSON object").because(err)
	default:
		// What is wrong with the store is for the log only.
		w.Header().Set("Retry-After", retryAfter)
		return receipt, refuse(http.StatusServiceUnavailable, "the delivery could not be stored").because(err)
	}
}
