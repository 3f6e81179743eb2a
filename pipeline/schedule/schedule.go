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
