// Package row says how the model lies in columns: which column holds which
// field, in which order, in which encoding. Both backends read and write
// through it, so a value that one of them stored means the same in the other.
//
// It knows no SQL beyond column names, and no driver: whatever scans like
// database/sql or pgx will do.
//
// The encodings: a time is integer microseconds of Unix time, 0 for the zero
// time; a list, map or struct is JSON text, "" for an empty one; text holds
// neither NUL nor invalid UTF-8, because PostgreSQL takes neither.
package row

import (
	"bytes"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/callboard/callboard/storage"
)

// Scanner is a row of either driver.
type Scanner interface {
	Scan(dest ...any) error
}

// Micros encodes a time.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// Time decodes what Micros made, in UTC.
func Time(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

// Text makes a string storable in both databases: NUL and invalid UTF-8 become
// U+FFFD. A path or header of odd bytes must not stop the row that it is in.
// Backends apply it to every text argument, of reads as well as writes.
func Text(s string) string {
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "\uFFFD")
	}
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	return s
}

// Args applies Text to the arguments of a statement, in place.
func Args(args []any) []any {
	for i, a := range args {
		switch a := a.(type) {
		case string:
			args[i] = Text(a)
		case []string:
			clean := make([]string, len(a))
			for j, s := range a {
				clean[j] = Text(s)
			}
			args[i] = clean
		}
	}
	return args
}

// Last keeps the last of those that share a key, in the order of their first
// mention: what a caller names twice in one call is written once.
func Last[T any, K comparable](all []T, key func(T) K) []T {
	at := make(map[K]int, len(all))
	unique := make([]T, 0, len(all))
	for _, v := range all {
		k := key(v)
		if i, ok := at[k]; ok {
			unique[i] = v
			continue
		}
		at[k] = len(unique)
		unique = append(unique, v)
	}
	return unique
}

// jsonValue encodes when the driver asks, so that a RawMessage that is not JSON
// is an error of the statement. It spares the escaping that browsers need.
type jsonValue struct{ v any }

// Value is driver.Valuer, which both drivers know.
func (j jsonValue) Value() (driver.Value, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(j.v); err != nil {
		return nil, fmt.Errorf("encode a column: %w", err)
	}
	return Text(strings.TrimSuffix(b.String(), "\n")), nil
}

func list[T any](v []T) any {
	if len(v) == 0 {
		return ""
	}
	return jsonValue{v}
}

func mapping[V any](v map[string]V) any {
	if len(v) == 0 {
		return ""
	}
	return jsonValue{v}
}

// Cause encodes a cause.
func Cause(c storage.Cause) any { return jsonValue{c} }

// timeColumn, jsonColumn and rawColumn are scan targets.
type timeColumn struct{ dest *time.Time }

func (c timeColumn) Scan(src any) error {
	micros, ok := src.(int64)
	if !ok {
		return fmt.Errorf("a time column holds %T", src)
	}
	*c.dest = Time(micros)
	return nil
}

type jsonColumn struct{ dest any }

func (c jsonColumn) Scan(src any) error {
	b, err := textBytes(src)
	if err != nil || len(b) == 0 {
		return err
	}
	return json.Unmarshal(b, c.dest)
}

type rawColumn struct{ dest *json.RawMessage }

func (c rawColumn) Scan(src any) error {
	b, err := textBytes(src)
	*c.dest = nil
	if len(b) > 0 {
		*c.dest = b
	}
	return err
}

// textOf reads a text column as a string.
func textOf(src any) (string, error) {
	switch src := src.(type) {
	case nil:
		return "", nil
	case string:
		return src, nil
	case []byte:
		return string(src), nil
	}
	return "", fmt.Errorf("a text column holds %T", src)
}

// textBytes returns bytes that belong to the caller.
func textBytes(src any) ([]byte, error) {
	if b, ok := src.([]byte); ok {
		return bytes.Clone(b), nil
	}
	text, err := textOf(src)
	return []byte(text), err
}
