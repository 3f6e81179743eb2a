package match

import (
	"slices"
	"strconv"
	"strings"
)

// expand gives every alternative of a pattern with braces: {a,b}, {1..3}, nested.
func expand(s string) ([]string, error) {
	todo, done := []string{s}, []string{}
	for len(todo) > 0 {
		p := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		open := findBrace(p)
		if open < 0 {
			done = append(done, p)
		} else {
			end := closing(p, open)
			for _, option := range options(p[open+1 : end]) {
				todo = append(todo, p[:open]+option+p[end+1:])
			}
		}
		if len(todo)+len(done) > maxAlternatives {
			return nil, errTooMany
		}
	}
	slices.Reverse(done)
	return done, nil
}

// findBrace gives the first brace that holds alternatives, -1 if there is none.
func findBrace(s string) int {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '{':
			if end := closing(s, i); end > 0 && len(options(s[i+1:end])) > 1 {
				return i
			}
		}
	}
	return -1
}

func closing(s string, open int) int {
	depth := 0
	for i := open; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
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
	from, to, ok := strings.Cut(s, "..")
	if !ok {
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
