// Package config reads app-config.yaml in Backstage's own shape and decodes it
// into what Callboard's packages want, with Callboard's keys under "callboard:".
//
// It is composed only by cmd/app and cmd/cli; no other package imports it.
// Unknown keys outside callboard: are tolerated, because a user brings a real
// Backstage configuration; unknown keys under it are errors.
package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"
)

// node is a value with the place it was written at.
type node struct {
	file   string
	line   int
	keys   []string // order of fields
	fields map[string]*node
	items  []*node
	scalar string
	tag    string // !!str, !!int, !!bool, !!null … of a scalar
	unset  string // the variable that is not set, where that makes the value absent
	origin string // the file that holds a scalar's text, "" where a variable does
}

func (n *node) place() string { return fmt.Sprintf("%s:%d", n.file, n.line) }

func (n *node) isNull() bool { return n.fields == nil && n.items == nil && n.tag == "!!null" }

// loadFile reads a configuration file.
func loadFile(path string, env func(string) (string, bool)) (*node, error) {
	n, err := loadNode(path, env, 0)
	if err != nil {
		return nil, err
	}
	if n.fields == nil {
		return nil, fmt.Errorf("%s: the configuration must be a mapping", n.place())
	}
	return n, nil
}

// loadNode reads one file, substitutes, and gives its tree.
func loadNode(path string, env func(string) (string, bool), depth int) (*node, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(doc.Content) == 0 {
		return &node{file: path, line: 1, fields: map[string]*node{}}, nil
	}
	return loader{file: path, env: env}.convert(doc.Content[0], depth)
}

type loader struct {
	file string
	env  func(string) (string, bool)
}

const maxDepth = 64

var errDepth = errors.New("nested too deeply")

func (l loader) convert(y *yaml.Node, depth int) (*node, error) {
	n := &node{file: l.file, line: y.Line}
	if depth > maxDepth {
		return nil, fmt.Errorf("%s: %w", n.place(), errDepth)
	}
	switch y.Kind {
	case yaml.AliasNode:
		return l.convert(y.Alias, depth+1)
	case yaml.SequenceNode:
		n.items = []*node{}
		for _, c := range y.Content {
			item, err := l.convert(c, depth+1)
			if err != nil {
				return nil, err
			}
			n.items = append(n.items, item)
		}
		return n, nil
	case yaml.MappingNode:
		return l.mapping(n, y, depth)
	}
	n.tag = y.ShortTag()
	if n.scalar = l.substitute(y.Value, n); n.scalar == y.Value {
		n.origin = l.file
	}
	return n, nil
}

func (l loader) mapping(n *node, y *yaml.Node, depth int) (*node, error) {
	if len(y.Content) == 2 {
		switch y.Content[0].Value {
		case "$env", "$file", "$include":
			return l.reference(n, y.Content[0].Value, y.Content[1], depth)
		}
	}
	n.fields = map[string]*node{}
	for i := 0; i+1 < len(y.Content); i += 2 {
		key := y.Content[i].Value
		if _, twice := n.fields[key]; twice {
			return nil, fmt.Errorf("%s:%d: key %q is given twice", l.file, y.Content[i].Line, key)
		}
		v, err := l.convert(y.Content[i+1], depth+1)
		if err != nil {
			return nil, err
		}
		n.keys = append(n.keys, key)
		n.fields[key] = v
	}
	return n, nil
}

// reference resolves {$env: NAME}, {$file: path} and {$include: path#key}, paths
// relative to the file that names them (contract platform 1).
func (l loader) reference(n *node, kind string, v *yaml.Node, depth int) (*node, error) {
	n.tag = "!!str"
	name := l.substitute(v.Value, n)
	if kind == "$env" {
		value, ok := l.env(name)
		if !ok {
			n.tag, n.unset = "!!null", name // absent in the environment means absent here
		}
		n.scalar = value
		return n, nil
	}
	path, key, _ := strings.Cut(name, "#")
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(l.file), path)
	}
	if kind == "$include" {
		return l.include(n, path, key, depth)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s: $file: %w", n.place(), err)
	}
	n.scalar, n.origin = strings.TrimSpace(string(raw)), path
	return n, nil
}

// include puts another YAML or JSON file, or what a dotted key of it holds, in
// place of the reference.
func (l loader) include(n *node, path, key string, depth int) (*node, error) {
	if depth > maxDepth/2 {
		return nil, fmt.Errorf("%s: $include: %w", n.place(), errDepth) // a file that includes itself
	}
	included, err := loadNode(path, l.env, depth+1)
	if err != nil {
		return nil, fmt.Errorf("%s: $include: %w", n.place(), err)
	}
	if key == "" {
		return included, nil
	}
	for part := range strings.SplitSeq(key, ".") {
		if included = included.fields[part]; included == nil {
			return nil, fmt.Errorf("%s: $include: %s has no key %s", n.place(), path, key)
		}
	}
	return included, nil
}

var variable = regexp.MustCompile(`\$?\$\{([^{}]+)\}`)

// substitute replaces ${NAME} and ${NAME:-default} inside a scalar. A scalar
// with an unset variable and no default is absent, as in Backstage.
func (l loader) substitute(s string, n *node) string {
	if !strings.Contains(s, "${") {
		return s
	}
	missing := ""
	out := variable.ReplaceAllStringFunc(s, func(m string) string {
		if strings.HasPrefix(m, "$$") {
			return m[1:] // $${NAME} is a literal ${NAME}
		}
		name, fallback, hasDefault := strings.Cut(m[2:len(m)-1], ":-")
		if v, ok := l.env(strings.TrimSpace(name)); ok && v != "" {
			return v
		}
		if !hasDefault {
			missing = strings.TrimSpace(name)
		}
		return fallback
	})
	if missing != "" {
		n.tag, n.unset = "!!null", missing
		return ""
	}
	if n.tag == "!!null" || n.tag == "" {
		n.tag = "!!str"
	}
	return out
}

// merge lays over on top of base: mappings by key, everything else replaced.
func merge(base, over *node) *node {
	if base == nil || base.fields == nil || over.fields == nil {
		return over
	}
	for _, k := range over.keys {
		if _, ok := base.fields[k]; !ok {
			base.keys = append(base.keys, k)
		}
		base.fields[k] = merge(base.fields[k], over.fields[k])
	}
	return base
}
