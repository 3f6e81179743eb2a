package view_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
	"github.com/callboard/callboard/storage/view"
)

// row makes a row of the store; relations are "source type target".
func row(ref, uid, doc string, relations ...string) storage.Entity {
	e := storage.Entity{UID: uid}
	e.Ref, e.JSON = ref, json.RawMessage(doc)
	for _, r := range relations {
		f := strings.Fields(r)
		e.Relations = append(e.Relations, entity.Relation{Source: f[0], Type: f[1], Target: f[2]})
	}
	return e
}

// component is a small entity with more metadata as JSON members.
func component(name, uid, metadata string, relations ...string) storage.Entity {
	if metadata != "" {
		metadata = "," + metadata
	}
	doc := fmt.Sprintf(`{"apiVersion":"backstage.io/v1alpha1","kind":"Component","metadata":{"name":%q,"namespace":"default"%s},"spec":{"type":"service","lifecycle":"production","owner":"team-a"}}`, name, metadata)
	return row("component:default/"+strings.ToLower(name), uid, doc, relations...)
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func loaded(t testing.TB, revision int64, rows ...storage.Entity) *view.View {
	t.Helper()
	v := view.New(nil, quiet())
	load(t, v, revision, rows...)
	return v
}

func load(t testing.TB, v *view.View, revision int64, rows ...storage.Entity) {
	t.Helper()
	err := v.Load(context.Background(), func(fn func(storage.Entity) error) (int64, error) {
		for _, r := range rows {
			if err := fn(r); err != nil {
				return 0, err
			}
		}
		return revision, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func apply(v *view.View, revision int64, put []storage.Entity, remove ...string) {
	v.Apply(context.Background(), view.Batch{Put: put, Remove: remove, Revision: revision})
}

// refs lists what a filter chooses, by ref.
func refs(t testing.TB, v *view.View, filter ...string) []string {
	t.Helper()
	return ordered(t, v, nil, filter...)
}

func ordered(t testing.TB, v *view.View, by []view.Order, filter ...string) []string {
	t.Helper()
	f, err := view.ParseFilter(filter)
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	v.Read(func(s *view.Snapshot) {
		page, _ := s.Select(f).Page(by, 0, 0)
		for _, e := range page {
			out = append(out, e.Ref())
		}
	})
	return out
}

func facet(v *view.View, key string) string {
	var out []string
	v.Read(func(s *view.Snapshot) {
		for _, f := range s.Select(nil).Facet(key) {
			out = append(out, fmt.Sprintf("%s=%d", f.Value, f.Count))
		}
	})
	return strings.Join(out, " ")
}

func byRef(v *view.View, ref string) (e *view.Entity) {
	v.Read(func(s *view.Snapshot) { e = s.ByRef(ref) })
	return e
}
