package handlers_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/callboard/callboard/handlers"
	"github.com/callboard/callboard/storage/view"
)

// removed remembers what was to be taken away.
type removed []string

func (r *removed) Remove(_ context.Context, ref, _, _ string) error { *r = append(*r, ref); return nil }

// A replica that does not show an entity yet finds out before it says that there
// is nothing to delete.
func TestDeleteOnAReplicaThatIsBehind(t *testing.T) {
	t.Parallel()
	f := setup(t, component("old", "u-0", ""))
	behind := view.New(f.store, quiet, view.WithPolling(time.Hour)) // and nobody wakes it
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- behind.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	<-behind.Ready()
	var gone removed
	deps := f.deps
	deps.View, deps.Remover, deps.Metrics = behind, &gone, prometheus.NewRegistry()
	h := handlers.New(deps)

	f.put(component("new", "u-1", ""))
	time.AfterFunc(50*time.Millisecond, behind.Wake)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("DELETE", "/api/catalog/entities/by-uid/u-1", nil))
	if w.Code != http.StatusNoContent || len(gone) != 1 || gone[0] != "component:default/new" {
		t.Errorf("%d, and %v was deleted", w.Code, gone)
	}
	w = httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("DELETE", "/api/catalog/entities/by-uid/nobody", nil))
	if w.Code != http.StatusNoContent || len(gone) != 1 {
		t.Errorf("nobody: %d, and %v was deleted", w.Code, gone)
	}
}
