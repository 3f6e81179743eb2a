package storagetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
)

func anEntity(ref string) storage.Entity {
	return storage.Entity{
		Claim: aClaim(ref, 1, "catalog-info.yaml"), UID: "uid of " + ref, Hash: "hash",
		Errors:   []entity.StatusItem{{Type: "x", Level: "error", Message: "m", Error: &entity.Error{Name: "n", Cause: &entity.Error{Name: "c"}}}},
		Revision: 3, FirstSeen: at(time.Second), LastChanged: at(time.Minute),
	}
}

func aClaim(ref string, repo int64, path string) storage.Claim {
	return storage.Claim{
		Declaration: entity.Declaration{
			Ref: ref, Document: 1, Line: 9, Descriptor: json.RawMessage(`{"kind": "Component", "z":1, "a":"\u0000<&>"}`),
			JSON: json.RawMessage(`{"kind":"Component","metadata":{}}`),
			Relations: []entity.Relation{
				{Source: ref, Type: "ownedBy", Target: "group:default/g"},
				{Source: "group:default/g", Type: "ownerOf", Target: ref},
			},
		},
		RepositoryID: repo, Path: path, Since: at(0), Commit: "c0ffee", Delivery: "g1",
	}
}

func (f fixture) entities(refs ...string) []storage.Entity {
	f.Helper()
	all := get[[]storage.Entity](f)(f.store.Entities(f.Context(), refs))
	slices.SortFunc(all, func(a, b storage.Entity) int { return strings.Compare(a.Ref, b.Ref) })
	return all
}

func (f fixture) putEntities(es ...storage.Entity) {
	f.Helper()
	f.write(func(tx writes) { tx.do(tx.PutEntities(tx.ctx, es)) })
}

func entityRefs(es []storage.Entity) []string {
	var all []string
	for _, e := range es {
		all = append(all, e.Ref)
	}
	return all
}

var entities = []scenario{
	{"an entity is kept as it came", func(f fixture) {
		full := anEntity("component:default/cart")
		slices.SortFunc(full.Relations, func(a, b entity.Relation) int { return strings.Compare(a.Source, b.Source) })
		plain := storage.Entity{Claim: storage.Claim{Declaration: entity.Declaration{Ref: "group:default/g", JSON: json.RawMessage(`{}`)}}}
		f.write(func(tx writes) {
			tx.do(tx.PutEntities(tx.ctx, []storage.Entity{full, plain}))
			same(f, "in the transaction", []storage.Entity{full}, must(tx.Entities(tx.ctx, []string{full.Ref})))
		})
		same(f, "entities", []storage.Entity{full, plain}, f.entities("group:default/g", "component:default/cart", "api:default/none"))
		same(f, "without refs", 0, len(f.entities()))
	}},
	{"an entity is replaced with its relations", func(f fixture) {
		f.putEntities(anEntity("component:default/cart"), anEntity("component:default/other"))
		e := anEntity("component:default/cart")
		e.UID, e.Hash, e.Path, e.RepositoryID, e.Errors = "another", "h2", "b.yaml", 2, nil
		e.Relations = []entity.Relation{{Source: e.Ref, Type: "partOf", Target: "system:default/s"}}
		f.putEntities(anEntity("component:default/cart"), e) // the last of one ref stands
		same(f, "entity", []storage.Entity{e}, f.entities(e.Ref))
		same(f, "relations of the other", 2, len(f.entities("component:default/other")[0].Relations))
		same(f, "of the old repository", []string{"component:default/other"},
			entityRefs(get[[]storage.Entity](f)(f.store.RepositoryEntities(f.Context(), 1))))
	}},
	{"a doubled edge is one", func(f fixture) {
		e := anEntity("component:default/cart")
		e.Relations = append(e.Relations, e.Relations...)
		f.putEntities(e)
		same(f, "relations", 2, len(f.entities(e.Ref)[0].Relations))
	}},
	{"relations come sorted", func(f fixture) {
		e := anEntity("component:default/cart")
		e.Relations = []entity.Relation{{Source: "b", Type: "x", Target: "y"}, {Source: "a", Type: "z", Target: "b"}, {Source: "a", Type: "z", Target: "B"}, {Source: "a", Type: "y-", Target: "a"}, {Source: "a", Type: "y", Target: "a"}}
		f.putEntities(e)
		r := e.Relations
		same(f, "relations", []entity.Relation{r[4], r[3], r[2], r[1], r[0]}, f.entities(e.Ref)[0].Relations)
	}},
	{"a repository's entities are by ref", func(f fixture) {
		other := anEntity("component:default/d")
		other.RepositoryID = 2
		f.putEntities(anEntity("component:default/c"), other, anEntity("component:default/a-b"), anEntity("component:default/a.b"), anEntity("api:default/z"))
		same(f, "refs", []string{"api:default/z", "component:default/a-b", "component:default/a.b", "component:default/c"},
			entityRefs(get[[]storage.Entity](f)(f.store.RepositoryEntities(f.Context(), 1))))
	}},
	{"the buried leave every read, and may come back", func(f fixture) {
		e := anEntity("component:default/cart")
		f.putEntities(e, anEntity("component:default/other"))
		cause := storage.Cause{Reason: storage.ReasonPush, Delivery: "g9"}
		f.write(func(tx writes) { tx.do(tx.BuryEntities(tx.ctx, []string{e.Ref, "unknown"}, at(time.Hour), cause)) })
		same(f, "by ref", 0, len(f.entities(e.Ref)))
		same(f, "by repository", 1, len(get[[]storage.Entity](f)(f.store.RepositoryEntities(f.Context(), 1))))
		same(f, "of all", []string{"component:default/other"}, f.every())
		e.Relations = nil
		f.putEntities(e)
		same(f, "reborn, without old relations", []storage.Entity{e}, f.entities(e.Ref))
		f.write(func(tx writes) { tx.do(tx.BuryEntities(tx.ctx, []string{e.Ref}, time.Time{}, cause)) })
		same(f, "buried again", 0, len(f.entities(e.Ref)))
	}},
	{"every entity comes without descriptor, at a revision", func(f fixture) {
		var want []string
		var all []storage.Entity
		for i := range 300 {
			e := anEntity(fmt.Sprintf("component:default/c%03d", i))
			all, want = append(all, e), append(want, e.Ref)
		}
		f.write(func(tx writes) {
			tx.do(tx.LockCatalog(tx.ctx))
			tx.do(tx.PutEntities(tx.ctx, all))
			must(tx.AddChanges(tx.ctx, make([]storage.Change, 5)))
		})
		var got []string
		revision, err := f.store.EachEntity(f.Context(), func(e storage.Entity) error {
			if e.Descriptor != nil || len(e.Relations) != 2 || e.UID == "" {
				return fmt.Errorf("got %+v", e)
			}
			got = append(got, e.Ref)
			return nil
		})
		wantErr(f, err, nil)
		slices.Sort(got)
		same(f, "refs", want, got)
		same(f, "revision", int64(5), revision)
		f.write(func(tx writes) {
			n := 0
			same(f, "revision", int64(5), must(tx.EachEntity(tx.ctx, func(storage.Entity) error { n++; return nil })))
			same(f, "in a transaction", 300, n)
		})
	}},
	{"an error ends the reading", func(f fixture) {
		f.putEntities(anEntity("component:default/a"), anEntity("component:default/b"))
		boom, n := errors.New("boom"), 0
		_, err := f.store.EachEntity(f.Context(), func(storage.Entity) error { n++; return boom })
		wantErr(f, err, boom)
		same(f, "calls", 1, n)
	}},
	{"the reading is of one moment", func(f fixture) {
		var all []storage.Entity
		for i := range 50 {
			all = append(all, anEntity(fmt.Sprintf("component:default/c%03d", i)))
		}
		f.putEntities(all...)
		n := 0
		revision, err := f.store.EachEntity(f.Context(), func(storage.Entity) error {
			if n++; n > 1 {
				return nil
			}
			// Another writer comes in the middle.
			return f.store.InTx(f.Context(), func(ctx context.Context, tx storage.Tx) error {
				if err := tx.LockCatalog(ctx); err != nil {
					return err
				}
				if _, err := tx.AddChanges(ctx, make([]storage.Change, 1)); err != nil {
					return err
				}
				return tx.BuryEntities(ctx, entityRefs(all), at(0), storage.Cause{})
			})
		})
		wantErr(f, err, nil)
		same(f, "entities", 50, n)
		same(f, "revision", int64(0), revision)
		same(f, "afterwards", 0, len(f.every()))
	}},
}

// every reads all refs, sorted.
func (f fixture) every() []string {
	f.Helper()
	var refs []string
	_, err := f.store.EachEntity(f.Context(), func(e storage.Entity) error {
		refs = append(refs, e.Ref)
		return nil
	})
	wantErr(f, err, nil)
	slices.Sort(refs)
	return refs
}

var claims = []scenario{
	{"claims are kept as they came", func(f fixture) {
		full, plain := aClaim("component:default/a", 1, "x"), storage.Claim{Declaration: entity.Declaration{Ref: "component:default/b"}, RepositoryID: 1}
		f.write(func(tx writes) { tx.do(tx.PutClaims(tx.ctx, []storage.Claim{full, plain})) })
		same(f, "by ref", []storage.Claim{full}, get[[]storage.Claim](f)(f.store.Claims(f.Context(), []string{full.Ref, "unknown"})))
		same(f, "by repository", []storage.Claim{full, plain}, get[[]storage.Claim](f)(f.store.RepositoryClaims(f.Context(), 1)))
		same(f, "by none", 0, len(get[[]storage.Claim](f)(f.store.Claims(f.Context(), nil))))
	}},
	{"claims are replaced, oldest first", func(f fixture) {
		a, b := aClaim("component:default/a", 1, "x"), aClaim("component:default/a", 2, "x")
		second := a
		second.Document = 2
		f.write(func(tx writes) { tx.do(tx.PutClaims(tx.ctx, []storage.Claim{a, b, second})) })
		a.Commit, a.Since = "new", at(time.Hour)
		f.write(func(tx writes) { tx.do(tx.PutClaims(tx.ctx, []storage.Claim{a})) })
		same(f, "claims", []storage.Claim{second, b, a}, get[[]storage.Claim](f)(f.store.Claims(f.Context(), []string{a.Ref})))
	}},
	{"claims are deleted by file and one by one", func(f fixture) {
		x, y, other := aClaim("component:default/a", 1, "x"), aClaim("component:default/a", 1, "y"), aClaim("component:default/a", 2, "x")
		z := aClaim("component:default/b", 1, "z")
		z2 := z
		z2.Document = 5
		f.write(func(tx writes) { tx.do(tx.PutClaims(tx.ctx, []storage.Claim{x, y, other, z, z2})) })
		f.write(func(tx writes) {
			tx.do(tx.DeleteClaims(tx.ctx, 1, []string{"x", "y", "unknown"}))
			tx.do(tx.DeleteClaims(tx.ctx, 1, nil))
			tx.do(tx.DeleteClaim(tx.ctx, z))
		})
		same(f, "of a", []storage.Claim{other}, get[[]storage.Claim](f)(f.store.Claims(f.Context(), []string{x.Ref})))
		same(f, "of b", []storage.Claim{z2}, get[[]storage.Claim](f)(f.store.Claims(f.Context(), []string{z.Ref})))
	}},
}
