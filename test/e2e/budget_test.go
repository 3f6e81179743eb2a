package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/callboard/callboard/handlers/api/callboard"
	"github.com/callboard/callboard/test/harness"
)

// With a few requests an hour, a scan leaves what pushes need: they are applied
// while it waits, GitHub never has to refuse, nothing fails, and the scan ends when
// there is something to spend again.
func TestPushesGoFirstWhenTheBudgetIsShort(t *testing.T) {
	each(t, func(t *testing.T, w *harness.World) {
		var later atomic.Int64 // how far the clock is ahead
		w.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
		w.GitHub.SetRateLimit(60)
		w.Config.Undirected.CatalogPath = "**/catalog-info.yaml" // each costs requests of its own
		silent(t, w, 60, 100)
		budget := func() (installation callboard.Budget, all callboard.Budgets, err error) {
			err = w.Get("/api/callboard/budget", &all)
			for _, b := range all.Items {
				if b.Credential == "installation" {
					return b, all, err
				}
			}
			return callboard.Budget{}, all, errors.Join(err, errors.New("no budget of an installation"))
		}
		s := askScan(t, w)
		w.Eventually("the scan is held up", func() error {
			b, _, err := budget()
			if err == nil && b.Postponed["scan"] == 0 {
				err = fmt.Errorf("%+v", b)
			}
			return err
		})
		w.App.SetWebhook(w.URL+"/api/events/http/github", harness.Secret)
		for i := range 3 {
			name := fmt.Sprintf("pushed%d", i)
			if _, err := w.GitHub.Commit(fmt.Sprintf("acme/r%d", 59-i), "main", "push", map[string]*string{
				"catalog-info.yaml": new(component(name, "x")),
			}); err != nil {
				t.Fatal(err)
			}
			w.Eventually("push "+name, func() error { _, err := w.Entity("component", name); return err })
		}
		var status callboard.Status
		if err := w.Get("/api/callboard/status", &status); err != nil || status.Parked > 0 {
			t.Errorf("%d messages are parked, %v", status.Parked, err)
		}
		_, all, err := budget()
		if err != nil || len(all.Scans) != 1 || all.Scans[0].Scan != s.ID || all.Scans[0].Ends.IsZero() {
			t.Errorf("the forecast is %+v, %v", all.Scans, err)
		}
		for route, n := range w.GitHub.Requests() {
			if n.Failed > 0 && route != "GET /orgs/{org}/installation" {
				t.Errorf("%s was refused %d times", route, n.Failed)
			}
		}
		// The next hours bring what is left.
		w.GitHub.SetRateLimit(5000)
		later.Store(int64(3 * time.Hour))
		if s := scanDone(w, s.ID); s.Failed != 0 || s.Seen != 60 {
			t.Errorf("the scan ended as %+v", s)
		}
		if n := len(w.Written()); n != 60 {
			t.Errorf("%d entities", n)
		}
		if status, body := send(t, w, http.MethodGet, "/metrics", ""); status != http.StatusOK || len(body) == 0 {
			t.Errorf("metrics: %d", status)
		}
	})
}
