package match

import "strings"

// Ignored tells whether a path lies where the descriptors of other people or
// unfinished ones live, and why (users.md row 9: a third of all files called
// catalog-info.yaml in a sample of 162 repositories). These are defaults for
// files found by a glob; a file that somebody names, by registration or as a
// plain path, is not subject to them.
func Ignored(path string) (reason string, ok bool) {
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	underTemplate := false
	for i, s := range segments {
		if strings.Contains(s, "{{") || strings.Contains(s, "{%") {
			return "the path holds a template expression", true
		}
		if i == len(segments)-1 {
			break // the file itself may be called anything
		}
		switch {
		case s == "vendor":
			return "the file lies under vendor/", true
		case s == "node_modules":
			return "the file lies under node_modules/", true
		case s == "skeleton":
			return "the file lies under skeleton/, the content of a template", true
		case s == "content" && underTemplate:
			return "the file lies under content/ of a template", true
		}
		underTemplate = underTemplate || strings.HasSuffix(s, "template") || strings.HasSuffix(s, "templates")
	}
	return "", false
}
