package view

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/callboard/callboard/storage/view/jsondoc"
)

// Fields is a choice of fields of an entity, as dotted paths (contract catalog
// 4.7). Nil means all, empty means none.
type Fields []string

// What a choice may cost: each path is looked for in each entity of the answer.
const (
	maxFields       = 200
	maxFieldLength  = 1 << 10
	maxFieldSegment = 100
)

// FieldError is a choice that cannot be made; the message is part of the wire
// format, where the contract has one (contract catalog 4.7).
type FieldError struct{ message string }

func (e *FieldError) Error() string { return e.message }

// checkField says what is wrong with a path. One that is too long is not quoted.
func checkField(path string) error {
	switch {
	case len(path) > maxFieldLength:
		return &FieldError{fmt.Sprintf("Invalid field, longer than %d bytes", maxFieldLength)}
	case strings.Contains(path, "["):
		return &FieldError{fmt.Sprintf("Invalid field \"%s\", array type fields are not supported", path)}
	case strings.Count(path, ".") >= maxFieldSegment:
		return &FieldError{fmt.Sprintf("Invalid field \"%s\", more than %d segments", path, maxFieldSegment)}
	}
	return nil
}

// ParseFields reads dotted paths, each parameter holding several between
// commas. It returns nil without a parameter, and an empty choice when the
// parameters name nothing. The error is a *FieldError.
func ParseFields(params []string) (Fields, error) {
	if len(params) == 0 {
		return nil, nil
	}
	fields := Fields{}
	for _, param := range params {
		for path := range strings.SplitSeq(param, ",") {
			path = strings.TrimSpace(path)
			if path == "" {
				continue
			}
			if err := checkField(path); err != nil {
				return nil, err
			}
			if len(fields) == maxFields {
				return nil, &FieldError{fmt.Sprintf("Too many fields, at most %d are supported", maxFields)}
			}
			fields = append(fields, path)
		}
	}
	return fields, nil
}

// cuts hold the buffers of AppendJSON.
var cuts = sync.Pool{New: func() any { return new(cut) }}

// AppendJSON appends the entity with only these fields, in the entity's order.
func (e *Entity) AppendJSON(dst []byte, fields Fields) []byte {
	if fields == nil {
		return e.appendWhole(dst)
	}
	c := cuts.Get().(*cut)
	defer cuts.Put(c)
	if fields.ownOnly() {
		c.src = append(e.appendOwn(c.src[:0]), '}')
	} else {
		c.src = e.appendWhole(c.src[:0])
	}
	if err := c.doc.Parse(c.src); err != nil {
		return append(dst, "{}"...) // cannot be: we made it
	}
	c.keep = slices.Grow(c.keep[:0], c.doc.Len())[:c.doc.Len()]
	clear(c.keep)
	for _, path := range fields {
		c.mark(0, path)
	}
	return c.append(dst, 0)
}

// ownOnly says that neither relations nor the status are chosen, which may be large.
func (fields Fields) ownOnly() bool {
	return !slices.ContainsFunc(fields, func(path string) bool {
		return strings.HasPrefix(path, "relations") || strings.HasPrefix(path, "status")
	})
}

// kept says what becomes of a node.
type kept uint8

const (
	dropped kept = iota
	partly       // some descendants are chosen
	whole
)

type cut struct {
	src  []byte
	doc  jsondoc.Doc
	keep []kept
}

// mark keeps what a path leads to from object i. Keys may hold dots: every
// member that the path can go through is tried, the one with the shortest key
// first, until one leads somewhere.
func (c *cut) mark(i int, path string) bool {
	for n := -1; ; {
		var m int
		if m, n = c.lead(i, path, n); m < 0 {
			return false
		}
		if n == len(path) {
			c.keep[m] = whole
		} else if !c.mark(m, path[n+1:]) {
			continue
		}
		if c.keep[i] == dropped {
			c.keep[i] = partly
		}
		return true
	}
}

// lead finds the member of object i whose key is the beginning of the path, up
// to a dot or to the end: the shortest that is longer than least, and of equal
// ones the last, as Member does. It goes by the object's keys and not by the
// path's segments, of which a caller can send as many as it likes.
func (c *cut) lead(i int, path string, least int) (member, length int) {
	member, length = -1, len(path)
	if c.doc.Node(i).Kind != jsondoc.Object {
		return member, length
	}
	c.doc.Children(i, func(m int) bool {
		key := c.doc.Key(m)
		n := len(key)
		if n > least && n <= length && path[:n] == string(key) && (n == len(path) || path[n] == '.') {
			member, length = m, n
		}
		return true
	})
	return member, length
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
