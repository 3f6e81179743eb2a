package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/test/githubsim"
	"github.com/callboard/callboard/test/harness"
)

// A random history of pushes ends in the catalog that a fresh Callboard reads
// from the same repositories. The seed is printed; the steps are those that
// Git knows: create, edit, rename, delete, merge, force back.
func TestRandomHistoryEqualsFreshRead(t *testing.T) {
	t.Parallel()
	for _, seed := range []uint64{1, 2, 3, 4, 5, 6} {
		t.Run(fmt.Sprintf("seed-%d", seed), func(t *testing.T) {
			t.Parallel()
			setup := harness.Setups[int(seed)%len(harness.Setups)]
			w := harness.New(t, setup, githubsim.WithSeed(seed))
			h := history{t: t, w: w, rng: rand.New(rand.NewPCG(seed, 0)), heads: map[string][]string{}}
			for i := range 3 {
				h.repos = append(h.repos, fmt.Sprintf("acme/r%d", i))
				create(t, w, h.repos[i], map[string]string{"catalog-info.yaml": location(fmt.Sprintf("l%d", i), "./*/*.yaml")})
			}
			w.Start().Install("acme")
			w.GitHub.SetDeliveryFaults(githubsim.DeliveryFaults{Double: 0.2, Reorder: 3})
			for range 60 {
				h.step()
			}
			w.Settled()
			lived := w.Written()

			fresh := harness.New(t, harness.Setups[0])
			fresh.GitHub = w.GitHub // the same GitHub, another Callboard
			fresh.Start()
			w.GitHub.SetDeliveryFaults(githubsim.DeliveryFaults{})
			fresh.Install("acme")
			fresh.Settled()
			if diff := cmp.Diff(servedAlike(t, fresh.Written()), servedAlike(t, lived)); diff != "" {
				t.Errorf("fresh read (-) and lived history (+) differ:\n%s", diff)
			}
		})
	}
}

// servedAlike drops what a fresh installation is allowed to give anew.
func servedAlike(t *testing.T, entities map[string]harness.Entity) map[string]string {
	t.Helper()
	out := map[string]string{}
	for ref, e := range entities {
		delete(e.Metadata, "uid")
		delete(e.Metadata, "etag")
		raw, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		out[ref] = string(raw)
	}
	return out
}

type history struct {
	t     *testing.T
	w     *harness.World
	rng   *rand.Rand
	repos []string
	heads map[string][]string
	n     int
}

func (h *history) step() {
	repo := h.repos[h.rng.IntN(len(h.repos))]
	h.heads[repo] = append(h.heads[repo], h.w.GitHub.Head(repo, "main"))
	h.n++
	switch h.rng.IntN(10) {
	case 0, 1, 2: // create or edit
		h.commit(repo, map[string]*string{h.file(): new(h.content(repo))})
	case 3: // delete
		if f, _ := h.existing(repo); f != "" {
			h.commit(repo, map[string]*string{f: nil})
		}
	case 4, 5: // rename, perhaps with an edit
		if f, body := h.existing(repo); f != "" {
			if h.rng.IntN(2) == 0 {
				body = h.content(repo)
			}
			to := h.file()
			if to != f {
				h.commit(repo, map[string]*string{f: nil, to: new(body)})
			}
		}
	case 6: // merge a branch
		branch := fmt.Sprintf("b%d", h.n)
		h.check(h.w.GitHub.CreateBranch(repo, branch, "main"))
		_, err := h.w.GitHub.Commit(repo, branch, "on a branch", map[string]*string{fmt.Sprintf("m/f%d.yaml", h.n): new(h.content(repo))})
		h.check(err)
		_, err = h.w.GitHub.Merge(repo, "main", branch, "merge")
		h.check(err)
	case 7: // force back
		old := h.heads[repo]
		h.check(h.w.GitHub.ForcePush(repo, "main", old[h.rng.IntN(len(old))]))
	default: // something that is no descriptor
		h.commit(repo, map[string]*string{"src/main.go": new(fmt.Sprint(h.n))})
	}
}

func (h *history) check(err error) {
	if err != nil {
		h.t.Helper()
		h.t.Fatal(err)
	}
}

func (h *history) commit(repo string, changes map[string]*string) {
	_, err := h.w.GitHub.Commit(repo, "main", fmt.Sprintf("step %d", h.n), changes)
	h.check(err)
}

func (h *history) file() string { return fmt.Sprintf("%c/f%d.yaml", 'a'+h.rng.IntN(3), h.rng.IntN(4)) }

// content declares names that belong to the repository, so that no two
// repositories claim the same: who was first is history, which a fresh read
// cannot know. Files of one repository do collide.
func (h *history) content(repo string) string {
	name := func() string { return fmt.Sprintf("%s-c%d", repo[5:], h.rng.IntN(6)) }
	return component(name(), fmt.Sprint("step ", h.n), "dependsOn: [component:"+name()+"]")
}

func (h *history) existing(repo string) (path, body string) {
	tree, err := h.w.GitHub.Tree(repo, "main")
	h.check(err)
	for p := range tree {
		if p != "catalog-info.yaml" && p != "src/main.go" && (path == "" || p < path) {
			path = p
		}
	}
	if path != "" {
		body, err = h.w.GitHub.ReadFile(repo, "main", path)
		h.check(err)
	}
	return path, body
}
