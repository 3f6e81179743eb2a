package storagetest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
)

func (f fixture) bury(after time.Duration, cause storage.Cause, refs ...string) {
	f.Helper()
	f.write(func(tx writes) { tx.do(tx.BuryEntities(tx.ctx, refs, at(after), cause)) })
}

func (f fixture) tombstones(filter storage.TombstoneFilter) (uids []string) {
	f.Helper()
	for _, s := range get[[]storage.Tombstone](f)(f.store.Tombstones(f.Context(), filter)) {
		uids = append(uids, s.UID)
	}
	return uids
}

// grave is an entity by ref, uid and repository.
func grave(ref, uid string, repository int64) storage.Entity {
	e := anEntity(ref)
	e.UID, e.RepositoryID = uid, repository
	return e
}

var tombstones = []scenario{
	{"a tombstone is the entity as it was", func(f fixture) {
		e := anEntity("component:default/cart")
		slices.SortFunc(e.Relations, func(a, b entity.Relation) int { return strings.Compare(a.Source, b.Source) })
		plain := anEntity("component:default/plain")
		plain.Relations = nil
		f.putEntities(e, plain)
		cause := storage.Cause{Reason: storage.ReasonScan, Scan: "s", Actor: "someone"}
		f.bury(time.Hour, cause, e.Ref, plain.Ref)
		want := []storage.Tombstone{{Entity: plain, At: at(time.Hour), Cause: cause}, {Entity: e, At: at(time.Hour), Cause: cause}}
		same(f, "tombstones", want, get[[]storage.Tombstone](f)(f.store.Tombstones(f.Context(), storage.TombstoneFilter{})))
		f.write(func(tx writes) {
			same(f, "in a transaction", want, must(tx.Tombstones(tx.ctx, storage.TombstoneFilter{})))
		})
	}},
	{"of a ref the newest tombstone stands", func(f fixture) {
		const ref = "component:default/cart"
		for i, uid := range []string{"first", "second", "third"} {
			f.putEntities(grave(ref, uid, 1))
			f.bury(time.Duration(i/2)*time.Second, storage.Cause{}, ref) // two at the same time
		}
		same(f, "three", []string{"third"}, f.tombstones(storage.TombstoneFilter{}))
		f.write(func(tx writes) {
			third := must(tx.Tombstones(tx.ctx, storage.TombstoneFilter{Refs: []string{ref}}))
			tx.do(tx.DeleteTombstones(tx.ctx, third))
			tx.do(tx.DeleteTombstones(tx.ctx, nil))
		})
		same(f, "two", []string{"second"}, f.tombstones(storage.TombstoneFilter{}))
	}},
	{"what its repository declares again is not gone", func(f fixture) {
		f.putEntities(grave("component:default/a", "a", 1), grave("component:default/b", "b", 1))
		f.bury(0, storage.Cause{}, "component:default/a", "component:default/b")
		f.putEntities(grave("component:default/a", "again", 1), grave("component:default/b", "other", 2))
		same(f, "of two", []string{"b"}, f.tombstones(storage.TombstoneFilter{}))
		f.write(func(tx writes) {
			tx.do(tx.DeleteTombstones(tx.ctx, []storage.Tombstone{{Entity: grave("component:default/b", "other", 2)}}))
		})
		same(f, "the living is no tombstone", 1, len(f.entities("component:default/b")))
	}},
	{"tombstones are filtered, newest first, page by page", func(f fixture) {
		for i, uid := range []string{"a", "b", "c", "d"} {
			ref := "component:default/" + uid
			f.putEntities(grave(ref, uid, int64(i%2)))
			scan := fmt.Sprintf("scan %d \"x\"", i/2)
			f.bury(time.Duration(i/3)*time.Second, storage.Cause{Reason: storage.ReasonScan, Scan: scan}, ref)
		}
		key := func(uid string, after time.Duration) storage.TombstoneKey {
			return storage.TombstoneKey{At: at(after), Ref: "component:default/" + uid}
		}
		tests := []struct {
			name   string
			filter storage.TombstoneFilter
			want   []string
		}{
			{"all", storage.TombstoneFilter{}, []string{"d", "c", "b", "a"}},
			{"refs", storage.TombstoneFilter{Refs: []string{"component:default/a", "component:default/c", "none"}}, []string{"c", "a"}},
			{"repository", storage.TombstoneFilter{RepositoryIDs: []int64{1, 7}}, []string{"d", "b"}},
			{"scan", storage.TombstoneFilter{Scan: `scan 1 "x"`}, []string{"d", "c"}},
			{"part of a scan's id", storage.TombstoneFilter{Scan: "scan 1"}, nil},
			{"since", storage.TombstoneFilter{Since: at(time.Second)}, []string{"d"}},
			{"limit", storage.TombstoneFilter{Limit: 2}, []string{"d", "c"}},
			{"before one of the same time", storage.TombstoneFilter{Before: key("c", 0)}, []string{"b", "a"}},
			{"before one", storage.TombstoneFilter{Before: key("d", time.Second)}, []string{"c", "b", "a"}},
		}
		for _, tt := range tests {
			same(f, tt.name, tt.want, f.tombstones(tt.filter))
		}
	}},
	{"tombstones are pruned by a time of their own", func(f fixture) {
		f.putEntities(anEntity("component:default/old"), anEntity("component:default/young"))
		f.bury(0, storage.Cause{}, "component:default/old")
		f.bury(time.Hour, storage.Cause{}, "component:default/young")
		f.write(func(tx writes) {
			same(f, "rows", int64(1), must(tx.Prune(tx.ctx, at(2*time.Hour), at(time.Minute), 10)))
		})
		same(f, "left", []string{"uid of component:default/young"}, f.tombstones(storage.TombstoneFilter{}))
	}},
}
