// Package catalog is the HTTP API of the software catalog, as Backstage's
// clients know it (contract catalog, section 4), answered from storage/view.
//
// Reads of entities wait for no database, unless they ask for a commit or for
// ancestors. It does not know where it is mounted: the route table of handlers
// says that.
package catalog

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"net/http"
	"strconv"
	"time"

	"github.com/callboard/callboard/handlers/access"
	"github.com/callboard/callboard/handlers/respond"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/view"
)

// RevisionHeader carries the catalog revision that an answer shows.
const RevisionHeader = "Callboard-Revision"

// startUp is how long a request waits for the catalog to be loaded (contract catalog 4.1).
const startUp = 5 * time.Second

// API holds the handlers.
type API struct {
	view *view.View
	// store is asked only by what the view cannot answer.
	store storage.Store
	// closing ends what waits.
	closing <-chan struct{}
	// waiting and looking bound the requests that wait for a revision or commit,
	// and those of them that ask the store at a time.
	waiting *access.Room
	looking chan struct{}
}

// New makes the API over a view and the store that the view follows. closing is
// closed when the process begins to stop; nil never is.
func New(v *view.View, store storage.Store, closing <-chan struct{}) *API {
	return &API{
		view: v, store: store, closing: closing,
		waiting: access.NewRoom("requests that wait for the catalog", maxWaiting), looking: make(chan struct{}, maxLooking),
	}
}

// started waits until the catalog is loaded.
func (a *API) started(ctx context.Context) error {
	select {
	case <-a.view.Ready():
		return nil
	default:
	}
	timer := time.NewTimer(startUp)
	defer timer.Stop()
	select {
	case <-a.view.Ready():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return respond.Unavailable("Service has not started up yet")
	}
}

// read waits for what the request wants to see, calls fn with the catalog and
// says where the catalog stands in the headers. If the client has this state of
// it already, it answers 304 instead and done is true.
func (a *API) read(w http.ResponseWriter, r *http.Request, p params, fn func(s *view.Snapshot)) (done bool, err error) {
	if err := a.await(w, r, p); err != nil {
		return false, err
	}
	var (
		revision int64
		etag     string
	)
	a.view.Read(func(s *view.Snapshot) {
		revision, etag = s.Revision(), tag(s.Digest())
		if done = respond.Unchanged(r, etag); !done {
			fn(s)
		}
	})
	w.Header().Set(RevisionHeader, strconv.FormatInt(revision, 10))
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		w.Header().Set("ETag", etag)
	}
	if done {
		w.WriteHeader(http.StatusNotModified)
	}
	return done, nil
}

// tag makes an ETag of a content digest. It is weak because compression changes
// the bytes and not the meaning. It is a digest rather than the revision, so
// that a database begun anew is never taken for the old one.
func tag(digest uint64) string {
	var raw [8]byte
	binary.BigEndian.PutUint64(raw[:], digest)
	return string(append(hex.AppendEncode([]byte(`W/"`), raw[:]), '"'))
}
