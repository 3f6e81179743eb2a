// Package match decides which files of a repository are catalog files: one
// matcher for scan, push and command line, so that all three find the same.
//
// Patterns are globs with the defaults of minimatch, which Backstage uses:
// "*" and "?" stay inside a path segment, "**" spans segments, neither sees a
// name that starts with a dot, braces give alternatives and brackets classes.
// The package refuses to own walking a tree, reading files, and URLs.
//
//	p, err := match.Compile("/services/**/catalog-info.{yaml,yml}")
//	p.Match("services/cart/catalog-info.yaml") // true
package match

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// Pattern is a compiled catalog pattern. It is safe for concurrent use.
type Pattern struct {
	source       string
	plain        bool
	alternatives [][]segment
	size         int // of the alternatives, in what there is to compare
	// anyCase and dots are for URLs: letters match in any case, and names that
	// start with a dot are seen.
	anyCase, dots bool
}

// Limits of a pattern, so that a hostile one costs little.
const (
	maxLength       = 4096
	maxAlternatives = 100
	maxSize         = 16 << 10 // of all alternatives
)

var (
	errTooLong  = fmt.Errorf("pattern is longer than %d bytes", maxLength)
	errNegation = errors.New("pattern starts with !, which is not supported")
	errExtended = errors.New("pattern holds an extended glob such as @(a|b), which is not supported; use {a,b}")
	errTooLarge = fmt.Errorf("pattern is longer than %d bytes once its braces are expanded", maxSize)
	errTooMany  = fmt.Errorf("pattern has more than %d alternatives", maxAlternatives)
)

// Compile reads a pattern. It is always relative to the root of the
// repository; a leading "/" or "./" only says so.
func Compile(pattern string) (*Pattern, error) {
	p := &Pattern{source: strings.TrimLeft(strings.TrimPrefix(pattern, "./"), "/")}
	return p.compile(pattern)
}

// CompileURL reads a pattern of the targets of locations, URLs and absolute paths.
// They match in any case and with names that start with a dot (contract catalog 3.7).
func CompileURL(pattern string) (*Pattern, error) {
	p := &Pattern{source: strings.ToLower(strings.TrimPrefix(pattern, "/")), anyCase: true, dots: true}
	return p.compile(pattern)
}

func (p *Pattern) compile(pattern string) (*Pattern, error) {
	source := p.source
	if len(pattern) > maxLength {
		return nil, errTooLong
	}
	if !isGlob(source) {
		p.plain = true
		return p, nil
	}
	if strings.HasPrefix(source, "!") {
		return nil, fmt.Errorf("%q: %w", pattern, errNegation)
	}
	if extendedGlob(source) {
		return nil, fmt.Errorf("%q: %w", pattern, errExtended)
	}
	texts, err := expand(strings.ToValidUTF8(source, "\uFFFD"))
	if err != nil {
		return nil, fmt.Errorf("%q: %w", pattern, err)
	}
	for _, text := range texts {
		if p.size += len(text); p.size > maxSize {
			return nil, errTooLarge
		}
		var segments []segment
		for part := range strings.SplitSeq(text, "/") {
			segments = append(segments, compileSegment(part))
		}
		p.alternatives = append(p.alternatives, segments)
	}
	return p, nil
}

// isGlob tells a glob from a path. Brackets alone do not make a glob: folders
// are really called "[id]". Braces do when they hold alternatives, so that
// "{{cookiecutter.name}}" stays a path.
func isGlob(s string) bool {
	return strings.ContainsAny(s, "*?") || braces(s)
}

func braces(s string) bool {
	open, _ := findBrace(s)
	return open >= 0
}

func extendedGlob(s string) bool {
	for _, open := range []string{"@(", "+(", "*(", "?(", "!("} {
		if strings.Contains(s, open) {
			return true
		}
	}
	return false
}

// Plain gives the path that the pattern names when it is no glob. Then the one
// file can be asked for without listing the tree.
func (p *Pattern) Plain() (path string, ok bool) { return p.source, p.plain }

// String is the pattern without its leading slash.
func (p *Pattern) String() string { return p.source }

// Match tells whether a path of the repository matches.
func (p *Pattern) Match(path string) bool {
	path = strings.TrimPrefix(path, "/")
	if p.anyCase {
		path = strings.ToLower(path)
	}
	if p.plain {
		return path == p.source
	}
	unlimited := math.MaxInt
	return p.matchNames(strings.Split(path, "/"), &unlimited)
}

// matchNames takes what it costs from work.
func (p *Pattern) matchNames(names []string, work *int) bool {
	for _, segments := range p.alternatives {
		if p.matchSegments(segments, names, work) {
			return true
		}
	}
	return false
}

// matchSegments compares what stands before the first "**" and behind the last
// name by name: that settles most paths at once.
func (p *Pattern) matchSegments(segments []segment, names []string, work *int) bool {
	open := true // a "**" at the end of the pattern itself takes at least one name
	for n := len(segments); n > 0 && !segments[n-1].globstar; n = len(segments) {
		if len(names) == 0 || !segments[n-1].match(names[len(names)-1], p.dots, work) {
			return false
		}
		segments, names, open = segments[:n-1], names[:len(names)-1], false
	}
	for len(segments) > 0 && !segments[0].globstar {
		if len(names) == 0 || !segments[0].match(names[0], p.dots, work) {
			return false
		}
		segments, names = segments[1:], names[1:]
	}
	if len(segments) == 0 {
		return len(names) == 0
	}
	return p.matchTable(segments, names, open, work)
}

// matchTable fills a table row by row: reach[j] says that the segments so
// far match the first j names. Its cost is segments times names, whatever the pattern.
func (p *Pattern) matchTable(segments []segment, names []string, open bool, work *int) bool {
	reach, next := make([]bool, len(names)+1), make([]bool, len(names)+1)
	reach[0] = true
	for i, s := range segments {
		last := open && i == len(segments)-1
		for j := range reach {
			*work--
			if s.globstar {
				// Nothing, or one name more; at the end at least one name.
				next[j] = reach[j] && !last || j > 0 && (next[j-1] || reach[j-1]) && (p.dots || !strings.HasPrefix(names[j-1], "."))
			} else {
				next[j] = j > 0 && reach[j-1] && s.match(names[j-1], p.dots, work)
			}
		}
		reach, next = next, reach
	}
	return reach[len(names)]
}
