package descriptor

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
)

// The Go library refuses control characters and takes U+0085, U+2028 and
// U+2029 for line breaks, as YAML 1.1 did; the npm package does neither. Such
// characters are put under a veil of private code points while the library
// looks, and come out again with the values.
const veilBase = 0xF0000

func needsVeil(r rune) bool {
	return r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r >= 0x7F && r <= 0x9F ||
		r == 0x2028 || r == 0x2029 || r == 0xFEFF || r == 0xFFFE || r == 0xFFFF
}

func veil(s string) (text string, veiled bool) {
	if strings.IndexFunc(s, needsVeil) < 0 {
		return s, false
	}
	return strings.Map(func(r rune) rune {
		if needsVeil(r) {
			return veilBase + r
		}
		return r
	}, s), true
}

func unveil(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= veilBase && needsVeil(r-veilBase) {
			return r - veilBase
		}
		return r
	}, s)
}

var escapePattern = regexp.MustCompile(`\\(?:[^u]|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[dD][89a-fA-F][0-9a-fA-F]{2})`)

// joinSurrogates rewrites \uD83D\uDE80 as \U0001F680, which the Go library
// needs. Half a pair, which no UTF-8 text can hold, becomes U+FFFD.
func joinSurrogates(s string) string {
	return escapePattern.ReplaceAllStringFunc(s, func(m string) string {
		switch len(m) {
		case 12:
			high, _ := strconv.ParseUint(m[2:6], 16, 16)
			low, _ := strconv.ParseUint(m[8:], 16, 16)
			hex := strconv.FormatInt(int64(utf16.DecodeRune(rune(high), rune(low))), 16)
			return `\U` + strings.Repeat("0", 8-len(hex)) + hex
		case 6:
			return `\uFFFD`
		default:
			return m
		}
	})
}
