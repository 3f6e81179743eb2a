package view

import (
	"strings"
	"unicode/utf8"

	"github.com/callboard/callboard/storage/entity"
	"github.com/callboard/callboard/storage/view/jsondoc"
)

// maxRow is how long a search key or value may be, in UTF-16 units
// (contract catalog 4.4).
const maxRow = 200

// row is one search row: what makes an entity findable.
type row struct {
	// key is lower-case. It is only valid during the call.
	key []byte
	// value is as written, and shares the document's bytes; null rows only make
	// the key exist.
	value string
	null  bool
	// flag marks the row that says an array holds the string that ends the key.
	flag bool
}

// rows walks entities' documents, one after the other, and yields their search rows, those for
// relations excepted, which the graph knows (contract catalog 4.4). The same
// row may come more than once.
type rows struct {
	doc   *jsondoc.Doc
	path  []byte
	lower []byte
	yield func(row)
}

// walk yields the rows of the document with this uid.
func (w *rows) walk(doc *jsondoc.Doc, uid string, yield func(row)) {
	w.doc, w.yield, w.path = doc, yield, w.path[:0]
	w.visit(0)
	name, namespace := -1, -1
	if m := doc.Member(0, "metadata"); m >= 0 {
		name, namespace = doc.Member(m, "name"), doc.Member(m, "namespace")
	}
	w.at("metadata.name")
	if name >= 0 {
		w.scalar(name)
	}
	w.at("metadata.namespace")
	if namespace >= 0 && !isEmpty(doc, namespace) {
		w.scalar(namespace)
	} else {
		w.emit(entity.DefaultNamespace, false, false)
	}
	w.at("metadata.uid")
	w.emit(uid, false, false)
}

func (w *rows) at(path string) { w.path = append(w.path[:0], path...) }

func isEmpty(doc *jsondoc.Doc, i int) bool {
	return doc.Node(i).Kind == jsondoc.Null || doc.Node(i).Kind == jsondoc.String && len(doc.Text(i)) == 0
}

// special paths are not searchable, or are added apart.
func special(path []byte) bool {
	switch string(path) {
	case "attachments", "relations", "status",
		"metadata.name", "metadata.namespace", "metadata.uid", "metadata.etag":
		return true
	}
	return false
}

func (w *rows) visit(i int) {
	if special(w.path) {
		return
	}
	here := len(w.path)
	switch w.doc.Node(i).Kind {
	case jsondoc.Array:
		w.doc.Children(i, func(c int) bool {
			w.visit(c)
			if w.doc.Node(c).Kind == jsondoc.String {
				w.path = append(append(w.path, '.'), w.doc.Text(c)...)
				w.emit("true", false, true)
				w.path = w.path[:here]
			}
			return true
		})
	case jsondoc.Object:
		w.doc.Children(i, func(c int) bool {
			if here > 0 {
				w.path = append(w.path, '.')
			}
			w.path = append(w.path, w.doc.Key(c)...)
			w.visit(c)
			w.path = w.path[:here]
			return true
		})
	default:
		w.scalar(i)
	}
}

func (w *rows) scalar(i int) {
	switch w.doc.Node(i).Kind {
	case jsondoc.Null:
		w.emit("", true, false)
	case jsondoc.String:
		w.emit(w.doc.Shared(i), false, false)
	case jsondoc.Number:
		w.emit(string(jsondoc.AppendNumber(nil, w.doc.Raw(i))), false, false)
	case jsondoc.True:
		w.emit("true", false, false)
	case jsondoc.False:
		w.emit("false", false, false)
	}
}

func (w *rows) emit(value string, null, flag bool) {
	if len(w.path) > 3*maxRow {
		return // longer than any key of maxRow units: do not even fold it
	}
	w.lower = appendLower(w.lower[:0], w.path)
	if tooLong(w.lower) {
		return
	}
	if !null && tooLong(value) {
		value, null = "", true
	}
	w.yield(row{key: w.lower, value: value, null: null, flag: flag})
}

// appendLower appends text in lower case.
func appendLower[T []byte | string](dst []byte, text T) []byte {
	at := len(dst)
	for i := range len(text) {
		c := text[i]
		if c >= utf8.RuneSelf {
			return append(dst[:at], strings.ToLower(string(text))...)
		}
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

// tooLong counts as JavaScript does: characters beyond the basic plane count twice.
func tooLong[T []byte | string](text T) bool {
	if len(text) <= maxRow {
		return false
	}
	if len(text) > 3*maxRow {
		return true
	}
	n := 0
	for _, r := range string(text) {
		if n++; r > 0xFFFF {
			n++
		}
	}
	return n > maxRow
}
