package storagetest

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/callboard/callboard/storage"
)

// Benchmark measures what a push costs the database. Each call of open gives a
// store on an empty database.
func Benchmark(b *testing.B, open func(b *testing.B) storage.Store) {
	b.Run("accept", func(b *testing.B) {
		s := open(b)
		b.ReportAllocs()
		for n := 0; b.Loop(); n++ {
			accept(b, s, n)
		}
	})
	b.Run("accept/parallel=16", func(b *testing.B) {
		s := open(b)
		var n atomic.Int64
		b.SetParallelism(8) // times GOMAXPROCS
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				accept(b, s, int(n.Add(1)))
			}
		})
	})
	for _, size := range []int{2, 50} {
		b.Run(fmt.Sprint("apply/entities=", size), func(b *testing.B) {
			s := open(b)
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				apply(b, s, n%500, n, size)
			}
		})
	}
	b.Run("load/entities=10000", func(b *testing.B) {
		s := open(b)
		for n := range 200 {
			apply(b, s, n, n, 50)
		}
		b.ReportAllocs()
		for b.Loop() {
			count := 0
			_, err := s.EachEntity(b.Context(), func(storage.Entity) error { count++; return nil })
			if err != nil || count != 10000 {
				b.Fatalf("read %d entities: %v", count, err)
			}
		}
	})
	b.Run("feed", func(b *testing.B) {
		s := open(b)
		for n := range 100 {
			apply(b, s, n, n, 10)
		}
		b.ReportAllocs()
		for b.Loop() {
			if all, err := s.Changes(b.Context(), 990, 100); err != nil || len(all) != 10 {
				b.Fatalf("read %d changes: %v", len(all), err)
			}
		}
	})
}

// accept is what the inbox does: a delivery and its message.
func accept(b *testing.B, s storage.Store, n int) {
	d := delivery(fmt.Sprint("g", n), time.Duration(n))
	d.Payload = make([]byte, 8<<10)
	err := s.InTx(b.Context(), func(ctx context.Context, tx storage.Tx) error {
		added, err := addDelivery(ctx, tx, d)
		if err != nil || !added {
			return err
		}
		_, err = tx.AddMessages(ctx, []storage.Message{message("k")})
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
}

// apply is what a refresh does: everything of a repository, once over.
func apply(b *testing.B, s storage.Store, repo, round, size int) {
	err := s.InTx(b.Context(), func(ctx context.Context, tx storage.Tx) error {
		if err := tx.LockCatalog(ctx); err != nil {
			return err
		}
		r, err := tx.Repository(ctx, int64(repo))
		if err != nil {
			r = repository(int64(repo), "acme", fmt.Sprint("r", repo))
		}
		if _, err := tx.PutRepository(ctx, r); err != nil {
			return err
		}
		var es []storage.Entity
		var cs []storage.Change
		for i := range size {
			e := anEntity(fmt.Sprintf("component:default/r%d-%d", repo, i))
			e.RepositoryID, e.Hash = int64(repo), fmt.Sprint(round)
			e.JSON = json.RawMessage(fmt.Sprintf(`{"kind":"Component","metadata":{"name":"r%d-%d","description":%q}}`, repo, i, make([]byte, 100)))
			es, cs = append(es, e), append(cs, change(e.Ref))
		}
		if _, err := tx.RepositoryEntities(ctx, int64(repo)); err != nil {
			return err
		}
		if err := tx.PutFiles(ctx, []storage.File{file(int64(repo), "catalog-info.yaml")}); err != nil {
			return err
		}
		if _, err := tx.AddChanges(ctx, cs); err != nil {
			return err
		}
		return tx.PutEntities(ctx, es)
	})
	if err != nil {
		b.Fatal(err)
	}
}
