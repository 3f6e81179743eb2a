package match_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/callboard/callboard/pipeline/match"
)

func tree(n int) *match.Tree {
	var paths []string
	for i := range n {
		paths = append(paths, fmt.Sprintf("a%d/b/c/d/x%d.txt", i%50, i))
	}
	return match.NewTree(paths)
}

func TestSelect(t *testing.T) {
	t.Parallel()
	p, err := match.Compile("{a1,a2,a1}/**/*51.txt")
	if err != nil {
		t.Fatal(err)
	}
	work := 100_000
	got, err := tree(200).Select(t.Context(), p, &work)
	if want := []string{"a1/b/c/d/x51.txt", "a1/b/c/d/x151.txt"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("selected %q, %v; want %q", got, err, want)
	}
	if work >= 100_000 || work < 0 {
		t.Errorf("left are %d", work)
	}
}

// What a hostile pattern costs is bounded, told, and ends when nobody waits.
func TestSelectIsBounded(t *testing.T) {
	t.Parallel()
	files := tree(2000)
	costly, err := match.Compile(strings.Repeat("**/*a*b*c*/", 300) + "**")
	if err != nil {
		t.Fatal(err)
	}
	work := 1_000_000
	if _, err := files.Select(t.Context(), costly, &work); !errors.Is(err, match.ErrCostly) {
		t.Errorf("a costly pattern: %v, left are %d", err, work)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	work = 1_000_000
	if _, err := files.Select(ctx, costly, &work); !errors.Is(err, context.Canceled) {
		t.Errorf("after its end: %v", err)
	}
	// The same alternative many times over is one, and what cannot match is
	// settled by its last name.
	cheap, err := match.Compile("**/{" + strings.Repeat("b,", 900) + "c}/**/1")
	if err != nil {
		t.Fatal(err)
	}
	work = 50_000
	if _, err := files.Select(t.Context(), cheap, &work); err != nil {
		t.Errorf("a cheap pattern: %v", err)
	}
}

// Braces that never close cost no more than others.
func TestUnbalancedBraces(t *testing.T) {
	t.Parallel()
	tests := []struct{ pattern, path string }{
		{"{a,b}{a,b}" + strings.Repeat("{", 4000), "aa" + strings.Repeat("{", 4000)},
		{"{a,{b,c}*", "{a,b1"}, {"{a,b}}*", "a}1"}, {"{{a},b}*", "{a}1"}, {"{,a}*", "a1"},
	}
	for _, tt := range tests {
		p, err := match.Compile(tt.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if !p.Match(tt.path) {
			t.Errorf("%.40q does not match %.40q", tt.pattern, tt.path)
		}
	}
}

// Brackets that never close stand for themselves, and what is in a class is
// work too.
func TestBracketsAreCounted(t *testing.T) {
	t.Parallel()
	for pattern, path := range map[string]string{
		"*" + strings.Repeat("[", 4000): "a" + strings.Repeat("[", 4000),
		"[!]a]*[":                       "b[", "[]a]*[x": "][x", "[a-c-e]*[!": "-[!", "[^b]?[é-ü]*": "axñ", "[]*": "[]",
	} {
		p, err := match.Compile(pattern)
		if err != nil || !p.Match(path) {
			t.Errorf("%.40q does not match %.40q, %v", pattern, path, err)
		}
	}
	p, err := match.Compile("*[" + strings.Repeat("b", 1000) + "]N*")
	if err != nil {
		t.Fatal(err)
	}
	work := 100_000
	tree := match.NewTree([]string{strings.Repeat("a", 120)})
	if _, err := tree.Select(t.Context(), p, &work); err != nil || work > 0 {
		t.Errorf("120 letters against 1,000 ranges cost %d, %v", 100_000-work, err)
	}
	if _, err := match.Compile("{1..99}" + strings.Repeat("a", 4000)); err == nil {
		t.Error("a pattern of 400 KB was compiled")
	}
}
