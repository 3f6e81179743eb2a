package recovery

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/callboard/callboard/pipeline/gap"
	"github.com/callboard/callboard/pipeline/githubapp"
)

// reading is the part of a delivery log that was read.
type reading struct {
	// attempts are put together by GUID, in no order.
	attempts map[string]*attempts
	// stop is where it was to end.
	stop time.Time
	// newest is the latest attempt that is not dated after until.
	until    time.Time
	newest   time.Time
	newestID int64
	oldest   time.Time
	// reached says that it goes back to stop. Else it is all that GitHub has, or
	// all that is read at once.
	reached, bounded bool
	// last says that the newest attempt of the last reading was seen again.
	last bool
}

// attempts are those of one delivery.
type attempts struct {
	gap.Gap
	accepted bool
	newest   time.Time
	// first is the time of the first attempt of all, zero where only later ones were read.
	first time.Time
}

// newReading is one that begins now.
func newReading(began time.Time) *reading {
	return &reading{attempts: map[string]*attempts{}, until: began.Add(ahead)}
}

// read reads the log of an App, newest first, back to where the last reading
// began; by GitHub's clock, which the log goes by.
func (d *Detector) read(ctx context.Context, a gap.App, began time.Time) (*reading, error) {
	l := newReading(began)
	l.stop = began.Add(-d.cfg.Window)
	if !a.Newest.IsZero() {
		l.stop = a.Newest.Add(-overlap)
	}
	cursor := ""
	for pages := 0; ; pages++ {
		if pages == maxPages {
			l.bounded = true
			return l, nil
		}
		page, next, err := d.github.Deliveries(ctx, a.Host, a.App, cursor)
		if err != nil {
			return nil, err
		}
		for _, entry := range page {
			l.add(entry)
			l.last = l.last || entry.ID == a.NewestID
		}
		l.reached = l.reached || before(page, l.stop)
		if next == "" || l.reached {
			return l, nil
		}
		cursor = next
	}
}

// before says that a page ends before a time. Attempts that began late stand
// among those that did not, so more than the last one has to say so.
func before(page []githubapp.HookDelivery, stop time.Time) bool {
	const enough = 25
	if len(page) < enough {
		return false
	}
	return !slices.ContainsFunc(page[len(page)-enough:], func(entry githubapp.HookDelivery) bool { return !entry.DeliveredAt.Before(stop) })
}

func (l *reading) add(entry githubapp.HookDelivery) {
	if entry.DeliveredAt.After(l.newest) && !entry.DeliveredAt.After(l.until) {
		l.newest, l.newestID = entry.DeliveredAt, entry.ID
	}
	if l.oldest.IsZero() || entry.DeliveredAt.Before(l.oldest) {
		l.oldest = entry.DeliveredAt
	}
	if entry.Event == "ping" { // says nothing about a repository
		return
	}
	at := l.attempts[entry.GUID]
	if at == nil {
		at = &attempts{Gap: gap.Gap{
			GUID: entry.GUID, Event: entry.Event, Action: entry.Action, RepositoryID: entry.RepositoryID,
			InstallationID: entry.InstallationID, At: entry.DeliveredAt,
		}}
		l.attempts[entry.GUID] = at
	}
	if !entry.Redelivery {
		at.first = entry.DeliveredAt
	}
	if entry.DeliveredAt.Before(at.At) {
		at.At = entry.DeliveredAt
	}
	if at.Attempt == 0 || entry.DeliveredAt.After(at.newest) {
		at.Attempt, at.newest, at.Status = entry.ID, entry.DeliveredAt, entry.Status
	}
	at.accepted = at.accepted || entry.StatusCode >= 200 && entry.StatusCode < 300
}

// broken says why a reading does not continue the proof of the one before, ""
// if it does.
func (l *reading) broken(a gap.App, began time.Time, window time.Duration) string {
	switch {
	case l.bounded:
		return fmt.Sprintf("GitHub's log has more than %d attempts since the last reading", maxPages*100)
	case a.ReadAt.IsZero(), l.reached:
		return ""
	case began.Sub(a.ReadAt) > window:
		return fmt.Sprintf("the delivery log was last read at %s, and GitHub keeps it for %s", a.ReadAt.UTC().Format(time.RFC3339), window)
	// What was the newest is too young to have gone by its age.
	case !a.Newest.IsZero() && !l.last && began.Sub(a.Newest) < window-time.Hour:
		return fmt.Sprintf("GitHub's log lacks what it had until %s", a.Newest.UTC().Format(time.RFC3339))
	}
	return ""
}

// knownAtOnce is how many deliveries the inbox is asked about together.
const knownAtOnce = 1000

// missing are the deliveries of a reading that did not arrive, the oldest first.
// What GitHub says was accepted is looked for as well, as long as the inbox
// would still know it: something else may have answered for us, or the database
// is an older copy. Those that are open already get what is new about them.
func (d *Detector) missing(ctx context.Context, a *gap.App, l *reading, began time.Time) (gaps []gap.Gap, err error) {
	open := make(map[string]int, len(a.Open))
	for i, g := range a.Open {
		open[g.GUID] = i
	}
	remembered := began.Add(-d.cfg.Retention * 9 / 10)
	var suspects []*attempts
	for guid, at := range l.attempts {
		if i, ok := open[guid]; ok {
			a.Open[i].Attempt, a.Open[i].Status = at.Attempt, at.Status
			continue
		}
		// What was tried first before this reading was judged by those before.
		judged := at.first.Before(l.stop)
		if !judged && (!at.accepted || at.At.After(remembered)) {
			suspects = append(suspects, at)
		}
	}
	for some := range slices.Chunk(suspects, knownAtOnce) {
		guids := make([]string, len(some))
		for i, at := range some {
			guids[i] = at.GUID
		}
		known, err := d.store.KnownDeliveries(ctx, guids)
		if err != nil {
			return nil, err
		}
		for _, at := range some {
			if !known[at.GUID] {
				gaps = append(gaps, at.Gap)
			}
		}
	}
	slices.SortFunc(gaps, func(x, y gap.Gap) int { return x.At.Compare(y.At) })
	return gaps, nil
}
