package schedule

import (
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ParseCron says whether s is a cron expression: five fields (minute, hour, day
// of the month, month, day of the week) or six with seconds first, of numbers,
// English names, ranges, lists and steps; or a macro such as @daily. One that
// never comes, such as 30 February, is an error. Fields are as in cron(5); times are UTC.
func ParseCron(s string) error {
	_, err := parseCron(s)
	return err
}

// cron has a bit for every value that a field allows.
type cron struct {
	second, minute, hour, day, month, weekday uint64
}

// field is what may stand in one. Names count from min.
type field struct {
	name     string
	min, max int
	names    []string
}

var fields = []field{
	{name: "second", max: 59},
	{name: "minute", max: 59},
	{name: "hour", max: 23},
	{name: "day of the month", min: 1, max: 31},
	{name: "month", min: 1, max: 12, names: []string{
		"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
	}},
	// 7 is Sunday too.
	{name: "day of the week", max: 7, names: []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
}

var macros = map[string]string{
	"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
	"@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}

const (
	// maxCron is longer than any expression that somebody writes.
	maxCron = 500
	// maxStep is larger than a field, because */60 is written for once an hour.
	maxStep = 100
)

func parseCron(s string) (cron, error) {
	if len(s) > maxCron {
		return cron{}, fmt.Errorf("a cron expression has at most %d characters", maxCron)
	}
	words := strings.Fields(s)
	if len(words) == 1 {
		if m, ok := macros[strings.ToLower(words[0])]; ok {
			words = strings.Fields(m)
		}
	}
	switch len(words) {
	case 5:
		words = slices.Insert(words, 0, "0")
	case 6:
	default:
		return cron{}, fmt.Errorf("%q is no cron expression: it needs five fields, as in \"0 3 * * *\", or six with seconds first", s)
	}
	var c cron
	for i, into := range []*uint64{&c.second, &c.minute, &c.hour, &c.day, &c.month, &c.weekday} {
		var err error
		if *into, err = fields[i].parse(words[i]); err != nil {
			return cron{}, fmt.Errorf("%q is no cron expression: %w", s, err)
		}
	}
	c.weekday |= c.weekday >> 7 & 1
	if _, ok := c.next(time.Unix(0, 0)); !ok {
		return cron{}, fmt.Errorf("%q never comes: no month has such a day", s)
	}
	return c, nil
}

// parse reads a list of values, ranges and steps.
func (f field) parse(s string) (set uint64, err error) {
	for part := range strings.SplitSeq(s, ",") {
		lo, hi, step := f.min, f.max, 1
		span, by, stepped := strings.Cut(part, "/")
		if stepped {
			if step, err = strconv.Atoi(by); err != nil || step < 1 || step > maxStep {
				return 0, fmt.Errorf("the step %q of the %s must be from 1 to %d", by, f.name, maxStep)
			}
		}
		if span != "*" && span != "?" {
			from, to, ranged := strings.Cut(span, "-")
			if lo, err = f.value(from); err != nil {
				return 0, err
			}
			switch {
			case ranged:
				if hi, err = f.value(to); err != nil {
					return 0, err
				}
			case !stepped: // 5/10 goes on to the end
				hi = lo
			}
			if lo > hi {
				return 0, fmt.Errorf("the range %q of the %s goes backwards", span, f.name)
			}
		}
		for v := lo; v <= hi; v += step {
			set |= 1 << v
		}
	}
	return set, nil
}

func (f field) value(s string) (int, error) {
	if i := slices.Index(f.names, strings.ToLower(s)); i >= 0 {
		return f.min + i, nil
	}
	v, err := strconv.ParseUint(s, 10, 8)
	if err != nil || int(v) < f.min || int(v) > f.max {
		return 0, fmt.Errorf("the %s must be from %d to %d, not %q", f.name, f.min, f.max, s)
	}
	return int(v), nil
}

// horizon is beyond the longest wait, from 29 February 2096 to that of 2104.
const horizon = 9 * 366

// next is the first time after t.
func (c cron) next(t time.Time) (time.Time, bool) {
	t = t.UTC().Truncate(time.Second).Add(time.Second)
	day := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	from := t.Sub(day)
	for range horizon {
		if c.onDay(day) {
			if at, ok := c.inDay(from); ok {
				return day.Add(at), true
			}
		}
		day, from = day.AddDate(0, 0, 1), 0
	}
	return time.Time{}, false
}

const (
	everyDay     = 1<<32 - 1<<1
	everyWeekday = 1<<7 - 1
)

// onDay is true on a day of either kind where both kinds are restricted, as in
// cron(5) and in Backstage.
func (c cron) onDay(t time.Time) bool {
	if !has(c.month, int(t.Month())) {
		return false
	}
	day, weekday := has(c.day, t.Day()), has(c.weekday, int(t.Weekday()))
	if c.day == everyDay || c.weekday&everyWeekday == everyWeekday {
		return day && weekday
	}
	return day || weekday
}

// inDay is the first time of the day that is not before from.
func (c cron) inDay(from time.Duration) (time.Duration, bool) {
	hour, minute, second := int(from/time.Hour), int(from/time.Minute)%60, int(from/time.Second)%60
	h, ok := atLeast(c.hour, hour)
	if !ok {
		return 0, false
	}
	if h > hour {
		minute, second = 0, 0
	}
	m, ok := atLeast(c.minute, minute)
	if ok && m > minute {
		second = 0
	}
	s, found := atLeast(c.second, second)
	if ok && !found {
		m, ok = atLeast(c.minute, m+1)
		s, _ = atLeast(c.second, 0)
	}
	if !ok { // not in this hour
		if h, ok = atLeast(c.hour, h+1); !ok {
			return 0, false
		}
		m, _ = atLeast(c.minute, 0)
		s, _ = atLeast(c.second, 0)
	}
	return time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(s)*time.Second, true
}

func has(set uint64, v int) bool { return set>>v&1 == 1 }

// atLeast is the smallest value of a set that is not below v.
func atLeast(set uint64, v int) (int, bool) {
	rest := set >> v << v
	return bits.TrailingZeros64(rest), rest != 0
}
