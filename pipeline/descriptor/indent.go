package descriptor

import (
	"strings"

	"go.yaml.in/yaml/v4"
)

// checkIndent refuses what the Go library tolerates: quoted strings and flow
// collections whose later lines are not indented deeper than the block
// collection around them.
func (d *decoder) checkIndent(n *yaml.Node, indent int) *fault {
	quoted := n.Kind == yaml.ScalarNode && n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0
	flow := n.Kind != yaml.ScalarNode && n.Style&yaml.FlowStyle != 0
	if indent < 0 || !quoted && !flow {
		return nil
	}
	s := flowScan{lines: d.lines, line: d.chunk.line + n.Line - 1, last: d.chunk.line + strings.Count(d.chunk.text, "\n"), need: indent + 1}
	_, rest := cut(d.lines.line(s.line), n.Column)
	rest = skipProperties(rest)
	if rest == "" {
		return nil
	}
	switch open := rest[0]; open {
	case '"', '\'':
		if line := s.quote(rest[1:], open); line > 0 {
			text := d.lines.line(line - 1)
			f := d.fault("yaml-indentation", "", n)
			f.message = d.lines.describe("Missing closing "+string(open)+"quote", line-1, columns(text)+1, 1)
			return f
		}
	case '[', '{':
		if line := s.flow(rest); line > 0 {
			return d.lines.fault("yaml-indentation", flowMessage(open), line, 1)
		}
	}
	return nil
}

// skipProperties passes a tag and an anchor before a node.
func skipProperties(s string) string {
	for strings.HasPrefix(s, "!") || strings.HasPrefix(s, "&") {
		i := strings.IndexAny(s, " \t")
		if i < 0 {
			return ""
		}
		s = strings.TrimLeft(s[i:], " \t")
	}
	return s
}

// flowScan walks over a quoted string or flow collection line by line and
// stops at the first line that is not indented enough.
type flowScan struct {
	lines      *lineIndex
	line, last int
	need       int
	rest       string
}

// next moves to the following line that is not blank. It answers false at the
// end of the document, and sets bad when the line is not indented enough.
func (s *flowScan) next(closing bool) (text string, bad, ok bool) {
	for s.line++; s.line <= s.last; s.line++ {
		text = s.lines.line(s.line)
		trimmed := strings.TrimLeft(text, " ")
		if strings.TrimSpace(trimmed) == "" {
			continue
		}
		indent := len(text) - len(trimmed)
		end := closing && indent == s.need-1 && (trimmed[0] == ']' || trimmed[0] == '}')
		comment := closing && trimmed[0] == '#'
		return trimmed, indent < s.need && !end && !comment, true
	}
	return "", false, false
}

// quote reads to the closing quote and leaves the rest of that line in s.rest.
// It answers the line that breaks the rule, or 0.
func (s *flowScan) quote(text string, open byte) int {
	for {
		for i := 0; i < len(text); i++ {
			switch {
			case open == '"' && text[i] == '\\':
				i++
			case text[i] == open && open == '\'' && strings.HasPrefix(text[i+1:], "'"):
				i++
			case text[i] == open:
				s.rest = text[i+1:]
				return 0
			}
		}
		next, bad, ok := s.next(false)
		if bad {
			return s.line
		}
		if !ok {
			s.rest = ""
			return 0
		}
		text = next
	}
}

// flow reads to the bracket that closes the first one of text.
func (s *flowScan) flow(text string) int {
	depth, start := 0, true // start: a token may begin here, so a quote opens a string
	for {
		for i := 0; i < len(text); i++ {
			switch c := text[i]; {
			case c == '[' || c == '{':
				depth, start = depth+1, true
			case c == ']' || c == '}':
				if depth--; depth == 0 {
					return 0
				}
				start = false
			case c == ',' || c == ':':
				start = true
			case c == ' ' || c == '\t':
			case c == '#' && (i == 0 || text[i-1] == ' ' || text[i-1] == '\t'):
				i = len(text)
			case (c == '"' || c == '\'') && start:
				if line := s.quote(text[i+1:], c); line > 0 {
					return line
				}
				text, i, start = s.rest, -1, false
			default:
				start = false
			}
		}
		next, bad, ok := s.next(depth == 1)
		if bad {
			return s.line
		}
		if !ok {
			return 0
		}
		text = next
	}
}
