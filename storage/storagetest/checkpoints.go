package storagetest

import (
	"time"

	"github.com/callboard/callboard/storage"
)

func checkpoint(name, value string, at time.Time) storage.Checkpoint {
	return storage.Checkpoint{Name: name, Value: []byte(value), UpdatedAt: at}
}

var checkpoints = []scenario{
	{"a checkpoint is kept as it came, and written over", func(f fixture) {
		_, err := f.store.Checkpoint(f.Context(), "scan")
		wantErr(f, err, storage.ErrNotFound)
		for _, want := range []storage.Checkpoint{checkpoint("scan", `{"a":1}`, at(0)), checkpoint("scan", `[2]`, at(time.Second))} {
			f.write(func(tx writes) {
				tx.do(tx.PutCheckpoint(tx.ctx, want))
				same(f, "before the end", want, must(tx.Checkpoint(tx.ctx, "scan")))
			})
			same(f, "checkpoint", want, get[storage.Checkpoint](f)(f.store.Checkpoint(f.Context(), "scan")))
		}
	}},
	{"checkpoints are listed by prefix, by name", func(f fixture) {
		names := []string{"a/2", "a/10", "a/\u00e9", "a", "a0", "A/1", "a/%", "b/1"}
		f.write(func(tx writes) {
			for _, name := range names {
				tx.do(tx.PutCheckpoint(tx.ctx, checkpoint(name, `{}`, at(0))))
			}
		})
		tests := []struct {
			prefix string
			want   []string
		}{
			{"a/", []string{"a/%", "a/10", "a/2", "a/\u00e9"}},
			{"a", []string{"a", "a/%", "a/10", "a/2", "a/\u00e9", "a0"}},
			{"", []string{"A/1", "a", "a/%", "a/10", "a/2", "a/\u00e9", "a0", "b/1"}},
			{"c", nil},
		}
		for _, tt := range tests {
			var got []string
			for _, c := range get[[]storage.Checkpoint](f)(f.store.Checkpoints(f.Context(), tt.prefix)) {
				got = append(got, c.Name)
			}
			same(f, "those of "+tt.prefix, tt.want, got)
		}
	}},
}
