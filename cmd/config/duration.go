package config

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/callboard/callboard/pipeline/schedule"
)

// duration reads what Backstage takes (contract platform, TYP-05): a mapping such
// as {hours: 3}, ISO 8601 such as PT3H, or a number and a unit, 3h or 30 minutes;
// 1h30m may be written here too.
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
		if units[key] == 0 || !values[i].present() {
			continue
		}
		text := values[i].str("")
		d, ok := times(text, units[key])
		if !ok {
			values[i].fault(values[i].node, "%s must be a number, and from 0 to a hundred years, not %q", values[i].path, text)
		}
		total = min(total+d, longest)
	}
	return total
}

var (
	isoDuration   = regexp.MustCompile(strings.ReplaceAll(`^P(?:#Y)?(?:#M)?(?:#W)?(?:#D)?(?:T(?:#H)?(?:#M)?(?:#S)?)?$`, "#", `(\d+(?:[.,]\d+)?)`))
	isoUnits      = []time.Duration{365 * day, 30 * day, 7 * day, day, time.Hour, time.Minute, time.Second}
	wordsDuration = regexp.MustCompile(`^(\d+(?:\.\d+)?)\s*([a-zA-Z]+)$`)
)

// unitWords are the units of one number and a word.
var unitWords = map[string]time.Duration{
	"ms": time.Millisecond, "millisecond": time.Millisecond,
	"s": time.Second, "sec": time.Second, "second": time.Second,
	"m": time.Minute, "min": time.Minute, "minute": time.Minute,
	"h": time.Hour, "hr": time.Hour, "hour": time.Hour,
	"d": day, "day": day, "w": 7 * day, "week": 7 * day, "y": 365 * day, "year": 365 * day,
}

func parseDuration(s string) (time.Duration, bool) {
	if m := wordsDuration.FindStringSubmatch(s); m != nil {
		word := strings.ToLower(m[2])
		unit := unitWords[word]
		if unit == 0 {
			unit = unitWords[strings.TrimSuffix(word, "s")]
		}
		return times(m[1], unit)
	}
	if m := isoDuration.FindStringSubmatch(s); m != nil && len(s) > 2 && !strings.HasSuffix(s, "T") {
		var total time.Duration
		for i, unit := range isoUnits {
			if m[i+1] == "" {
				continue
			}
			d, ok := times(strings.Replace(m[i+1], ",", ".", 1), unit)
			if !ok {
				return 0, false
			}
			total += d
		}
		return total, total <= longest
	}
	d, err := time.ParseDuration(s)
	return d, err == nil && d >= 0 && d <= longest
}

// times is a number of units, which may have a fraction.
func times(number string, unit time.Duration) (time.Duration, bool) {
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || unit == 0 || !(n >= 0 && n <= float64(longest/unit)) {
		return 0, false
	}
	return time.Duration(n * float64(unit)), true
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

var cronFields = regexp.MustCompile(`^\s*((\S+\s+){4,5}\S+|@\S+)\s*$`)

func looksLikeCron(s string) bool { return cronFields.MatchString(s) }

func (r reader) cron() string {
	s := r.str("")
	if err := schedule.ParseCron(s); err != nil {
		r.fault(r.node, "%s: %s", r.path, err)
	}
	return s
}
