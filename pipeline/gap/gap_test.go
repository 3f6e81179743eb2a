package gap_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/pipeline/gap"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/sqlite"
)

func TestNoneSince(t *testing.T) {
	t.Parallel()
	early := time.Date(2026, 3, 14, 0, 0, 0, 0, time.UTC)
	late := early.Add(time.Hour)
	open := []gap.Gap{{GUID: "g"}}
	tests := []struct {
		name string
		apps []gap.App
		want time.Time // zero: nothing is proven
	}{
		{"no App", nil, time.Time{}},
		{"one", []gap.App{{Since: early}}, early},
		{"the shortest proof of several", []gap.App{{Since: early}, {Since: late}, {Since: early}}, late},
		{"one that was never read", []gap.App{{Since: early}, {}}, time.Time{}},
		{"one with a gap", []gap.App{{Since: early, Open: open}, {Since: early}}, time.Time{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, ok := gap.NoneSince(tt.apps)
			if ok == tt.want.IsZero() || !got.Equal(tt.want) {
				t.Errorf("no gaps since %s, %t, want %s", got, ok, tt.want)
			}
		})
	}
}

// Who reads sees at once what has arrived, before the log is read again.
func TestReadSeesWhatArrived(t *testing.T) {
	t.Parallel()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "callboard.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	if apps, err := gap.Read(t.Context(), store); len(apps) != 0 || err != nil {
		t.Errorf("apps are %+v, %v", apps, err)
	}
	now := time.Date(2026, 3, 14, 0, 0, 0, 0, time.UTC)
	saved := []gap.App{{
		Host: "github.com", App: 1, Since: now, Found: 3, Recovered: 1,
		Open: []gap.Gap{{GUID: "a", Event: "push", At: now}, {GUID: "b", Event: "push", At: now}},
	}}
	err = store.InTx(t.Context(), func(ctx context.Context, tx storage.Tx) error {
		if _, err := tx.AddDeliveries(ctx, []storage.Delivery{{GUID: "b", Event: "push", ReceivedAt: now}}); err != nil {
			return err
		}
		return gap.Save(ctx, tx, saved, now)
	})
	if err != nil {
		t.Fatal(err)
	}
	want := saved
	loaded, err := gap.Load(t.Context(), store)
	if diff := cmp.Diff(want, loaded); diff != "" || err != nil {
		t.Errorf("loaded (-want +got):\n%s%v", diff, err)
	}
	want[0].Open, want[0].Recovered = want[0].Open[:1], 2
	read, err := gap.Read(t.Context(), store)
	if diff := cmp.Diff(want, read); diff != "" || err != nil {
		t.Errorf("read (-want +got):\n%s%v", diff, err)
	}
}
