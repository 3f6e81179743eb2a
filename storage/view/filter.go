package view

import (
	"fmt"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"
)

// Filter chooses entities, by their search rows (contract catalog 4.4).
type Filter interface {
	// match returns a bitmap that must not be changed.
	match(s *Snapshot) *roaring.Bitmap
}

type (
	// Any matches what one of the filters matches.
	Any []Filter
	// All matches what each of the filters matches; without any, everything.
	All []Filter
	// Equal matches entities that have one of the values under the key. Both are lower-case.
	Equal struct {
		Key    string
		Values []string
	}
	// Exists matches entities that have the key, be it with null. It is lower-case.
	Exists struct{ Key string }
	// Not matches what the filter does not match.
	Not struct{ Filter Filter }
	// HasPrefix matches entities that have a value with the prefix under the key.
	// Both are lower-case.
	HasPrefix struct{ Key, Prefix string }
	// Text matches entities that have a value under one of the fields that
	// contains the term, literally and in any case (contract catalog 4.9).
	Text struct {
		Term   string
		Fields []string
	}
)

func (f Equal) match(s *Snapshot) *roaring.Bitmap  { return s.index.equal(f.Key, f.Values) }
func (f Exists) match(s *Snapshot) *roaring.Bitmap { return s.index.existing(f.Key) }

func (f Not) match(s *Snapshot) *roaring.Bitmap {
	return roaring.AndNot(s.all, f.Filter.match(s))
}

func (f HasPrefix) match(s *Snapshot) *roaring.Bitmap {
	if ids, ok := s.prefixed(f.Key, f.Prefix); ok {
		return ids
	}
	return s.index.containing(f.Key, textMark+f.Prefix)
}

func (f Text) match(s *Snapshot) *roaring.Bitmap {
	term := strings.ToLower(f.Term)
	if len(f.Fields) == 1 {
		return s.index.containing(strings.ToLower(f.Fields[0]), term)
	}
	found := roaring.New()
	for _, field := range f.Fields {
		found.Or(s.index.containing(strings.ToLower(field), term))
	}
	return found
}

func (f Any) match(s *Snapshot) *roaring.Bitmap {
	found := roaring.New()
	for _, part := range f {
		found.Or(part.match(s))
	}
	return found
}

func (f All) match(s *Snapshot) *roaring.Bitmap {
	if len(f) == 0 {
		return s.all
	}
	found := f[0].match(s)
	for _, part := range f[1:] {
		if found.IsEmpty() {
			return found
		}
		found = roaring.And(found, part.match(s))
	}
	return found
}

// FilterError is a filter that cannot be read; the message is part of the wire
// format. Without a statement it is the whole that is too much.
type FilterError struct{ Statement string }

func (e *FilterError) Error() string {
	if e.Statement == "" {
		return fmt.Sprintf("Invalid filter, it has more than %d conditions", maxFilterConditions)
	}
	return fmt.Sprintf("Invalid filter, '%s' is not a valid statement (expected a string on the form a=b or a= or a)", e.Statement)
}

// maxFilterConditions is how many alternatives and different keys a filter may
// have: as many as the predicate that stands for it in a cursor.
const maxFilterConditions = maxPredicateConditions - 1

// ParseFilter reads the values of the filter parameter: several are
// alternatives, statements between commas must all hold, and equal keys within
// one are alternatives again (contract catalog 4.5). Without any statement it
// returns nil, which matches everything. The error is a *FilterError.
func ParseFilter(params []string) (Filter, error) {
	var out Any
	conditions := 0
	for _, param := range params {
		all, err := parseStatements(param)
		if err != nil {
			return nil, err
		}
		if len(all) == 0 {
			continue
		}
		out = append(out, all)
		if conditions += 1 + len(all); conditions > maxFilterConditions {
			return nil, &FilterError{}
		}
	}
	switch len(out) {
	case 0:
		return nil, nil
	case 1:
		return out[0], nil
	}
	return out, nil
}

func parseStatements(param string) (All, error) {
	var (
		keys   []string
		seen   = make(map[string]bool)
		values = make(map[string][]string)
	)
	for statement := range strings.SplitSeq(param, ",") {
		statement = strings.TrimSpace(statement)
		if statement == "" {
			continue
		}
		key, value, hasValue := strings.Cut(statement, "=")
		key = strings.ToLower(strings.TrimSpace(key))
		if key == "" {
			return nil, &FilterError{Statement: statement}
		}
		if !seen[key] {
			seen[key] = true
			keys = append(keys, key)
		}
		if hasValue {
			values[key] = append(values[key], strings.ToLower(strings.TrimSpace(value)))
		}
	}
	var all All
	for _, key := range keys {
		if v, ok := values[key]; ok {
			all = append(all, Equal{Key: key, Values: v})
		} else {
			all = append(all, Exists{Key: key})
		}
	}
	return all, nil
}
