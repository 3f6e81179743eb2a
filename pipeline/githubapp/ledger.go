package githubapp

import (
	"net/http"
	"slices"
	"strconv"
	"time"
)

// What GitHub allows (contract github 3). The hour's limits it tells itself; of
// those of a minute no endpoint tells, so they are counted here, with a margin
// for whoever else spends them.
const (
	restPerMinute    = 900 * 9 / 10
	graphqlPerMinute = 2000 * 9 / 10
	// githubCom is the most that GitHub.com gives in an hour. A host that gives
	// more is an Enterprise Server, whose limits are its own.
	githubCom = 15_000
	// A window that ends within sameWindow of another is the same.
	sameWindow = 5 * time.Second
	// maxWindows bounds what we keep of names that come from outside.
	maxWindows = 16
)

// purposes counts them; a rank is an index of Purposes.
const purposes = 4

const (
	rankPush = iota
	rankManual
	rankDocs
	rankScan
)

func rankOf(p Purpose) int { return max(0, slices.Index(Purposes(), p)) }

// ledger is what one credential may spend and has spent. It is pure: somebody
// else holds the lock and has the clock.
type ledger struct {
	share   float64 // of each limit that is kept for pushes
	windows map[string]*window

	blocked time.Time // after a secondary limit
	strikes int       // secondary limits in a row of which GitHub told no end

	returns   [purposes]time.Time // when the last that was postponed comes back
	postponed [purposes]int64
	total     [purposes]int64
	hours     [24]struct {
		hour  int64
		spent [purposes]int64
	}
}

// window is the hour of one resource, as far as it was told, and our last minute.
type window struct {
	limit, remaining int
	reset            time.Time // zero: nothing is known
	flying           int       // asked for and not answered
	paced            time.Time // when the last scan went
	spent            [purposes]int64
	minute           minute
}

func (l *ledger) window(name string, now time.Time) *window {
	w := l.windows[name]
	if w == nil {
		w = &window{}
		if l.windows == nil {
			l.windows = map[string]*window{}
		}
		l.windows[name] = w
	}
	if !w.reset.IsZero() && !now.Before(w.reset) {
		w.reset, w.spent = time.Time{}, [purposes]int64{}
	}
	return w
}

// admit says whether a request may go now, and if not, when it may come again.
func (l *ledger) admit(now time.Time, rank int, name string, points int) (again time.Time, ok bool) {
	w := l.window(name, now)
	at := l.blocked
	for _, t := range []time.Time{w.hourly(now, rank, l.share), w.minutely(now, rank, l.share, name, points)} {
		if t.After(at) {
			at = t
		}
	}
	if at.After(now) {
		l.postponed[rank]++
		return l.stagger(at, rank, w), false
	}
	if rank == rankScan {
		w.paced = now
	}
	w.flying++
	w.minute.add(now, points)
	return now, true
}

// kept is how much of n is not for a rank: all that work that nobody waits for
// must leave, half of it for what was asked by hand.
func kept(n, rank int, share float64) int {
	reserve := int(float64(n) * share)
	switch rank {
	case rankPush:
		return 0
	case rankManual:
		return reserve / 2
	}
	return reserve
}

// hourly is when the primary limit lets a request go.
func (w *window) hourly(now time.Time, rank int, share float64) time.Time {
	if w.reset.IsZero() {
		return now
	}
	left := w.remaining - w.flying - kept(w.limit, rank, share)
	if left <= 0 {
		return w.reset
	}
	if rank != rankScan || w.remaining*2 >= w.limit {
		return now
	}
	// Less than half is left: what a scan may have is spread over the rest of the
	// hour, so that it does not stand in the way of manual work and docs.
	if next := w.paced.Add(w.reset.Sub(now) / time.Duration(left)); next.Before(w.reset) {
		return next
	}
	return w.reset
}

// minutely is when the points of a minute let it go. They hold where an hour
// is one of GitHub.com's.
func (w *window) minutely(now time.Time, rank int, share float64, name string, points int) time.Time {
	if w.reset.IsZero() || w.limit > githubCom {
		return now
	}
	limit := restPerMinute
	if name == graphqlResource {
		limit = graphqlPerMinute
	}
	return w.minute.room(now, points, limit-kept(limit, rank, share))
}

// stagger spreads those that may come again at the same time, so that thousands
// do not come in the same second only to be sent away again.
func (l *ledger) stagger(at time.Time, rank int, w *window) time.Time {
	spacing, spread := time.Minute/restPerMinute, time.Minute
	if rank >= rankDocs {
		spread = 30 * time.Minute
		if n := w.limit - kept(w.limit, rank, l.share); n > 0 {
			spacing = max(spacing, time.Hour/time.Duration(n))
		}
	}
	next := l.returns[rank].Add(spacing)
	if next.Before(at) || next.After(at.Add(spread)) {
		next = at
	}
	l.returns[rank] = next
	return next
}

// answered ends what admit began. cost is what GitHub counts of it.
func (l *ledger) answered(now time.Time, rank int, name string, cost int) {
	w := l.window(name, now)
	w.flying = max(0, w.flying-1)
	l.spend(now, rank, name, cost)
}

func (l *ledger) spend(now time.Time, rank int, name string, cost int) {
	l.window(name, now).spent[rank] += int64(cost)
	l.total[rank] += int64(cost)
	hour := now.Unix() / 3600
	h := &l.hours[hour%24]
	if h.hour != hour {
		h.hour, h.spent = hour, [purposes]int64{}
	}
	h.spent[rank] += int64(cost)
}

// lastDay sums what was spent in the last 24 hours.
func (l *ledger) lastDay(now time.Time) (sum [purposes]int64) {
	for _, h := range l.hours {
		if h.hour > now.Unix()/3600-24 {
			for i := range sum {
				sum[i] += h.spent[i]
			}
		}
	}
	return sum
}

// heard takes over what an answer tells of its budget. Answers overtake each
// other: within a window the least that was told to remain is right.
func (l *ledger) heard(now time.Time, h http.Header, name string) {
	number := func(key string) int {
		n, err := strconv.Atoi(h.Get("X-RateLimit-" + key))
		if err != nil {
			return -1
		}
		return n
	}
	limit, remaining, reset := number("Limit"), number("Remaining"), time.Unix(int64(number("Reset")), 0)
	if limit <= 0 || remaining < 0 || !reset.After(now) {
		return
	}
	if own := h.Get("X-RateLimit-Resource"); own != "" {
		name = own
	}
	if l.windows[name] == nil && len(l.windows) >= maxWindows {
		return
	}
	if limitOfAnHour := now.Add(time.Hour); reset.After(limitOfAnHour) {
		reset = limitOfAnHour // no window is longer: one of the clocks is wrong
	}
	w := l.window(name, now)
	remaining = min(remaining, limit)
	apart, known := reset.Sub(w.reset), !w.reset.IsZero()
	switch {
	case known && apart < -sameWindow && w.limit == limit:
		return // it was overtaken by the next window
	case known && apart <= sameWindow && w.limit == limit:
		remaining = min(w.remaining, remaining)
	case known:
		w.spent = [purposes]int64{}
	}
	w.limit, w.remaining, w.reset = limit, remaining, reset
}

// exhausted says that nothing is left of a resource until a time.
func (l *ledger) exhausted(now time.Time, name string, until time.Time) {
	w := l.window(name, now)
	w.remaining, w.reset = 0, until
}

// block keeps quiet after a secondary limit: as long as GitHub says, else a
// minute, and twice as long each time that this did not help. Many requests
// that were under way together are one offence.
func (l *ledger) block(now, began time.Time, told time.Duration) {
	if told <= 0 {
		if l.strikes == 0 || !began.Before(l.blocked) {
			l.strikes = min(l.strikes+1, 7)
		}
		told = min(time.Minute<<(l.strikes-1), time.Hour)
		if began.Before(l.blocked) {
			told = min(told, l.blocked.Sub(now))
		}
	}
	if until := now.Add(min(told, 24*time.Hour)); until.After(l.blocked) {
		l.blocked = until
	}
}

// good ends a row of strikes.
func (l *ledger) good(began time.Time) {
	if !began.Before(l.blocked) {
		l.strikes = 0
	}
}
