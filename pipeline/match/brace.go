package match

import (
	"slices"
	"strconv"
	"strings"
)

// expand gives every alternative of a pattern with braces: {a,b}, {1..3}, nested,
// each once.
func expand(s string) ([]string, error) {
	todo, done := []string{s}, []string{}
	seen := map[string]bool{s: true}
	for len(todo) > 0 {
		p := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		open, end := findBrace(p)
		if open < 0 {
			done = append(done, p)
			continue
		}
		for _, option := range options(p[open+1 : end]) {
			if p := p[:open] + option + p[end+1:]; !seen[p] {
				seen[p] = true
				todo = append(todo, p)
			}
		}
		if len(todo)+len(done) > maxAlternatives {
			return nil, errTooMany
		}
	}
	slices.Reverse(done)
	return done, nil
}

// findBrace gives the first brace that holds alternatives, and where it ends;
// -1 if there is none. It goes over s once: a hostile pattern is full of braces.
func findBrace(s string) (open, end int) {
	type brace struct {
		at    int
		comma bool
	}
	var pending []brace // those that are open
	open, end = -1, -1
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '{':
			pending = append(pending, brace{at: i})
		case ',':
			if n := len(pending); n > 0 {
				pending[n-1].comma = true
			}
		case '}':
			n := len(pending)
			if n == 0 {
				continue
			}
			b := pending[n-1]
			pending = pending[:n-1]
			if (open < 0 || b.at < open) && (b.comma || len(countRange(s[b.at+1:i])) > 1) {
				open, end = b.at, i
			}
		}
	}
	return open, end
}

// options splits the inside of a brace at its own commas, or counts a range.
func options(s string) []string {
	var out []string
	depth, start := 0, 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '{':
			depth++
		case '}':
			depth--
		case ',':
			if depth == 0 {
				out = append(out, s[start:i])
				start = i + 1
			}
		}
	}
	if out = append(out, s[start:]); len(out) > 1 {
		return out
	}
	return countRange(s)
}

func countRange(s string) []string {
	const longest = 32 // more is no range
	from, to, ok := strings.Cut(s[:min(len(s), longest+1)], "..")
	if !ok || len(s) > longest {
		return nil
	}
	a, err1 := strconv.Atoi(from)
	b, err2 := strconv.Atoi(to)
	write := strconv.Itoa
	if err1 != nil || err2 != nil {
		if len(from) != 1 || len(to) != 1 {
			return nil
		}
		a, b = int(from[0]), int(to[0])
		write = func(i int) string { return string(rune(i)) }
	}
	step := 1
	if b < a {
		step = -1
	}
	var out []string
	for i := a; ; i += step {
		out = append(out, write(i))
		if i == b || len(out) > maxAlternatives {
			return out
		}
	}
}
