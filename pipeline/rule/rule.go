// Package rule holds the rules of the catalog: which kinds may come from which
// locations (contract catalog 3.7).
//
// It is pure. It does not read configuration, and what becomes of an entity
// that is not allowed is decided in refresh.
package rule

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/callboard/callboard/pipeline/match"
	"github.com/callboard/callboard/storage/entity"
)

// Rules allow what any one of them allows; without any, nothing is allowed.
type Rules []Rule

// Rule allows kinds from locations.
type Rule struct {
	Allow []Kind `json:"allow"`
	// Locations it is for; none means every location.
	Locations []Location `json:"locations,omitempty"`
}

// Kind is a kind, and a spec.type if only that is allowed. Both are compared in
// any case.
type Kind struct {
	Kind     string `json:"kind"`
	SpecType string `json:"specType,omitempty"`
}

// Location matches location refs by type and, if given, by exact target or
// glob. Make it with NewLocation, or from JSON.
type Location struct {
	place
	glob *match.Pattern
}

type place struct {
	Type    string `json:"type"`
	Exact   string `json:"exact,omitempty"`
	Pattern string `json:"pattern,omitempty"`
}

var errBoth = errors.New("exact and pattern exclude each other")

// NewLocation makes a Location. It refuses exact and pattern together.
func NewLocation(locationType, exact, pattern string) (Location, error) {
	l := Location{place: place{Type: locationType, Exact: exact, Pattern: pattern}}
	if pattern == "" {
		return l, nil
	}
	if exact != "" {
		return l, errBoth
	}
	var err error
	l.glob, err = match.CompileURL(pattern)
	return l, err
}

// UnmarshalJSON implements json.Unmarshaler.
func (l *Location) UnmarshalJSON(raw []byte) error {
	var p place
	err := json.Unmarshal(raw, &p)
	if err == nil {
		*l, err = NewLocation(p.Type, p.Exact, p.Pattern)
	}
	return err
}

// Default is what holds when nothing is configured.
func Default() Rules {
	return Rules{{Allow: []Kind{{Kind: entity.KindComponent}, {Kind: entity.KindAPI}, {Kind: entity.KindLocation}}}}
}

// Everything allows every kind from everywhere.
func Everything() Rules {
	var all []Kind
	for _, kind := range []string{
		entity.KindComponent, entity.KindAPI, entity.KindResource, entity.KindSystem, entity.KindDomain,
		entity.KindGroup, entity.KindUser, entity.KindLocation, entity.KindTemplate,
	} {
		all = append(all, Kind{Kind: kind})
	}
	return Rules{{Allow: all}}
}

// Allow says whether an entity may come from an origin, which is a location ref
// such as url:https://github.com/acme/cart/blob/main/catalog-info.yaml.
func (rs Rules) Allow(origin, kind, specType string) bool {
	for _, r := range rs {
		if r.covers(origin) && r.allows(kind, specType) {
			return true
		}
	}
	return false
}

func (r Rule) allows(kind, specType string) bool {
	for _, k := range r.Allow {
		if strings.EqualFold(k.Kind, kind) && (k.SpecType == "" || strings.EqualFold(k.SpecType, specType)) {
			return true
		}
	}
	return false
}

func (r Rule) covers(origin string) bool {
	if len(r.Locations) == 0 {
		return true
	}
	kind, target, _ := strings.Cut(origin, ":")
	if i := strings.IndexAny(target, "?#"); i >= 0 && kind == "url" {
		target = target[:i] // names no file, and must not pass for one
	}
	for _, l := range r.Locations {
		if l.Type == kind && (l.Exact == "" || l.Exact == target) && (l.glob == nil || l.glob.Match(target)) {
			return true
		}
	}
	return false
}

// String names the rules by their content: equal strings decide equally.
func (rs Rules) String() string {
	var b strings.Builder
	for _, r := range rs {
		fmt.Fprintf(&b, "%q", r.Allow)
		for _, l := range r.Locations {
			fmt.Fprintf(&b, " %q", l.place)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
