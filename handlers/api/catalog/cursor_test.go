package catalog

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/handlers/respond"
)

// Whatever comes as a cursor is refused as the client's mistake or read, and
// what was read is written so that it is read as the same again.
func FuzzCursor(f *testing.F) {
	for _, s := range []string{
		"", "{}", `{"orderFields":[],"isPrevious":false}`, `{"limit":2,"offset":2}`,
		`{"orderFields":[{"field":"a","order":"desc"}],"orderFieldValues":[null,"u"],"isPrevious":true,"query":{"a":"b"},"firstSortFieldValues":["x","u"],"totalItems":3}`,
		`{"orderFields":[],"orderFieldValues":["u"],"isPrevious":false,"filter":{"anyOf":[{"key":"a","values":["B"]},{"not":{"allOf":[{"key":"c"}]}}]},"fullTextFilter":{"term":" x ","fields":["","y"]}}`,
		`{"orderFields":[{"field":"a"}],"isPrevious":false,"query":{"$all":[{"$not":{"a":{"$in":["<",1,true]}}}]},"filter":null}`,
		`{"orderFields":[],"isPrevious":false,"filter":` + strings.Repeat(`{"not":`, 40) + `{}` + strings.Repeat("}", 40) + `}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q, err := parseCursor(base64.StdEncoding.EncodeToString([]byte(s)))
		if err != nil {
			if known, ok := errors.AsType[*respond.Error](err); !ok || known.Name != "InputError" || !strings.HasPrefix(known.Message, "Malformed cursor: ") {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		if q.limit = 1; q.total == nil {
			q.total = new(0)
		}
		again, err := parseCursor(q.cursorTo(q.after, q.back, q.first, *q.total).String())
		if err != nil {
			t.Fatalf("%q is read, and what it is written to is not: %v", s, err)
		}
		type shown struct {
			After, First []*string
			Back         bool
			Order        any
			Text         *textFilter
			Total        int
			Query        string
		}
		show := func(q query) shown {
			return shown{position(q.after, q.order), position(q.first, q.order), q.back, q.order, q.text, *q.total, strings.ToValidUTF8(compact(q.rawQuery)+compact(q.rawFilter), "")}
		}
		if diff := cmp.Diff(show(q), show(again)); diff != "" {
			t.Errorf("%q: %s", s, diff)
		}
	})
}

// compact leaves spaces away, whose place is free, and null, which is nothing.
func compact(raw []byte) string {
	raw = slices.DeleteFunc(slices.Clone(raw), func(c byte) bool { return strings.ContainsRune(" \t\r\n", rune(c)) })
	return strings.TrimPrefix(string(raw), "null")
}

// Base64 as browsers, Go and shells write it, of the bytes that tell them apart.
func TestDecodeBase64(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"+/8=", "-_8=", "+/8", "-_8"} {
		if got, err := decodeBase64(s); err != nil || string(got) != "\xfb\xff" {
			t.Errorf("%s: %q, %v", s, got, err)
		}
	}
}
