package schedule_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/pipeline/schedule"
)

func TestCron(t *testing.T) {
	t.Parallel()
	tests := []struct {
		cron, after string
		want        []string
	}{
		{"*/15 * * * *", "2026-03-14T15:09:26Z", []string{"2026-03-14T15:15:00Z", "2026-03-14T15:30:00Z", "2026-03-14T15:45:00Z", "2026-03-14T16:00:00Z"}},
		{"0 3 * * *", "2026-03-14T02:59:59Z", []string{"2026-03-14T03:00:00Z", "2026-03-15T03:00:00Z"}},
		{"0 3 * * *", "2026-03-14T03:00:00Z", []string{"2026-03-15T03:00:00Z"}},
		{"30 10,45 9-17/4 * * MON-FRI", "2026-03-13T16:00:00Z", []string{"2026-03-13T17:10:30Z", "2026-03-13T17:45:30Z", "2026-03-16T09:10:30Z"}},
		{"0 0 29 2 *", "2096-02-29T00:00:00Z", []string{"2104-02-29T00:00:00Z"}},
		{"0 0 29 FEB *", "2026-01-01T00:00:00Z", []string{"2028-02-29T00:00:00Z"}},
		{"0 0 13 * 5", "2026-03-10T00:00:00Z", []string{"2026-03-13T00:00:00Z", "2026-03-20T00:00:00Z", "2026-03-27T00:00:00Z", "2026-04-03T00:00:00Z", "2026-04-10T00:00:00Z", "2026-04-13T00:00:00Z"}},
		{"0 0 */20 * 5", "2026-03-14T00:00:00Z", []string{"2026-03-20T00:00:00Z", "2026-03-21T00:00:00Z", "2026-03-27T00:00:00Z"}},
		{"0 0 1-31 * 5", "2026-03-14T00:00:00Z", []string{"2026-03-20T00:00:00Z", "2026-03-27T00:00:00Z"}},
		{"0 12 * * 7", "2026-03-14T00:00:00Z", []string{"2026-03-15T12:00:00Z"}},
		{"0 12 * * sun", "2026-03-14T00:00:00Z", []string{"2026-03-15T12:00:00Z"}},
		{"59 23 31 12 ?", "2026-12-31T23:59:00Z", []string{"2027-12-31T23:59:00Z"}},
		{"58/1 23 * * *", "2026-12-31T00:00:00Z", []string{"2026-12-31T23:58:00Z", "2026-12-31T23:59:00Z", "2027-01-01T23:58:00Z"}},
		{"10 20 30 * * *", "2026-03-14T00:00:00Z", nil},
		{"@daily", "2026-03-14T15:09:26+02:00", []string{"2026-03-15T00:00:00Z"}},
		{"@Hourly", "2026-03-14T15:59:59.9Z", []string{"2026-03-14T16:00:00Z"}},
		{"*/60 * * * *", "2026-03-14T15:00:01Z", []string{"2026-03-14T16:00:00Z"}},
	}
	for _, tt := range tests {
		t.Run(tt.cron, func(t *testing.T) {
			t.Parallel()
			if err := schedule.ParseCron(tt.cron); (err == nil) != (tt.want != nil) {
				t.Fatalf("ParseCron says %v", err)
			}
			last, err := time.Parse(time.RFC3339, tt.after)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for range tt.want {
				at, ok := schedule.Schedule{Cron: tt.cron}.Next(last, time.Time{}, last)
				if !ok {
					t.Fatalf("it does not come after %s", last)
				}
				got, last = append(got, at.Format(time.RFC3339)), at
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("times (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCronThatIsNone(t *testing.T) {
	t.Parallel()
	tests := []struct{ cron, want string }{
		{"", "needs five fields"},
		{"* * * *", "needs five fields"},
		{"* * * * * * *", "needs five fields"},
		{"TZ=Europe/Berlin 0 0 * * *", "the step \"Berlin\" of the second"},
		{"60 * * * *", "the minute must be from 0 to 59, not \"60\""},
		{"* 24 * * *", "the hour must be"},
		{"* * 0 * *", "the day of the month must be from 1 to 31"},
		{"* * * 13 *", "the month must be"},
		{"* * * * 8", "the day of the week must be"},
		{"* * * * FOO", "not \"FOO\""},
		{"5-1 * * * *", "goes backwards"},
		{"*/0 * * * *", "step"},
		{"*/-1 * * * *", "step"},
		{"*/9223372036854775807 * * * *", "step"},
		{"1,,2 * * * *", "not \"\""},
		{"+1 * * * *", "not \"+1\""},
		{"* * 30 2 *", "never comes"},
		{"* * 31 4,6,9,11 *", "never comes"},
		{"@reboot", "needs five fields"},
		{strings.Repeat("1,", 300) + "1 * * * *", "at most 500 characters"},
	}
	for _, tt := range tests {
		t.Run(tt.cron, func(t *testing.T) {
			t.Parallel()
			if err := schedule.ParseCron(tt.cron); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, want one with %q", err, tt.want)
			}
		})
	}
}

// What is accepted comes, and comes later than what it is asked after.
func FuzzParseCron(f *testing.F) {
	for _, seed := range []string{
		"* * * * *", "*/5 1-3,7 ? JAN-DEC/2 1-7", "30 0 0 29 2 *", "@weekly", "0 0 31 2 5", "* * 31 2 *", "1/0 * * * *",
		"TZ= * * * *", "0-59/59 23 31 12 7", "\x00 * * * *",
	} {
		f.Add(seed, int64(1_790_000_000))
	}
	f.Fuzz(func(t *testing.T, s string, unix int64) {
		if schedule.ParseCron(s) != nil {
			return
		}
		last := time.Unix(unix%4_000_000_000, 0)
		at, ok := schedule.Schedule{Cron: s}.Next(last, last, last)
		if !ok || !at.After(last) || at.Sub(last) > 9*366*24*time.Hour {
			t.Errorf("%q comes at %s, %t after %s", s, at, ok, last)
		}
	})
}

func BenchmarkCron(b *testing.B) {
	b.ReportAllocs()
	s := schedule.Schedule{Cron: "0 0 29 2 *"}
	last := time.Date(2096, 2, 29, 0, 0, 0, 0, time.UTC)
	for b.Loop() {
		if _, ok := s.Next(last, last, last); !ok {
			b.Fatal("never")
		}
	}
}

func TestNext(t *testing.T) {
	t.Parallel()
	started := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	after := func(d time.Duration) time.Time { return started.Add(d) }
	every := schedule.Schedule{Frequency: time.Hour, InitialDelay: 5 * time.Minute}
	nightly := schedule.Schedule{Cron: "0 3 * * *", InitialDelay: time.Minute}
	tests := []struct {
		name      string
		s         schedule.Schedule
		last, now time.Time
		want      time.Time // zero: not by itself
	}{
		{"the first time after the delay", every, time.Time{}, started, after(5 * time.Minute)},
		{"then by the frequency", every, after(10 * time.Minute), after(20 * time.Minute), after(70 * time.Minute)},
		{"a restart does not run it again", every, after(-10 * time.Minute), started, after(50 * time.Minute)},
		{"what was missed comes once, after the delay", every, after(-10 * time.Hour), started, after(5 * time.Minute)},
		{"a clock that was set back", every, after(100 * time.Hour), started, after(time.Hour)},
		{"cron waits for its time", nightly, time.Time{}, started, after(15 * time.Hour)},
		{"cron that was missed comes now", nightly, after(-10 * time.Hour), started, after(time.Minute)},
		{"manual", schedule.Schedule{Manual: true, Frequency: time.Hour}, time.Time{}, started, time.Time{}},
		{"nothing is said", schedule.Schedule{}, time.Time{}, started, time.Time{}},
		{"cron that is none", schedule.Schedule{Cron: "x"}, time.Time{}, started, time.Time{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, ok := tt.s.Next(tt.last, started, tt.now)
			if ok == tt.want.IsZero() || !got.Equal(tt.want) {
				t.Errorf("next is %s, %t, want %s", got, ok, tt.want)
			}
		})
	}
}
