package storagetest

import (
	"fmt"
	"time"

	"github.com/callboard/callboard/storage"
)

func aScan(id, owner string, started time.Duration) storage.Scan {
	return storage.Scan{
		ID: id, Kind: storage.ScanRepositories, Host: "github.com", Owner: owner, InstallationID: 7,
		Cause: storage.Cause{Reason: storage.ReasonScan, Actor: "someone", Scan: id}, State: storage.ScanRunning,
		Cursor: "Y3Vyc29y", PageSize: 100, Pages: 2, Total: 300, Seen: 200, SeenIDs: []byte{0, 1, 255}, Changed: 3,
		Missing: 4, Failed: 5, Removing: 6, Released: 7, Requests: 8, Retries: 1, StartedAt: at(started), UpdatedAt: at(started + time.Second),
		FinishedAt: at(started + time.Minute), Error: "e", ApprovedBy: "a",
	}
}

func (f fixture) scans(filter storage.ScanFilter) (ids []string) {
	f.Helper()
	for _, s := range get[[]storage.Scan](f)(f.store.Scans(f.Context(), filter)) {
		if s.SeenIDs != nil {
			f.Errorf("scan %s is listed with what it saw", s.ID)
		}
		ids = append(ids, s.ID)
	}
	return ids
}

func aHold(scan string, repository int64) storage.Hold {
	return storage.Hold{
		ScanID: scan, RepositoryID: repository, Repository: "acme/cart", Entities: 2, Refs: []string{"component:default/a"},
		Payload: []byte(`{"gone":"removed"}`), At: day0,
	}
}

func (f fixture) holds(scan string) (ids []int64) {
	f.Helper()
	for _, h := range get[[]storage.Hold](f)(f.store.Holds(f.Context(), scan)) {
		ids = append(ids, h.RepositoryID)
	}
	return ids
}

var scans = []scenario{
	{"a scan is kept as it came, and written over", func(f fixture) {
		want := aScan("s", "acme", 0)
		f.write(func(tx writes) { tx.do(tx.PutScan(tx.ctx, want)) })
		same(f, "scan", want, get[storage.Scan](f)(f.store.Scan(f.Context(), "s")))
		want.Cursor, want.SeenIDs, want.State = "", nil, storage.ScanDone
		f.write(func(tx writes) {
			tx.do(tx.PutScan(tx.ctx, want))
			same(f, "before the end", want, must(tx.Scan(tx.ctx, "s")))
		})
		same(f, "written over", want, get[storage.Scan](f)(f.store.Scan(f.Context(), "s")))
		_, err := f.store.Scan(f.Context(), "none")
		wantErr(f, err, storage.ErrNotFound)
	}},
	{"scans are filtered, newest first", func(f fixture) {
		people := aScan("p", "acme", 2*time.Second)
		people.Kind, people.Host, people.State = storage.ScanPeople, "ghe.test", storage.ScanPaused
		f.write(func(tx writes) {
			for _, s := range []storage.Scan{aScan("a", "acme", 0), aScan("c", "Other", time.Second), aScan("b", "ACME", time.Second), people} {
				tx.do(tx.PutScan(tx.ctx, s))
			}
		})
		tests := []struct {
			name   string
			filter storage.ScanFilter
			want   []string
		}{
			{"all", storage.ScanFilter{}, []string{"p", "c", "b", "a"}},
			{"limit", storage.ScanFilter{Limit: 2}, []string{"p", "c"}},
			{"owner", storage.ScanFilter{Owner: "Acme"}, []string{"p", "b", "a"}},
			{"host", storage.ScanFilter{Host: "GitHub.com"}, []string{"c", "b", "a"}},
			{"kind", storage.ScanFilter{Kind: storage.ScanPeople}, []string{"p"}},
			{"state", storage.ScanFilter{State: storage.ScanPaused}, []string{"p"}},
			{"together", storage.ScanFilter{Owner: "acme", Host: "github.com", State: storage.ScanRunning, Kind: storage.ScanRepositories, Limit: 1}, []string{"b"}},
			{"none", storage.ScanFilter{Owner: "nobody"}, nil},
		}
		for _, tt := range tests {
			same(f, tt.name, tt.want, f.scans(tt.filter))
		}
	}},
	{"what a scan waits for is counted by its id", func(f fixture) {
		var ids []int64
		f.write(func(tx writes) {
			var msgs []storage.Message
			for i, scan := range []string{"s", "s", "s", "s", "other", ""} {
				m := storage.Message{Topic: "t", Key: fmt.Sprint(i), Payload: []byte(`{}`), Cause: storage.Cause{Reason: "scan", Scan: scan}, CreatedAt: day0}
				msgs = append(msgs, m)
			}
			msgs[0].RunAfter = at(time.Hour)
			ids = must(tx.AddMessages(tx.ctx, msgs))
			tx.do(tx.FinishMessages(tx.ctx, ids[2:3], day0))
			tx.do(tx.ParkMessages(tx.ctx, ids[3:4], day0, "poison"))
		})
		count := func(scan string) [2]int {
			waiting, failed, err := f.store.ScanBacklog(f.Context(), scan)
			if err != nil {
				f.Fatal(err)
			}
			return [2]int{waiting, failed}
		}
		same(f, "waiting and failed", [2]int{2, 1}, count("s"))
		same(f, "of another", [2]int{1, 0}, count("other"))
		same(f, "of none", [2]int{}, count("none"))
	}},
	{"finished scans are pruned, others are not", func(f fixture) {
		running := aScan("running", "acme", 0)
		running.FinishedAt = time.Time{}
		f.write(func(tx writes) {
			for _, s := range []storage.Scan{aScan("old", "acme", 0), running, aScan("new", "acme", time.Hour)} {
				tx.do(tx.PutScan(tx.ctx, s))
			}
			same(f, "pruned", int64(1), must(tx.Prune(tx.ctx, at(time.Hour), at(time.Hour), 10)))
		})
		same(f, "left", []string{"new", "running"}, f.scans(storage.ScanFilter{}))
	}},
	{"a repository has one hold, of the scan that missed it last", func(f fixture) {
		f.write(func(tx writes) {
			for _, h := range []storage.Hold{aHold("s", 3), aHold("s", 1), aHold("s", 2), aHold("other", 2)} {
				tx.do(tx.PutHold(tx.ctx, h))
			}
		})
		same(f, "holds", []storage.Hold{aHold("s", 1), aHold("s", 3)}, get[[]storage.Hold](f)(f.store.Holds(f.Context(), "s")))
		same(f, "taken over", []int64{2}, f.holds("other"))
	}},
	{"holds go by scan, by repository, or by both", func(f fixture) {
		f.write(func(tx writes) {
			for i := range int64(6) {
				tx.do(tx.PutHold(tx.ctx, aHold([]string{"s", "other"}[i%2], i)))
			}
			tx.do(tx.DeleteHolds(tx.ctx, "s", 0, 1)) // 1 is not its
			tx.do(tx.DeleteHolds(tx.ctx, "", 2, 3))
		})
		same(f, "left", [][]int64{{4}, {1, 5}}, [][]int64{f.holds("s"), f.holds("other")})
		f.write(func(tx writes) {
			tx.do(tx.DeleteHolds(tx.ctx, "other"))
			tx.do(tx.DeleteHolds(tx.ctx, ""))
		})
		same(f, "left of one", [][]int64{{4}, nil}, [][]int64{f.holds("s"), f.holds("other")})
	}},
	{"repositories are read by id", func(f fixture) {
		f.write(func(tx writes) {
			for _, id := range []int64{3, 1, 2} {
				must(tx.PutRepository(tx.ctx, storage.Repository{ID: id, Host: "github.com", Owner: "acme", Name: fmt.Sprint(id)}))
			}
		})
		var names []string
		for _, r := range get[[]storage.Repository](f)(f.store.RepositoriesByID(f.Context(), []int64{3, 9, 1, 3})) {
			names = append(names, r.Name)
		}
		same(f, "repositories", []string{"1", "3"}, names)
		same(f, "of none", 0, len(get[[]storage.Repository](f)(f.store.RepositoriesByID(f.Context(), nil))))
	}},
}
