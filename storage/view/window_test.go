package view_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/view"
)

// windowOf lists a window by name, and says whether there are more.
func windowOf(v *view.View, f view.Filter, w view.Window) (names string, more bool) {
	var out []string
	v.Read(func(s *view.Snapshot) {
		var page []*view.Entity
		page, more = s.Select(f).Window(w)
		for _, e := range page {
			_, name, _ := strings.Cut(e.Ref(), "/")
			out = append(out, name)
		}
	})
	return strings.Join(out, " "), more
}

func TestWindow(t *testing.T) {
	t.Parallel()
	v := loaded(t, 1,
		component("a", "u9", `"rank":"b","tags":["x","b"]`),
		component("b", "u8", `"rank":"A","tags":["c"]`),
		component("c", "u7", `"rank":"b"`),
		component("d", "u6", `"tags":["a","z"]`),
		component("e", "u5", `"rank":null`),
	)
	rank, down := view.Order{Field: "metadata.Rank"}, view.Order{Field: "metadata.rank", Desc: true}
	at := func(value, uid string) *view.Position { return &view.Position{Value: &value, UID: uid} }
	none := func(uid string) *view.Position { return &view.Position{UID: uid} }
	tests := []struct {
		name string
		w    view.Window
		want string
		more bool
	}{
		{"by uid", view.Window{Limit: 9}, "e d c b a", false},
		{"by uid, descending", view.Window{By: view.Order{Desc: true}, Limit: 2}, "a b", true},
		{"after a uid", view.Window{After: none("u6"), Limit: 2}, "c b", true},
		{"after a uid that is gone", view.Window{After: none("u65"), Limit: 2}, "c b", true},
		{"before a uid", view.Window{After: none("u8"), Back: true, Limit: 2}, "d c", true},
		{"by the field of uids", view.Window{By: view.Order{Field: "metadata.uid"}, After: at("u6", "u6"), Limit: 2}, "c b", true},
		{"null and absent last, by uid", view.Window{By: rank, Limit: 9}, "b c a e d", false},
		{"descending, uids too", view.Window{By: down, Limit: 9}, "a c b d e", false},
		{"several values: the least counts", view.Window{By: view.Order{Field: "metadata.tags"}, Limit: 9}, "d a b e c", false},
		{"as many as there are", view.Window{By: rank, Limit: 5}, "b c a e d", false},
		{"one less", view.Window{By: rank, Limit: 4}, "b c a e", true},
		{"nothing wanted", view.Window{By: rank}, "", true},
		{"a negative limit is none", view.Window{By: rank, Limit: -1, Offset: -1}, "", true},
		{"offset", view.Window{By: rank, Offset: 1, Limit: 2}, "c a", true},
		{"offset to the end", view.Window{By: rank, Offset: 4, Limit: 2}, "d", false},
		{"offset beyond", view.Window{By: rank, Offset: 5, Limit: 2}, "", false},
		{"after a tie", view.Window{By: rank, After: at("b", "u7"), Limit: 2}, "a e", true},
		{"after a value that is gone", view.Window{By: rank, After: at("aa", "u1"), Limit: 1}, "c", true},
		{"into the nulls", view.Window{By: rank, After: at("zz", ""), Limit: 9}, "e d", false},
		{"among the nulls", view.Window{By: rank, After: none("u5"), Limit: 9}, "d", false},
		{"behind the last", view.Window{By: rank, After: none("u6"), Limit: 9}, "", false},
		{"back from the nulls", view.Window{By: rank, After: none("u5"), Back: true, Limit: 2}, "c a", true},
		{"back to the first", view.Window{By: rank, After: at("b", "u9"), Back: true, Limit: 2}, "b c", false},
		{"back before the first", view.Window{By: rank, After: at("a", "u8"), Back: true, Limit: 2}, "", false},
		{"the last page", view.Window{By: rank, Back: true, Limit: 2}, "e d", true},
		{"back with an offset", view.Window{By: rank, Back: true, Offset: 1, Limit: 2}, "a e", true},
		{"descending, after", view.Window{By: down, After: at("b", "u7"), Limit: 2}, "b d", true},
		{"descending, back from the nulls", view.Window{By: down, After: none("u6"), Back: true, Limit: 2}, "c b", true},
		{"descending, among the nulls", view.Window{By: down, After: none("u55"), Limit: 2}, "e", false},
		{"by what nobody has", view.Window{By: view.Order{Field: "x"}, After: none("u6"), Limit: 2}, "c b", true},
		{"by a flag", view.Window{By: view.Order{Field: "metadata.tags.z"}, Limit: 2}, "d e", true},
		{"by a flag, after", view.Window{By: view.Order{Field: "metadata.tags.z"}, After: at("true", "u6"), Limit: 2}, "e c", true},
	}
	for _, tt := range tests {
		got, more := windowOf(v, nil, tt.w)
		if got != tt.want || more != tt.more {
			t.Errorf("%s: got %q, more %v; want %q, %v", tt.name, got, more, tt.want, tt.more)
		}
	}
}

// ranked is the total order of a window, read word by word.
func ranked(model map[string]naive, by view.Order) []string {
	least := func(ref string) (string, bool) {
		values := slices.DeleteFunc(slices.Sorted(maps.Keys(model[ref].rows[by.Field])), func(v string) bool { return v == nullMark })
		if len(values) == 0 {
			return "", false
		}
		return values[0], true
	}
	return slices.SortedFunc(maps.Keys(model), func(a, b string) int {
		va, oka := least(a)
		vb, okb := least(b)
		if oka != okb {
			if oka {
				return -1
			}
			return 1
		}
		c := strings.Compare(va, vb)
		if c == 0 {
			c = strings.Compare(model[a].uid, model[b].uid)
		}
		if by.Desc {
			return -c
		}
		return c
	})
}

// walk pages through everything and returns the refs in the order of walking,
// each page turned around when it goes back. Between is called between pages.
func walk(v *view.View, f view.Filter, w view.Window, between func()) []string {
	var out []string
	for more := true; more; {
		v.Read(func(s *view.Snapshot) {
			var page []*view.Entity
			page, more = s.Select(f).Window(w)
			if w.Back {
				slices.Reverse(page)
			}
			for _, e := range page {
				out = append(out, e.Ref())
				p := s.Position(e, w.By)
				w.After = &p
			}
		})
		w.Offset = 0
		between()
	}
	return out
}

var orderFields = rapid.SampledFrom([]string{"", "metadata.x", "metadata.tags", "metadata.name", "kind", "spec.rank", "relations.dependson", "metadata.tags.go", "metadata.uid"})

// TestWindowsAddUp: pages of any size, in both directions, are the one total order.
func TestWindowsAddUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		v, model := drawView(t, rt, func(v *view.View) {
			windowOf(v, nil, view.Window{By: view.Order{Field: orderFields.Draw(rt, "kept")}, Limit: 1})
		})
		w := view.Window{By: view.Order{Field: orderFields.Draw(rt, "field"), Desc: rapid.Bool().Draw(rt, "desc")}, Limit: rapid.IntRange(1, 4).Draw(rt, "limit")}
		want := ranked(model, w.By)
		if got := walk(v, nil, w, func() {}); !slices.Equal(want, got) {
			rt.Fatalf("forward: %s", cmp.Diff(want, got))
		}
		w.Back = true
		slices.Reverse(want)
		if got := walk(v, nil, w, func() {}); !slices.Equal(want, got) {
			rt.Fatalf("back: %s", cmp.Diff(want, got))
		}
	})
}

// TestWindowsKeepWhatStays: entities that exist unchanged throughout are neither
// lost nor repeated while others come, go and change between the pages.
func TestWindowsKeepWhatStays(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		ranks := rapid.SampledFrom([]string{`"rank":"a"`, `"rank":"B"`, `"rank":"c"`, `"rank":["b","z"]`, ``})
		var first []storage.Entity
		for i := range rapid.IntRange(0, 12).Draw(rt, "staying") {
			first = append(first, component(fmt.Sprintf("stays-%02d", i), fmt.Sprintf("%02d", rapid.IntRange(0, 9).Draw(rt, "uid")*13+i), ranks.Draw(rt, "rank")))
		}
		visitor := func(i int) storage.Entity {
			return component(fmt.Sprintf("visits-%d", i), fmt.Sprintf("%02d-%d", rapid.IntRange(0, 99).Draw(rt, "uid"), i), ranks.Draw(rt, "rank"))
		}
		v := loaded(t, 1, append(first, visitor(0), visitor(1))...)
		w := view.Window{
			By:    view.Order{Field: "metadata.rank", Desc: rapid.Bool().Draw(rt, "desc")},
			Back:  rapid.Bool().Draw(rt, "back"),
			Limit: rapid.IntRange(1, 5).Draw(rt, "limit"),
		}
		pages := 0
		got := walk(v, nil, w, func() {
			if pages++; pages > 50 {
				rt.Fatal("it does not end")
			}
			i := rapid.IntRange(0, 3).Draw(rt, "visitor")
			if rapid.Bool().Draw(rt, "comes") {
				apply(v, 2, []storage.Entity{visitor(i)})
			} else {
				apply(v, 2, nil, fmt.Sprintf("component:default/visits-%d", i))
			}
		})
		seen := map[string]int{}
		for _, ref := range got {
			seen[ref]++
		}
		for _, e := range first {
			if seen[e.Ref] != 1 {
				rt.Fatalf("%s was listed %d times", e.Ref, seen[e.Ref])
			}
		}
	})
}

// TestWindowOfFew: a choice that is small, or far from where the walk begins, is
// listed as a large one.
func TestWindowOfFew(t *testing.T) {
	t.Parallel()
	const n = 6000
	var rows []storage.Entity
	for i := range n {
		metadata := `"half":"first"`
		if i >= n/2 {
			metadata = `"half":"second"`
		}
		if i%1000 == 7 {
			metadata += `,"rare":"yes"`
		}
		rows = append(rows, component(fmt.Sprintf("c%05d", i), fmt.Sprintf("%05d", n-i), metadata))
	}
	v := loaded(t, 1, rows...)
	for _, filter := range []string{"metadata.rare=yes", "metadata.half=second", "metadata.half=second,metadata.rare"} {
		f, err := view.ParseFilter([]string{filter})
		if err != nil {
			t.Fatal(err)
		}
		want := refs(t, v, filter)
		for _, w := range []view.Window{{Limit: 100}, {Limit: 7, Back: true}, {Limit: 1000, By: view.Order{Desc: true}}} {
			for _, field := range []string{"metadata.name", "kind", "metadata.rare"} {
				w.By.Field = field
				got := walk(v, f, w, func() {})
				if len(got) != len(want) {
					t.Errorf("%s by %v: %d entities, want %d", filter, w, len(got), len(want))
				}
				if field == "metadata.name" {
					if w.Back != w.By.Desc {
						slices.Reverse(got)
					}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("%s by %v: %s", filter, w, diff)
					}
				}
			}
		}
	}
}
