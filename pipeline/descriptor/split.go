package descriptor

import "strings"

// chunk is the text of one YAML document, whole lines with their directives
// and start marker. Splitting first is what keeps a syntax error from taking
// the rest of the stream along.
type chunk struct {
	text string
	// line is where text starts in the file, content where its first line of
	// content is, both from 1.
	line, content int
	v11           bool
	// misplaced is the line of content that follows directives without "---" between; 0 for none.
	misplaced int
}

// split cuts a stream at its document markers. By YAML 1.2 section 9.1.2 "---"
// or "..." at the start of a line ends a document wherever it stands, even
// inside a quoted or block scalar.
func split(src string) []chunk {
	s := splitter{src: src}
	line := 1
	for pos := 0; pos < len(src); line++ {
		end := len(src)
		if i := strings.IndexByte(src[pos:], '\n'); i >= 0 {
			end = pos + i + 1
		}
		s.take(src[pos:end], pos, line)
		pos = end
	}
	s.finish(len(src))
	return s.chunks
}

type splitter struct {
	src    string
	chunks []chunk
	// open is the document being read, start the offset of its text.
	open  *chunk
	start int
	// directives says that directive lines wait for their "---"; v11 that the
	// last %YAML said 1.1, which lasts until another one.
	directives bool
	directAt   int
	directLine int
	v11        bool
}

func (s *splitter) take(text string, pos, line int) {
	switch {
	case isMarker(text, "---"):
		s.finish(pos)
		start, first := pos, line
		if s.directives {
			start, first = s.directAt, s.directLine
		}
		s.begin(start, first)
		rest := strings.TrimSpace(text[3:])
		if rest != "" && rest[0] != '#' {
			s.open.content = line
		}
	case isMarker(text, "..."):
		if s.open == nil {
			s.begin(pos, line) // an end without a beginning counts as an empty document
		}
		s.finish(pos)
	case s.open != nil:
		if s.open.content == 0 && isContent(text) {
			s.open.content = line
		}
	case strings.HasPrefix(text, "%"):
		s.directive(text, pos, line)
	case isContent(text):
		misplaced := 0
		if s.directives {
			misplaced = line
		}
		s.begin(pos, line)
		s.open.content, s.open.misplaced = line, misplaced
	}
}

func (s *splitter) directive(text string, pos, line int) {
	if !s.directives {
		s.directives, s.directAt, s.directLine = true, pos, line
	}
	if f := strings.Fields(text); len(f) > 1 && f[0] == "%YAML" {
		s.v11 = f[1] == "1.1"
	}
}

func (s *splitter) begin(start, first int) {
	s.open = &chunk{line: first, v11: s.v11}
	s.start = start
	s.directives = false
}

func (s *splitter) finish(end int) {
	if s.open == nil {
		return
	}
	s.open.text = s.src[s.start:end]
	if !strings.HasSuffix(s.open.text, "\n") {
		s.open.text += "\n" // a block scalar at the end of the file ends in a line break all the same
	}
	if s.open.content == 0 {
		s.open.content = s.open.line
	}
	s.chunks = append(s.chunks, *s.open)
	s.open = nil
}

func isMarker(line, marker string) bool {
	return strings.HasPrefix(line, marker) && (len(line) == 3 || strings.IndexByte(" \t\r\n", line[3]) >= 0)
}

func isContent(line string) bool {
	t := strings.TrimSpace(line)
	return t != "" && t[0] != '#'
}

// withoutDirectives blanks the directive lines that the YAML library does not
// know or refuses (%YAML 1.2 among them); %TAG stays.
func withoutDirectives(text string) string {
	if !strings.HasPrefix(text, "%") {
		return text
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "---") {
			break
		}
		if !strings.HasPrefix(line, "%TAG") {
			line = "\n"
		}
		b.WriteString(line)
	}
	if i := strings.Index(text, "\n---"); i >= 0 {
		b.WriteString(text[i+1:])
	}
	return b.String()
}
