package config

import (
	"regexp"
	"strconv"
	"time"

	"github.com/callboard/callboard/pipeline/schedule"
)

// duration reads what Backstage takes (contract platform, TYP-05): a mapping such
// as {hours: 3}, ISO 8601 such as PT3H, or the short form 3h, which may also have
// several parts here.
func (r reader) duration(fallback time.Duration) time.Duration {
	switch {
	case r.node == nil:
		return fallback
	case r.node.fields != nil:
		return r.durationFields()
	}
	text := r.str("")
	if d, ok := parseDuration(text); ok {
		return d
	}
	r.fault(r.node, "%s must be a duration such as 90s, 720h, 2d, PT3H or {hours: 3}, not %q", r.path, text)
	return fallback
}

// units are the members of a mapping. Months and years are those of a calendar
// without leap years: nobody schedules by them.
var units = map[string]time.Duration{
	"milliseconds": time.Millisecond, "seconds": time.Second, "minutes": time.Minute, "hours": time.Hour,
	"days": day, "weeks": 7 * day, "months": 30 * day, "years": 365 * day,
}

const (
	day = 24 * time.Hour
	// longest is far below the end of time.Duration.
	longest = 100 * 365 * day
)

func (r reader) durationFields() (total time.Duration) {
	r.only("years", "months", "weeks", "days", "hours", "minutes", "seconds", "milliseconds")
	keys, values := r.fields()
	for i, key := range keys {
		n := values[i].int(0)
		if n < 0 || units[key] > 0 && n > int64(longest/units[key]) {
			values[i].fault(values[i].node, "%s must be from 0 to a hundred years, not %d", values[i].path, n)
			continue
		}
		total += time.Duration(n) * units[key]
	}
	return total
}

var (
	isoDuration   = regexp.MustCompile(`^P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$`)
	isoUnits      = []time.Duration{365 * day, 30 * day, 7 * day, day, time.Hour, time.Minute, time.Second}
	shortDuration = regexp.MustCompile(`^(\d+)\s*(d|w)$`)
)

func parseDuration(s string) (time.Duration, bool) {
	if m := shortDuration.FindStringSubmatch(s); m != nil {
		unit := map[string]time.Duration{"d": day, "w": 7 * day}[m[2]]
		n, err := strconv.ParseInt(m[1], 10, 32)
		return time.Duration(n) * unit, err == nil && n <= int64(longest/unit)
	}
	if m := isoDuration.FindStringSubmatch(s); m != nil && len(s) > 2 {
		var total time.Duration
		for i, unit := range isoUnits {
			if m[i+1] == "" {
				continue
			}
			n, err := strconv.ParseInt(m[i+1], 10, 64)
			if err != nil || n > int64(longest/unit) {
				return 0, false
			}
			total += time.Duration(n) * unit
		}
		return total, total <= longest
	}
	d, err := time.ParseDuration(s)
	return d, err == nil && d >= 0 && d <= longest
}

// schedule reads a task schedule (contract catalog 5.1). frequency is a
// duration, {cron: …}, a string that is a cron expression, or {trigger: manual}.
func (r reader) schedule(fallback schedule.Schedule) schedule.Schedule {
	s := fallback
	s.Timeout = r.at("timeout").duration(s.Timeout)
	s.InitialDelay = r.at("initialDelay").duration(s.InitialDelay)
	frequency := r.at("frequency")
	cron := frequency.at("cron")
	switch {
	case frequency.node == nil:
		return s
	case frequency.at("trigger").present():
		frequency.at("trigger").oneOf("manual", "manual")
		s.Manual, s.Frequency = true, 0
	case cron.present():
		s.Cron, s.Frequency = cron.cron(), 0
	case frequency.node.fields == nil && looksLikeCron(frequency.str("")):
		s.Cron, s.Frequency = frequency.cron(), 0
	default:
		s.Frequency = frequency.duration(s.Frequency)
		if s.Frequency < time.Second {
			frequency.fault(frequency.node, "%s must be at least a second", frequency.path)
		}
	}
	return s
}

var cronFields = regexp.MustCompile(`^\s*(\S+\s+){4,5}\S+\s*$`)

func looksLikeCron(s string) bool { return cronFields.MatchString(s) }

func (r reader) cron() string {
	s := r.str("")
	if err := schedule.ParseCron(s); err != nil {
		r.fault(r.node, "%s: %s", r.path, err)
	}
	return s
}
