// Package load measures the whole program: the real binary as a process of its
// own, the local GitHub without latency, real databases. `make bench` runs it
// and writes docs/benchmarks.md; nothing here is a limit that fails.
package load

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/callboard/callboard/test/githubsim"
	"github.com/callboard/callboard/test/harness"
)

// setups that are measured: the two sizes of the product.
var setups = harness.Setups[:2]

func each(b *testing.B, fn func(b *testing.B, w *harness.World)) {
	for _, s := range setups {
		b.Run(s.Name, func(b *testing.B) { fn(b, harness.New(b, s, githubsim.WithDeliveryLog(1000))) })
	}
}

func descriptor(r, n int) string {
	const one = "apiVersion: backstage.io/v1alpha1\nkind: %s\nmetadata:\n  name: %s%d\n  description: push %d of what this service does for its users\n" +
		"  annotations: {github.com/project-slug: acme/r%d}\n  tags: [go, payments]\nspec: {type: service, lifecycle: production, owner: team-%d%s}\n"
	return fmt.Sprintf(one, "Component", "c", r, n, r, r%20, fmt.Sprintf(", system: s%d, providesApis: [a%d]", r%50, r)) +
		"---\n" + fmt.Sprintf(one, "API", "a", r, n, r, r%20, ", definition: 'openapi: 3.0.0'")
}

func repositories(b *testing.B, w *harness.World, n int) {
	b.Helper()
	for r := range n {
		if _, err := w.GitHub.CreateRepo("acme", fmt.Sprintf("r%d", r), githubsim.RepoOptions{},
			map[string]string{"catalog-info.yaml": descriptor(r, 0), "README.md": "# r"}, githubsim.Quiet()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPushToVisible is the time from a push until the API shows it, one
// push at a time.
func BenchmarkPushToVisible(b *testing.B) {
	const pushes = 300
	each(b, func(b *testing.B, w *harness.World) {
		repositories(b, w, 20)
		w.Process()
		w.Install("acme")
		w.Settled()
		var took []time.Duration
		for n := range pushes {
			r, body := n%20, descriptor(n%20, n+1)
			began := time.Now()
			if _, err := w.GitHub.Commit(fmt.Sprintf("acme/r%d", r), "main", "push", map[string]*string{"catalog-info.yaml": &body}); err != nil {
				b.Fatal(err)
			}
			want := []byte(fmt.Sprintf("push %d of", n+1))
			for !bytes.Contains(get(b, fmt.Sprintf("%s/api/catalog/entities/by-name/component/default/c%d", w.URL, r)), want) {
				if time.Since(began) > 30*time.Second {
					b.Fatalf("push %d is not visible", n+1)
				}
			}
			took = append(took, time.Since(began))
		}
		record(b, "push to visible, one at a time", fmt.Sprintf("p50 %s, p95 %s, p99 %s", ms(percentile(took, 50)), ms(percentile(took, 95)), ms(percentile(took, 99))))
	})
}

// BenchmarkBurst is 500 pushes at once.
func BenchmarkBurst(b *testing.B) {
	const repos, rounds = 100, 5
	each(b, func(b *testing.B, w *harness.World) {
		repositories(b, w, repos)
		w.Process()
		w.Install("acme")
		w.Settled()
		w.GitHub.PauseDeliveries()
		for n := range rounds {
			for r := range repos {
				body := descriptor(r, n+1)
				if _, err := w.GitHub.Commit(fmt.Sprintf("acme/r%d", r), "main", "push", map[string]*string{"catalog-info.yaml": &body}); err != nil {
					b.Fatal(err)
				}
			}
		}
		began := time.Now()
		w.GitHub.ResumeDeliveries()
		w.Settled()
		record(b, "500 pushes at once, all visible after", ms(time.Since(began)))
	})
}

// BenchmarkIngress is how many deliveries a second are accepted, each durable
// before its answer, while the workers do what they imply.
func BenchmarkIngress(b *testing.B) {
	const clients, total = 64, 6000
	each(b, func(b *testing.B, w *harness.World) {
		repositories(b, w, 200)
		w.Process()
		w.Install("acme")
		w.Settled()
		payloads := make([][]byte, 200)
		for r := range payloads {
			repo, err := w.GitHub.Repo(fmt.Sprintf("acme/r%d", r))
			if err != nil {
				b.Fatal(err)
			}
			payloads[r] = pushPayload(repo.ID(), repo.FullName(), w.GitHub.Head(repo.FullName(), "main"))
		}
		client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
		var next, accepted atomic.Int64
		var took [clients][]time.Duration
		began := time.Now()
		var wg sync.WaitGroup
		for c := range clients {
			wg.Go(func() {
				for next.Add(1) <= total {
					at := time.Now()
					if deliver(client, w.URL, payloads[int(next.Load())%len(payloads)]) {
						accepted.Add(1)
					}
					took[c] = append(took[c], time.Since(at))
				}
			})
		}
		wg.Wait()
		elapsed := time.Since(began)
		w.Settled()
		all := slices.Concat(took[:]...)
		record(b, "ingress, accepted and durable", fmt.Sprintf("%.0f/s, p99 %s; done after %s",
			float64(accepted.Load())/elapsed.Seconds(), ms(percentile(all, 99)), ms(time.Since(began))))
	})
}

func pushPayload(id int64, name, head string) []byte {
	payload := map[string]any{
		"ref": "refs/heads/main", "before": strings.Repeat("1", 40), "after": head, "forced": false,
		"repository": map[string]any{"id": id, "full_name": name, "default_branch": "main"},
		"pusher":     map[string]any{"name": "dev"}, "installation": map[string]any{"id": 1},
		"padding": strings.Repeat("x", 7<<10), // a push of GitHub's has about 8 KB
	}
	delete(payload, "installation")
	raw, _ := json.Marshal(payload)
	return raw
}

func deliver(client *http.Client, url string, payload []byte) bool {
	mac := hmac.New(sha256.New, []byte(harness.Secret))
	mac.Write(payload)
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, url+"/api/events/http/github", bytes.NewReader(payload))
	if err != nil {
		return false
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-GitHub-Event", "push")
	req.Header.Set("X-GitHub-Delivery", uuid.NewString())
	req.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	res, err := client.Do(req)
	if err != nil {
		return false
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	return res.StatusCode == http.StatusAccepted
}

// BenchmarkCold is a whole organisation coming in, and what the program is then.
func BenchmarkCold(b *testing.B) {
	const repos = 2000
	each(b, func(b *testing.B, w *harness.World) {
		repositories(b, w, repos)
		p := w.Process()
		w.GitHub.ResetRequests()
		began := time.Now()
		w.Install("acme")
		w.Settled()
		took := time.Since(began)
		requests := 0
		for _, n := range w.GitHub.Requests() {
			requests += n.Total
		}
		record(b, "cold ingestion of 2,000 repositories, 4,000 entities",
			fmt.Sprintf("%.1f s, %.1f CPU s, %d GitHub requests", took.Seconds(), cpu(p.PID()).Seconds(), requests))
		unchanged(b, w)

		p.Kill()
		began = time.Now()
		p.Launch()
		for {
			if res, err := http.Get(w.URL + "/.backstage/health/v1/readiness"); err == nil {
				_ = res.Body.Close()
				if res.StatusCode == http.StatusOK {
					break
				}
			}
		}
		record(b, "start to serving, with 4,000 entities", ms(time.Since(began)))
		w.Settled()
		record(b, "resident memory after a start, 4,000 entities", fmt.Sprintf("%.0f MB", rss(p.PID())))
		idle := cpu(p.PID())
		time.Sleep(10 * time.Second) // an idle stretch is what is measured
		record(b, "idle, 2,000 repositories", fmt.Sprintf("%.2f CPU s a minute, 0 GitHub requests", (cpu(p.PID())-idle).Seconds()*6))
	})
}

// unchanged counts what a refresh of an unchanged repository asks GitHub.
func unchanged(b *testing.B, w *harness.World) {
	w.GitHub.ResetRequests()
	if err := w.Post("/api/callboard/repositories/acme/r7/refresh"); err != nil {
		b.Fatal(err)
	}
	w.Settled()
	total, notModified := 0, 0
	for _, n := range w.GitHub.Requests() {
		total, notModified = total+n.Total, notModified+n.NotModified
	}
	record(b, "refresh of an unchanged repository", fmt.Sprintf("%d request, %d answered 304", total, notModified))
}

func get(b *testing.B, url string) []byte {
	res, err := http.Get(url)
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.Fatal(err)
	}
	return body
}

func percentile(d []time.Duration, p int) time.Duration {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[min(len(d)-1, len(d)*p/100)]
}

func ms(d time.Duration) string {
	if d < 10*time.Millisecond {
		return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
	}
	return fmt.Sprintf("%d ms", d.Milliseconds())
}

// cpu is the user and system time of a process so far, in clock ticks of 10 ms.
func cpu(pid int) time.Duration {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
	var user, system int64
	_, _ = fmt.Sscan(fields[11], &user)
	_, _ = fmt.Sscan(fields[12], &system)
	return time.Duration(user+system) * 10 * time.Millisecond
}

func rss(pid int) float64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(raw)) {
		if v, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			var kb float64
			_, _ = fmt.Sscan(v, &kb)
			return kb / 1024
		}
	}
	return 0
}
