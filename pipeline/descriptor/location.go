package descriptor

import (
	"crypto/sha1" //nolint:gosec // the name is part of the wire format, not a secret
	"encoding/hex"
	"strconv"

	"github.com/callboard/callboard/storage/entity"
)

// location resolves the targets of a Location (contract catalog 3.3). Whether
// a target can be read is not known here: only what no reader would ever take
// refuses the document.
func (p *process) location() bool {
	if p.kind.name != entity.KindLocation {
		return true
	}
	spec := p.entity.child("spec")
	t, has := spec.text("type")
	if has && t != "url" && t != p.src.kind() {
		e := jsError("InputError", `Registered locations must be of an allowed type ["url"]`, nil)
		return p.fail(e, "location-type", []string{"spec", "type"})
	}
	good := true
	read := func(target string, path []string) {
		resolved, err := ResolveURL(target, p.src.URL, p.src.Hosts)
		if _, local := LocalFile(resolved); local && p.src.local() && t != "url" {
			p.result.Targets = append(p.result.Targets, resolved)
			return
		}
		if err != nil {
			resolved = target
		}
		u, err := parseURL(resolved)
		switch {
		case err != nil:
			good = p.fail(jsError("Error", "Unable to read "+p.src.kind()+", Invalid URL", nil), "location-target", path)
		case u.scheme != "http" && u.scheme != "https":
			good = p.fail(jsError("Error", "Unable to read url, "+NotAllowed(resolved).Message, nil), "location-target", path)
		default:
			p.result.Targets = append(p.result.Targets, resolved)
		}
	}
	if target, has := spec.text("target"); has {
		read(target, []string{"spec", "target"})
	}
	list, _ := spec.get("targets")
	targets, _ := list.([]any)
	for i, target := range targets {
		if target, seen := target.(string); seen {
			read(target, []string{"spec", "targets", strconv.Itoa(i)})
		}
	}
	return good
}

// NotAllowed is the error of Backstage for a URL on a host that nothing allows
// to be read (contract catalog 3.6).
func NotAllowed(u string) *entity.Error {
	return jsError("NotAllowedError", "Reading from '"+u+"' is not allowed. You may need to configure an integration for the target host, "+
		"or add it to the configured list of allowed hosts at 'backend.reading.allow'", nil)
}

// NotFound is the error of Backstage for a URL that answers 404.
func NotFound(u string) *entity.Error {
	return jsError("NotFoundError", "Request failed for "+u+", 404 Not Found", nil)
}

// RootName is the name of the generated Location entity of a registered or
// discovered file (contract catalog 3.2).
func RootName(locationType, target string) string {
	sum := sha1.Sum([]byte(locationType + ":" + target)) //nolint:gosec // see above
	return "generated-" + hex.EncodeToString(sum[:])
}

// RootLocation is that entity.
func RootLocation(locationType, target string, optional bool) entity.Declaration {
	return NamedLocation(RootName(locationType, target), locationType, target, optional)
}

// NamedLocation is that entity under the name of another target, which it had
// when it was registered (contract catalog 4.14).
func NamedLocation(name, locationType, target string, optional bool) entity.Declaration {
	ref := locationType + ":" + target
	annotations := newObject(5)
	annotations.set(entity.AnnotationLocation, ref)
	annotations.set(entity.AnnotationOriginLocation, ref)
	meta, spec, e := newObject(3), newObject(3), newObject(4)
	meta.set("name", name)
	meta.set("namespace", entity.DefaultNamespace)
	meta.set("annotations", annotations)
	spec.set("type", locationType)
	spec.set("target", target)
	if optional {
		spec.set("presence", "optional")
	}
	e.set("apiVersion", coreVersions[0])
	e.set("kind", entity.KindLocation)
	e.set("metadata", meta)
	e.set("spec", spec)
	written := appendJSON(nil, e)
	if locationType == "url" {
		// Which hosts are GitHub's is not known here, but the shape of its URLs is.
		writeURLs(annotations, target, gitHubPathPattern.MatchString(target))
	}
	return entity.Declaration{
		Ref:        refOf(e).String(),
		Line:       1,
		Descriptor: written,
		JSON:       appendJSON(nil, e),
	}
}
