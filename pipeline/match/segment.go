package match

import (
	"strings"
	"unicode/utf8"
)

// segment is the pattern of one path segment.
type segment struct {
	globstar bool
	tokens   []token
}

type tokenKind uint8

const (
	literal tokenKind = iota
	anyOne
	anyRun
	class
)

type token struct {
	kind    tokenKind
	r       rune
	negated bool
	ranges  [][2]rune
}

func compileSegment(s string) segment {
	if s == "**" {
		return segment{globstar: true}
	}
	var (
		seg      segment
		unclosed bool
	)
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch r {
		case '*':
			size = len(s) - len(strings.TrimLeft(s, "*"))
			seg.tokens = append(seg.tokens, token{kind: anyRun})
		case '?':
			seg.tokens = append(seg.tokens, token{kind: anyOne})
		case '[':
			t, n := token{r: r}, 0
			if !unclosed {
				t, n = compileClass(s)
			}
			if n == 0 { // and those behind it are not closed either
				t, n, unclosed = token{r: r}, size, true
			}
			seg.tokens, size = append(seg.tokens, t), n
		case '\\':
			if len(s) > 1 {
				var n int
				r, n = utf8.DecodeRuneInString(s[1:])
				size += n
			}
			seg.tokens = append(seg.tokens, token{r: r})
		default:
			seg.tokens = append(seg.tokens, token{r: r})
		}
		s = s[size:]
	}
	return seg
}

// compileClass reads [abc], [a-z] and [!abc], and says how long it is: 0 for a
// bracket that is never closed.
func compileClass(s string) (t token, size int) {
	t.kind = class
	body := s[1:]
	if strings.HasPrefix(body, "!") || strings.HasPrefix(body, "^") {
		t.negated, body = true, body[1:]
	}
	_, first := utf8.DecodeRuneInString(body) // which may be a bracket, and closes nothing
	end := strings.IndexByte(body[first:], ']')
	if end < 0 {
		return t, 0
	}
	body = body[:first+end]
	runes := []rune(body)
	for i := 0; i < len(runes); i++ {
		low, high := runes[i], runes[i]
		if i+2 < len(runes) && runes[i+1] == '-' {
			high = runes[i+2]
			i += 2
		}
		t.ranges = append(t.ranges, [2]rune{low, high})
	}
	if t.negated {
		return t, len(body) + 3
	}
	return t, len(body) + 2
}

func (t token) match(r rune, work *int) bool {
	switch t.kind {
	case literal:
		return t.r == r
	case class:
		*work -= len(t.ranges)
		for _, x := range t.ranges {
			if x[0] <= r && r <= x[1] {
				return !t.negated
			}
		}
		return t.negated
	default:
		return true
	}
}

// match goes back only to the last "*", which is enough and bounds the work by
// pattern length times name length. It takes the steps from work.
func (s segment) match(name string, dots bool, work *int) bool {
	*work--
	if !dots && strings.HasPrefix(name, ".") && (len(s.tokens) == 0 || s.tokens[0].kind != literal) {
		return false
	}
	if name == "" {
		return len(s.tokens) == 0
	}
	i, at := 0, 0
	star, starAt := -1, 0
	for at < len(name) {
		*work--
		r, size := utf8.DecodeRuneInString(name[at:])
		switch {
		case i < len(s.tokens) && s.tokens[i].kind == anyRun:
			star, starAt = i, at
			i++
		case i < len(s.tokens) && s.tokens[i].match(r, work):
			i++
			at += size
		case star >= 0:
			_, size = utf8.DecodeRuneInString(name[starAt:])
			starAt += size
			i, at = star+1, starAt
		default:
			return false
		}
	}
	for i < len(s.tokens) && s.tokens[i].kind == anyRun {
		i++
	}
	return i == len(s.tokens)
}
