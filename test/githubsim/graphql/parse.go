// Package graphql parses and executes the subset of GraphQL that clients send
// to GitHub: queries with variables, aliases, arguments, fragments, @include
// and @skip, over Go values that resolve their own fields.
//
// It knows nothing of GitHub: the simulator supplies the values. Subscriptions,
// introspection and schema validation ahead of execution are not here. The
// grammar is that of the GraphQL specification, October 2021, section 2.
package graphql

import (
	"fmt"
	"strconv"
	"strings"
)

// Document is a parsed request.
type Document struct {
	operations []*operation
	fragments  map[string]*fragment
}

type operation struct {
	kind, name string
	variables  []variable
	selections []selection
}

type variable struct {
	name     string
	fallback any
	required bool
}

type fragment struct {
	on         string
	selections []selection
}

// selection is a field, a fragment spread or an inline fragment.
type selection struct {
	alias, name string
	args        map[string]any
	spread      string
	inline      bool
	on          string
	directives  []directive
	selections  []selection
	line        int
	column      int
}

type directive struct {
	name string
	args map[string]any
}

// Values that are not JSON's own.
type (
	variableRef string
	enum        string
)

// maxDepth bounds nesting, so that hostile input cannot exhaust the stack.
const maxDepth = 100

type parser struct {
	lexer
	depth int
}

// Parse reads a request document.
func Parse(text string) (doc *Document, err error) {
	p := &parser{lexer: lexer{text: text, line: 1}}
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(syntaxError)
			if !ok {
				panic(r)
			}
			doc, err = nil, e
		}
	}()
	p.next()
	doc = &Document{fragments: map[string]*fragment{}}
	for p.tok != "" {
		if p.tok != "fragment" {
			doc.operations = append(doc.operations, p.operation())
			continue
		}
		p.next()
		name := p.name()
		p.expect("on")
		f := &fragment{on: p.name()}
		p.directives()
		f.selections = p.selectionSet()
		doc.fragments[name] = f
	}
	if len(doc.operations) == 0 {
		p.fail("no operation")
	}
	return doc, nil
}

func (p *parser) operation() *operation {
	op := &operation{kind: "query"}
	if p.tok != "{" {
		op.kind = p.name()
		if op.kind != "query" && op.kind != "mutation" {
			p.fail("unexpected %q", op.kind)
		}
		if p.kind == tokenName {
			op.name = p.name()
		}
		if p.accept("(") {
			for !p.accept(")") {
				op.variables = append(op.variables, p.variable())
			}
		}
		p.directives()
	}
	op.selections = p.selectionSet()
	return op
}

func (p *parser) variable() variable {
	p.expect("$")
	v := variable{name: p.name()}
	p.expect(":")
	p.typeRef()
	v.required = p.accept("!")
	if p.accept("=") {
		v.fallback = p.value()
		v.required = false
	}
	return v
}

func (p *parser) typeRef() {
	p.enter()
	defer p.leave()
	if p.accept("[") {
		p.typeRef()
		p.accept("!")
		p.expect("]")
		return
	}
	p.name()
}

func (p *parser) selectionSet() []selection {
	p.enter()
	defer p.leave()
	p.expect("{")
	var out []selection
	for !p.accept("}") {
		out = append(out, p.selection())
	}
	if len(out) == 0 {
		p.fail("empty selection")
	}
	return out
}

func (p *parser) selection() selection {
	s := selection{line: p.line, column: p.column}
	if p.accept("...") {
		if p.kind == tokenName && p.tok != "on" {
			s.spread = p.name()
			s.directives = p.directives()
			return s
		}
		s.inline = true
		if p.accept("on") {
			s.on = p.name()
		}
		s.directives = p.directives()
		s.selections = p.selectionSet()
		return s
	}
	s.name = p.name()
	s.alias = s.name
	if p.accept(":") {
		s.name = p.name()
	}
	s.args = p.arguments()
	s.directives = p.directives()
	if p.tok == "{" && p.kind == tokenPunct {
		s.selections = p.selectionSet()
	}
	return s
}

func (p *parser) arguments() map[string]any {
	if !p.accept("(") {
		return nil
	}
	args := map[string]any{}
	for !p.accept(")") {
		name := p.name()
		p.expect(":")
		args[name] = p.value()
	}
	return args
}

func (p *parser) directives() []directive {
	var out []directive
	for p.accept("@") {
		out = append(out, directive{name: p.name(), args: p.arguments()})
	}
	return out
}

func (p *parser) value() any {
	p.enter()
	defer p.leave()
	tok := p.tok
	switch p.kind {
	case tokenString:
		p.next()
		return tok
	case tokenNumber:
		p.next()
		if strings.ContainsAny(tok, ".eE") {
			f, err := strconv.ParseFloat(tok, 64)
			if err != nil {
				p.fail("number %q", tok)
			}
			return f
		}
		n, err := strconv.ParseInt(tok, 10, 64)
		if err != nil {
			p.fail("number %q", tok)
		}
		return n
	case tokenName:
		p.next()
		switch tok {
		case "true":
			return true
		case "false":
			return false
		case "null":
			return nil
		}
		return enum(tok)
	}
	switch {
	case p.accept("$"):
		return variableRef(p.name())
	case p.accept("["):
		list := []any{}
		for !p.accept("]") {
			list = append(list, p.value())
		}
		return list
	case p.accept("{"):
		object := map[string]any{}
		for !p.accept("}") {
			name := p.name()
			p.expect(":")
			object[name] = p.value()
		}
		return object
	}
	p.fail("unexpected %q", tok)
	return nil
}

func (p *parser) enter() {
	if p.depth++; p.depth > maxDepth {
		p.fail("nested deeper than %d", maxDepth)
	}
}

func (p *parser) leave() { p.depth-- }

func (p *parser) name() string {
	if p.kind != tokenName {
		p.fail("expected a name, found %q", p.tok)
	}
	tok := p.tok
	p.next()
	return tok
}

func (p *parser) accept(tok string) bool {
	if p.kind == tokenString || p.tok != tok {
		return false
	}
	p.next()
	return true
}

func (p *parser) expect(tok string) {
	if !p.accept(tok) {
		p.fail("expected %q, found %q", tok, p.tok)
	}
}

// syntaxError carries where the text went wrong.
type syntaxError struct {
	line, column int
	text         string
}

func (e syntaxError) Error() string {
	return fmt.Sprintf("syntax error at [%d, %d]: %s", e.line, e.column, e.text)
}
