package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// entityKeys is the order in which the parts of an entity are read best. Other
// keys keep the order that the server sent.
var entityKeys = []string{"apiVersion", "kind", "metadata", "spec", "relations", "status"}

// writeYAML writes JSON as one YAML document.
func writeYAML(w io.Writer, raw json.RawMessage) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	node, err := yamlNode(dec)
	if err != nil {
		return fmt.Errorf("write YAML: %w", err)
	}
	var buf bytes.Buffer
	enc := yaml.NewEncoder(&buf)
	enc.SetIndent(2)
	if err := enc.Encode(node); err != nil {
		return fmt.Errorf("write YAML: %w", err)
	}
	if err := enc.Close(); err != nil {
		return fmt.Errorf("write YAML: %w", err)
	}
	_, err = w.Write(buf.Bytes())
	return err
}

// yaml11 are words that readers of YAML 1.1 take for a boolean.
var yaml11 = []string{"y", "n", "yes", "no", "on", "off"}

// yamlNode reads the next value. encoding/json bounds how deep it may nest.
func yamlNode(dec *json.Decoder) (*yaml.Node, error) {
	token, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch v := token.(type) {
	case json.Delim:
		node := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		if v == '{' {
			node.Kind, node.Tag = yaml.MappingNode, "!!map"
		}
		for dec.More() { // the members of an object come as key, value, key, value
			child, err := yamlNode(dec)
			if err != nil {
				return nil, err
			}
			node.Content = append(node.Content, child)
		}
		if v == '{' {
			sortKeys(node)
		}
		_, err := dec.Token()
		return node, err
	case string:
		node := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: v}
		switch {
		case strings.Contains(v, "\n"):
			node.Style = yaml.LiteralStyle
		case slices.Contains(yaml11, strings.ToLower(v)):
			node.Style = yaml.DoubleQuotedStyle
		}
		return node, nil
	case json.Number:
		tag := "!!int"
		if strings.ContainsAny(v.String(), ".eE") {
			tag = "!!float"
		}
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: v.String()}, nil
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: fmt.Sprint(v)}, nil
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}, nil
}

// sortKeys brings the parts of an entity into their order; other mappings stay.
func sortKeys(mapping *yaml.Node) {
	if !slices.ContainsFunc(mapping.Content, func(n *yaml.Node) bool { return n.Value == "metadata" }) {
		return
	}
	type member struct{ key, value *yaml.Node }
	var members []member
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		members = append(members, member{mapping.Content[i], mapping.Content[i+1]})
	}
	place := func(m member) int {
		if i := slices.Index(entityKeys, m.key.Value); i >= 0 {
			return i
		}
		return len(entityKeys)
	}
	slices.SortStableFunc(members, func(a, b member) int { return place(a) - place(b) })
	mapping.Content = mapping.Content[:0]
	for _, m := range members {
		mapping.Content = append(mapping.Content, m.key, m.value)
	}
}
