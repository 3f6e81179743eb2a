package view

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestValuesAreAMap holds the postings against a map, with so few hashes that
// values hang together which have nothing in common.
func TestValuesAreAMap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v, want := newValues(), map[string][]uint32{}
		has := func(id uint32, text string) bool { return slices.Contains(want[text], id) }
		hash := func(text string) uint32 { return hashLower(strings.ToLower(text)) % 3 }
		texts := []string{"a", "A", "b", "é", "É", "team-1", "Team-1", "TEAM-1", ""}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			id := rapid.Uint32Range(1, 20).Draw(t, "id")
			text := rapid.SampledFrom(texts).Draw(t, "text")
			if rapid.Bool().Draw(t, "remove") {
				if got := v.remove(id, text, hash(text)); got != has(id, text) {
					t.Fatalf("removed %q of %d: %t", text, id, got)
				}
				want[text] = slices.DeleteFunc(want[text], func(other uint32) bool { return other == id })
				continue
			}
			known := slices.ContainsFunc(texts, func(other string) bool { return strings.EqualFold(other, text) && has(id, other) })
			if got := v.add(id, text, hash(text)); got == known {
				t.Fatalf("added %q to %d: %t", text, id, got)
			}
			if !known {
				want[text] = append(want[text], id)
			}
		}
		pairs, got := 0, map[string][]uint32{}
		for text, set := range v.all() {
			set.each(func(id uint32) { got[text] = append(got[text], id) })
			pairs += set.len()
		}
		for text, ids := range want {
			if slices.Sort(ids); len(ids) == 0 {
				delete(want, text)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" || v.pairs != pairs {
			t.Fatalf("%d pairs of %d, values (-want +got):\n%s", v.pairs, pairs, diff)
		}
	})
}

func TestManyValues(t *testing.T) {
	t.Parallel()
	v := newValues()
	const n = 3<<pageBits + 7
	text := func(i int) string { return "value " + strconv.Itoa(i) }
	for round := range 3 { // the second and third find what was freed
		for i := range n {
			v.add(uint32(i+1), text(i+round), hashLower(text(i+round)))
		}
		for i := range n {
			if sets := v.having(nil, text(i+round)); len(sets) != 1 || !sets[0].contains(uint32(i+1)) {
				t.Fatalf("%s belongs to %v", text(i+round), sets)
			}
			v.remove(uint32(i+1), text(i+round), hashLower(text(i+round)))
		}
	}
	if v.pairs != 0 || len(v.first) != 0 || len(v.pages) != 4 {
		t.Errorf("%d pairs, %d hashes, %d pages are left", v.pairs, len(v.first), len(v.pages))
	}
}

func TestASharedValueKeepsNoDocument(t *testing.T) {
	t.Parallel()
	v, document := newValues(), strings.Repeat("x", 10)
	v.add(1, document[2:5], 7)
	v.add(2, "xxx", 7)
	v.remove(1, "xxx", 7)
	for text := range v.all() {
		if text != "xxx" || sameBytes(text, document[2:5]) {
			t.Error("the value of the second is a part of the first one's document")
		}
	}
}

func sameBytes(a, b string) bool { return unsafe.StringData(a) == unsafe.StringData(b) }
