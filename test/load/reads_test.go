package load

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
	"github.com/callboard/callboard/test/githubsim"
	"github.com/callboard/callboard/test/harness"
)

// sizes show how the cost of a read grows.
var sizes = []int{1000, 10_000, 100_000}

// BenchmarkReads measures the catalog API at three sizes. Reads come from
// memory, so they are measured on SQLite only; what depends on the database,
// the start and the way of a change to the readers, is measured on both.
func BenchmarkReads(b *testing.B) {
	for _, n := range sizes {
		for _, s := range setups {
			b.Run(fmt.Sprintf("%d/%s", n, s.Name), func(b *testing.B) {
				w := harness.New(b, s, githubsim.WithDeliveryLog(10))
				w.Prepare()
				store := seed(b, w, n)
				b.Cleanup(func() { _ = store.Close() })
				p := w.Process()
				p.Kill() // the first start migrates and plans; the second is the usual one
				began := time.Now()
				p.Start()
				grown(b, n, "start to serving, "+s.Name, ms(time.Since(began)))
				grown(b, n, "resident memory after a start, "+s.Name, fmt.Sprintf("%.0f MB", rss(p.PID())))
				if !s.Postgres {
					for _, r := range readsOf(n) {
						grown(b, n, r.name, storm(b, w.URL, r.requests, 3*time.Second))
					}
				}
				if s.Postgres {
					grown(b, n, "a commit visible on another replica, "+s.Name, elsewhere(b, w, store))
				}
				grown(b, n, "a commit visible on the same replica, "+s.Name, here(b, w))
				grown(b, n, "most resident memory, "+s.Name, fmt.Sprintf("%d MB", p.PeakMB()))
			})
		}
	}
}

type read struct {
	name     string
	requests [][]byte
}

func readsOf(n int) []read {
	many := func(one func(i int) []byte) (out [][]byte) {
		for i := range 512 {
			out = append(out, one(i))
		}
		return out
	}
	component := func(i int) string { return seedName(entity.KindComponent, i*101%(n*6/10)) }
	one := func(path string) [][]byte { return [][]byte{request("GET", path, "")} }
	const query = "/api/catalog/entities/by-query?"
	return []read{
		{"by-name", many(func(i int) []byte {
			return request("GET", "/api/catalog/entities/by-name/component/default/"+component(i), "")
		})},
		{"by-query: a kind, ordered, 20", one(query + "filter=kind=component&orderField=metadata.name,asc&limit=20")},
		{"by-query: the same, 400 entities further", one(query + "filter=kind=component&orderField=metadata.name,desc&limit=20&offset=400")},
		{"by-query: kind, type and owner, ordered by title, 20", many(func(i int) []byte {
			return request("GET", fmt.Sprintf("%sfilter=kind=component,spec.type=service,relations.ownedby=group:default/team-%d&orderField=metadata.title&limit=20", query, i%20), "")
		})},
		{"by-query: text in name and title, 20", many(func(i int) []byte {
			return request("GET", fmt.Sprintf("%sfilter=kind=component&fullTextFilterTerm=%d&fullTextFilterFields=metadata.name,metadata.title&limit=20", query, 100+i), "")
		})},
		{"by-query: predicate, 20", many(func(i int) []byte {
			return request("POST", "/api/catalog/entities/by-query",
				fmt.Sprintf(`{"query":{"$all":[{"kind":"component"},{"$not":{"spec.type":"library"}},{"metadata.name":{"$hasPrefix":"c-%02d"}}]},"limit":20}`, i%100))
		})},
		{"facets: kind, type, owner", one("/api/catalog/entity-facets?facet=kind&facet=spec.type&facet=spec.owner")},
		{"facets: type and tags of a kind", one("/api/catalog/entity-facets?facet=spec.type&facet=metadata.tags&filter=kind=component")},
		{"by-refs of 50", many(func(i int) []byte {
			var refs []string
			for k := range 50 {
				refs = append(refs, `"component:default/`+strings.ToLower(component(i*50+k))+`"`)
			}
			return request("POST", "/api/catalog/entities/by-refs", `{"entityRefs":[`+strings.Join(refs, ",")+`]}`)
		})},
		{"list of 100, filtered", one("/api/catalog/entities?filter=kind=component&limit=100")},
	}
}

// changes is how many changes are watched on their way to the readers.
const changes = 40

// elsewhere is how long after its commit a change by another process shows.
func elsewhere(b *testing.B, w *harness.World, store storage.Store) string {
	var took []time.Duration
	for i := range changes {
		living, err := store.Entities(b.Context(), []string{strings.ToLower("component:default/" + seedName(entity.KindComponent, i))})
		if err != nil || len(living) != 1 {
			b.Fatal(living, err)
		}
		e := living[0]
		e.JSON = json.RawMessage(strings.Replace(string(e.JSON), "What it does", fmt.Sprintf("Change %d: what it does", i), 1))
		e.Hash = fmt.Sprintf("changed-%d", i)
		err = store.InTx(b.Context(), func(ctx context.Context, tx storage.Tx) error {
			if err := tx.LockCatalog(ctx); err != nil {
				return err
			}
			revisions, err := tx.AddChanges(ctx, []storage.Change{{Ref: e.Ref, UID: e.UID, What: storage.ChangeUpdated, At: time.Now()}})
			if err != nil {
				return err
			}
			e.Revision = revisions[0]
			return tx.PutEntities(ctx, []storage.Entity{e})
		})
		if err != nil {
			b.Fatal(err)
		}
		committed := time.Now()
		want := fmt.Sprintf("Change %d: ", i)
		for !strings.Contains(string(get(b, w.URL+"/api/catalog/entities/by-uid/"+e.UID)), want) {
			if time.Since(committed) > 30*time.Second {
				b.Fatal("the change does not show")
			}
		}
		took = append(took, time.Since(committed))
	}
	return spread(took)
}

// here is how long after the answer to a deletion, which commits, the same
// process stops showing the entity.
func here(b *testing.B, w *harness.World) string {
	var took []time.Duration
	for i := range changes {
		name := seedName(entity.KindAPI, i)
		var e struct{ Metadata struct{ UID string } }
		if err := json.Unmarshal(get(b, w.URL+"/api/catalog/entities/by-name/api/default/"+name), &e); err != nil {
			b.Fatal(err)
		}
		url := w.URL + "/api/catalog/entities/by-uid/" + e.Metadata.UID
		req, err := http.NewRequest(http.MethodDelete, url, nil)
		if err != nil {
			b.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil || res.StatusCode != http.StatusNoContent {
			b.Fatal(res, err)
		}
		_ = res.Body.Close()
		committed := time.Now()
		for !strings.Contains(string(get(b, url)), "No entity with uid") {
			if time.Since(committed) > 30*time.Second {
				b.Fatal("the entity is still there")
			}
		}
		took = append(took, time.Since(committed))
	}
	return spread(took)
}

func spread(took []time.Duration) string {
	return fmt.Sprintf("p50 %s, p99 %s", ms(percentile(took, 50)), ms(percentile(took, 99)))
}
