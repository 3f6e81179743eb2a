// Package match decides which files of a repository are catalog files: one
// matcher for scan, push and command line.
package match

// Pattern is a compiled catalog pattern.
type Pattern struct{ source string }

// Compile reads a pattern.
func Compile(pattern string) (*Pattern, error) { return &Pattern{source: pattern}, nil }

// Plain gives the path that the pattern names when it holds no glob characters.
func (p *Pattern) Plain() (path string, ok bool) { return p.source, true }

// Match tells whether a repository path (no leading slash) matches.
func (p *Pattern) Match(path string) bool { return path == p.source }

// Ignored tells whether a path lies where other people's or unfinished
// descriptors live, and why.
func Ignored(path string) (reason string, ok bool) { return "", false }
