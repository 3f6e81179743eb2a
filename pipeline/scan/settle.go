package scan

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/storage"
)

// lost ends the listing of an installation that GitHub does not have any more:
// it shows nothing, which is complete.
func (s *Step) lost(ctx context.Context, scan storage.Scan) (move, error) {
	scan.Pages++
	scan.Cursor, scan.Total, scan.Seen, scan.SeenIDs = "", 0, 0, nil
	scan.Retries, scan.Error, scan.UpdatedAt = 0, "", s.cfg.Now()
	m := move{scan: scan, results: map[string]int{}, next: s.cfg.Now()}
	return m, s.finishListing(ctx, &m)
}

// finishListing asks about the repositories that were not listed, if the listing
// proves to be complete: as many were seen as GitHub says that there are. The
// refresh asks the App about each before it believes that it has gone.
func (s *Step) finishListing(ctx context.Context, m *move) error {
	scan := &m.scan
	if scan.Total != scan.Seen {
		scan.Error = fmt.Sprintf("GitHub showed %d of %d repositories; nothing is taken for gone", scan.Seen, scan.Total)
		if scan.Total < 0 {
			scan.Error = "GitHub did not show all repositories, or did not say how many there are; nothing is taken for gone"
		}
		return nil
	}
	missing, err := s.missing(ctx, *scan)
	if err != nil {
		return err
	}
	scan.SeenIDs = nil // and not written again while the refreshes are waited for
	for _, r := range missing {
		req := event.RefreshOf(r)
		if scan.InstallationID != 0 {
			req.Gone = "removed"
		} else {
			req.Look = true // a token may see less without anything having gone
		}
		msg, err := refreshMessage(*scan, req)
		if err != nil {
			return err
		}
		m.messages = append(m.messages, msg)
	}
	scan.Missing = len(missing)
	m.results[resultMissing] = len(missing)
	return nil
}

// missing are the stored repositories that a complete listing does not have.
func (s *Step) missing(ctx context.Context, scan storage.Scan) ([]storage.Repository, error) {
	ids, err := seen(scan)
	if err != nil {
		return nil, err
	}
	all, err := s.store.Repositories(ctx)
	if err != nil {
		return nil, err
	}
	var missing, foreign []storage.Repository
	for _, r := range all {
		switch {
		case !ours(r, scan.Host) || !strings.EqualFold(r.Owner, scan.Owner) || ids.Contains(uint64(r.ID)):
		case r.InstallationID == scan.InstallationID:
			missing = append(missing, r)
		default:
			foreign = append(foreign, r)
		}
	}
	if len(foreign) == 0 || scan.InstallationID == 0 {
		return missing, nil
	}
	// Another installation may show those that came in through it, unless this one
	// shows all.
	list, err := s.github.Installations(ctx, scan.Host)
	if err != nil {
		return nil, fmt.Errorf("list installations: %w", err)
	}
	live := map[int64]bool{}
	whole := slices.ContainsFunc(list, func(in githubapp.Installation) bool { return in.ID == scan.InstallationID && !in.Selected })
	for _, in := range list {
		live[in.ID] = !whole
	}
	for _, r := range foreign {
		if !live[r.InstallationID] {
			missing = append(missing, r)
		}
	}
	return missing, nil
}

// The pauses between two looks at what a scan waits for: a share of how long it
// has been waiting, because rate limits may make it wait for hours.
// What is not done after a day is not waited for.
const (
	waitLeast = 500 * time.Millisecond
	waitMost  = 30 * time.Second
	waitEnd   = 24 * time.Hour
)

// settle waits for the refreshes that a scan asked for, and then counts what
// they would remove. What is released may lead to more, which is waited for and
// counted together with it, until nothing is held.
func (s *Step) settle(ctx context.Context, scan storage.Scan) (move, error) {
	waiting, failed, err := s.store.ScanBacklog(ctx, scan.ID)
	if err != nil {
		return move{}, err
	}
	now := s.cfg.Now()
	if waited := now.Sub(scan.UpdatedAt); waiting > 0 && waited < waitEnd {
		return move{scan: scan, next: now.Add(min(max(waited/4, waitLeast), waitMost))}, nil
	}
	holds, err := s.store.Holds(ctx, scan.ID)
	if err != nil {
		return move{}, err
	}
	m := move{scan: scan, end: true, held: entitiesOf(holds)}
	m.scan.Failed = failed + waiting
	if waiting > 0 {
		// Whoever released only what is counted by now would release all in parts.
		m.pause = m.held > 0
		m.scan.Error = fmt.Sprintf("%d repositories were not read within %s, so what would go is not counted", waiting, waitEnd)
		if m.pause {
			m.scan.Error += fmt.Sprintf("; %d entities so far: %s", m.held, choice(scan))
		}
		return m, nil
	}
	if m.held == 0 || scan.Released+m.held <= s.cfg.MaxRemovedEntities {
		return m, nil
	}
	entities, err := s.entities(ctx, scan, holds)
	if err != nil {
		return move{}, err
	}
	if m.pause = float64(scan.Released+m.held) > s.cfg.MaxRemovedShare*float64(entities+scan.Released); m.pause {
		m.scan.Error, err = s.why(ctx, scan, holds, entities)
	}
	return m, err
}

// why says why a scan is paused, and what may be done about it.
func (s *Step) why(ctx context.Context, scan storage.Scan, holds []storage.Hold, entities int) (string, error) {
	text := fmt.Sprintf("it would remove %d of the %d entities of %s (in %d repositories)", entitiesOf(holds), entities, scan.Owner, len(holds))
	if scan.Released > 0 {
		text = fmt.Sprintf("it removed %d entities, and with them %s", scan.Released, strings.TrimPrefix(text, "it "))
	}
	// Without an answer it is said less well why, and that is all.
	if in, err := s.installation(ctx, scan); err == nil && in.lost {
		text = fmt.Sprintf("the App is not installed on %s any more: %s", scan.Owner, text)
	}
	ids := make([]int64, len(holds))
	for i, h := range holds {
		ids[i] = h.RepositoryID
	}
	repos, err := s.store.RepositoriesByID(ctx, ids)
	if err != nil {
		return "", err
	}
	others := 0
	for _, r := range repos {
		if s.cfg.Current != nil && r.State == storage.RepositoryActive && !s.cfg.Current(r) {
			others++
		}
	}
	if others > 0 {
		text += fmt.Sprintf("; %d of these repositories were read under other settings: if the configuration is wrong, correct it and restart. Else", others)
		return text + " " + choice(scan), nil
	}
	return text + ": " + choice(scan), nil
}

// choice says what may be done about a paused scan.
func choice(s storage.Scan) string {
	return fmt.Sprintf("callboard scan approve %s removes them, callboard scan reject %s keeps them", s.ID, s.ID)
}

// generated are the Locations that the catalog makes itself: nobody misses them.
const generated = "location:default/generated-"

// entities counts those that come from the account, and from the repositories of
// other accounts of which some are held. It reads all, and only where many would go.
func (s *Step) entities(ctx context.Context, scan storage.Scan, holds []storage.Hold) (n int, err error) {
	repos, err := s.store.Repositories(ctx)
	if err != nil {
		return 0, err
	}
	own := map[int64]bool{}
	for _, r := range repos {
		own[r.ID] = r.ID > 0 && strings.EqualFold(r.Host, scan.Host) && strings.EqualFold(r.Owner, scan.Owner)
	}
	for _, h := range holds {
		own[h.RepositoryID] = true
	}
	_, err = s.store.EachEntity(ctx, func(e storage.Entity) error {
		if own[e.RepositoryID] && !strings.HasPrefix(e.Ref, generated) {
			n++
		}
		return nil
	})
	return n, err
}

// end releases what is held and goes on with what follows from it, pauses the
// scan, or ends it where nothing is held.
func (s *Step) end(ctx context.Context, tx storage.Tx, m *move) error {
	holds, err := tx.Holds(ctx, m.scan.ID)
	if err != nil {
		return err
	}
	if entitiesOf(holds) != m.held {
		return storage.ErrStale
	}
	now := s.cfg.Now()
	m.scan.Removing += m.held
	switch {
	case m.pause:
		m.scan.State = storage.ScanPaused
		return nil
	case m.held == 0:
		m.scan.State, m.scan.FinishedAt = storage.ScanDone, now
		return nil
	}
	m.scan.Released += m.held
	m.scan.UpdatedAt, m.next = now, now.Add(waitLeast)
	msgs, err := released(ctx, tx, m.scan)
	m.messages = append(m.messages, msgs...)
	return err
}

// released are the refreshes that apply what a scan held, which is held no more.
func released(ctx context.Context, tx storage.Tx, scan storage.Scan) (msgs []storage.Message, err error) {
	holds, err := tx.Holds(ctx, scan.ID)
	if err != nil {
		return nil, err
	}
	for _, h := range holds {
		req, err := refreshOf(h)
		if err != nil {
			return nil, err
		}
		req.Released = h.Entities
		msg, err := refreshMessage(scan, req)
		if err != nil {
			return nil, err
		}
		msgs = append(msgs, msg)
	}
	return msgs, tx.DeleteHolds(ctx, scan.ID)
}
