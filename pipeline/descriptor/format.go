package descriptor

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// The formats of contract catalog 1.3. A pattern ends in \z where JavaScript
// says $, which there never matches before a final line break.
var (
	dnsLabelPattern   = regexp.MustCompile(`^[a-z0-9]+(?:-+[a-z0-9]+)*\z`)
	objectNamePattern = regexp.MustCompile(`^(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]\z`)
	kindPattern       = regexp.MustCompile(`^[a-zA-Z][a-z0-9A-Z]*\z`)
	versionPattern    = regexp.MustCompile(`^[a-z0-9A-Z]+\z`)
	tagPattern        = regexp.MustCompile(`^[a-z0-9:+#]+(?:-[a-z0-9:+#]+)*\z`)
)

const (
	wantName      = "a string that is sequences of [a-zA-Z0-9] separated by any of [-_.], at most 63 characters in total"
	wantNamespace = "a string that is sequences of [a-z0-9] separated by [-], at most 63 characters in total"
	wantKind      = "a string that is a sequence of [a-zA-Z][a-z0-9A-Z], at most 63 characters in total"
	wantKey       = "a valid prefix and/or suffix"
	wantTag       = "a string that is sequences of [a-z0-9+#] separated by [-], at most 63 characters in total"
	wantURL       = "a string that is a valid url"
	wantText      = "a non empty string"

	moreOnFormat = "To learn more about catalog file format, visit: " +
		"https://github.com/backstage/backstage/blob/master/docs/architecture-decisions/adr002-default-catalog-file-format.md"
)

// short is what all short names have in common: at most 63 characters.
func short(s string, p *regexp.Regexp) bool {
	n := utf16Len(s)
	return n >= 1 && n <= 63 && p.MatchString(s)
}

func isDNSLabel(s string) bool   { return short(s, dnsLabelPattern) }
func isObjectName(s string) bool { return short(s, objectNamePattern) }
func isKind(s string) bool       { return short(s, kindPattern) }
func isTag(s string) bool        { return short(s, tagPattern) }
func isLabelValue(s string) bool { return s == "" || isObjectName(s) }
func isKey(s string) bool        { return isPrefixed(s, isObjectName) }

func isVersion(s string) bool {
	return isPrefixed(s, func(s string) bool { return short(s, versionPattern) })
}

func isDNSSubdomain(s string) bool {
	if n := utf16Len(s); n < 1 || n > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if !isDNSLabel(label) {
			return false
		}
	}
	return true
}

// isPrefixed is suffix, or DNS subdomain / suffix.
func isPrefixed(s string, suffix func(string) bool) bool {
	parts := strings.Split(s, "/")
	switch len(parts) {
	case 1:
		return suffix(parts[0])
	case 2:
		return isDNSSubdomain(parts[0]) && suffix(parts[1])
	default:
		return false
	}
}

func isNotBlank(s string) bool {
	return strings.TrimFunc(s, func(r rune) bool { return unicode.IsSpace(r) || r == 0xFEFF }) != ""
}

// badFormat is a field that breaks its format.
type badFormat struct {
	rule, label, want, found string
	path                     []string
}

func (b *badFormat) message() string {
	return fmt.Sprintf(`"%s" is not valid; expected %s but found "%s". %s`, b.label, b.want, b.found, moreOnFormat)
}

// checkFormats answers the first field whose format is wrong, in Backstage's
// order. The entity has passed rootSchema, so types are right.
func checkFormats(e *object) *badFormat {
	meta := e.child("metadata")
	version, _ := e.text("apiVersion")
	kindName, _ := e.text("kind")
	name, _ := meta.text("name")
	switch namespace, has := meta.text("namespace"); {
	case !isVersion(version):
		return &badFormat{"api-version-format", "apiVersion", wantKey, version, []string{"apiVersion"}}
	case !isKind(kindName):
		return &badFormat{"kind-format", "kind", wantKind, kindName, []string{"kind"}}
	case !isObjectName(name):
		return &badFormat{"name-format", "metadata.name", wantName, name, []string{"metadata", "name"}}
	case has && !isDNSLabel(namespace):
		return &badFormat{"namespace-format", "metadata.namespace", wantNamespace, namespace, []string{"metadata", "namespace"}}
	}
	if labels := meta.child("labels"); labels != nil {
		for _, k := range labels.keys {
			v, _ := labels.text(k)
			path := []string{"metadata", "labels", k}
			if !isKey(k) {
				return &badFormat{"label-key-format", "labels." + k, wantKey, k, path}
			}
			if !isLabelValue(v) {
				return &badFormat{"label-value-format", "labels." + k, wantName, v, path}
			}
		}
	}
	if annotations := meta.child("annotations"); annotations != nil {
		for _, k := range annotations.keys {
			if !isKey(k) {
				return &badFormat{"annotation-key-format", "annotations." + k, wantKey, k, []string{"metadata", "annotations", k}}
			}
		}
	}
	return checkTagsAndLinks(meta)
}

func checkTagsAndLinks(meta *object) *badFormat {
	tags, _ := meta.values["tags"].([]any)
	for i, tag := range tags {
		n := strconv.Itoa(i)
		if s, seen := tag.(string); seen && !isTag(s) {
			return &badFormat{"tag-format", "tags." + n, wantTag, s, []string{"metadata", "tags", n}}
		}
	}
	links, _ := meta.values["links"].([]any)
	for i, item := range links {
		n := strconv.Itoa(i)
		link, _ := item.(*object)
		if u, seen := link.text("url"); seen && !validURL(u) {
			return &badFormat{"link-url", "links." + n + ".url", wantURL, u, []string{"metadata", "links", n, "url"}}
		}
		for _, field := range []string{"title", "icon"} {
			if s, has := link.text(field); has && !isNotBlank(s) {
				return &badFormat{"link-text", "links." + n + "." + field, wantText, s, []string{"metadata", "links", n, field}}
			}
		}
	}
	return nil
}
