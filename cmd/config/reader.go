package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// reader takes typed values out of a tree and collects every fault with file,
// line and key, so that all are told at once.
type reader struct {
	errs *[]error
	node *node
	path string
	// unset is the variable for want of which the value is absent.
	unset string
}

// because ends a fault about an absent value, if a variable is to blame.
func (r reader) because() string {
	if r.unset == "" {
		return ""
	}
	return ": " + r.unset + " is not set"
}

func (r reader) fault(n *node, format string, args ...any) {
	place := ""
	if n != nil {
		place = n.place() + ": "
	}
	*r.errs = append(*r.errs, errors.New(place+fmt.Sprintf(format, args...)))
}

// at goes to a dotted path; an absent one is a reader without a node.
func (r reader) at(path string) reader {
	for key := range strings.SplitSeq(path, ".") {
		next := reader{errs: r.errs, path: join(r.path, key)}
		if r.node != nil && r.node.fields != nil {
			next.node = r.node.fields[key]
		}
		if next.node != nil && next.node.isNull() {
			next.node, next.unset = nil, next.node.unset
		}
		r = next
	}
	return r
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "." + b
}

func (r reader) present() bool { return r.node != nil }

func (r reader) str(fallback string) string {
	switch {
	case r.node == nil:
		return fallback
	case r.node.fields != nil || r.node.items != nil:
		r.fault(r.node, "%s must be a string", r.path)
		return fallback
	}
	return r.node.scalar
}

func (r reader) int(fallback int64) int64 {
	if r.node == nil {
		return fallback
	}
	v, err := strconv.ParseInt(r.str(""), 10, 64)
	if err != nil {
		r.fault(r.node, "%s must be a whole number, not %q", r.path, r.node.scalar)
		return fallback
	}
	return v
}

// share reads a number from 0 to 1.
func (r reader) share(fallback float64) float64 {
	if r.node == nil {
		return fallback
	}
	v, err := strconv.ParseFloat(r.str(""), 64)
	if err != nil || !(v >= 0 && v <= 1) {
		r.fault(r.node, "%s must be a number from 0 to 1, not %q", r.path, r.node.scalar)
		return fallback
	}
	return v
}

// bool takes the spellings that Backstage takes (contract platform, TYP-03).
func (r reader) bool(fallback bool) bool {
	if r.node == nil {
		return fallback
	}
	switch strings.ToLower(r.str("")) {
	case "true", "yes", "y", "1", "on":
		return true
	case "false", "no", "n", "0", "off":
		return false
	}
	r.fault(r.node, "%s must be true or false, not %q", r.path, r.node.scalar)
	return fallback
}

func (r reader) oneOf(fallback string, allowed ...string) string {
	v := r.str(fallback)
	if slices.Contains(allowed, v) {
		return v
	}
	r.fault(r.node, "%s must be one of %s, not %q", r.path, strings.Join(allowed, ", "), v)
	return fallback
}

// list gives the items.
func (r reader) list() []reader {
	if r.node == nil {
		return nil
	}
	if r.node.items == nil {
		r.fault(r.node, "%s must be a list", r.path)
		return nil
	}
	out := make([]reader, len(r.node.items))
	for i, item := range r.node.items {
		out[i] = reader{errs: r.errs, node: item, path: fmt.Sprintf("%s[%d]", r.path, i)}
	}
	return out
}

// fields gives the members of a mapping in order.
func (r reader) fields() (keys []string, values []reader) {
	if r.node == nil {
		return nil, nil
	}
	if r.node.fields == nil {
		r.fault(r.node, "%s must be a mapping", r.path)
		return nil, nil
	}
	for _, k := range r.node.keys {
		keys = append(keys, k)
		values = append(values, r.at(k))
	}
	return keys, values
}

// mapping is the reader itself, or, after a fault that ends in advice, one without
// a node: a value of another shape must not pass for an absent one.
func (r reader) mapping(advice string) reader {
	if r.node != nil && r.node.fields == nil {
		r.fault(r.node, "%s must be a mapping%s", r.path, advice)
		r.node = nil
	}
	return r
}

// strings reads a string or a list of them.
func (r reader) strings() []string {
	if r.node == nil {
		return nil
	}
	if r.node.items == nil {
		return []string{r.str("")}
	}
	var out []string
	for _, item := range r.list() {
		out = append(out, item.str(""))
	}
	return out
}

// only reports every key that is not known. A dot goes into nested mappings.
func (r reader) only(known ...string) {
	if r.node == nil {
		return
	}
	if r.node.fields == nil {
		r.fault(r.node, "%s must be a mapping", r.path)
	}
	for _, k := range r.node.keys {
		if !slices.Contains(known, k) {
			r.fault(r.node.fields[k], "%s is not a key of Callboard's; known are %s", join(r.path, k), strings.Join(known, ", "))
		}
	}
}
