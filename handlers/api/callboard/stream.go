package callboard

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/callboard/callboard/handlers/access"
	"github.com/callboard/callboard/handlers/closing"
	"github.com/callboard/callboard/handlers/respond"
	"github.com/callboard/callboard/storage"
)

const eventStream = "text/event-stream"

// streaming bounds what streams of changes may cost.
type streaming struct {
	// room has a place for each stream that is open.
	room *access.Room
	// closing is closed when the process stops.
	closing <-chan struct{}
	// heartbeat is how long a stream is silent, patience how long one write may
	// take, and gap how often a stream reads the feed at most.
	heartbeat, patience, gap time.Duration
}

const (
	maxStreams = 500
	// streamBatch is all that a stream ever holds in memory.
	streamBatch = 16
)

func newStreaming(closing <-chan struct{}) streaming {
	return streaming{
		room: access.NewRoom("streams of changes", maxStreams), closing: closing,
		heartbeat: 15 * time.Second, patience: 10 * time.Second, gap: 100 * time.Millisecond,
	}
}

// stream answers with Server-Sent Events. Nothing is queued for a client: each
// reads the feed by revision when the view has moved, so one that is slow only
// lags, and one that does not read at all is cut off.
func (a *API) stream(w http.ResponseWriter, r *http.Request, q url.Values, f feedFilter) error {
	if q.Get("limit") != "" {
		return respond.Input("Query parameter 'limit' makes no sense for a stream")
	}
	after, reset, err := a.streamStart(r, q)
	if err != nil {
		return err
	}
	leave, err := a.streaming.room.Enter(r)
	if err != nil {
		w.Header().Set("Retry-After", "10")
		return err
	}
	defer leave()
	ctx, cancel := closing.Context(r.Context(), a.streaming.closing)
	defer cancel()
	h := w.Header()
	h.Set("Content-Type", eventStream)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")     // proxies hold nothing back either
	h.Set("No-Gzip-Compression", "true") // middleware.Compress would gather events before it sends them
	s := &sender{w: w, rc: http.NewResponseController(w), patience: a.streaming.patience}
	s.begin(after, a.view.Revision(), reset)
	if r.Method != http.MethodHead { // which has seen all that there is to see
		a.follow(ctx, s, f, after)
	}
	return nil // whatever ended it, the client comes back with the id it has
}

// streamStart is the revision to go on from: what the client had last, what it
// asks for, or now. Reset says that it is of a catalog that was begun anew since,
// so now is all that makes sense. One that only this replica does not show yet is
// waited for.
func (a *API) streamStart(r *http.Request, q url.Values) (after int64, reset bool, err error) {
	now := a.view.Revision()
	if given := r.Header.Get("Last-Event-ID"); given != "" {
		after, err = readRevision("Last-Event-ID", given)
	} else if given := q.Get("since"); given != "" {
		after, err = readRevision("Query parameter 'since'", given)
	} else {
		return now, false, nil
	}
	if err != nil || after <= now {
		return after, false, err
	}
	stored, err := a.store.Revision(r.Context())
	if err != nil || after <= stored {
		return after, false, err
	}
	return now, true, nil
}

// follow sends changes until ctx ends or sending fails.
func (a *API) follow(ctx context.Context, s *sender, f feedFilter, after int64) {
	for s.err == nil && ctx.Err() == nil {
		read := time.Now()
		newest := a.view.Revision()
		for more := true; more && after < newest; {
			changes, err := a.store.Changes(ctx, after, streamBatch)
			if err != nil {
				return
			}
			more = take(changes, newest, func(c storage.Change) bool {
				after = c.Revision
				if f.chooses(c.Ref) {
					s.change(c)
				}
				return s.err == nil && ctx.Err() == nil
			})
		}
		if !s.wait(ctx, time.Until(read.Add(a.streaming.gap))) {
			return
		}
		quiet, cancel := context.WithTimeout(ctx, a.streaming.heartbeat)
		if err := a.view.WaitRevision(quiet, after+1); err != nil && ctx.Err() == nil {
			s.heartbeat(after)
		}
		cancel()
	}
}

// sender writes events, each in time or none at all any more.
type sender struct {
	w        http.ResponseWriter
	rc       *http.ResponseController
	patience time.Duration
	buf      bytes.Buffer
	err      error
}

// begin says where the stream begins. Reset says that this is not where the
// client asked to go on: its revision belongs to a catalog that is no more.
func (s *sender) begin(at, newest int64, reset bool) {
	fmt.Fprintf(&s.buf, "retry: 3000\nid: %d\nevent: begin\ndata: {\"revision\":%d,\"newest\":%d,\"reset\":%t}\n\n", at, at, newest, reset)
	s.flush()
}

func (s *sender) change(c storage.Change) {
	data, err := json.Marshal(newChange(c)) // one line: values are compacted
	if err != nil {
		s.err = err
		return
	}
	fmt.Fprintf(&s.buf, "id: %d\nevent: %s\ndata: %s\n\n", c.Revision, c.What, data)
	s.flush()
}

// heartbeat is a comment. Its id spares a client whose filter chooses little the
// way from its last event.
func (s *sender) heartbeat(after int64) {
	fmt.Fprintf(&s.buf, ": still here\nid: %d\n\n", after)
	s.flush()
}

func (s *sender) flush() {
	if s.err != nil {
		return
	}
	if err := s.rc.SetWriteDeadline(time.Now().Add(s.patience)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		s.err = err
		return
	}
	_, s.err = s.w.Write(s.buf.Bytes())
	s.buf.Reset()
	if s.err == nil {
		s.err = s.rc.Flush()
	}
}

func (s *sender) wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(max(0, d))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
