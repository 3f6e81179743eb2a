package view_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/view"
)

// naive is the contract read word by word, over decoded JSON.
type naive struct {
	rows map[string]map[string]string // key, lower-case value, value as written; null as ""+nullMark
	json string
	uid  string
}

const nullMark = "\x00null"

func newNaive(t *rapid.T, e *view.Entity) naive {
	var doc map[string]any
	if err := json.Unmarshal(e.JSON(), &doc); err != nil {
		t.Fatalf("served JSON %s: %v", e.JSON(), err)
	}
	n := naive{rows: make(map[string]map[string]string), json: string(e.JSON()), uid: e.UID()}
	n.visit("", doc)
	meta := doc["metadata"].(map[string]any)
	for _, key := range []string{"name", "namespace", "uid"} {
		if v, ok := meta[key]; ok {
			n.add("metadata."+key, v)
		} else if key == "namespace" {
			n.add("metadata.namespace", "default")
		}
	}
	for _, r := range doc["relations"].([]any) {
		r := r.(map[string]any)
		n.add("relations."+r["type"].(string), r["targetRef"])
	}
	return n
}

func (n naive) visit(path string, v any) {
	if slices.Contains([]string{"attachments", "relations", "status", "metadata.name", "metadata.namespace", "metadata.uid", "metadata.etag"}, path) {
		return
	}
	switch v := v.(type) {
	case map[string]any:
		for k, child := range v {
			n.visit(strings.TrimPrefix(path+"."+k, "."), child)
		}
	case []any:
		for _, child := range v {
			n.visit(path, child)
			if s, ok := child.(string); ok {
				n.add(path+"."+s, true)
			}
		}
	default:
		n.add(path, v)
	}
}

func (n naive) add(key string, v any) {
	key = strings.ToLower(key)
	if len(key) > 200 {
		return
	}
	if n.rows[key] == nil {
		n.rows[key] = make(map[string]string)
	}
	text := fmt.Sprint(v)
	if f, ok := v.(float64); ok {
		text = strconv.FormatFloat(f, 'f', -1, 64)
	}
	if v == nil || len(text) > 200 {
		n.rows[key][nullMark] = nullMark
		return
	}
	if _, ok := n.rows[key][strings.ToLower(text)]; !ok {
		n.rows[key][strings.ToLower(text)] = text
	}
}

func (n naive) matches(filters []string) bool {
	some := false
	for _, f := range filters {
		wanted := map[string][]string{}
		for s := range strings.SplitSeq(f, ",") {
			key, value, ok := strings.Cut(strings.ToLower(s), "=")
			if s == "" {
				continue
			}
			if ok {
				wanted[key] = append(wanted[key], value)
			} else if wanted[key] == nil {
				wanted[key] = nil
			}
		}
		if len(wanted) == 0 {
			continue
		}
		some = true
		all := true
		for key, values := range wanted {
			row, has := n.rows[key]
			hit := has && values == nil
			for _, v := range values {
				_, ok := row[v]
				hit = hit || ok
			}
			all = all && hit
		}
		if all {
			return true
		}
	}
	return !some
}

var (
	names  = rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"})
	keys   = rapid.SampledFrom([]string{"x", "X", "tags", "rank", "a.b", "é", "É"})
	texts  = rapid.SampledFrom([]string{"", "a", "A", "Go", "go", "GO", "true", "é", "É", "with \"quotes\"\nx", "7", "a.b", strings.Repeat("y", 201)})
	scalar = rapid.OneOf(
		rapid.Just[any](nil), rapid.Map(rapid.Bool(), func(b bool) any { return b }),
		rapid.Map(rapid.IntRange(-2, 8), func(i int) any { return float64(i) / 2 }),
		rapid.Map(texts, func(s string) any { return s }),
	)
	values = rapid.OneOf(scalar, scalar,
		rapid.Map(rapid.SliceOfN(scalar, 0, 4), func(s []any) any { return s }),
		rapid.Map(rapid.MapOfN(keys, scalar, 0, 3), func(m map[string]any) any { return m }),
		rapid.Map(rapid.SliceOfN(rapid.MapOfN(keys, scalar, 0, 2), 0, 2), func(s []map[string]any) any { return s }),
	)
)

func refOf(name string) string { return "component:default/" + name }

// without drops keys that differ from another in case only: which of them is
// first is not told by a decoded map.
func without(m map[string]any) map[string]any {
	seen := map[string]bool{}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if seen[strings.ToLower(k)] {
			delete(m, k)
		}
		seen[strings.ToLower(k)] = true
		if child, ok := m[k].(map[string]any); ok {
			without(child)
		}
		if list, ok := m[k].([]map[string]any); ok {
			for i, child := range list {
				if without(child); i > 0 {
					clear(child)
				}
			}
		}
	}
	return m
}

func drawEntity(t *rapid.T, uid int) storage.Entity {
	name := names.Draw(t, "name")
	meta := without(rapid.MapOfN(keys, values, 0, 4).Draw(t, "metadata"))
	meta["name"] = name
	doc := map[string]any{"apiVersion": "v1", "kind": rapid.SampledFrom([]string{"Component", "component"}).Draw(t, "kind"), "metadata": meta, "spec": without(rapid.MapOfN(keys, values, 0, 3).Draw(t, "spec"))}
	src, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	var relations []string
	for range rapid.IntRange(0, 4).Draw(t, "relations") {
		typ := rapid.SampledFrom([]string{"dependsOn", "ownedBy"}).Draw(t, "type")
		target := names.Draw(t, "target")
		relations = append(relations, refOf(name)+" "+typ+" "+refOf(target), refOf(target)+" inverse"+typ+" "+refOf(name))
	}
	slices.Sort(relations)
	e := row(refOf(name), fmt.Sprintf("uid-%d", uid), string(src), slices.Compact(relations)...)
	return e
}

// TestViewIsWhatAFreshOneWouldBe: after any history of batches the view answers
// as one that was loaded just now, and as the contract says.
func TestViewIsWhatAFreshOneWouldBe(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		v := view.New(nil, quiet())
		stored := map[string]storage.Entity{}
		for step := range rapid.IntRange(1, 6).Draw(rt, "steps") {
			var batch view.Batch
			for i := range rapid.IntRange(0, 4).Draw(rt, "puts") {
				e := drawEntity(rt, step*10+i)
				batch.Put = append(batch.Put, e)
				stored[e.Ref] = e
			}
			for range rapid.IntRange(0, 2).Draw(rt, "removes") {
				ref := refOf(names.Draw(rt, "removed"))
				batch.Remove = append(batch.Remove, ref)
				delete(stored, ref)
			}
			batch.Revision = int64(step + 1)
			v.Apply(t.Context(), batch)
			ordered(t, v, view.ByUID) // makes the sorted lists, which must then be kept
			ordered(t, v, []view.Order{{Field: "metadata.rank"}})
			ordered(t, v, nil)
		}
		fresh := loaded(t, v.Revision(), slices.Collect(maps.Values(stored))...)
		compare(t, rt, v, fresh)
	})
}

func compare(t *testing.T, rt *rapid.T, v, fresh *view.View) {
	model := map[string]naive{}
	for _, ref := range refs(t, fresh) {
		a, b := byRef(v, ref), byRef(fresh, ref)
		if a == nil || string(a.JSON()) != string(b.JSON()) {
			rt.Fatalf("%s differs", ref)
		}
		model[ref] = newNaive(rt, b)
	}
	var a, b uint64
	v.Read(func(s *view.Snapshot) { a = s.Digest() })
	fresh.Read(func(s *view.Snapshot) { b = s.Digest() })
	if a != b {
		rt.Fatalf("digests differ")
	}
	terms := allTerms(model)
	for key, byValue := range terms {
		for _, view := range []*view.View{v, fresh} {
			if got := facet(view, key); got != wantFacet(model, key) {
				rt.Fatalf("facet %s: got %q, want %q", key, got, wantFacet(model, key))
			}
		}
		for value := range byValue {
			if value != nullMark && !strings.Contains(value, ",") {
				checkFilter(t, rt, v, model, []string{key + "=" + value})
			}
		}
		checkFilter(t, rt, v, model, []string{key})
		checkOrder(t, rt, v, model, key)
	}
	all := slices.Sorted(maps.Keys(terms))
	term := rapid.Custom(func(t *rapid.T) string {
		key := rapid.SampledFrom(append(all, "none")).Draw(t, "key")
		if rapid.Bool().Draw(t, "exists") {
			return key
		}
		return key + "=" + rapid.SampledFrom([]string{"a", "go", "true", "7", "", "component:default/a"}).Draw(t, "value")
	})
	filters := rapid.SliceOfN(rapid.Map(rapid.SliceOfN(term, 0, 3), func(s []string) string { return strings.Join(s, ",") }), 0, 3)
	for range 5 {
		checkFilter(t, rt, v, model, filters.Draw(rt, "filter"))
	}
}

func allTerms(model map[string]naive) map[string]map[string]bool {
	terms := map[string]map[string]bool{}
	for _, n := range model {
		for key, row := range n.rows {
			if terms[key] == nil {
				terms[key] = map[string]bool{}
			}
			for value := range row {
				terms[key][value] = true
			}
		}
	}
	return terms
}

func wantFacet(model map[string]naive, key string) string {
	count := map[string]int{}
	for _, n := range model {
		for _, written := range n.rows[key] {
			if written != nullMark {
				count[written]++
			}
		}
	}
	var out []string
	for _, v := range slices.Sorted(maps.Keys(count)) {
		out = append(out, fmt.Sprintf("%s=%d", v, count[v]))
	}
	return strings.Join(out, " ")
}

func checkFilter(t *testing.T, rt *rapid.T, v *view.View, model map[string]naive, filter []string) {
	want := []string{}
	for _, ref := range slices.Sorted(maps.Keys(model)) {
		if model[ref].matches(filter) {
			want = append(want, ref)
		}
	}
	if diff := cmp.Diff(want, refs(t, v, filter...)); diff != "" {
		rt.Fatalf("filter %q: %s", filter, diff)
	}
}

func checkOrder(t *testing.T, rt *rapid.T, v *view.View, model map[string]naive, key string) {
	least := func(ref string) (string, bool) {
		values := slices.DeleteFunc(slices.Sorted(maps.Keys(model[ref].rows[key])), func(v string) bool { return v == nullMark })
		if len(values) == 0 {
			return "", false
		}
		return values[0], true
	}
	for _, desc := range []bool{false, true} {
		want := slices.SortedFunc(maps.Keys(model), func(a, b string) int {
			va, oka := least(a)
			vb, okb := least(b)
			switch {
			case oka != okb && oka:
				return -1
			case oka != okb:
				return 1
			case va != vb && desc:
				return strings.Compare(vb, va)
			case va != vb:
				return strings.Compare(va, vb)
			}
			return strings.Compare(model[a].uid, model[b].uid)
		})
		got := ordered(t, v, []view.Order{{Field: key, Desc: desc}})
		if len(want) == 0 {
			want = []string{}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Fatalf("order by %s, descending %v: %s", key, desc, diff)
		}
	}
}

func FuzzParseFilter(f *testing.F) {
	for _, s := range []string{"kind=component", ",,", "=x", "a=b=c,A", " k = v ,k=w", "x=\xff"} {
		f.Add(s)
	}
	v := view.New(nil, quiet())
	f.Fuzz(func(_ *testing.T, s string) {
		filter, err := view.ParseFilter([]string{s})
		if err != nil {
			return
		}
		v.Read(func(s *view.Snapshot) { s.Select(filter).Page(nil, 0, 0) })
	})
}
