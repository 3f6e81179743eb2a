package row_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/row"
)

func TestTimesSurvive(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := time.UnixMicro(rapid.Int64Range(-1<<50, 1<<52).Draw(t, "micros")).UTC()
		if want.UnixMicro() == 0 {
			return // the one moment that stands for the zero time
		}
		zone := time.FixedZone("", rapid.IntRange(-12, 12).Draw(t, "zone")*3600)
		if got := row.Time(row.Micros(want.In(zone))); got != want {
			t.Fatalf("%v came back as %v", want, got)
		}
	})
	if got := row.Time(row.Micros(time.Time{})); !got.IsZero() {
		t.Errorf("the zero time came back as %v", got)
	}
}

func FuzzText(f *testing.F) {
	for _, seed := range []string{"", "plain", "a\x00b", "\xff\xfe", "é\xc3", "\xed\xa0\x80", "\uFFFD"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := row.Text(s)
		if !utf8.ValidString(got) || strings.ContainsRune(got, 0) {
			t.Errorf("%q became %q, which PostgreSQL refuses", s, got)
		}
		if row.Text(got) != got {
			t.Errorf("%q is not stable", got)
		}
		if utf8.ValidString(s) && !strings.ContainsRune(s, 0) && got != s {
			t.Errorf("%q was good and became %q", s, got)
		}
	})
}

func TestArgsLeaveTheCallersListAlone(t *testing.T) {
	t.Parallel()
	list := []string{"a\x00"}
	args := row.Args([]any{"b\xff", list, 7})
	if diff := cmp.Diff([]any{"b\uFFFD", []string{"a\uFFFD"}, 7}, args); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
	if list[0] != "a\x00" {
		t.Error("the caller's list was changed")
	}
}

func TestLast(t *testing.T) {
	t.Parallel()
	got := row.Last([]string{"a1", "b1", "a2", "c1", "b2"}, func(s string) byte { return s[0] })
	if diff := cmp.Diff([]string{"a2", "b2", "c1"}, got); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
}

func TestSchedule(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 6789, time.FixedZone("", 3600))
	micro := now.Truncate(time.Microsecond).UTC()
	tests := []struct {
		name     string
		in       storage.Message
		created  time.Time
		runAfter time.Time
		due      bool
	}{
		{"nothing given", storage.Message{}, micro, micro, true},
		{"made before", storage.Message{CreatedAt: now.Add(-time.Hour)}, micro.Add(-time.Hour), micro.Add(-time.Hour), true},
		{"made by a clock that is ahead", storage.Message{CreatedAt: now.Add(time.Hour)}, micro.Add(time.Hour), micro.Add(time.Hour), true},
		{"for later", storage.Message{RunAfter: now.Add(time.Hour)}, micro, micro.Add(time.Hour), false},
		{"done already", storage.Message{DoneAt: now}, micro, micro, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, due := row.Schedule(tt.in, now)
			if !got.CreatedAt.Equal(tt.created) || !got.RunAfter.Equal(tt.runAfter) || due != tt.due {
				t.Errorf("got %v, %v, due %t", got.CreatedAt, got.RunAfter, due)
			}
		})
	}
}
