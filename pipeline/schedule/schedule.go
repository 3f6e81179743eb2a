// Package schedule says when recurring work is due, in the words of Backstage's
// task schedules, and runs it once for all replicas.
package schedule

import "time"

// Schedule is when recurring work is done (contract catalog 5.1, schedule).
type Schedule struct {
	// Frequency is the time from the start of one run to that of the next.
	Frequency time.Duration
	// Cron is used instead of Frequency where it is set: five fields, or six with
	// seconds first, in UTC.
	Cron string
	// Manual work is only done when somebody asks for it.
	Manual bool
	// Timeout ends a run, InitialDelay comes before the first one after a start.
	Timeout      time.Duration
	InitialDelay time.Duration
}

// Next is when to run what last began at last (zero: never) in a process that
// came up at started. It is not after now when the time has come, also for what
// was missed while nobody was there: that is done once. ok is false for work
// that is not done by itself.
//
// What never ran is due after the initial delay, or at its cron time.
func (s Schedule) Next(last, started, now time.Time) (at time.Time, ok bool) {
	if last.After(now) { // a clock was set back: wait one turn at most
		last = now
	}
	first := started.Add(s.InitialDelay)
	switch {
	case s.Manual:
		return time.Time{}, false
	case s.Cron != "":
		c, err := parseCron(s.Cron)
		if err != nil { // the configuration was checked, so nobody meant this
			return time.Time{}, false
		}
		if last.IsZero() {
			last = started
		}
		if at, ok = c.next(last); !ok {
			return time.Time{}, false
		}
	case s.Frequency <= 0:
		return time.Time{}, false
	case last.IsZero():
		return first, true
	default:
		at = last.Add(s.Frequency)
	}
	return later(at, first), true
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
