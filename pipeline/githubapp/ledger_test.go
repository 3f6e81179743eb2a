package githubapp

import (
	"maps"
	"net/http"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func header(limit, remaining int, reset time.Time) http.Header {
	h := http.Header{}
	h.Set("X-RateLimit-Limit", strconv.Itoa(limit))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(remaining))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(reset.Unix(), 10))
	return h
}

func (l *ledger) clone() *ledger {
	c := *l
	c.windows = maps.Clone(l.windows)
	for name, w := range c.windows {
		own := *w
		c.windows[name] = &own
	}
	return &c
}

// Who may go, by what is left of 1000 with a reserve of 200.
func TestAdmit(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name                     string
		remaining                int
		push, manual, docs, scan bool
	}{
		{"plenty", 900, true, true, true, true},
		{"just over the reserve", 201, true, true, true, true},
		{"at the reserve", 200, true, true, false, false},
		{"at half the reserve", 100, true, false, false, false},
		{"one", 1, true, false, false, false},
		{"none", 0, false, false, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := &ledger{share: 0.2}
			reset := noon.Add(30 * time.Minute)
			l.heard(noon, header(1000, tt.remaining, reset), coreResource)
			for rank, want := range []bool{tt.push, tt.manual, tt.docs, tt.scan} {
				again, ok := l.clone().admit(noon, rank, coreResource, 1)
				if ok != want || !ok && again.Before(reset) {
					t.Errorf("%s: %v, again at %s", Purposes()[rank], ok, again)
				}
				if _, ok := l.clone().admit(reset, rank, coreResource, 1); !ok {
					t.Errorf("%s: not after the reset", Purposes()[rank])
				}
				if _, ok := l.clone().admit(noon, rank, graphqlResource, 1); !ok {
					t.Errorf("%s: the other resource is limited too", Purposes()[rank])
				}
			}
		})
	}
}

// Below half, scans are spread over what is left of the hour.
func TestScansArePaced(t *testing.T) {
	t.Parallel()
	l := &ledger{share: 0.2}
	reset := noon.Add(time.Hour)
	l.heard(noon, header(100, 49, reset), graphqlResource)
	var gone []time.Duration
	for now, left := noon, 49; now.Before(reset); now = now.Add(time.Second) {
		if _, ok := l.admit(now, rankScan, graphqlResource, 1); ok {
			left--
			l.answered(now, rankScan, graphqlResource, 1)
			l.heard(now, header(100, left, reset), graphqlResource)
			gone = append(gone, now.Sub(noon))
		}
	}
	if len(gone) < 28 || len(gone) > 29 || gone[10] < 15*time.Minute {
		t.Errorf("%d scans went: %v", len(gone), gone)
	}
}

// A minute's points hold for GitHub.com's limits only.
func TestMinute(t *testing.T) {
	t.Parallel()
	for limit, most := range map[int]int{5000: restPerMinute, 1_000_000: 2000} {
		l := &ledger{share: 0.2}
		l.heard(noon, header(limit, limit, noon.Add(time.Hour)), coreResource)
		admitted := 0
		for i := range 2000 {
			now := noon.Add(time.Duration(i) * 20 * time.Millisecond)
			if _, ok := l.admit(now, rankPush, coreResource, 1); ok {
				admitted++
				l.answered(now, rankPush, coreResource, 1)
			}
		}
		if admitted != most {
			t.Errorf("of %d an hour: %d in 40 s, want %d", limit, admitted, most)
		}
	}
}

// Those that are sent away at once do not come back at once.
func TestPostponedAreStaggered(t *testing.T) {
	t.Parallel()
	for rank, most := range []int{20, 20, 20, 20} {
		l := &ledger{share: 0.2}
		reset := noon.Add(10 * time.Minute)
		l.heard(noon, header(5000, 0, reset), coreResource)
		seconds := map[int64]int{}
		for range 800 {
			again, ok := l.admit(noon, rank, coreResource, 1)
			if ok || again.Before(reset) || again.After(reset.Add(30*time.Minute)) {
				t.Fatalf("again at %s", again)
			}
			seconds[again.Unix()]++
		}
		for at, n := range seconds {
			if n > most {
				t.Errorf("%s: %d come back in second %d", Purposes()[rank], n, at)
			}
		}
	}
}

func TestHeard(t *testing.T) {
	t.Parallel()
	reset := noon.Add(time.Hour)
	tests := []struct {
		name  string
		then  http.Header
		left  int
		reset time.Time
	}{
		{"later", header(5000, 90, reset), 90, reset},
		{"overtaken", header(5000, 110, reset), 100, reset},
		{"a second off", header(5000, 90, reset.Add(-time.Second)), 90, reset.Add(-time.Second)},
		{"of the window before", header(5000, 4000, reset.Add(-30*time.Minute)), 100, reset},
		{"of the next window", header(5000, 4999, reset.Add(time.Minute)), 4999, noon.Add(time.Hour)},
		{"another limit", header(15000, 14000, reset), 14000, reset},
		{"nothing", http.Header{}, 100, reset},
		{"nonsense", header(-1, -5, reset), 100, reset},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := &ledger{}
			l.heard(noon.Add(-30*time.Minute), header(5000, 100, noon.Add(30*time.Minute)), coreResource)
			l.windows = nil
			l.heard(noon, header(5000, 100, reset), coreResource)
			now := noon
			if tt.name == "of the next window" { // it cannot be told before it begins
				now = noon.Add(time.Minute)
				tt.reset = reset.Add(time.Minute)
			}
			l.heard(now, tt.then, coreResource)
			if w := l.windows[coreResource]; w.remaining != tt.left || !w.reset.Equal(tt.reset) {
				t.Errorf("%d left until %s, want %d until %s", w.remaining, w.reset, tt.left, tt.reset)
			}
		})
	}
}

// What comes from outside cannot fill the memory, nor stop us for a day.
func TestHostileHeaders(t *testing.T) {
	t.Parallel()
	l := &ledger{}
	for i := range 1000 {
		h := header(100, 0, noon.Add(1000*time.Hour))
		h.Set("X-RateLimit-Resource", strconv.Itoa(i))
		l.heard(noon, h, coreResource)
	}
	if len(l.windows) > maxWindows {
		t.Errorf("%d windows", len(l.windows))
	}
	if at := l.windows["0"].reset; at.After(noon.Add(time.Hour)) {
		t.Errorf("a window until %s", at)
	}
	l.block(noon, noon, 1000*time.Hour)
	if l.blocked.After(noon.Add(24 * time.Hour)) {
		t.Errorf("blocked until %s", l.blocked)
	}
}

// Secondary limits of which no end is told double, but those of requests that
// were under way together count once.
func TestStrikes(t *testing.T) {
	t.Parallel()
	l, now := &ledger{}, noon
	for _, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		for range 5 {
			l.block(now, now, 0)
		}
		if got := l.blocked.Sub(now); got != want*time.Minute {
			t.Fatalf("blocked for %s, want %d minutes", got, want)
		}
		now = l.blocked
	}
	l.good(now)
	if l.block(now, now, 0); l.blocked.Sub(now) != time.Minute {
		t.Errorf("after a good answer: blocked for %s", l.blocked.Sub(now))
	}
}

// Whatever happens: what GitHub gave is never overspent, no scan goes where a push
// could not, nobody is sent away for ever, and the reserve is the pushes'.
func TestGovernorProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 6000).Draw(t, "limit")
		share := rapid.Float64Range(0, 0.9).Draw(t, "share")
		l, now := &ledger{share: share}, noon
		used, reset := 0, noon.Add(time.Hour)
		var flying []int
		told := false
		t.Repeat(map[string]func(*rapid.T){
			"ask": func(t *rapid.T) {
				rank := rapid.IntRange(0, purposes-1).Draw(t, "rank")
				pushCould := false
				if _, ok := l.clone().admit(now, rankPush, coreResource, 1); ok {
					pushCould = true
				}
				again, ok := l.admit(now, rank, coreResource, 1)
				switch {
				case ok && !pushCould:
					t.Fatalf("%s goes, and a push could not", Purposes()[rank])
				case ok:
					left := limit - used - len(flying)
					if told && now.Before(reset) && left <= kept(limit, rank, share) {
						t.Fatalf("%s goes with %d of %d left", Purposes()[rank], left, limit)
					}
					flying = append(flying, rank)
				case !again.After(now) || again.Sub(now) > 2*time.Hour:
					t.Fatalf("%s is sent away from %s to %s", Purposes()[rank], now, again)
				}
			},
			"answer": func(t *rapid.T) {
				if len(flying) == 0 {
					return // nothing was asked yet
				}
				i := rapid.IntRange(0, len(flying)-1).Draw(t, "which")
				rank := flying[i]
				flying = append(flying[:i], flying[i+1:]...)
				if !now.Before(reset) {
					used, reset = 0, now.Add(time.Hour)
				}
				used++
				l.answered(now, rank, coreResource, 1)
				l.heard(now, header(limit, max(0, limit-used), reset), coreResource)
				told = true
			},
			"wait": func(t *rapid.T) {
				before := now
				now = now.Add(time.Duration(rapid.IntRange(1, 900).Draw(t, "seconds")) * time.Second)
				if before.Before(reset) && !now.Before(reset) {
					told = false // until the first answer of the new hour
				}
			},
			"secondary": func(t *rapid.T) {
				l.block(now, now, time.Duration(rapid.IntRange(0, 120).Draw(t, "seconds"))*time.Second)
			},
			"": func(t *rapid.T) {
				for rank := range purposes {
					c, at := l.clone(), now
					c.window(coreResource, at).flying = 0
					for tries := 0; ; tries++ {
						again, ok := c.admit(at, rank, coreResource, 1)
						if ok {
							break
						}
						if at = again; tries > 5 {
							t.Fatalf("%s is sent away again and again", Purposes()[rank])
						}
					}
				}
			},
		})
	})
}
