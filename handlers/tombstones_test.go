package handlers_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/callboard/callboard/handlers/api/callboard"
	"github.com/callboard/callboard/storage"
)

// The parameters of tombstones are checked, and a time opens what is older than
// what can be brought back.
func TestTombstoneParameters(t *testing.T) {
	t.Parallel()
	f := setup(t, shop()...)
	const old = "component:default/one"
	f.tx(func(ctx context.Context, tx storage.Tx) error {
		e := storage.Entity{UID: "u"}
		e.Ref, e.JSON = "component:default/long-gone", []byte(`{}`)
		if err := tx.PutEntities(ctx, []storage.Entity{e}); err != nil {
			return err
		}
		return tx.BuryEntities(ctx, []string{e.Ref}, time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), storage.Cause{Reason: storage.ReasonPush})
	})
	tests := []struct {
		query string
		code  int
		items int
	}{
		{"", 200, 0},
		{"since=2019-12-31T00:00:00Z", 200, 1},
		{"since=2019-12-31T00:00:00%2B02:00&ref=component:long-gone", 200, 1},
		{"since=2020-01-02T00:00:00Z", 200, 0},
		{"since=2019-12-31T00:00:00Z&ref=" + old, 200, 0},
		{"since=2019-12-31T00:00:00Z&scan=x", 200, 0},
		{"since=yesterday", 400, 0},
		{"ref=x", 400, 0},
		{"limit=0", 400, 0},
		{"cursor=x", 400, 0},
		{"repo=x", 400, 0},
		{"repository=acme/none", 404, 0},
	}
	for _, tt := range tests {
		w := f.get("/api/callboard/tombstones?" + tt.query)
		if w.Code != tt.code {
			t.Errorf("%s: %d %s", tt.query, w.Code, w.Body)
			continue
		}
		if tt.code == http.StatusOK {
			out := decode[callboard.Page[callboard.Tombstone]](t, f, "GET", "/tombstones?"+tt.query)
			if len(out.Items) != tt.items {
				t.Errorf("%s: %+v", tt.query, out)
			}
		}
	}
}
