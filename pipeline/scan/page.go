package scan

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/callboard/callboard/pipeline/discovery"
	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/pipeline/fault"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/pipeline/match"
	"github.com/callboard/callboard/storage"
)

// page lists the next repositories of the account.
func (s *Step) page(ctx context.Context, scan storage.Scan) (move, error) {
	in, err := s.installation(ctx, scan)
	entries := s.cfg.Policy.Covering(s.listing(scan.Host, scan.Owner))
	switch {
	case err != nil:
		return s.retry(ctx, scan, entries, err)
	case in.lost:
		return s.lost(ctx, scan)
	case len(entries) == 0:
		return s.failed(scan, uncovered(scan.Owner)), nil
	case in.Suspended:
		return s.failed(scan, "the App's installation on "+scan.Owner+" is suspended; everything stays as it is"), nil
	}
	q := query(scan, entries)
	page, err := s.github.Repositories(ctx, githubapp.Account{
		Host: scan.Host, Login: scan.Owner, InstallationID: scan.InstallationID, Selected: in.Selected,
	}, q)
	switch {
	case errors.Is(err, githubapp.ErrTooHeavy) && scan.PageSize > 1:
		scan.PageSize /= 2
		scan.Requests++
		return move{scan: scan, next: s.cfg.Now()}, nil
	case err != nil:
		s.forget(scan.InstallationID) // it may have been taken away since
		return s.retry(ctx, scan, entries, err)
	}
	return s.read(ctx, scan, q, page)
}

// query asks for the descriptor and the branch that all entries of the account
// are about. Where they differ it asks for facts and the heads of default branches.
func query(scan storage.Scan, entries []discovery.Provider) githubapp.PageQuery {
	q := githubapp.PageQuery{Cursor: scan.Cursor, Size: scan.PageSize, Branch: entries[0].Branch}
	if slices.ContainsFunc(entries, func(p discovery.Provider) bool { return p.Branch != q.Branch }) {
		q.Branch = ""
		return q
	}
	if paths := discovery.Paths(entries); len(paths) == 1 {
		if pattern, err := match.Compile(paths[0]); err == nil {
			if path, plain := pattern.Plain(); plain {
				q.Path = path
			}
		}
	}
	return q
}

// read compares a page with what is stored.
func (s *Step) read(ctx context.Context, scan storage.Scan, q githubapp.PageQuery, page githubapp.Page) (move, error) {
	ids := make([]int64, len(page.Repositories))
	all, err := seen(scan)
	if err != nil {
		return move{}, err
	}
	for i, l := range page.Repositories {
		ids[i] = l.ID
		all.Add(uint64(l.ID))
	}
	if err := see(&scan, all); err != nil {
		return move{}, err
	}
	list, err := s.store.RepositoriesByID(ctx, ids)
	if err != nil {
		return move{}, err
	}
	stored := make(map[int64]storage.Repository, len(list))
	for _, r := range list {
		stored[r.ID] = r
	}
	m := move{results: map[string]int{}, next: s.cfg.Now()}
	for _, l := range page.Repositories {
		req, result := s.compare(scan, q, l, stored[l.ID])
		m.results[result]++
		if req == nil {
			continue
		}
		msg, err := refreshMessage(scan, *req)
		if err != nil {
			return move{}, err
		}
		m.messages = append(m.messages, msg)
		scan.Changed++
	}
	scan.Pages++
	scan.Requests += page.Requests
	scan.Cursor, scan.Total = page.Next, total(scan, page)
	scan.PageSize = min(scan.PageSize*2, s.pageSize(scan.Host, scan.Owner))
	scan.Retries, scan.Error, scan.UpdatedAt = 0, "", s.cfg.Now()
	m.scan = scan
	if scan.Cursor == "" {
		err = s.finishListing(ctx, &m)
	}
	return m, err
}

// total is how many repositories there are: the most that GitHub said, because
// some of those that went meanwhile were seen before they went. -1 means that
// GitHub does not say, or that it did not show all that it counts.
func total(scan storage.Scan, page githubapp.Page) int {
	if page.Total < 0 || page.Unreadable > 0 || scan.Total < 0 {
		return -1
	}
	return max(scan.Total, page.Total)
}

// What becomes of a listed repository; also the label of a metric.
const (
	resultNew       = "new"
	resultChanged   = "changed"
	resultUnchanged = "unchanged"
	resultSkipped   = "skipped"
	resultMissing   = "missing"
)

// compare says what is to be asked for a listed repository. The refresh checks
// everything again, so when in doubt it is asked for.
func (s *Step) compare(scan storage.Scan, q githubapp.PageQuery, l githubapp.Listed, r storage.Repository) (*event.Refresh, string) {
	how, _, admitted := s.cfg.Policy.Read(s.listing(scan.Host, scan.Owner), discovery.Facts{
		Name: l.Name, Visibility: l.Visibility, Topics: l.Topics, Fork: l.Fork, Archived: l.Archived,
	})
	if how.Branch != q.Branch { // the page shows the head of another one
		l.Head, l.HeadUnknown = "", true
	}
	if l.HeadUnknown && (how.Branch != "" || q.Branch != "") {
		l.DefaultBranch = "" // which is not the one that is read
	}
	req := &event.Refresh{
		Host: scan.Host, RepositoryID: l.ID, Owner: l.Owner, Name: l.Name, InstallationID: scan.InstallationID,
		Discovered: true, Head: l.Head,
	}
	if r.Version == 0 {
		switch {
		case !admitted || l.Head == "" && !l.HeadUnknown:
			return nil, resultSkipped
		case !l.HeadUnknown:
			req.Seen = &l.Seen
			req.Seen.Branch = q.Branch
		}
		return req, resultNew
	}
	req.Look = r.State != storage.RepositoryActive || r.Error != "" || !r.Discovered || r.InstallationID != scan.InstallationID ||
		!sameFacts(l.Seen, r) || s.cfg.Current != nil && r.AppliedSHA != "" && !s.cfg.Current(r)
	if req.Look || moved(l, r) {
		return req, resultChanged
	}
	return nil, resultUnchanged
}

// moved says that the head is, or may be, another one than the catalog shows.
func moved(l githubapp.Listed, r storage.Repository) bool {
	if !l.HeadUnknown {
		return l.Head != r.AppliedSHA
	}
	return l.PushedAt.IsZero() || !l.PushedAt.Before(r.VerifiedAt.Add(-pushSlack))
}

// pushSlack is how much GitHub's clock may be ahead of ours.
const pushSlack = time.Minute

func sameFacts(l event.Seen, r storage.Repository) bool {
	return l.Owner == r.Owner && l.Name == r.Name && strings.TrimSuffix(l.URL, "/") == r.HTMLURL &&
		(l.DefaultBranch == r.DefaultBranch || l.DefaultBranch == "") && strings.EqualFold(l.Visibility, r.Visibility) &&
		l.Archived == r.Archived && l.Fork == r.Fork &&
		slices.Equal(slices.Sorted(slices.Values(l.Topics)), slices.Sorted(slices.Values(r.Topics)))
}

// refreshMessage asks for a refresh on behalf of a scan.
func refreshMessage(scan storage.Scan, req event.Refresh) (storage.Message, error) {
	cause := scan.Cause
	if cause.Reason != storage.ReasonInstallation && cause.Reason != storage.ReasonSettings {
		cause.Reason, cause.Delivery = storage.ReasonScan, ""
	}
	cause.Scan, cause.Repository = scan.ID, req.Owner+"/"+req.Name
	msg, err := event.RefreshMessage(req, cause)
	msg.Topic = event.TopicScanned
	return msg, err
}

// The waits after a page failed, and how much of them there may be in a row
// where the schedule does not say.
const (
	retryFirst     = time.Second
	retryMost      = time.Minute
	defaultTimeout = time.Hour
)

// retry tries a page again, until the waits between its failures add up to the
// timeout of the schedule. They are added up and not read off the clock, because
// waiting for a rate limit is no failure (the bus postpones it), nor is a time
// in which nobody asked.
func (s *Step) retry(ctx context.Context, scan storage.Scan, entries []discovery.Provider, cause error) (move, error) {
	fate, known := fault.Of(cause)
	if ctx.Err() != nil || known && fate.After > 0 {
		return move{}, cause
	}
	var timeout time.Duration
	for _, p := range entries {
		timeout = max(timeout, p.Schedule.Timeout)
	}
	if timeout == 0 {
		timeout = defaultTimeout
	}
	scan.Requests++
	if known && fate.Permanent || waited(scan.Retries) >= timeout {
		return s.failed(scan, cause.Error()), nil
	}
	wait := waited(scan.Retries+1) - waited(scan.Retries)
	scan.Retries++
	scan.Error = cause.Error()
	return move{scan: scan, next: s.cfg.Now().Add(wait)}, nil
}

// waited is how long a page has been waited for in all that failed so often:
// each wait is twice the one before, up to a minute.
func waited(failures int) time.Duration {
	const doubling = 6
	if failures < doubling {
		return retryFirst<<failures - retryFirst
	}
	return retryFirst<<doubling - retryFirst + time.Duration(failures-doubling)*retryMost
}

// failed ends a scan that cannot go on. Nothing is removed for it.
func (s *Step) failed(scan storage.Scan, why string) move {
	scan.State, scan.Error, scan.FinishedAt, scan.SeenIDs = storage.ScanFailed, why, s.cfg.Now(), nil
	return move{scan: scan}
}

func uncovered(owner string) string {
	return "no entry of catalog.providers.github covers " + owner + " any more"
}

// installed is an installation as a scan found it; lost where GitHub does not
// list it any more.
type installed struct {
	githubapp.Installation
	scan string
	lost bool
}

// installation asks once for each scan, so that absence from the complete list
// is known before a page is asked for that could only fail.
func (s *Step) installation(ctx context.Context, scan storage.Scan) (installed, error) {
	if scan.InstallationID == 0 {
		return installed{}, nil
	}
	s.mu.Lock()
	in, ok := s.installed[scan.InstallationID]
	s.mu.Unlock()
	if ok && in.scan == scan.ID {
		return in, nil
	}
	list, err := s.github.Installations(ctx, scan.Host)
	if err != nil {
		return in, fmt.Errorf("list installations: %w", err)
	}
	in = installed{scan: scan.ID, lost: true}
	for _, i := range list {
		if i.ID == scan.InstallationID {
			in.Installation, in.lost = i, false
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.installed[scan.InstallationID] = in
	return in, nil
}

func (s *Step) forget(installation int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.installed, installation)
}
