package catalog

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/callboard/callboard/handlers/closing"
	"github.com/callboard/callboard/handlers/respond"
	"github.com/callboard/callboard/storage"
)

// A read may ask to be answered only when the catalog shows a revision or a
// commit, so that who wrote something reads it on any replica (design 3.4).
const (
	minCommit         = "minCommit"
	MinRevisionHeader = "Callboard-Min-Revision"
)

// waitParams are the parameters of reads that have no others.
var waitParams = known{minCommit: text}

const (
	// Who waits holds a connection: for 5 s, or as long as Prefer: wait=N says
	// (RFC 7240, 4.3) within bounds.
	defaultWait = 5 * time.Second
	longestWait = 30 * time.Second
	maxWaiting  = 1000
	// A commit is looked for in the store when the view has moved, but not more
	// often than lookEvery, and now and then without: a push that changes nothing
	// moves nothing. maxLooking bounds the looks of all that wait.
	lookEvery  = 50 * time.Millisecond
	looksLate  = 250 * time.Millisecond
	lookTakes  = time.Second
	maxLooking = 4
)

// commits is what a wait for a commit needs of the store.
type commits interface {
	Deliveries(ctx context.Context, f storage.DeliveryFilter) ([]storage.Delivery, error)
	RepositoryByCommit(ctx context.Context, sha string) (storage.Repository, error)
	Revision(ctx context.Context) (int64, error)
}

// wanted is what a request wants to see.
type wanted struct {
	revision int64
	commit   string
	wait     time.Duration
}

// await waits until the catalog is loaded and shows what the request wants.
func (a *API) await(w http.ResponseWriter, r *http.Request, p params) error {
	if err := a.started(r.Context()); err != nil {
		return err
	}
	want, err := readWanted(r, p)
	if err != nil || want.commit == "" && want.revision <= a.view.Revision() {
		return err
	}
	leave, err := a.waiting.Enter(r)
	if err != nil {
		w.Header().Set("Retry-After", "1")
		return err
	}
	defer leave()
	open, cancel := closing.Context(r.Context(), a.closing)
	defer cancel()
	// A look at the store that began in time may end, so that wait=0 gets an answer too.
	ctx, cancel := context.WithTimeout(open, want.wait+lookTakes)
	defer cancel()
	within, over := context.WithTimeout(ctx, want.wait)
	defer over()
	state := ""
	err = a.view.WaitRevision(within, want.revision)
	if err == nil && want.commit != "" {
		state, err = a.awaitCommit(ctx, within, want.commit)
	}
	switch {
	case r.Context().Err() != nil:
		return r.Context().Err() // the client has gone
	case err != nil && open.Err() != nil:
		w.Header().Set("Retry-After", "1")
		return errClosing
	case !errors.Is(err, context.DeadlineExceeded):
		return err
	}
	revision := a.view.Revision()
	if want.commit == "" && revision >= want.revision {
		return nil // in this very moment
	}
	w.Header().Set("Retry-After", "1")
	w.Header().Set(RevisionHeader, strconv.FormatInt(revision, 10))
	return want.missed(revision, state)
}

func (want wanted) missed(revision int64, state string) error {
	if revision < want.revision {
		return respond.Unavailable("The catalog is at revision %d and did not reach revision %d within %s", revision, want.revision, want.wait)
	}
	return respond.Unavailable("The catalog is at revision %d and did not show commit %s within %s: %s", revision, want.commit, want.wait, state)
}

// shown waits, for as long as reads wait, until this process shows what was
// just committed: who deletes something and reads does not see it any more.
func (a *API) shown(ctx context.Context) error {
	revision, err := a.store.Revision(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, defaultWait)
	defer cancel()
	if err := a.view.WaitRevision(ctx, revision); !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil // it is committed; the view will follow
}

func readWanted(r *http.Request, p params) (want wanted, err error) {
	if h := r.Header.Get(MinRevisionHeader); h != "" {
		if want.revision, err = strconv.ParseInt(h, 10, 64); err != nil || want.revision < 0 {
			return want, respond.Input("Header '%s' must be a revision, a number from 0 on", MinRevisionHeader)
		}
	}
	// Abbreviations would be ambiguous, and could not be looked up by an index.
	want.commit = strings.ToLower(p.text(minCommit))
	if want.commit != "" && (len(want.commit) != 40 && len(want.commit) != 64 || strings.Trim(want.commit, "0123456789abcdef") != "") {
		return want, respond.Input("Query parameter '%s' must be a whole commit id, 40 or 64 hexadecimal digits", minCommit)
	}
	want.wait = preferredWait(r.Header)
	return want, nil
}

// preferredWait reads Prefer: wait=N. A preference that cannot be read is none.
func preferredWait(h http.Header) time.Duration {
	for p := range strings.SplitSeq(strings.Join(h.Values("Prefer"), ","), ",") {
		name, value, _ := strings.Cut(p, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "wait") {
			continue
		}
		if n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 31); err == nil {
			return min(time.Duration(n)*time.Second, longestWait)
		}
	}
	return defaultWait
}

// awaitCommit waits, within one context and asking the store under the other,
// until reads see what a commit led to; state says how far that came if they do
// not.
func (a *API) awaitCommit(ctx, within context.Context, sha string) (state string, err error) {
	for {
		seen := a.view.Revision()
		revision, state, err := a.look(ctx, sha)
		switch {
		case err != nil:
			return "the database does not answer", err
		case state == "":
			return "its delivery is done, this replica does not show it yet", a.view.WaitRevision(within, revision)
		}
		pause(within, lookEvery)
		step, cancel := context.WithTimeout(within, looksLate-lookEvery)
		_ = a.view.WaitRevision(step, seen+1) // moved or not, it is time to look
		cancel()
		if within.Err() != nil {
			return state, within.Err()
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// look finds the revision that a commit led to; state is not empty while it led
// to none. A commit that was applied before its push was heard of, or without
// one, is that of a repository. A commit between two that were applied is known
// by its delivery only.
func (a *API) look(ctx context.Context, sha string) (revision int64, state string, err error) {
	select {
	case a.looking <- struct{}{}:
		defer func() { <-a.looking }()
	case <-ctx.Done():
		return 0, "", ctx.Err()
	}
	store := commits(a.store)
	deliveries, err := store.Deliveries(ctx, storage.DeliveryFilter{Commit: sha})
	if err != nil {
		return 0, "", err
	}
	state = "no delivery of it has arrived"
	for _, d := range deliveries {
		switch d.State {
		case storage.DeliveryReceived, storage.DeliveryFailed, storage.DeliveryParked:
			state = fmt.Sprintf("delivery %s of it is %s", d.GUID, d.State)
			if d.Reason != "" {
				state += ", " + d.Reason
			}
			return 0, state, nil
		default:
			revision, state = max(revision, d.Revision), ""
		}
	}
	if len(deliveries) == 0 {
		if _, err := store.RepositoryByCommit(ctx, sha); errors.Is(err, storage.ErrNotFound) {
			return 0, state, nil
		} else if err != nil {
			return 0, "", err
		}
		state = ""
	}
	if revision == 0 { // nothing changed, or nobody noted what did
		revision, err = store.Revision(ctx)
	}
	return revision, state, err
}
