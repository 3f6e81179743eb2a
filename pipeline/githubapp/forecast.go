package githubapp

import "time"

// maxHours bounds a forecast: what lies further away is not worth counting.
const maxHours = 10_000

// Ends estimates when a scan ends that needs some more requests and makes perHour
// of them when nothing stops it. The budget does: below half it is spread over
// the hour, and at the reserve it waits for the next one.
func (r Resource) Ends(now time.Time, requests int, perHour float64) time.Time {
	if perHour <= 0 || requests <= 0 {
		return now
	}
	hours := func(h float64) time.Duration { return time.Duration(h * float64(time.Hour)) }
	left, reset := float64(requests), r.Reset
	if r.Limit == 0 || !reset.After(now) {
		return now.Add(hours(left / perHour)) // nobody limits it
	}
	half, reserve := float64(r.Limit)/2, float64(r.Reserve)
	above, below := max(0, float64(r.Remaining)-half), max(0, min(float64(r.Remaining), half)-reserve)
	for range maxHours {
		window := reset.Sub(now).Hours()
		fast := above / perHour // until half is left
		switch rest := left - above; {
		case rest <= 0:
			return now.Add(hours(left / perHour))
		case fast < window && rest <= below:
			return now.Add(hours(fast + max(rest/perHour, (window-fast)*rest/below)))
		}
		left -= min(above+below, perHour*window)
		now, reset = reset, reset.Add(time.Hour)
		above, below = half, max(0, half-reserve)
	}
	return now
}
