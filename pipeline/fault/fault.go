// Package fault says what is to become of failed work: given up, tried again
// soon, or tried again at a time that somebody told us. An error that is none
// of these is retryable on the ordinary schedule.
package fault

import (
	"errors"
	"time"
)

// Reason is a closed set, used as a metric label.
type Reason string

// The reasons.
const (
	ReasonInvalid     Reason = "invalid"      // the message itself makes no sense
	ReasonRateLimited Reason = "rate_limited" // GitHub told us to wait
	// ReasonTurn is for work that waits for its own pace. Nothing is wrong, so no
	// log tells of it.
	ReasonTurn Reason = "turn"
	// ReasonUnavailable is for another side that is down. However long it stays
	// so, the work is not given up: an outage is nobody's mistake here.
	ReasonUnavailable Reason = "unavailable"
)

// Error is an error with its fate.
type Error struct {
	Reason Reason
	// Permanent work is parked at once.
	Permanent bool
	// After is how long to wait; waiting so counts no attempt. 0 for the schedule.
	After time.Duration
	Err   error
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap gives the cause to errors.Is and errors.As.
func (e *Error) Unwrap() error { return e.Err }

// Permanent marks an error that trying again cannot cure.
func Permanent(reason Reason, err error) error {
	return &Error{Reason: reason, Permanent: true, Err: err}
}

// RetryAfter marks an error that will be cured in d.
func RetryAfter(d time.Duration, reason Reason, err error) error {
	return &Error{Reason: reason, After: d, Err: err}
}

// Unavailable marks an error that lasts as long as the other side is down.
func Unavailable(err error) error { return &Error{Reason: ReasonUnavailable, Err: err} }

// Of finds the fate of an error; ok is false for an ordinary one.
func Of(err error) (e *Error, ok bool) {
	ok = errors.As(err, &e)
	return e, ok
}
