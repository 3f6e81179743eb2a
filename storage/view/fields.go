package view

import (
	"fmt"
	"strings"
	"sync"

	"github.com/callboard/callboard/storage/view/jsondoc"
)

// Fields is a choice of fields of an entity (contract catalog 4.7); nil means all.
type Fields [][]string

// FieldError is a field that cannot be chosen; the message is part of the wire format.
type FieldError struct{ Field string }

func (e *FieldError) Error() string {
	return fmt.Sprintf("Invalid field \"%s\", array type fields are not supported", e.Field)
}

// ParseFields reads dotted paths, each parameter holding several between
// commas. Without any it returns nil. The error is a *FieldError.
func ParseFields(params []string) (Fields, error) {
	var fields Fields
	for _, param := range params {
		for path := range strings.SplitSeq(param, ",") {
			path = strings.TrimSpace(path)
			if path == "" {
				continue
			}
			if strings.Contains(path, "[") {
				return nil, &FieldError{Field: path}
			}
			fields = append(fields, strings.Split(path, "."))
		}
	}
	return fields, nil
}

var docs = sync.Pool{New: func() any { return new(jsondoc.Doc) }}

// AppendJSON appends the entity with only these fields, in the entity's order.
func (e *Entity) AppendJSON(dst []byte, fields Fields) []byte {
	if fields == nil {
		return append(dst, e.json...)
	}
	doc := docs.Get().(*jsondoc.Doc)
	defer docs.Put(doc)
	if err := doc.Parse(e.json); err != nil {
		return append(dst, "{}"...) // cannot be: we made it
	}
	c := &cut{doc: doc, keep: make([]kept, doc.Len())}
	for _, path := range fields {
		c.mark(0, path)
	}
	return c.append(dst, 0)
}

// kept says what becomes of a node.
type kept uint8

const (
	dropped kept = iota
	partly       // some descendants are chosen
	whole
)

type cut struct {
	doc  *jsondoc.Doc
	keep []kept
}

// mark keeps what a path leads to from object i. Keys may hold dots: every way
// to join segments is tried, short ones first, until one leads somewhere.
func (c *cut) mark(i int, path []string) bool {
	if len(path) == 0 {
		c.keep[i] = whole
		return true
	}
	for n := 1; n <= len(path); n++ {
		m := c.doc.Member(i, strings.Join(path[:n], "."))
		if m < 0 || !c.mark(m, path[n:]) {
			continue
		}
		if c.keep[i] == dropped {
			c.keep[i] = partly
		}
		return true
	}
	return false
}

func (c *cut) append(dst []byte, i int) []byte {
	if c.keep[i] == whole {
		return append(dst, c.doc.Raw(i)...)
	}
	dst = append(dst, '{')
	first := true
	c.doc.Children(i, func(m int) bool {
		if c.keep[m] == dropped {
			return true
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(append(dst, c.doc.RawKey(m)...), ':')
		dst = c.append(dst, m)
		return true
	})
	return append(dst, '}')
}
