// Package jsondoc reads one JSON document into a flat list of nodes that point
// into its bytes. It builds no maps and keeps the author's key order, so that
// an entity can be indexed, cut down to some fields, or given a canonical form
// without being decoded.
//
// It accepts exactly what encoding/json accepts, except for documents nested
// deeper than MaxDepth or longer than 2 GiB. It does not change documents and does not know entities.
//
//	var doc jsondoc.Doc
//	err := doc.Parse([]byte(`{"kind":"API"}`))
//	kind := doc.Member(0, "kind") // a node
package jsondoc

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"unsafe"
)

// MaxDepth is how deep objects and arrays may be nested.
const MaxDepth = 1000

// Kind is the type of a JSON value.
type Kind uint8

// The kinds.
const (
	Null Kind = iota
	False
	True
	Number
	String
	Array
	Object
)

// Node is one value. Nodes are in document order: the first child of node i is
// i+1, its next sibling is Next.
type Node struct {
	Kind Kind
	// escaped says that the string, keyEscaped that the key, holds a backslash.
	escaped, keyEscaped bool
	// Start and End enclose the value in the source, quotes included.
	Start, End int32
	// Next is the node after the last descendant.
	Next int32

	keyStart, keyEnd int32 // between the quotes; 0, 0 without a key
}

// Doc is a parsed document. It may be reused; the zero value is ready.
type Doc struct {
	src   []byte
	nodes []Node
}

var (
	errDepth  = fmt.Errorf("json: nested deeper than %d", MaxDepth)
	errLength = errors.New("json: longer than 2 GiB")
)

// Parse reads src, which the Doc then refers to: src must not change while the
// Doc is used. Node 0 is the root.
func (d *Doc) Parse(src []byte) error {
	d.src, d.nodes = src, d.nodes[:0]
	if len(src) >= math.MaxInt32 {
		return errLength // offsets are of 32 bits
	}
	p := parser{src: src, doc: d}
	p.space()
	if err := p.value(0); err != nil {
		return err
	}
	p.space()
	if p.pos != len(src) {
		return p.unexpected()
	}
	return nil
}

// Node returns node i.
func (d *Doc) Node(i int) *Node { return &d.nodes[i] }

// Len is the number of nodes.
func (d *Doc) Len() int { return len(d.nodes) }

// Raw is the source of node i.
func (d *Doc) Raw(i int) []byte { return d.src[d.nodes[i].Start:d.nodes[i].End] }

// Children calls fn for each child of an object or array, in order, until it
// answers false.
func (d *Doc) Children(i int, fn func(child int) bool) {
	if k := d.nodes[i].Kind; k != Object && k != Array {
		return
	}
	end := int(d.nodes[i].Next)
	for c := i + 1; c < end; c = int(d.nodes[c].Next) {
		if !fn(c) {
			return
		}
	}
}

// Member is the child of object i with this key, -1 if there is none. As in
// every JSON reader that makes maps, the last of equal keys counts.
func (d *Doc) Member(i int, key string) int {
	found := -1
	if d.nodes[i].Kind != Object {
		return found
	}
	d.Children(i, func(c int) bool {
		if string(d.Key(c)) == key {
			found = c
		}
		return true
	})
	return found
}

// Key is the key of node i in its object, without escapes. The bytes must not be changed.
func (d *Doc) Key(i int) []byte {
	n := &d.nodes[i]
	if n.keyEscaped {
		return unquote(d.src[n.keyStart-1 : n.keyEnd+1])
	}
	return d.src[n.keyStart:n.keyEnd]
}

// RawKey is the key of node i as written, quotes included.
func (d *Doc) RawKey(i int) []byte {
	n := &d.nodes[i]
	return d.src[n.keyStart-1 : n.keyEnd+1]
}

// Text is the content of a string node, without escapes. The bytes must not be changed.
func (d *Doc) Text(i int) []byte {
	n := &d.nodes[i]
	if n.Kind != String {
		return nil
	}
	if n.escaped {
		return unquote(d.src[n.Start:n.End])
	}
	return d.src[n.Start+1 : n.End-1]
}

// Shared is what Text is, as a string that shares the source: it is for those
// who know that the source never changes, and spares them a copy of each value.
func (d *Doc) Shared(i int) string {
	text := d.Text(i)
	return unsafe.String(unsafe.SliceData(text), len(text)) //nolint:gosec // as said above
}

// unquote reads a string that holds escapes. They are rare, so the standard
// library may do the difficult part: surrogates.
func unquote(quoted []byte) []byte {
	var s string
	if err := json.Unmarshal(quoted, &s); err != nil {
		return quoted // cannot be: the parser accepted it
	}
	return []byte(s)
}

type parser struct {
	src []byte
	pos int
	doc *Doc
}

func (p *parser) unexpected() error {
	if p.pos >= len(p.src) {
		return errors.New("json: unexpected end")
	}
	return fmt.Errorf("json: unexpected %q at offset %d", p.src[p.pos], p.pos)
}

func (p *parser) peek() byte {
	if p.pos < len(p.src) {
		return p.src[p.pos]
	}
	return 0
}

func (p *parser) space() {
	for p.pos < len(p.src) {
		switch p.src[p.pos] {
		case ' ', '\t', '\n', '\r':
			p.pos++
		default:
			return
		}
	}
}

// value reads one value and appends its nodes.
func (p *parser) value(depth int) error {
	if depth > MaxDepth {
		return errDepth
	}
	at := len(p.doc.nodes)
	p.doc.nodes = append(p.doc.nodes, Node{Start: int32(p.pos)})
	var (
		kind    Kind
		escaped bool
		err     error
	)
	switch c := p.peek(); {
	case c == '{':
		kind, err = Object, p.object(depth)
	case c == '[':
		kind, err = Array, p.array(depth)
	case c == '"':
		kind = String
		escaped, err = p.str()
	case c == '-' || c >= '0' && c <= '9':
		kind, err = Number, p.number()
	case c == 't':
		kind, err = True, p.literal("true")
	case c == 'f':
		kind, err = False, p.literal("false")
	case c == 'n':
		kind, err = Null, p.literal("null")
	default:
		err = p.unexpected()
	}
	if err != nil {
		return err
	}
	n := &p.doc.nodes[at]
	n.Kind, n.escaped, n.End, n.Next = kind, escaped, int32(p.pos), int32(len(p.doc.nodes))
	return nil
}

func (p *parser) object(depth int) error {
	p.pos++
	p.space()
	if p.peek() == '}' {
		p.pos++
		return nil
	}
	for {
		if p.peek() != '"' {
			return p.unexpected()
		}
		keyStart := int32(p.pos + 1)
		escaped, err := p.str()
		if err != nil {
			return err
		}
		keyEnd := int32(p.pos - 1)
		p.space()
		if p.peek() != ':' {
			return p.unexpected()
		}
		p.pos++
		p.space()
		at := len(p.doc.nodes)
		if err := p.value(depth + 1); err != nil {
			return err
		}
		n := &p.doc.nodes[at]
		n.keyStart, n.keyEnd, n.keyEscaped = keyStart, keyEnd, escaped
		if done, err := p.separator('}'); done || err != nil {
			return err
		}
	}
}

func (p *parser) array(depth int) error {
	p.pos++
	p.space()
	if p.peek() == ']' {
		p.pos++
		return nil
	}
	for {
		if err := p.value(depth + 1); err != nil {
			return err
		}
		if done, err := p.separator(']'); done || err != nil {
			return err
		}
	}
}

// separator reads a comma or the closing bracket.
func (p *parser) separator(closing byte) (done bool, err error) {
	p.space()
	switch p.peek() {
	case closing:
		p.pos++
		return true, nil
	case ',':
		p.pos++
		p.space()
		return false, nil
	}
	return false, p.unexpected()
}

func (p *parser) literal(word string) error {
	if len(p.src)-p.pos < len(word) || string(p.src[p.pos:p.pos+len(word)]) != word {
		return p.unexpected()
	}
	p.pos += len(word)
	return nil
}

func (p *parser) str() (escaped bool, err error) {
	p.pos++
	for {
		rest := p.src[p.pos:] // most of a document is read here
		n := 0
		for n < len(rest) && plain[rest[n]] {
			n++
		}
		p.pos += n
		switch p.peek() {
		case '"':
			p.pos++
			return escaped, nil
		case '\\':
			escaped = true
			if err := p.escape(); err != nil {
				return false, err
			}
		default: // a control character, or the end
			return false, p.unexpected()
		}
	}
}

// plain are the bytes that a string may hold as they are.
var plain = func() (plain [256]bool) {
	for c := range plain {
		plain[c] = c >= 0x20 && c != '"' && c != '\\'
	}
	return plain
}()

func (p *parser) escape() error {
	p.pos++
	switch p.peek() {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		p.pos++
		return nil
	case 'u':
		p.pos++
		for range 4 {
			c := p.peek()
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
				return p.unexpected()
			}
			p.pos++
		}
		return nil
	}
	return p.unexpected()
}

func (p *parser) number() error {
	if p.peek() == '-' {
		p.pos++
	}
	if p.peek() == '0' {
		p.pos++
	} else if !p.digits() {
		return p.unexpected()
	}
	if p.peek() == '.' {
		p.pos++
		if !p.digits() {
			return p.unexpected()
		}
	}
	if c := p.peek(); c == 'e' || c == 'E' {
		p.pos++
		if c := p.peek(); c == '+' || c == '-' {
			p.pos++
		}
		if !p.digits() {
			return p.unexpected()
		}
	}
	return nil
}

func (p *parser) digits() bool {
	start := p.pos
	for c := p.peek(); c >= '0' && c <= '9'; c = p.peek() {
		p.pos++
	}
	return p.pos > start
}
