package descriptor

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// document is one YAML document after reading.
type document struct {
	index, line int
	chunk       chunk
	root        *yaml.Node
	value       any
	fault       *fault
}

// fault is why a document could not be read: its place in the file, and the
// words that Backstage has for it.
type fault struct {
	rule      string
	line, col int
	// message is the error of the YAML parser, without its name.
	message string
	// thrown faults leave Backstage's parser as exceptions and are worded otherwise.
	thrown bool
}

// decode reads a chunk. lines gives the file around an error.
func decode(c chunk, limits Limits, lines *lineIndex) (root *yaml.Node, value any, f *fault) {
	if c.misplaced > 0 {
		return nil, nil, lines.fault("yaml-syntax", "Missing directives-end/doc-start indicator line", c.misplaced, 1)
	}
	if strings.TrimSpace(c.text) == "" {
		return nil, nil, nil
	}
	text, veiled := veil(withoutDirectives(c.text))
	root, err := load(text)
	if err != nil && strings.Contains(err.Error(), "invalid Unicode character escape code") {
		root, err = load(joinSurrogates(text))
	}
	if err != nil {
		return nil, nil, syntaxFault(err, c, lines)
	}
	if root == nil || len(root.Content) == 0 {
		return nil, nil, nil
	}
	d := decoder{limits: limits, chunk: c, lines: lines, veiled: veiled, active: map[*yaml.Node]bool{}}
	value, f = d.value(root.Content[0], -1, 0)
	if f != nil {
		return nil, nil, f
	}
	return root.Content[0], value, nil
}

func load(text string) (*yaml.Node, error) {
	var root yaml.Node
	if err := yaml.Load([]byte(text), &root); err != nil {
		return nil, err
	}
	return &root, nil
}

// decoder turns nodes into values, by the rules of the npm package that
// Backstage reads with rather than those of the Go library.
type decoder struct {
	limits Limits
	chunk  chunk
	lines  *lineIndex
	veiled bool
	nodes  int
	// active are the anchored collections we are inside of: an alias to one never ends.
	active map[*yaml.Node]bool
}

func (d *decoder) fault(rule, message string, n *yaml.Node) *fault {
	return d.lines.fault(rule, message, d.chunk.line+n.Line-1, n.Column)
}

// value converts a node. indent is the column of the innermost block
// collection around it, -1 at the root.
func (d *decoder) value(n *yaml.Node, indent, depth int) (any, *fault) {
	d.nodes++
	if d.nodes > d.limits.Nodes {
		f := d.fault("yaml-size", "Excessive alias count indicates a resource exhaustion attack", n)
		f.thrown = true
		return nil, f
	}
	if depth > d.limits.Depth {
		return nil, d.fault("yaml-depth", fmt.Sprintf("Nested deeper than %d levels", d.limits.Depth), n)
	}
	if n.Kind == yaml.AliasNode {
		if n.Alias == nil || d.active[n.Alias] {
			f := d.fault("yaml-alias", "Unresolved alias (the anchor must be set before the alias): "+n.Value, n)
			f.thrown = true
			return nil, f
		}
		return d.value(n.Alias, math.MinInt, depth)
	}
	if f := d.checkIndent(n, indent); f != nil {
		return nil, f
	}
	switch n.Kind {
	case yaml.MappingNode, yaml.SequenceNode:
		d.active[n] = true
		defer delete(d.active, n)
		if n.Style&yaml.FlowStyle != 0 {
			indent = math.MinInt // inside a flow collection only its own brackets count
		} else if indent != math.MinInt {
			indent = n.Column - 1
		}
		if n.Kind == yaml.SequenceNode {
			return d.sequence(n, indent, depth+1)
		}
		return d.mapping(n, indent, depth+1)
	default:
		return d.scalar(n), nil
	}
}

func (d *decoder) scalar(n *yaml.Node) any {
	s := d.text(n)
	switch {
	case n.Tag == "!":
		return s
	case n.Style&yaml.TaggedStyle != 0:
		return resolveTagged(n.Tag, s, d.chunk.v11)
	case n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return s
	}
	v, _ := resolvePlain(s, d.chunk.v11)
	return v
}

func (d *decoder) text(n *yaml.Node) string {
	if d.veiled {
		return unveil(n.Value)
	}
	return n.Value
}

func (d *decoder) sequence(n *yaml.Node, indent, depth int) (any, *fault) {
	list := make([]any, 0, len(n.Content))
	for _, item := range n.Content {
		v, f := d.value(item, indent, depth)
		if f != nil {
			return nil, f
		}
		list = append(list, v)
	}
	if n.Tag == "!!omap" && n.Style&yaml.TaggedStyle != 0 {
		return opaque{"{}"}, nil
	}
	return list, nil
}

func (d *decoder) mapping(n *yaml.Node, indent, depth int) (any, *fault) {
	o := newObject(len(n.Content) / 2)
	seen := make(map[string]bool, len(n.Content)/2)
	var merges []any
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		key, f := d.value(k, indent, depth)
		if f != nil {
			return nil, f
		}
		merge := d.chunk.v11 && k.Kind == yaml.ScalarNode && k.Value == "<<" && k.Style == 0
		// Only scalars written here are compared, by type and value: 1 and "1"
		// are two keys, 1 and 1.0 are one. A key by alias never counts.
		if k.Kind == yaml.ScalarNode && !merge {
			id := keyIdentity(key)
			if seen[id] {
				return nil, d.fault("yaml-duplicate-key", "Map keys must be unique", k)
			}
			seen[id] = true
		}
		v, f := d.value(n.Content[i+1], indent, depth)
		if f != nil {
			return nil, f
		}
		if merge {
			merges = append(merges, v)
			continue
		}
		o.set(keyText(key), v)
	}
	for _, m := range merges {
		mergeInto(o, m)
	}
	if n.Tag == "!!set" && n.Style&yaml.TaggedStyle != 0 {
		return opaque{"{}"}, nil
	}
	return o, nil
}

// mergeInto adds the keys that a merge key of YAML 1.1 brings and the mapping has not.
func mergeInto(o *object, v any) {
	switch v := v.(type) {
	case *object:
		for _, k := range v.keys {
			if _, ok := o.get(k); !ok {
				o.set(k, v.values[k])
			}
		}
	case []any:
		for _, item := range v {
			mergeInto(o, item)
		}
	}
}

func keyIdentity(key any) string {
	switch k := key.(type) {
	case string:
		return "s" + k
	case float64:
		return "n" + numberText(k)
	case bool:
		return "b" + strconv.FormatBool(k)
	default:
		return "0"
	}
}

// keyText is the name of a property that a key becomes.
func keyText(key any) string {
	switch k := key.(type) {
	case nil:
		return ""
	case string:
		return k
	case bool:
		return strconv.FormatBool(k)
	case float64:
		return numberText(k)
	case []any:
		parts := make([]string, len(k))
		for i, item := range k {
			parts[i] = keyText(item)
		}
		return "[ " + strings.Join(parts, ", ") + " ]"
	case *object:
		parts := make([]string, len(k.keys))
		for i, name := range k.keys {
			parts[i] = name
			if v := k.values[name]; v != nil {
				parts[i] += ": " + keyText(v)
			}
		}
		return "{ " + strings.Join(parts, ", ") + " }"
	default:
		return string(appendJSON(nil, k))
	}
}
