package graphql

import (
	"fmt"
	"strconv"
	"strings"
)

type tokenKind int

const (
	tokenEnd tokenKind = iota
	tokenPunct
	tokenName
	tokenNumber
	tokenString
)

// lexer cuts the text into tokens; tok and kind are the current one. The end
// of the text is the empty token.
type lexer struct {
	text string
	at   int

	tok  string
	kind tokenKind
	// line and column are where the current token starts; start is the offset
	// of the line.
	line, column, start int
}

func (l *lexer) fail(format string, args ...any) {
	panic(syntaxError{l.line, l.column, fmt.Sprintf(format, args...)})
}

func (l *lexer) next() {
	l.skip()
	l.column = l.at - l.start + 1
	if l.at >= len(l.text) {
		l.tok, l.kind = "", tokenEnd
		return
	}
	rest := l.text[l.at:]
	c := rest[0]
	switch {
	case strings.HasPrefix(rest, "..."):
		l.take(3, tokenPunct)
	case strings.IndexByte("{}()[]:=!$@|&", c) >= 0:
		l.take(1, tokenPunct)
	case c == '"':
		l.str(rest)
	case c == '-' || c >= '0' && c <= '9':
		l.take(span(rest, func(c byte) bool {
			return c >= '0' && c <= '9' || strings.IndexByte("+-.eE", c) >= 0
		}), tokenNumber)
	case nameByte(c):
		l.take(span(rest, nameByte), tokenName)
	default:
		l.fail("unexpected character %q", c)
	}
}

func (l *lexer) take(n int, kind tokenKind) {
	l.tok, l.kind = l.text[l.at:l.at+n], kind
	l.at += n
}

// skip passes white space, commas and comments.
func (l *lexer) skip() {
	for l.at < len(l.text) {
		switch c := l.text[l.at]; {
		case c == '\n':
			l.at++
			l.line++
			l.start = l.at
		case c == ' ' || c == '\t' || c == '\r' || c == ',':
			l.at++
		case strings.HasPrefix(l.text[l.at:], "\ufeff"):
			l.at += len("\ufeff")
		case c == '#':
			for l.at < len(l.text) && l.text[l.at] != '\n' {
				l.at++
			}
		default:
			return
		}
	}
}

// str reads a string. Block strings keep their text as it is.
func (l *lexer) str(rest string) {
	if strings.HasPrefix(rest, `"""`) {
		end := strings.Index(rest[3:], `"""`)
		if end < 0 {
			l.fail("unterminated string")
		}
		l.tok, l.kind = rest[3:3+end], tokenString
		if n := strings.Count(l.tok, "\n"); n > 0 {
			l.line += n
			l.start = l.at + 3 + strings.LastIndexByte(l.tok, '\n') + 1
		}
		l.at += end + 6
		return
	}
	for i := 1; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++
		case '\n':
			l.fail("unterminated string")
		case '"':
			// GraphQL's escapes are JSON's; Go's Unquote knows all of them but \/.
			text, err := strconv.Unquote(strings.ReplaceAll(rest[:i+1], `\/`, `/`))
			if err != nil {
				l.fail("string %s", rest[:i+1])
			}
			l.tok, l.kind = text, tokenString
			l.at += i + 1
			return
		}
	}
	l.fail("unterminated string")
}

func nameByte(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

func span(s string, ok func(byte) bool) int {
	n := 1
	for n < len(s) && ok(s[n]) {
		n++
	}
	return n
}
