// Package chaos kills the real program at random moments and checks that
// nothing it had accepted is lost or done twice.
package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/callboard/callboard/test/githubsim"
	"github.com/callboard/callboard/test/harness"
)

const (
	repositories = 12
	kills        = 8
)

func TestKilledUnderLoad(t *testing.T) {
	t.Parallel()
	for i, setup := range harness.Setups[:2] {
		t.Run(setup.Name, func(t *testing.T) {
			t.Parallel()
			seed := uint64(i + 1)
			w := harness.New(t, setup, githubsim.WithSeed(seed), githubsim.WithDeliveryLog(100_000))
			for r := range repositories {
				push(t, w, r, 0)
			}
			p := w.Process()
			w.Install("acme")
			w.Settled()
			last := underFire(t, w, p, rand.New(rand.NewPCG(seed, 1)))
			w.Settled()
			acceptedAreDone(t, w)
			noneTwice(t, w)
			// A push that nobody accepted is not ours to know; one more shows that all goes on.
			for r := range repositories {
				push(t, w, r, last[r]+1)
			}
			w.Settled()
			for r := range repositories {
				e, err := w.Entity("component", fmt.Sprintf("c%d", r))
				if err != nil {
					t.Fatal(err)
				}
				if got, want := fmt.Sprint(e.Metadata["description"]), fmt.Sprint("push ", last[r]+1); got != want {
					t.Errorf("c%d shows %q, want %q", r, got, want)
				}
			}
		})
	}
}

// underFire pushes to all repositories while the program is killed and started
// again, and returns the number of the last push of each.
func underFire(t *testing.T, w *harness.World, p *harness.Process, rng *rand.Rand) []int {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	last := make([]int, repositories)
	var pushing sync.WaitGroup
	pushing.Go(func() {
		for n := 1; ctx.Err() == nil; n++ {
			for r := range repositories {
				push(t, w, r, n)
				last[r] = n
				pause(ctx, 2*time.Millisecond)
			}
		}
	})
	for range kills {
		pause(ctx, time.Duration(rng.IntN(700))*time.Millisecond)
		p.Kill()
		pause(ctx, time.Duration(rng.IntN(50))*time.Millisecond)
		if rng.IntN(3) == 0 { // also while it starts
			p.Launch()
			pause(ctx, time.Duration(rng.IntN(150))*time.Millisecond)
			p.Kill()
		}
		p.Start()
	}
	cancel()
	pushing.Wait()
	return last
}

// pause paces the load; no assertion depends on it.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func push(t *testing.T, w *harness.World, r, n int) {
	t.Helper()
	body := fmt.Sprintf("apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n  name: c%d\n  description: push %d\n"+
		"spec: {type: service, lifecycle: production, owner: team-a}\n", r, n)
	name := fmt.Sprintf("r%d", r)
	var err error
	if n == 0 {
		_, err = w.GitHub.CreateRepo("acme", name, githubsim.RepoOptions{}, map[string]string{"catalog-info.yaml": body})
	} else {
		_, err = w.GitHub.Commit("acme/"+name, "main", fmt.Sprint("push ", n), map[string]*string{"catalog-info.yaml": &body})
	}
	if err != nil {
		t.Error(err)
	}
}

// acceptedAreDone holds GitHub's log of what got a 2xx against the inbox.
func acceptedAreDone(t *testing.T, w *harness.World) {
	t.Helper()
	accepted := 0
	for _, d := range w.GitHub.Deliveries() {
		if d.StatusCode/100 != 2 {
			continue
		}
		accepted++
		var got struct{ State, Reason string }
		if err := w.Get("/api/callboard/deliveries/"+d.GUID, &got); err != nil {
			t.Errorf("accepted and lost: %s %s: %v", d.Event, d.GUID, err)
			continue
		}
		switch got.State {
		case "applied", "unchanged", "ignored":
		default:
			t.Errorf("accepted and not done: %s %s is %s: %s", d.Event, d.GUID, got.State, got.Reason)
		}
	}
	if accepted < repositories {
		t.Fatalf("only %d deliveries were accepted: the test shows nothing", accepted)
	}
	t.Logf("%d deliveries accepted and done", accepted)
}

// noneTwice checks that a commit appears once in the history of an entity.
func noneTwice(t *testing.T, w *harness.World) {
	t.Helper()
	for r := range repositories {
		var history struct {
			Items []struct {
				Revision int64
				Cause    struct{ Commit string }
			}
		}
		if err := w.Get(fmt.Sprintf("/api/callboard/entities/component/default/c%d/history?limit=1000", r), &history); err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, h := range history.Items {
			if seen[h.Cause.Commit] {
				t.Errorf("c%d: commit %.7s was applied twice", r, h.Cause.Commit)
			}
			seen[h.Cause.Commit] = true
		}
	}
}
