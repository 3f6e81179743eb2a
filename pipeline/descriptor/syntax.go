package descriptor

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf16"

	"go.yaml.in/yaml/v4"
)

// syntaxFault words an error of the Go library as the YAML package of
// Backstage words the same mistake, at the same place, as far as the two agree
// on what the mistake is. The rest keeps the library's words.
func syntaxFault(err error, c chunk, lines *lineIndex) *fault {
	var le *yaml.LoadError
	if !errors.As(err, &le) {
		return lines.fault("yaml-syntax", upperFirst(err.Error()), c.content, 1)
	}
	line, col := c.line+le.Mark.Line-1, le.Mark.Column
	if le.Mark.Line == 0 {
		line, col = c.content, 1
	}
	text := lines.line(line)
	before, after := cut(text, col)
	message := le.Message
	switch {
	case strings.Contains(message, "found a tab character"), startsWithTab(before, after):
		tab := strings.IndexByte(text, '\t')
		return lines.fault("yaml-tab", "Tabs are not allowed as indentation", line, tab+1)
	case message == "found character that cannot start any token" && after != "":
		return lines.fault("yaml-syntax", badStart(after[0]), line, col)
	case message == "found unknown escape character":
		return lines.fault("yaml-syntax", "Invalid escape sequence "+firstRunes(after, 2), line, col)
	case le.ContextMsg == "while scanning a quoted scalar" && strings.Contains(message, "unexpected"):
		return openQuote(c, lines, c.line+le.ContextMark.Line-1, le.ContextMark.Column)
	case strings.HasPrefix(message, "mapping values are not allowed"):
		return nestedMapping(c, lines, line, col)
	case message == "did not find expected key" && strings.TrimSpace(before) != "",
		message == "did not find expected <document start>":
		return lines.faultOver("yaml-syntax", "Unexpected scalar at node end", line, col, plainLength(after))
	case message == "did not find expected key" && strings.HasPrefix(after, "- "):
		return lines.fault("yaml-indentation", "A block sequence may not be used as an implicit map key", line, 1)
	case message == "did not find expected key":
		return lines.fault("yaml-indentation", "All mapping items must start at the same column", line, 1)
	case message == "did not find expected '-' indicator" && strings.HasPrefix(after, "-"):
		return lines.fault("yaml-indentation", "All sequence items must start at the same column", line, col)
	case message == "did not find expected '-' indicator" && col > 1:
		return lines.fault("yaml-indentation", "Sequence item without - indicator", line, 1)
	case message == "did not find expected '-' indicator":
		return lines.fault("yaml-indentation", "Unexpected scalar at node end", line, col)
	case message == "could not find expected ':'":
		return keyWithoutColon(c, lines, c.line+le.ContextMark.Line-1, le.ContextMark.Column)
	case message == "did not find expected ',' or ']'":
		return lines.fault("yaml-syntax", flowMessage('['), line, col)
	case message == "did not find expected ',' or '}'":
		return lines.fault("yaml-syntax", flowMessage('{'), line, col)
	case message == "did not find expected node content" && after == "" && strings.ContainsAny(c.text, "[{"):
		return lines.fault("yaml-syntax", flowMessage(c.text[strings.LastIndexAny(c.text, "[{")]), line, col)
	case strings.HasPrefix(message, "block sequence entries are not allowed"):
		return lines.fault("yaml-syntax", "Unexpected block-seq-ind on same line with key", line, col)
	case strings.HasPrefix(message, "unknown anchor"):
		_, name, _ := strings.Cut(message, "'")
		name, _, _ = strings.Cut(name, "'")
		f := lines.fault("yaml-alias", "", line, col)
		f.message, f.thrown = "Unresolved alias (the anchor must be set before the alias): "+name, true
		return f
	}
	return lines.fault("yaml-syntax", upperFirst(message), line, col)
}

func startsWithTab(before, after string) bool {
	return strings.HasPrefix(after, "\t") && strings.TrimSpace(before) == ""
}

func badStart(c byte) string {
	what := "reserved character"
	if c == '%' {
		what = "directive indicator character"
	}
	return fmt.Sprintf("Plain value cannot start with %s %c", what, c)
}

func flowMessage(open byte) string {
	if open == '[' {
		return "Flow sequence in block collection must be sufficiently indented and end with a ]"
	}
	return "Flow map in block collection must be sufficiently indented and end with a }"
}

// openQuote reports a quote without its partner. Backstage's parser gives the
// end of the lines that could still belong to the string; the diagnostic keeps
// the opening quote, which is what has to be mended.
func openQuote(c chunk, lines *lineIndex, line, col int) *fault {
	text := lines.line(line)
	_, after := cut(text, col)
	indent := len(text) - len(strings.TrimLeft(text, " "))
	last := line
	for n := line + 1; n < c.line+strings.Count(c.text, "\n"); n++ {
		next := lines.line(n)
		if trimmed := strings.TrimLeft(next, " "); strings.TrimSpace(next) != "" {
			if len(next)-len(trimmed) <= indent {
				break
			}
			last = n
		}
	}
	message := fmt.Sprintf("Missing closing %squote", firstRunes(after, 1))
	f := lines.fault("yaml-syntax", message, line, col)
	f.message = lines.describe(message, last, columns(lines.line(last))+1, 1)
	return f
}

var keyPattern = regexp.MustCompile(`^[ ]*(?:- +)*(?:"[^"]*"|'[^']*'|[^"'\s][^:]*?):[ \t]+`)

// nestedMapping reports the second "key: value" where a plain value was expected.
func nestedMapping(c chunk, lines *lineIndex, line, col int) *fault {
	for n := line; n >= c.line && n >= line-1; n-- {
		text := lines.line(n)
		if n == line {
			text, _ = cut(text, col)
		}
		if m := keyPattern.FindString(text); m != "" && len(m) < len(text) {
			return lines.fault("yaml-syntax", "Nested mappings are not allowed in compact mappings", n, columns(m)+1)
		}
	}
	// A plain text over several lines ends in a colon: point at where it begins.
	for n := line - 1; n >= c.line; n-- {
		text := lines.line(n)
		if !isContent(text) || keyPattern.MatchString(text+" ") || isMarker(text, "---") {
			break
		}
		line, col = n, len(text)-len(strings.TrimLeft(text, " "))+1
	}
	return lines.fault("yaml-syntax", "Implicit keys need to be on a single line", line, col)
}

// keyWithoutColon reports a line that should be "key: value". If the next line
// is no less indented it is taken for the rest of the key.
func keyWithoutColon(c chunk, lines *lineIndex, line, col int) *fault {
	for n := line + 1; n < c.line+strings.Count(c.text, "\n"); n++ {
		if text := lines.line(n); isContent(text) {
			if len(text)-len(strings.TrimLeft(text, " ")) >= col-1 {
				return lines.fault("yaml-syntax", "Implicit keys need to be on a single line", line, col)
			}
			break
		}
	}
	_, key := cut(lines.line(line), col)
	return lines.faultOver("yaml-syntax", "Implicit map keys need to be followed by map values", line, col, plainLength(key))
}

// plainLength is how long a plain scalar at the start of s is, in columns.
func plainLength(s string) int {
	s = strings.TrimSuffix(strings.TrimRight(s, " \t"), ":")
	for _, stop := range []string{" #", ": "} {
		if i := strings.Index(s, stop); i >= 0 {
			s = s[:i]
		}
	}
	return columns(strings.TrimRight(s, " \t"))
}

func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func firstRunes(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

// columns counts a text as error positions count it, in UTF-16 units.
func columns(s string) int { return utf16Len(s) }

// cut splits a line before a column, counted from 1 in characters.
func cut(line string, col int) (before, after string) {
	before = firstRunes(line, max(col-1, 0))
	return before, line[len(before):]
}

// lineIndex gives lines of a file by number, from 1.
type lineIndex struct {
	src    string
	starts []int
}

func newLineIndex(src string) *lineIndex { return &lineIndex{src: src} }

// line is the text of a line without its end; "" outside the file.
func (x *lineIndex) line(n int) string {
	return strings.TrimRight(x.whole(n), "\r\n")
}

func (x *lineIndex) whole(n int) string {
	if x.starts == nil {
		x.starts = []int{0}
		for i := range len(x.src) {
			if x.src[i] == '\n' {
				x.starts = append(x.starts, i+1)
			}
		}
	}
	if n < 1 || n > len(x.starts) {
		return ""
	}
	end := len(x.src)
	if n < len(x.starts) {
		end = x.starts[n]
	}
	return x.src[x.starts[n-1]:end]
}

func (x *lineIndex) fault(rule, message string, line, col int) *fault {
	return &fault{rule: rule, line: line, col: col, message: x.describe(message, line, col, 1)}
}

// faultOver marks more than one column.
func (x *lineIndex) faultOver(rule, message string, line, col, carets int) *fault {
	return &fault{rule: rule, line: line, col: col, message: x.describe(message, line, col, carets)}
}

// describe adds place and excerpt to a message in the layout of YAMLParseError:
// at most 80 columns of the line, the line before it when there is nothing but
// blanks left of the place, and carets below.
func (x *lineIndex) describe(message string, line, col, carets int) string {
	message += fmt.Sprintf(" at line %d, column %d", line, col)
	at := col - 1
	text := utf16.Encode([]rune(x.line(line)))
	if at >= 60 && len(text) > 80 {
		from := min(at-39, len(text)-79)
		text = append([]uint16{'…'}, text[from:]...)
		at -= from - 1
	}
	excerpt := decode80(text, "…")
	if line > 1 && strings.Trim(decodeUnits(text[:min(at, len(text))]), " ") == "" {
		excerpt = decode80(utf16.Encode([]rune(x.whole(line-1))), "…\n") + excerpt
	}
	if strings.Trim(excerpt, " ") == "" {
		return message
	}
	carets = max(1, min(carets, 80-at))
	return message + ":\n\n" + excerpt + "\n" + strings.Repeat(" ", at) + strings.Repeat("^", carets) + "\n"
}

func decode80(units []uint16, more string) string {
	if len(units) > 80 {
		return decodeUnits(units[:79]) + more
	}
	return decodeUnits(units)
}

func decodeUnits(units []uint16) string { return string(utf16.Decode(units)) }
